"""A protocol of four octets, so that nothing but the bus's own rules is at work: `(ms)` asks, `<ms>` answers."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from line_support import FarEnd, MemoryChannel, run_virtual

from clock import ManualClock
from fieldbus.bus import LineBus
from fieldbus.exchange import (
    Heard,
    LineError,
    Noise,
    Request,
    Traced,
)
from fieldbus.line_timing import LineTiming

TIMEOUT_S = 0.3


GAP_S = 0.05


class Toy:
    """Frames of one meter letter and one letter for what is asked; `!` refuses anything, `?` what is in capitals."""

    longest_pause_s = 0.0

    def __init__(self, brackets: str = "()<>") -> None:
        self.protocol = f"toy {brackets}"
        self.ask_open, self.ask_close, self.open, self.close = (ord(bracket) for bracket in brackets)
        self._buffer = b""

    @property
    def pending(self) -> int:
        return len(self._buffer)

    def feed(self, data: bytes) -> Sequence[Heard | Noise]:
        self._buffer += data
        found: list[Heard | Noise] = []
        while self._buffer:
            closing = {self.ask_open: self.ask_close, self.open: self.close}.get(self._buffer[0])
            if closing is not None and len(self._buffer) < 4:
                break
            if closing is not None and self._buffer[3] == closing:
                found.append(self._heard(self._buffer[:4]))
                self._buffer = self._buffer[4:]
                continue
            found.append(Noise(self._buffer[:1], "no bracket", lost=self._buffer[:1] == b"#"))
            self._buffer = self._buffer[1:]
        return found

    def flush(self) -> Sequence[Heard | Noise]:
        rest, self._buffer = self._buffer, b""
        return [Noise(rest, "cut off")] if rest else []

    def respond(self, heard: Heard) -> bytes | None:
        return bytes((self.ask_open, heard.octets[1], ord("*"), self.ask_close)) if heard.signature == "*" else None

    def _heard(self, octets: bytes) -> Heard:
        said = chr(octets[2])
        asked = octets[0] == self.ask_open
        refuses = str.isupper if said == "?" else None
        signature = None if said in "!?" and not asked else said
        device = (self.protocol, chr(octets[1]))
        kind = {"is_request": asked, "is_part": said == "*"}
        return Heard(device, signature, said, octets, **kind, refuses=refuses)  # type: ignore[arg-type]

    def request(self, what: str, probes: str = "", **more: Any) -> Request:
        """Return a request like `ax` (ask meter a for x), with what may be asked instead to see what is under way."""
        meter, said = what

        def probe(unanswered: frozenset[Any]) -> Request | None:
            free = [letter for letter in probes if letter not in unanswered]
            return self.request(meter + free[0]) if free else None

        octets = bytes((self.ask_open, ord(meter), ord(said), self.ask_close))
        return Request((self.protocol, meter), octets, said, self, f"ask {what}", probe=probe, **more)


@dataclass
class Line:
    """A bus on a far end that does what its script says: for each request, pairs of seconds to wait and octets."""

    script: Callable[[bytes], Sequence[tuple[float, bytes]]] = lambda _: []
    toy: Toy = field(default_factory=Toy)
    traced: list[Traced] = field(default_factory=list)
    timing: LineTiming = field(default_factory=lambda: LineTiming(timeout_s=TIMEOUT_S, gap_s=GAP_S, replace_after=0))

    def __post_init__(self) -> None:
        self.far = FarEnd(lambda _: [])
        self.far.received = self._received  # type: ignore[method-assign]
        self.channel = MemoryChannel(self.far)
        self.bus = LineBus(self.channel, self.timing, ManualClock(wall_ms=7))
        self.bus.tap = self.traced.append
        self.sent: list[bytes] = []

    def _received(self, data: bytes) -> None:
        self.sent.append(data)
        loop = asyncio.get_running_loop()
        for seconds, octets in self.script(data):
            loop.call_later(seconds, self.far.deliver, octets)

    async def ask(self, what: str, probes: str = "", **more: Any) -> str:
        """Return what was answered, or the name of the error."""
        try:
            heard = await self.bus.exchange(self.toy.request(what, probes, **more))
        except LineError as error:
            return type(error).__name__
        return str(heard.frame) if heard is not None else "nothing"

    def count(self, **expected: int) -> None:
        """Compare the counters: those not named must be 0, except ok and connects."""
        counters = self.bus.counters
        names = [name for name in counters.__slots__ if name not in ("ok", "connects") or name in expected]
        assert {name: getattr(counters, name) for name in names} == {name: expected.get(name, 0) for name in names}


def on(line: Line, use: Callable[[], Awaitable[None]]) -> Line:
    """Run something on a connected line, in virtual time."""

    async def scenario() -> None:
        await line.bus.connect()
        await use()

    run_virtual(scenario())
    return line


def answer(data: bytes) -> list[tuple[float, bytes]]:
    """Answer at once."""
    return [(0.01, b"<" + data[1:3] + b">")]


def scripted(**replies: Sequence[tuple[float, bytes]]) -> Callable[[bytes], Sequence[tuple[float, bytes]]]:
    """Return a script by what is asked; anything else is answered at once."""
    return lambda data: replies[data[1:3].decode()] if data[1:3].decode() in replies else answer(data)


def after(seconds: float, octets: bytes) -> list[tuple[float, bytes]]:
    """Return one delivery."""
    return [(seconds, octets)]
