"""What the device's clock shows, found out finer than it shows it, and whether it still goes as it went."""

from fractions import Fraction
from math import ceil
from typing import Final

from firmware_sim.inspection.bench import Bench, DutError
from firmware_sim.inspection.functions.stretches import Stretches

_FINE_MS: Final = 10  # a clock of finer steps needs no search for its edges
_EDGE_MS: Final = 2  # around the instant at which a coarse clock must step
_LOST_MS: Final = 5_000
_LOST_PPM: Final = 100
_DRIFTED_MS: Final = Fraction(3)  # how well a clock that drifts is known between two looks at it


class DeviceTime:
    """Looks at the clock of a device that shows it in steps."""

    def __init__(self, bench: Bench, step_ms: int) -> None:
        self.step_ms = step_ms
        self.vague_ms = Fraction(0)  # how well it is known when it shows what
        self._bench = bench

    def no_better_than(self, vague_ms: Fraction) -> None:
        """Note that what is known of the clock is uncertain by so much at least."""
        self.vague_ms = max(self.vague_ms, vague_ms)

    async def look(self, stretches: Stretches) -> None:
        """Keep what is known while the clock agrees with it, else note what it shows now; DutError when it is lost."""
        if await self._agrees(stretches):
            return
        _, shown, now = await self._shown()
        expected, lasted = stretches.device_at(now), stretches.lasting(now)
        if abs(shown - expected) > _LOST_MS + lasted * _LOST_PPM / 10**6:
            raise DutError(f"its clock shows {shown} ms, expected about {int(expected)} ms")
        stretches.show(*await self.find())
        self.no_better_than(_DRIFTED_MS)

    async def _agrees(self, stretches: Stretches) -> bool:
        """Return whether the clock shows what it must, within a ms or two."""
        time = self._bench.time
        before, shown, after = await self._shown()
        if self.step_ms <= _FINE_MS:
            expected = stretches.device_at((before + after) / 2)
            return -1 <= expected - shown <= self.step_ms + (after - before)
        slack = max(Fraction(_EDGE_MS), 2 * (after - before))
        now = time.now()
        device_ms = stretches.device_at(now)
        edge = device_ms - device_ms % self.step_ms + self.step_ms
        due = now + edge - device_ms
        if due - slack < now:
            edge, due = edge + self.step_ms, due + self.step_ms
        await time.wait_until(due - slack)
        _, early, _ = await self._shown()
        await time.wait_until(due + slack)
        _, late, _ = await self._shown()
        return early == edge - self.step_ms and late == edge

    async def find(self) -> tuple[Fraction, Fraction]:
        """Return an instant of the bench and what the clock shows then: of a coarse clock, between which its steps are.

        The steps come at the same place in each of its cycles, so halving the place takes one cycle a time.
        """
        time = self._bench.time
        before, shown, after = await self._shown()
        if self.step_ms <= _FINE_MS:
            within = Fraction(self.step_ms - 1, 2)  # what it shows is the beginning of a step
            self.no_better_than((after - before) / 2 + within)
            return (before + after) / 2, shown + within
        step, origin, cycle = self.step_ms, before, 0
        early, late = Fraction(0), Fraction(step)  # the next step comes between these, after the origin
        while late - early > max(Fraction(1), 2 * (after - before)):
            cycle += 1
            middle = Fraction(ceil((early + late) / 2))
            while origin + middle + cycle * step < time.now():
                cycle += 1
            await time.wait_until(origin + middle + cycle * step)
            before, now_shown, after = await self._shown()
            if now_shown >= shown + (cycle + 1) * step:
                late = middle
            else:
                early = middle
        self.no_better_than((late - early) / 2 + (after - before) / 2)
        now = time.now()
        return now, shown + step + (now - origin - late)

    async def _shown(self) -> tuple[Fraction, int, Fraction]:
        time = self._bench.time
        before = time.now()
        shown = (await self._bench.dut.read("device_time")).get("device_time")
        if shown is None:
            raise DutError("its clock shows no time")
        return before, shown, time.now()
