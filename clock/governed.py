"""A clock that waits: several processes share accelerated time that one of them lets go on as their work gets done."""

import asyncio
import os
import struct
import time
import weakref
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, Self

from clock.clocks import SimulatedClock

LOOK_S: Final = 0.005
"""How late a sleeper may notice that time went on."""
SAME_NS: Final = 1_000_000
"""Readings within so much real time are one: at tens of thousands of times real time the wall clock, read a moment
after the monotonic one, would seem to have stepped."""
_NUMBERS: Final = struct.Struct("<qqqq")
_CHECK: Final = struct.Struct("<I")
_TRIES: Final = 1000


class GovernedClock:
    """The time that a file says: a `SimulatedClock` with an end, at which it becomes a real one until it is moved on.

    Whoever reads the file sees a whole record or reads again. `speed` is about how fast time goes on the whole; by it
    durations are converted, since nobody knows how long the governor waits.
    """

    def __init__(self, file: Path, speed: int) -> None:
        """ValueError where there is no such file, or none of a governor."""
        self.file = file
        self.speed = speed
        self._bytes = b""
        self._now = SimulatedClock(0, 1, 0)
        self._shown = (0, 0)
        try:
            self._file = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise ValueError(f"clock: {file}: expected the file of a governor: {error.strerror}") from None
        weakref.finalize(self, os.close, self._file)
        self._read()

    def now_ms(self) -> int:
        """Return the shared time in ms UTC."""
        real_ns = time.monotonic_ns()
        if real_ns - self._shown[0] >= SAME_NS:
            self._shown = (real_ns, self._read().now_ms())
        return self._shown[1]

    def monotonic_ms(self) -> int:
        """Return the shared time in ms: a governor never lets it jump."""
        return self.now_ms()

    async def sleep_ms(self, duration_ms: float) -> None:
        """Wait until the shared time has gone on so far."""
        until_ms = self.now_ms() + duration_ms
        await asyncio.sleep(0)
        # No event crosses from the governor's process: sleepers look.
        while (left_ms := until_ms - self.now_ms()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(min(self._now.to_real_seconds(left_ms), LOOK_S))

    def to_real_seconds(self, duration_ms: float) -> float:
        """Return how many real seconds a duration takes on the whole."""
        return duration_ms / self.speed / 1000

    def from_real_seconds(self, real_s: float) -> float:
        """Return how many ms of this time pass in so many real seconds on the whole."""
        return real_s * self.speed * 1000

    def spec(self) -> str:
        """Return the text that `from_spec` turns back into this clock."""
        return f"governed:{self.speed}:{self.file}"

    def _read(self) -> SimulatedClock:
        for _ in range(_TRIES):
            data = os.pread(self._file, _NUMBERS.size + _CHECK.size, 0)
            if data == self._bytes:
                return self._now
            numbers, check = data[: _NUMBERS.size], data[_NUMBERS.size :]
            if len(check) == _CHECK.size and _CHECK.unpack(check) == (zlib.crc32(numbers),):
                self._bytes, self._now = data, SimulatedClock(*_NUMBERS.unpack(numbers))
                return self._now
        raise ValueError(f"clock: {self.file}: expected the file of a governor, found {data[:64]!r}")


@dataclass(slots=True)
class Governor:
    """Who lets the time of a `GovernedClock` go on. There is one of a file; it makes the file anew."""

    file: Path
    origin_ms: int
    fast: int
    """How many times faster than real time goes on, up to where it was let go."""
    _stretch: SimulatedClock = field(init=False)
    _open: BinaryIO = field(init=False)

    def __post_init__(self) -> None:
        self._open = self.file.open("wb", buffering=0)
        self._write(SimulatedClock(self.origin_ms, self.fast, _next_ms(), self.origin_ms))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def now_ms(self) -> int:
        """Return the shared time in ms UTC."""
        return self._stretch.now_ms()

    @property
    def arrived(self) -> bool:
        """Whether the time that was let go has passed: from there on it is no faster than real."""
        until_ms = self._stretch.until_ms
        return until_ms is not None and self.now_ms() >= until_ms

    def let_go(self, until_ms: int) -> None:
        """Let time go on fast until an instant, from where it stands now; ValueError when it is not past the last."""
        if not self.arrived:
            raise ValueError(f"time is still on its way to {self._stretch.until_ms} ms")
        # The old record is read until the new one is written: the new one begins after all that it may have shown. An
        # anchor in the past would make time jump; it is taken first, so that a pause here only makes time later.
        anchor_ms = _next_ms()
        from_ms = self.now_ms() + 2
        self._write(SimulatedClock(from_ms, self.fast, anchor_ms, max(until_ms, from_ms)))

    def _write(self, stretch: SimulatedClock) -> None:
        self._stretch = stretch
        data = _NUMBERS.pack(stretch.origin_ms, stretch.speed, stretch.anchor_ms, stretch.until_ms)
        self._open.seek(0)
        self._open.write(data + _CHECK.pack(zlib.crc32(data)))


def _next_ms() -> int:
    """Return the next whole millisecond of the monotonic clock."""
    return -(-time.monotonic_ns() // 1_000_000)


def from_rest(rest: str) -> GovernedClock:
    """Return the clock of a specification's `SPEED:FILE`; ValueError."""
    speed, _, file = rest.partition(":")
    if not (speed.isascii() and speed.isdecimal() and int(speed) and file):
        raise ValueError(f"clock: expected 'governed:SPEED:FILE', got 'governed:{rest}'")
    return GovernedClock(Path(file), int(speed))
