"""What passes on a line: one request at a time, and everything that comes back, told apart.

Octets go through every framing (fieldbus.hearing); each frame is the answer, a late reply, our own echo, an event that
wants a response, or nobody's. Times are the event loop's, so a test can drive them.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from clock import Clock
from fieldbus.asked import Asked
from fieldbus.echo import Echo
from fieldbus.exchange import (
    BadReplyError,
    Framing,
    Heard,
    LineCounters,
    LineDownError,
    LineError,
    Noise,
    Request,
    Traced,
)
from fieldbus.hearing import Hearing
from fieldbus.line_channel import LineChannel
from fieldbus.line_timing import LineTiming
from fieldbus.occupancy import Occupancy
from fieldbus.unanswered import Unanswered, Verdict

_MOST_SENSELESS: Final = 65536  # octets without a frame; taking them apart costs the other lines their time


class Conversation:
    """Asks on a line's channel, and hears."""

    def __init__(self, channel: LineChannel, timing: LineTiming, clock: Clock, counters: LineCounters) -> None:
        """`clock` dates what is traced."""
        self.tap: Callable[[Traced], None] | None = None
        self.unanswered = Unanswered(timing.late_s)
        self.echo = Echo()
        self._channel = channel
        self._timing = timing
        self._clock = clock
        self._counters = counters
        self._hearing = Hearing(timing.gap_s, self._frame, self._noise, self._stream_lost)
        self._occupancy = Occupancy(timing)
        self._asked: Asked | None = None
        self._senseless = 0  # octets since the last frame
        self._silent = 0  # requests in a row that brought not a single octet
        self._timer: asyncio.TimerHandle | None = None
        channel.attach(self._received, self._lost)

    def attach(self, framing: Framing) -> None:
        """Listen with this framing, too."""
        self._hearing.attach(framing)

    def restart(self) -> None:
        """Begin with a connection as with any new one."""
        self._hearing.forget()
        self.echo.forget()
        self._silent = self._senseless = 0

    def end(self, reason: str) -> None:
        """Give up what is under way, with LineDownError: the connection is gone."""
        self._channel.note_end()
        self._hearing.flush()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._fail(LineDownError(reason))

    def forget_old(self) -> None:
        """Forget what was asked so long ago that it can't be answered any more."""
        channel = self._channel
        last_heard = channel.line_time_of(self._occupancy.last_heard)
        self.unanswered.forget(channel.line_time(), channel.connection, last_heard)

    async def ask(self, request: Request, kind: str = "request") -> Heard:
        """Send a request when nobody talks, and return the frame that answers it; LineError.

        Cancelled, it remembers what may still be answered.
        """
        await self._quiet()
        # A clean start: what is still unfinished on the line is no part of the reply.
        self._hearing.flush()
        self.echo.begin()
        self._send(request.octets, kind, request.framing.protocol)
        asked = Asked(request, self._occupancy.free_at + self._timing.timeout_s)
        self._asked = asked
        self._wake_at(asked.deadline)
        try:
            return await asked.answer
        finally:
            if self._asked is asked:  # cancelled
                self._give_up()

    async def broadcast(self, request: Request) -> None:
        """Send what nobody answers."""
        await self._quiet()
        self._send(request.octets, "broadcast", request.framing.protocol)
        self._occupancy.broadcast()

    async def raw(self, octets: bytes, silence_s: float) -> None:
        """Send octets of any kind and wait for so much silence, or the end of the connection."""
        await self._quiet()
        self._send(octets, "raw", "")
        loop = asyncio.get_running_loop()
        while self._channel.connected:
            wait = self._occupancy.quiet_since + silence_s - loop.time()
            if wait <= 0:
                break
            await asyncio.sleep(wait)
        self._channel.note_end()

    def count_silence(self) -> None:
        """Replace a connection that brings nothing at all: it may be dead unawares, as behind a lost 4G link."""
        self._silent += 1
        if self._timing.replace_after and self._silent >= self._timing.replace_after:
            self._silent = 0
            self._channel.hang_up()

    async def _quiet(self) -> None:
        await self._occupancy.quiet(lambda: self._hearing.gap_s)
        self._channel.need()

    def _send(self, octets: bytes, kind: str, protocol: str) -> None:
        try:
            self._channel.write(octets)
        except LineDownError:
            self._counters.unreachable += 1
            raise
        self.echo.sent(octets)
        self._occupancy.sent(len(octets))
        if self.tap is not None:
            self._trace(octets, kind, protocol, sent=True)

    # What comes back

    def _received(self, data: bytes) -> None:
        now = self._occupancy.last_heard = asyncio.get_running_loop().time()
        asked = self._asked
        if asked is not None and asked.is_waiting and now > asked.deadline + self._timing.longest_reply_s:
            self._time_out(asked)  # this process was stopped, and nobody knows when these octets came
        if asked is not None:
            asked.octets += len(data)
        self._senseless += len(data)
        self._silent = 0
        self._hearing.feed(data)
        if self._senseless > _MOST_SENSELESS:
            self._hearing.flush()
        if self._senseless > _MOST_SENSELESS:  # and there was no frame behind the beginning of one
            self._stream_lost(Noise(b"", f"{self._senseless} octets without a frame"))
            return
        gap_s = self._hearing.gap_s
        if gap_s is not None:
            self._wake_at(self._occupancy.last_heard + gap_s)
        elif self._asked is None:
            self._hearing.settle()

    def _noise(self, noise: Noise) -> None:
        self._counters.corrupt += 1
        self._note(noise.reason)
        if self.tap is not None:
            self._trace(noise.octets, "corrupt", "", reason=noise.reason)

    def _stream_lost(self, noise: Noise) -> None:
        self._channel.hang_up()
        self._fail(BadReplyError(f"{noise.reason}: the connection is given up"))

    def _frame(self, framing: Framing, heard: Heard) -> None:
        self._senseless = 0
        verdict = self._verdict(framing, heard)
        if self.tap is not None:
            self._trace(heard.octets, verdict, framing.protocol)

    def _verdict(self, framing: Framing, heard: Heard) -> str:
        """Do with a frame what has to be done, and return the word for it."""
        if self._asked is not None and self._asked.answer.cancelled():
            self._give_up()
        asked = self._asked
        request = None if asked is None else asked.request
        if self.echo.takes(heard, request, self.unanswered):
            self._counters.echo += 1
            return "echo"
        if not heard.is_request:
            verdict = self.unanswered.judge(heard, request)
            if verdict is Verdict.ANSWER:
                assert asked is not None
                self.echo.answered(asked.request, heard, asked.octets)
                asked.answer.set_result(heard)
                self._asked = None
                return "answer"
            if verdict is not Verdict.STRANGE:
                self._counters.late += 1
                self._note("late replies to earlier requests")
                return "late"
        return self._unasked(framing, heard)

    def _unasked(self, framing: Framing, heard: Heard) -> str:
        asked = self._asked
        of_the_same = asked is not None and heard.device == asked.request.device
        response = framing.respond(heard)
        if response is not None:
            self._respond(framing, response)
            if asked is not None and of_the_same and heard.is_part:
                asked.take_part(self._occupancy.last_heard + self._timing.timeout_s)
            return "event"
        self._counters.foreign += 1
        self._note("a frame that answers nothing that was asked")
        if heard.is_request:
            # Another master (a charger's own controller, say) has asked.
            if asked is not None and of_the_same:
                text = f"{asked.request.about}: another master asked the same meter at the same time"
                self._fail(BadReplyError(text))
            self._occupancy.other_asked(heard.device)
        elif asked is not None and of_the_same:
            asked.misfit = True
        else:
            self._occupancy.spoke(heard.device)
        return "foreign"

    def _note(self, oddity: str) -> None:
        if self._asked is not None:
            self._asked.oddity = oddity

    def _respond(self, framing: Framing, octets: bytes) -> None:
        try:
            self._channel.write(octets)
        except LineDownError:
            return  # whoever wanted it has gone
        if self.tap is not None:
            self._trace(octets, "response", framing.protocol, sent=True)

    # What does not come

    def _wake_at(self, when: float) -> None:
        """Have `_wake` called then, or before: it looks for itself what is due, so that few timers do."""
        if self._timer is not None:
            if self._timer.when() <= when:
                return
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(when, self._wake)

    def _wake(self) -> None:
        self._timer = None
        now = asyncio.get_running_loop().time()
        gap_s = self._hearing.gap_s
        quiet_at = None if gap_s is None else self._occupancy.last_heard + gap_s
        if quiet_at is not None and now >= quiet_at:
            self._hearing.flush()
            quiet_at = None
        asked = self._asked
        if asked is not None and asked.is_waiting:
            limit = asked.deadline + (0.0 if quiet_at is None else self._timing.longest_reply_s)
            if now >= limit:
                self._time_out(asked)
            else:
                self._wake_at(limit if quiet_at is None else min(quiet_at, limit))
        elif quiet_at is not None:
            self._wake_at(quiet_at)

    def _time_out(self, asked: Asked) -> None:
        self._hearing.settle()
        self._counters.timeout += 1
        self._fail(asked.overdue(self._timing.timeout_s))
        if not asked.octets:
            self.count_silence()

    def _lost(self, reason: str) -> None:
        if self._asked is not None:
            self._counters.unreachable += 1
        self.end(reason)

    def _fail(self, error: LineError) -> None:
        asked = self._asked
        self._give_up()
        if asked is not None:
            asked.fail(error)

    def _give_up(self) -> None:
        """Stop waiting; from now on the reply is late, whenever it comes."""
        asked, self._asked = self._asked, None
        if asked is not None:
            self.unanswered.add(asked.request, self._channel.line_time(), self._channel.connection)

    def _trace(self, octets: bytes, verdict: str, protocol: str, *, sent: bool = False, reason: str = "") -> None:
        assert self.tap is not None
        self.tap(Traced(self._clock.now_ms(), sent, octets, verdict, protocol, reason))
