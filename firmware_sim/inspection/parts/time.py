"""The bench's time: virtual, which passes at once or is paced, and that of a clock."""

import asyncio
from fractions import Fraction
from math import ceil
from typing import Final

from clock import Clock
from clock.virtual import VirtualClock

_SLICE_S: Final = 0.02  # how often paced time moves on while the bench waits, for whoever else looks at the meter


class VirtualTime:
    """Time that passes only while the bench waits (clock.virtual), and stands on whole ms.

    Whatever the bench does takes no time, so the load, the factor and the readings change and are taken at the same
    instants in every run. With `pace`, a wait takes as long as on that clock too: a system clock makes it a run in real
    time, with the same figures; what the bench did meanwhile shortens the next wait.
    """

    def __init__(self, clock: VirtualClock, pace: Clock | None = None) -> None:
        self.clock = clock
        self._pace = pace
        self._anchor = (clock.now_ms(), pace.monotonic_ms() if pace is not None else 0)

    def now(self) -> Fraction:
        """Return ms UTC, a whole number."""
        return Fraction(self.clock.now_ms())

    async def wait(self, duration_ms: Fraction | int) -> None:
        """Let time pass, until the next whole ms."""
        await self.wait_until(self.clock.now_ms() + duration_ms)

    async def wait_until(self, time_ms: Fraction | int) -> None:
        """Let time pass until an instant, or the next whole ms; at once when it is past."""
        target_ms = ceil(time_ms)
        if self._pace is not None:
            await self._keep_pace(target_ms, self._pace)
        else:
            await asyncio.sleep(0)
        self.clock.move(max(target_ms, self.clock.now_ms()))

    async def _keep_pace(self, target_ms: int, pace: Clock) -> None:
        started_ms, began_ms = self._anchor
        slice_ms = max(pace.from_real_seconds(_SLICE_S), 1)
        while (left_ms := target_ms - (due_ms := started_ms + pace.monotonic_ms() - began_ms)) > 0:
            self.clock.move(max(due_ms, self.clock.now_ms()))
            await pace.sleep_ms(min(left_ms, slice_ms))


class ClockTime:
    """Time of a clock, for what is not simulated in this process: the system's, or one that several processes share.

    It goes evenly from the moment the bench was made: a system clock that is set meanwhile does not move it.
    """

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._offset_ms = clock.now_ms() - clock.monotonic_ms()

    def now(self) -> Fraction:
        """Return ms UTC, a whole number: finer than that the clock does not show."""
        return Fraction(self.clock.monotonic_ms() + self._offset_ms)

    async def wait(self, duration_ms: Fraction | int) -> None:
        """Let time pass."""
        await self.wait_until(self.now() + duration_ms)

    async def wait_until(self, time_ms: Fraction | int) -> None:
        """Let time pass until an instant; at once when it is past."""
        while (left_ms := time_ms - self.now()) > 0:
            await self.clock.sleep_ms(float(left_ms))
