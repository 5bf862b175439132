"""A line's bus (总线): the one owner of its channel, one request at a time, and judge of everything that comes back.

Times are the event loop's, so a test can drive them.
"""

import asyncio
from collections.abc import Callable, Hashable
from typing import Final

from clock import Clock
from fieldbus.channels.base import Channel
from fieldbus.echo import Echo
from fieldbus.exchange import (
    REFUSED,
    BadReplyError,
    Framing,
    Heard,
    LineCounters,
    LineDownError,
    LineError,
    Noise,
    NoReplyError,
    RefusedError,
    Request,
    Traced,
)
from fieldbus.hearing import Hearing
from fieldbus.line_timing import LineTiming
from fieldbus.unanswered import Unanswered, Verdict

_LOOK_AGAIN_S: Final = 0.01  # whether another master has its answer
_PROBES: Final = 2  # the second only where the first was refused like something else that may still come
_MOST_SENSELESS: Final = 65536  # octets without a frame; taking them apart costs the other lines their time
_MOST_PARTS: Final = 256  # of one reply: whoever sends more has no end, and the line has other meters


class LineBus:
    """Requests of any protocol on one channel."""

    def __init__(self, channel: Channel, timing: LineTiming, clock: Clock) -> None:
        """`clock` dates what is traced."""
        self.counters = LineCounters()
        self.tap: Callable[[Traced], None] | None = None
        self._channel = channel
        self._timing = timing
        self._clock = clock
        self._lock = asyncio.Lock()
        self._connecting = asyncio.Lock()
        self._hearing = Hearing(timing.gap_s, self._frame, self._noise, self._stream_lost)
        self._unanswered = Unanswered(timing.late_s)
        self._connection = 0  # counts them
        self._down_since: float | None = None
        self._down_s = 0.0  # how long there was no connection, in all
        self._last_heard = float("-inf")
        self._free_at = float("-inf")  # when what was sent last is through
        self._senseless = 0  # octets since the last frame
        self._silent = 0  # requests in a row that brought not a single octet
        self._echo = Echo()
        self._others: Hashable = None  # the device that another master waits for
        # Of the request under way:
        self._request: Request | None = None
        self._waiter: asyncio.Future[Heard] | None = None
        self._deadline = 0.0
        self._parts = 0  # of its reply, that are here
        self._octets = 0
        self._oddity = ""
        self._misfit = False  # the meter has said something that is no answer
        self._timer: asyncio.TimerHandle | None = None
        channel.attach(self._received, self._lost)

    @property
    def connected(self) -> bool:
        """Whether the channel is open."""
        return self._channel.connected

    @property
    def timing(self) -> LineTiming:
        """The line's times."""
        return self._timing

    def attach(self, framing: Framing) -> None:
        """Listen with this framing from now on."""
        self._hearing.attach(framing)

    async def connect(self) -> None:
        """Open the channel; LineDownError when that fails."""
        async with self._connecting:
            if self._channel.connected:
                return
            try:
                await self._channel.open()
            except LineDownError:
                self.counters.unreachable += 1
                raise
            self._note_start()

    def close(self) -> None:
        """Close the channel; a request under way ends with LineDownError."""
        self._channel.close()
        self._end(f"{self._channel.name} was closed")

    def unanswered(self, device: Hashable) -> frozenset[Hashable]:
        """Return the signatures of a device's requests whose replies may still come."""
        return self._unanswered.signatures(device)

    async def exchange(self, request: Request) -> Heard | None:
        """Send a request and return the frame that answers it, None for a broadcast; else a LineError.

        Waits for its turn. Cancelled, it leaves the line in order: what may still be answered stays known.
        """
        async with self._lock:
            self.attach(request.framing)
            self._need_connection()
            if self._down_since is not None:  # a meter has dialled in again
                self._note_start()
            if request.signature is None:
                await self._broadcast(request)
                return None
            self._unanswered.forget(self._line_time(), self._connection, self._last_heard - self._down_s)
            await self._synchronise(request)
            heard = await self._ask(request)
            self._count(request, heard)
            return heard

    async def raw(self, octets: bytes, silence_s: float) -> None:
        """Put octets of any kind on the line and wait for so much silence, or the end of the connection.

        What comes back answers nothing that was asked. LineDownError.
        """
        async with self._lock:
            self._need_connection()
            await self._quiet()
            self._send(octets, "raw", "")
            loop = asyncio.get_running_loop()
            while self._channel.connected:
                wait = max(self._last_heard, self._free_at) + silence_s - loop.time()
                if wait <= 0:
                    break
                await asyncio.sleep(wait)
            self._note_end()

    def _count(self, request: Request, heard: Heard) -> None:
        try:
            if request.verify is not None:
                request.verify(heard)
        except RefusedError:
            self.counters.exception += 1
            raise
        except LineError:
            self.counters.corrupt += 1
            raise
        if heard.signature is None:
            self.counters.exception += 1
        else:
            self.counters.ok += 1

    async def _broadcast(self, request: Request) -> None:
        await self._quiet()
        self._send(request.octets, "broadcast", request.framing.protocol)
        self._free_at += self._timing.after_broadcast_s

    async def _synchronise(self, request: Request) -> None:
        """See to it that nothing is under way that could be taken for the request's answer."""
        for _ in range(_PROBES):
            unanswered = self._unanswered.in_the_way(request)
            unsure = REFUSED in unanswered or request.signature in unanswered
            if not unsure and not (request.mirrored and self._echo.known is None):
                return
            probe = request.probe(unanswered) if request.probe is not None else None
            if probe is None:
                if not unsure:
                    return
                self._count_silence()
                raise NoReplyError(f"{request.about}: earlier requests may still be answered, so it was not asked")
            self.counters.probes += 1
            try:
                await self._ask(probe, "probe")
            except LineError:
                if REFUSED not in self._unanswered.signatures(request.device):
                    raise
                continue
            if not request.mirrored or self._echo.known is not None:
                return
        if REFUSED in self._unanswered.in_the_way(request):
            raise BadReplyError(f"{request.about}: the meter refuses, and what it refuses is not known")
        raise BadReplyError(f"{request.about}: too much noise to know its echo from the answer, so it was not asked")

    async def _ask(self, request: Request, kind: str = "request") -> Heard:
        await self._quiet()
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Heard] = loop.create_future()
        self._begin(request)
        self._send(request.octets, kind, request.framing.protocol)
        self._request, self._waiter = request, waiter
        self._deadline = self._free_at + self._timing.timeout_s
        self._wake_at(self._deadline)
        try:
            return await waiter
        finally:
            if self._request is request:  # cancelled
                self._give_up()

    def _give_up(self) -> None:
        """Stop waiting; from now on the reply is late, whenever it comes."""
        request, self._request, self._waiter = self._request, None, None
        if request is not None:
            self._unanswered.add(request, self._line_time(), self._connection)

    def _line_time(self) -> float:
        """Return seconds in which there was a connection: without one, nothing that is under way can arrive."""
        now = asyncio.get_running_loop().time() if self._down_since is None else self._down_since
        return now - self._down_s

    def _note_start(self) -> None:
        """Begin with a connection as with any new one."""
        if self._down_since is not None:
            self._down_s += asyncio.get_running_loop().time() - self._down_since
            self._down_since = None
        self._hearing.forget()
        self._echo.forget()
        self._connection += 1
        self._silent = self._senseless = 0
        self.counters.connects += 1

    def _note_end(self) -> None:
        """See whether the connection has ended."""
        if self._down_since is None and not self._channel.connected:
            self._down_since = asyncio.get_running_loop().time()

    def _begin(self, request: Request) -> None:
        """Make a clean start: what is still unfinished on the line is no part of the reply."""
        self._hearing.flush()
        self._octets = 0
        self._echo.begin()
        self._oddity = ""
        self._parts = 0
        self._misfit = False

    def _send(self, octets: bytes, kind: str, protocol: str) -> None:
        try:
            self._channel.write(octets)
        except LineDownError:
            self.counters.unreachable += 1
            raise
        self._echo.sent(octets)
        now = asyncio.get_running_loop().time()
        self._free_at = now + len(octets) * self._timing.character_s
        if self.tap is not None:
            self._trace(octets, kind, protocol, sent=True)

    async def _quiet(self) -> None:
        """Wait until nobody talks, and the pause between two frames has passed."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        while (now := loop.time()) - started < self._timing.longest_reply_s:
            quiet_since = max(self._last_heard, self._free_at)
            gap_s = self._hearing.gap_s
            wait = quiet_since + (self._timing.pause_s if gap_s is None else gap_s) - now
            if wait <= 0:
                break
            await asyncio.sleep(wait if self._others is None else min(wait, _LOOK_AGAIN_S))
        self._others = None
        self._need_connection()

    def _need_connection(self) -> None:
        if not self._channel.connected:
            self.counters.unreachable += 1
            raise LineDownError(f"no connection to {self._channel.name}")

    def _received(self, data: bytes) -> None:
        self._last_heard = asyncio.get_running_loop().time()
        if self._is_waiting and self._last_heard > self._deadline + self._timing.longest_reply_s:
            self._time_out()  # this process was stopped, and nobody knows when these octets came
        self._octets += len(data)
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
            self._wake_at(self._last_heard + gap_s)
        elif self._waiter is None:
            self._hearing.settle()

    def _noise(self, noise: Noise) -> None:
        self.counters.corrupt += 1
        self._oddity = noise.reason
        if self.tap is not None:
            self._trace(noise.octets, "corrupt", "", reason=noise.reason)

    def _stream_lost(self, noise: Noise) -> None:
        self._hang_up()
        self._fail(BadReplyError, f"{noise.reason}: the connection is given up")

    def _frame(self, framing: Framing, heard: Heard) -> None:
        self._senseless = 0
        verdict = self._verdict(framing, heard)
        if self.tap is not None:
            self._trace(heard.octets, verdict, framing.protocol)

    def _verdict(self, framing: Framing, heard: Heard) -> str:
        """Do with a frame what has to be done, and return the word for it."""
        if self._waiter is not None and self._waiter.cancelled():
            self._give_up()
        request = self._request
        if self._echo.takes(heard, request, self._unanswered):
            self.counters.echo += 1
            return "echo"
        if not heard.is_request:
            verdict = self._unanswered.judge(heard, request)
            if verdict is Verdict.ANSWER:
                assert self._waiter is not None
                assert request is not None
                self._echo.answered(request, heard, self._octets)
                self._waiter.set_result(heard)
                self._request = self._waiter = None
                return "answer"
            if verdict is not Verdict.STRANGE:
                self.counters.late += 1
                self._oddity = "late replies to earlier requests"
                return "late"
        return self._unasked(framing, heard, request)

    def _unasked(self, framing: Framing, heard: Heard, request: Request | None) -> str:
        response = framing.respond(heard)
        if response is not None:
            self._respond(framing, response)
            if heard.is_part and request is not None and heard.device == request.device and self._parts < _MOST_PARTS:
                self._parts += 1
                self._deadline = self._last_heard + self._timing.timeout_s
            return "event"
        self.counters.foreign += 1
        self._oddity = "a frame that answers nothing that was asked"
        if heard.is_request:
            self._give_way(heard, request)
        elif request is not None and heard.device == request.device:
            self._misfit = True
        elif heard.device == self._others:
            self._free_at, self._others = self._last_heard, None
        return "foreign"

    def _give_way(self, heard: Heard, request: Request | None) -> None:
        """Another master (a charger's own controller, say) has asked: its meter's next reply is for it, not for us."""
        if request is not None and request.device == heard.device:
            self._fail(BadReplyError, f"{request.about}: another master asked the same meter at the same time")
        self._others = heard.device
        self._free_at = max(self._free_at, self._last_heard + self._timing.timeout_s)

    def _respond(self, framing: Framing, octets: bytes) -> None:
        try:
            self._channel.write(octets)
        except LineDownError:
            return  # whoever wanted it has gone
        if self.tap is not None:
            self._trace(octets, "response", framing.protocol, sent=True)

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
        quiet_at = None if gap_s is None else self._last_heard + gap_s
        if quiet_at is not None and now >= quiet_at:
            self._hearing.flush()
            quiet_at = None
        limit = self._deadline + (0.0 if quiet_at is None else self._timing.longest_reply_s)
        if self._is_waiting and now >= limit:
            self._time_out()
        elif self._is_waiting:
            self._wake_at(limit if quiet_at is None else min(quiet_at, limit))
        elif quiet_at is not None:
            self._wake_at(quiet_at)

    @property
    def _is_waiting(self) -> bool:
        return self._waiter is not None and not self._waiter.done()  # done: cancelled

    def _time_out(self) -> None:
        self._hearing.settle()
        request = self._request
        assert request is not None
        self.counters.timeout += 1
        text = f"{request.about}: no reply within {self._timing.timeout_s:g} s"
        if self._octets:
            text += f", only {self._octets} octets: {self._oddity or 'part of a frame'}"
            self._fail(BadReplyError if self._misfit else NoReplyError, text)
            return
        self._fail(NoReplyError, text)
        self._count_silence()

    def _count_silence(self) -> None:
        """Replace a connection that brings nothing at all: it may be dead unawares, as behind a lost 4G link."""
        self._silent += 1
        if self._timing.replace_after and self._silent >= self._timing.replace_after:
            self._silent = 0
            self._hang_up()

    def _hang_up(self) -> None:
        self._channel.hang_up()
        self._note_end()

    def _lost(self, reason: str) -> None:
        if self._waiter is not None:
            self.counters.unreachable += 1
        self._end(reason)

    def _end(self, reason: str) -> None:
        self._note_end()
        self._hearing.flush()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._fail(LineDownError, reason)

    def _fail(self, kind: type[LineError], text: str) -> None:
        waiter = self._waiter
        self._give_up()
        if waiter is not None and not waiter.done():
            waiter.set_exception(kind(text))

    def _trace(self, octets: bytes, verdict: str, protocol: str, *, sent: bool = False, reason: str = "") -> None:
        assert self.tap is not None
        self.tap(Traced(self._clock.now_ms(), sent, octets, verdict, protocol, reason))
