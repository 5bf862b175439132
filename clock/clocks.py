"""Clocks: the system's, an accelerated one that several processes share, and wrong ones for trials and tests."""

import asyncio
import heapq
import itertools
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


class Clock(Protocol):
    """What a program may know about time."""

    def now_ms(self) -> int:
        """Return the wall-clock time in ms UTC; it may jump in either direction."""

    def monotonic_ms(self) -> int:
        """Return milliseconds of this clock's own time from an arbitrary start; they never go back."""

    async def sleep_ms(self, duration_ms: float) -> None:
        """Wait for a duration of this clock's own time."""

    def to_real_seconds(self, duration_ms: float) -> float:
        """Return how many real seconds a duration of this clock's time takes (for time-outs of sockets)."""

    def from_real_seconds(self, real_s: float) -> float:
        """Return how many ms of this clock's time pass in so many real seconds from now."""


class SystemClock:
    """The operating system's clock."""

    def now_ms(self) -> int:
        """Return the system's time in ms UTC."""
        return time.time_ns() // 1_000_000

    def monotonic_ms(self) -> int:
        """Return the system's monotonic time in ms."""
        return time.monotonic_ns() // 1_000_000

    async def sleep_ms(self, duration_ms: float) -> None:
        """Wait."""
        await asyncio.sleep(max(duration_ms, 0.0) / 1000)

    def to_real_seconds(self, duration_ms: float) -> float:
        """Return the duration in seconds."""
        return duration_ms / 1000

    def from_real_seconds(self, real_s: float) -> float:
        """Return the seconds in ms."""
        return real_s * 1000


@dataclass(frozen=True, slots=True)
class SimulatedClock:
    """Accelerated time: `speed` simulated seconds pass in a real one, counted from `anchor_ms` on the monotonic clock.

    Processes on one machine that are given the same numbers agree about the simulated time without talking. From
    `until_ms` on it runs no faster than real time, so that a simulation can end in peace.
    """

    origin_ms: int
    speed: int
    anchor_ms: int
    until_ms: int | None = None

    def now_ms(self) -> int:
        """Return the simulated time in ms UTC; before the anchor it stands at the origin."""
        elapsed_ns = max(time.monotonic_ns() - self.anchor_ms * 1_000_000, 0)
        fast_ms = self.origin_ms + elapsed_ns * self.speed // 1_000_000
        if self.until_ms is None or fast_ms <= self.until_ms:
            return fast_ms
        return self.until_ms + (fast_ms - self.until_ms) // self.speed

    def monotonic_ms(self) -> int:
        """Return the simulated time in ms: it never jumps, so it serves as its own monotonic clock."""
        return self.now_ms()

    async def sleep_ms(self, duration_ms: float) -> None:
        """Wait for a simulated duration."""
        await asyncio.sleep(self.to_real_seconds(max(duration_ms, 0.0)))

    def to_real_seconds(self, duration_ms: float) -> float:
        """Return how many real seconds a simulated duration takes that begins now."""
        fast_ms = duration_ms if self.until_ms is None else min(duration_ms, max(self.until_ms - self.now_ms(), 0))
        return (fast_ms / self.speed + (duration_ms - fast_ms)) / 1000

    def from_real_seconds(self, real_s: float) -> float:
        """Return the simulated duration that passes in so many real seconds from now."""
        real_ms = real_s * 1000
        if self.until_ms is None:
            return real_ms * self.speed
        left_ms = max(self.until_ms - self.now_ms(), 0)
        return min(real_ms * self.speed, left_ms + max(real_ms - left_ms / self.speed, 0))

    def spec(self) -> str:
        """Return the text that `from_spec` turns back into this clock."""
        until = "" if self.until_ms is None else f":{self.until_ms}"
        return f"simulated:{self.origin_ms}:{self.speed}:{self.anchor_ms}{until}"


@dataclass(frozen=True, slots=True)
class SteppedClock:
    """A clock whose wall time is wrong by what a file says: for trials of a system clock that jumps while programs run.

    The file holds a whole number of ms, positive for a clock that is ahead; absent or unreadable it is right. Its own
    time, by which it sleeps, goes on evenly.
    """

    inner: "SystemClock | SimulatedClock"
    file: Path

    def now_ms(self) -> int:
        """Return the time in ms UTC, as wrong as the file says at this moment."""
        try:
            ahead_ms = int(self.file.read_text(encoding="ascii"))
        except (OSError, ValueError):
            ahead_ms = 0
        return self.inner.now_ms() + ahead_ms

    def monotonic_ms(self) -> int:
        """Return the inner clock's own time."""
        return self.inner.monotonic_ms()

    async def sleep_ms(self, duration_ms: float) -> None:
        """Wait for a duration of the inner clock's own time."""
        await self.inner.sleep_ms(duration_ms)

    def to_real_seconds(self, duration_ms: float) -> float:
        """Return how many real seconds a duration of the inner clock takes."""
        return self.inner.to_real_seconds(duration_ms)

    def from_real_seconds(self, real_s: float) -> float:
        """Return how many ms of the inner clock pass in so many real seconds."""
        return self.inner.from_real_seconds(real_s)

    def set_ahead(self, ahead_ms: int) -> None:
        """Make the clock wrong by so much, in every program that has it; readers see the old number or the new one."""
        new = self.file.with_name(f"{self.file.name}.new")
        new.write_text(str(ahead_ms), encoding="ascii")
        new.rename(self.file)

    def spec(self) -> str:
        """Return the text that `from_spec` turns back into this clock."""
        inner = "system" if isinstance(self.inner, SystemClock) else self.inner.spec()
        return f"stepped:{self.file}:{inner}"


@dataclass(slots=True)
class ManualClock:
    """A clock that stands still until a test moves it; sleepers wake in the order of their deadlines."""

    wall_ms: int = 0
    elapsed_ms: int = 0
    _sleepers: list[tuple[float, int, asyncio.Future[None]]] = field(default_factory=list)
    _order: "itertools.count[int]" = field(default_factory=itertools.count)

    def now_ms(self) -> int:
        """Return the wall time as set."""
        return self.wall_ms

    def monotonic_ms(self) -> int:
        """Return the sum of all advances."""
        return self.elapsed_ms

    async def sleep_ms(self, duration_ms: float) -> None:
        """Wait until `advance` has moved the clock that far."""
        if duration_ms <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.elapsed_ms + duration_ms, next(self._order), future))
        await future

    def to_real_seconds(self, duration_ms: float) -> float:
        """Return the duration in real seconds, one to one."""
        return duration_ms / 1000

    def from_real_seconds(self, real_s: float) -> float:
        """Return the seconds in ms, one to one."""
        return real_s * 1000

    def step_wall(self, by_ms: int) -> None:
        """Make the wall clock jump, as a wrong or corrected system clock does; no time passes."""
        self.wall_ms += by_ms

    async def advance(self, by_ms: int) -> None:
        """Let time pass and let every sleeper whose deadline has come run before the next one is woken."""
        end = self.elapsed_ms + by_ms
        while self._sleepers and self._sleepers[0][0] <= end:
            deadline, _, future = heapq.heappop(self._sleepers)
            step = max(math.ceil(deadline) - self.elapsed_ms, 0)
            self.elapsed_ms += step
            self.wall_ms += step
            if not future.done():
                future.set_result(None)
            await _settle()
        self.wall_ms += end - self.elapsed_ms
        self.elapsed_ms = end
        await _settle()


async def _settle(rounds: int = 10) -> None:
    for _ in range(rounds):
        await asyncio.sleep(0)


_SIMULATED_PARTS = (4, 5)
_SIMULATED = "simulated:ORIGIN_MS:SPEED:ANCHOR_MS[:UNTIL_MS]"


def from_spec(spec: str) -> Clock:
    """Return the clock that a `--clock` option names.

    `system`; `simulated:ORIGIN_MS:SPEED:ANCHOR_MS[:UNTIL_MS]`; `stepped:FILE:` and one of these, whose wall time is
    then wrong by the ms in a file; or `governed:SPEED:FILE` (clock.governed). Raises ValueError, which says what was
    expected and what came.
    """
    kind, _, rest = spec.partition(":")
    if kind == "governed":
        from clock.governed import from_rest  # noqa: PLC0415 - it is made of the clocks of this module

        return from_rest(rest)
    if kind != "stepped":
        return _even(spec)
    file, _, inner = rest.partition(":")
    if not file:
        raise ValueError(f"clock: expected 'stepped:FILE:' and another clock, got {spec!r}")
    return SteppedClock(_even(inner), Path(file))


def _even(spec: str) -> SystemClock | SimulatedClock:
    if spec == "system":
        return SystemClock()
    parts = spec.split(":")
    if len(parts) not in _SIMULATED_PARTS or parts[0] != "simulated":
        raise ValueError(f"clock: expected 'system' or '{_SIMULATED}', got {spec!r}")
    try:
        origin_ms, speed, anchor_ms, *until = (int(part) for part in parts[1:])
    except ValueError:
        raise ValueError(f"clock: the numbers of {spec!r} must be integers") from None
    if speed < 1:
        raise ValueError(f"clock: the speed must be at least 1, got {speed}")
    return SimulatedClock(origin_ms, speed, anchor_ms, until[0] if until else None)
