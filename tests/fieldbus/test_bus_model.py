"""The bus against a model of everything that can happen to a line: whatever it returns answers what was just asked.

`(msp)` asks meter m for what is at place p; `<msn>` answers the request number n. As in Modbus RTU, the reply says the
kind s of what was asked and not its place, so an old reply can't be told from a new one by its octets.
"""

import asyncio
import random
from collections import deque
from collections.abc import Hashable, Sequence
from contextlib import suppress
from functools import partial
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st
from line_support import run_virtual

from clock import ManualClock
from fieldbus.bus import LineBus
from fieldbus.channels.base import Channel
from fieldbus.exchange import Heard, LineDownError, LineError, Noise, Request
from fieldbus.line_timing import LineTiming

LENGTH: Final = 5
METERS: Final = "ABC"
KINDS: Final = "rstuvwxy"  # of reads
ANYONE: Final = "*"
WRITE: Final = "W"  # answered by the same octets
REFUSALS: Final = "!?"  # anything; one of the first four kinds
LONGEST_DELAY_S: Final = 50.0
LATE_S: Final = 60.0


class Framing:
    """Frames of five octets."""

    protocol = "model"
    longest_pause_s = 0.0

    def __init__(self) -> None:
        self._buffer = b""

    @property
    def pending(self) -> int:
        return len(self._buffer)

    def feed(self, data: bytes) -> Sequence[Heard | Noise]:
        self._buffer += data
        found: list[Heard | Noise] = []
        while self._buffer:
            closing = {b"(": b")", b"<": b">"}.get(self._buffer[:1])
            if closing is not None and len(self._buffer) < LENGTH:
                break
            if closing is not None and self._buffer[LENGTH - 1 : LENGTH] == closing:
                found.append(_heard(self._buffer[:LENGTH]))
                self._buffer = self._buffer[LENGTH:]
                continue
            found.append(Noise(self._buffer[:1], "no bracket"))
            self._buffer = self._buffer[1:]
        return found

    def flush(self) -> Sequence[Heard | Noise]:
        rest, self._buffer = self._buffer, b""
        return [Noise(rest, "cut off")] if rest else []

    def respond(self, _: Heard) -> bytes | None:
        return None


def _heard(octets: bytes) -> Heard:
    meter, kind, said = chr(octets[1]), chr(octets[2]), octets[3]
    if kind == WRITE:
        return Heard(meter, (WRITE, said), None, octets)
    refuses = partial(_is_like, KINDS[:4]) if kind == "?" else None
    signature: Hashable = None if kind in REFUSALS else kind
    return Heard(meter, signature, said, octets, is_request=octets[:1] == b"(", refuses=refuses)


def _is_like(kinds: str, signature: Hashable) -> bool:
    return isinstance(signature, str) and signature in kinds


class Link(Channel):
    """Meters, and a link to them that delays, loses, spoils, echoes, and keeps what comes while it is down."""

    def __init__(self, source: random.Random) -> None:
        super().__init__("model")
        self.requests: list[bytes] = []
        self.taken: set[int] = set()  # requests that a meter has answered
        self.echoes = source.random() < 0.3
        self.clean = source.random() < 0.5
        self._source = source
        self._open = False
        self._free_at = 0.0
        self._under_way: deque[bytes] = deque()
        self._held_back = 0  # of what is under way, what waits for a connection

    @property
    def connected(self) -> bool:
        return self._open

    async def open(self) -> None:
        if self._source.random() < 0.1:
            raise LineDownError("refused")
        await asyncio.sleep(0)
        self.dial_in()

    def dial_in(self) -> None:
        """Let there be a connection, opened or not."""
        self._open = True
        for _ in range(self._held_back):
            self._at(0.01)
        self._held_back = 0

    def hang_up(self) -> None:
        self._open = False

    async def lose(self) -> None:
        """End the connection from the other side, which may make another one later."""
        if self._open:
            self._open = False
            self._on_lost("lost")
        if self._source.random() < 0.5:
            await asyncio.sleep(self._source.choice((0.0, 1.0, 500.0)))
            self.dial_in()

    def write(self, data: bytes) -> None:
        if not self._open:
            raise LineDownError("not open")
        number = len(self.requests)
        self.requests.append(data)
        source = self._source
        if self.echoes:
            self._deliver_later(data if self.clean or source.random() < 0.9 else b"~" + data[1:], 0.0)
        if data[1:2] == b"0" or source.random() < 0.05:
            return
        self._deliver_later(self._spoilt(self._reply(data, number)), self._delay())

    def _reply(self, data: bytes, number: int) -> bytes:
        self.taken.add(number)
        meter, kind = data[1], data[2]
        if chr(meter) == ANYONE:
            meter = ord(self._source.choice(METERS))
        if chr(kind) == WRITE:
            return data
        if self._source.random() < 0.15:
            kind = ord(self._source.choice(REFUSALS if chr(kind) in KINDS[:4] else REFUSALS[0]))
        return bytes((ord("<"), meter, kind, number, ord(">")))

    def _delay(self) -> float:
        source = self._source
        if source.random() < 0.8:
            return 0.0
        return source.choice((0.29, 0.3, 0.31, source.uniform(0, 2), source.uniform(0, LONGEST_DELAY_S)))

    def _spoilt(self, reply: bytes) -> bytes:
        match self._source.randrange(1 if self.clean else 20):
            case 1:
                return reply[: self._source.randrange(LENGTH)]
            case 2:
                return b"~~" + reply
            case 3:
                return b"~" + reply[1:]
        return reply

    def _deliver_later(self, octets: bytes, delay_s: float) -> None:
        self._under_way.append(octets)
        self._at(delay_s)

    def _at(self, delay_s: float) -> None:
        loop = asyncio.get_running_loop()
        self._free_at = max(self._free_at, loop.time() + delay_s)
        loop.call_at(self._free_at, self._deliver_next)

    def _deliver_next(self) -> None:
        if self._open:
            self._on_data(self._under_way.popleft())
        else:
            self._held_back += 1


class Master:
    """Asks this and that, and judges what is returned."""

    def __init__(self, source: random.Random) -> None:
        self.link = Link(source)
        timing = LineTiming(timeout_s=0.3, gap_s=0.05, late_s=LATE_S, longest_reply_s=1.0)
        self.bus = LineBus(self.link, timing, ManualClock(wall_ms=0))
        self.framing = Framing()
        self.right = 0
        self._source = source

    def _request(self, meter: str, kind: str, place: int | None = None) -> Request:
        place = self._source.randrange(250) if place is None else place
        octets = b"(" + bytes((ord(meter), ord(kind), place)) + b")"

        def probe(unanswered: frozenset[Hashable]) -> Request | None:
            free = [other for other in KINDS if other not in unanswered]
            return self._request(meter, self._source.choice(free)) if free else None

        def answers(heard: Heard) -> bool:
            return heard.signature == kind or (heard.signature is None and (heard.refuses or bool)(kind))

        return Request(
            meter,
            octets,
            (WRITE, place) if kind == WRITE else kind,
            self.framing,
            f"{meter} {kind} {place}",
            answers if meter == ANYONE else None,
            None if meter == ANYONE else probe,
            mirrored=kind == WRITE,
        )

    async def ask(self, meter: str, kind: str, place: int | None = None) -> None:
        """Ask once; AssertionError when what is returned answers something else."""
        request = self._request(meter, kind, place)
        before = len(self.link.requests)
        try:
            heard = await self.bus.exchange(request)
        except LineError:
            return
        assert heard is not None
        if kind == WRITE:
            asked = [n for n in range(before, len(self.link.requests)) if self.link.requests[n] == request.octets]
            assert self.link.taken.intersection(asked)
        else:
            assert isinstance(heard.frame, int)
            assert heard.frame >= before, f"{request.about} is answered with what was asked before"
            assert self.link.requests[heard.frame] == request.octets
        self.right += 1

    async def step(self) -> None:
        """Do something, mostly ask."""
        source = self._source
        if not self.bus.connected:
            with suppress(LineDownError):
                await self.bus.connect()
        match source.randrange(20):
            case 0:
                await self.link.lose()
            case 1:
                self.bus.close()
                await asyncio.sleep(source.choice((0.0, 1.0, 500.0)))
            case 2:
                await asyncio.sleep(source.choice((0.1, 1.0, 30.0, 100.0)))
            case 3:
                with suppress(LineError):
                    await self.bus.exchange(Request("0", b"(0bb)", None, self.framing, "broadcast"))
            case 4:
                task = asyncio.create_task(self.ask(source.choice(METERS), source.choice(KINDS)))
                await asyncio.sleep(source.choice((0.0, 0.01, 0.1, 0.3, source.uniform(0, 1))))
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            case 5:
                await asyncio.gather(*(self.ask(meter, source.choice(KINDS)) for meter in METERS))
            case 6:
                await self.ask(ANYONE, source.choice(KINDS))
            case 7 | 8:
                await self.ask(source.choice(METERS), WRITE, source.randrange(3))
            case _:
                await self.ask(source.choice(METERS), source.choice(KINDS[:2]))


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32))
def test_nothing_old_and_nothing_else_is_ever_returned(seed: int) -> None:
    """Stalls, losses, outages, refusals, echoes, writes, wildcards, broadcasts, cancellations, in any order."""
    assert right(seed) >= 0


def test_the_model_lets_most_requests_be_answered() -> None:
    """Else it would prove nothing."""
    assert sum(map(right, range(20))) >= 20 * 40


def right(seed: int) -> int:
    """Return how many of 200 steps brought what they should; AssertionError when one brought something else."""
    master = Master(random.Random(seed))
    broken: list[object] = []

    async def steps() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: broken.append(context))
        while len(master.link.requests) < 250:
            await master.step()
        master.bus.close()

    run_virtual(steps())
    assert broken == []
    return master.right
