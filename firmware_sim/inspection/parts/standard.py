"""A real standard meter (标准表), read by its profile over and over while the bench works.

What flowed between two instants follows from the readings around them. The uncertainty (k = 1) counts the steps of its
registers, how long each request took, what may have happened between two readings, and its own class if it is given.
"""

import asyncio
from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import isqrt
from typing import Final

from firmware_sim.inspection.bench import BenchError, BenchTime, Dut, DutError, Truth

MS_PER_HOUR: Final = 3_600_000
_LONGEST_GAP_PERIODS: Final = 5
_ROOT_SCALE: Final = 10**12


@dataclass(frozen=True, slots=True)
class Look:
    """One reading: its values, taken at some instant between `before` and `after`."""

    before: Fraction
    after: Fraction
    values: tuple[int, ...]

    @property
    def at(self) -> Fraction:
        """Return the middle of the request."""
        return (self.before + self.after) / 2

    @property
    def width(self) -> Fraction:
        """Return half of how long the request took."""
        return (self.after - self.before) / 2


class ReadStandard(ABC):
    """Reads points of a meter every `period_ms` from `start` to `stop`."""

    def __init__(
        self,
        meter: Dut,
        time: BenchTime,
        points: tuple[str, ...],
        *,
        period_ms: int = 1000,
        accuracy_percent: Fraction = Fraction(0),
    ) -> None:
        """`accuracy_percent` is the limit of the standard meter's own error; 0: not counted."""
        self.points = points
        self.resolutions = [meter.resolution(point) for point in points]
        self._meter = meter
        self._time = time
        self._period_ms = period_ms
        self._accuracy = accuracy_percent / 100
        self._looks: list[Look] = []
        self._instants: list[Fraction] = []
        self._wrong: DutError | None = None
        self._task: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()

    async def start(self) -> None:
        """Take the first reading, and go on; BenchError when the meter does not answer."""
        if self._task is None:
            await self._look()
            if self._wrong is not None:
                raise BenchError(f"standard meter: {self._wrong}") from self._wrong
            self._task = asyncio.get_running_loop().create_task(self._go_on(), name="standard meter")

    async def stop(self) -> None:
        """Read no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None

    async def between(self, first_ms: Fraction, last_ms: Fraction) -> Truth:
        """Return what flowed between two instants since `start`; BenchError when the readings around them are missing.

        Where the last reading is older than the second instant, another one is taken.
        """
        if not self._looks or not self._looks[0].after <= first_ms <= last_ms <= self._time.now():
            since = self._looks[0].after if self._looks else None
            raise BenchError(
                f"the standard meter was asked for {float(first_ms)} to {float(last_ms)} ms; it has been read since "
                f"{since} ms, and now is {self._time.now()} ms"
            )
        if first_ms == last_ms:
            return Truth(Fraction(0), Fraction(0))
        if self._looks[-1].at < last_ms:
            await self._look()
        first, last = self._around(first_ms), self._around(last_ms)
        gap = max((self._gap(*stretch) for stretch in self._needed(first, last)), default=Fraction(0))
        if self._looks[-1].at < last_ms or gap > _LONGEST_GAP_PERIODS * self._period_ms:
            raise BenchError(
                f"the standard meter was not read closely enough: {self._wrong or 'it answers too slowly'}"
            )
        truth, squares = self._flowed(first_ms, last_ms)
        energy = truth.forward_mwh + truth.reverse_mwh
        own = (self._accuracy * energy) ** 2 / 3
        return Truth(truth.forward_mwh, truth.reverse_mwh, _root(squares + own))

    @abstractmethod
    def _flowed(self, first_ms: Fraction, last_ms: Fraction) -> tuple[Truth, Fraction]:
        """Return what flowed, and the square of its uncertainty in mWh."""

    async def _go_on(self) -> None:
        while True:
            await self._time.wait(self._period_ms)
            await self._look()

    async def _look(self) -> None:
        async with self._turn:
            before = self._time.now()
            try:
                values = await self._meter.read(*self.points)
                if missing := [point for point in self.points if point not in values]:
                    raise DutError(f"it has no value for {', '.join(missing)}")  # noqa: TRY301 - told as any other
            except DutError as error:
                self._wrong = error
                return
            self._wrong = None
            look = Look(before, self._time.now(), tuple(values[point] for point in self.points))
            self._looks.append(look)
            self._instants.append(look.at)

    def _around(self, time_ms: Fraction) -> int:
        """Return the index of the last reading that is not after an instant; one that has a next one."""
        return min(max(bisect_right(self._instants, time_ms) - 1, 0), max(len(self._looks) - 2, 0))

    def _needed(self, first: int, last: int) -> list[tuple[int, int]]:
        """Return the stretches (first and last index) whose readings must lie close together."""
        return [(first, last)]

    def _gap(self, first: int, last: int) -> Fraction:
        """Return the longest time between two readings from one that is before the first to one after the last."""
        stretch = self._instants[first : last + 2]
        return max((after - before for before, after in pairwise(stretch)), default=Fraction(0))

    def _slope(self, index: int, value: int) -> Fraction:
        """Return how fast a value grew from a reading to the next, per ms."""
        if not 0 <= index < len(self._looks) - 1:
            return self._slope(min(max(index, 0), len(self._looks) - 2), value)  # there are two, or nobody asks
        before, after = self._looks[index], self._looks[index + 1]
        return (after.values[value] - before.values[value]) / max(after.at - before.at, Fraction(1, 1000))


class RegisterStandard(ReadStandard):
    """By its energy registers, interpolated between readings."""

    def __init__(
        self, meter: Dut, time: BenchTime, *, period_ms: int = 1000, accuracy_percent: Fraction = Fraction(0)
    ) -> None:
        super().__init__(meter, time, registers_of(meter), period_ms=period_ms, accuracy_percent=accuracy_percent)

    def _needed(self, first: int, last: int) -> list[tuple[int, int]]:
        # A register forgets nothing: what was not read for a while costs only where it had to be read.
        return [(first, first), (last, last)]

    def _flowed(self, first_ms: Fraction, last_ms: Fraction) -> tuple[Truth, Fraction]:
        energies, squares, steps = [], Fraction(0), Fraction(0)
        for value, step in enumerate(self.resolutions):
            (begin, begin_square), (end, end_square) = self._at(first_ms, value), self._at(last_ms, value)
            if end < begin:
                raise BenchError(f"standard meter: {self.points[value]} fell from {float(begin)} to {float(end)} mWh")
            energies.append(end - begin)
            # What a register shows is up to a step below what it has: twice, independently. One that stands still
            # beside one that moves is taken to have nothing.
            steps += Fraction(step * step, 6) if end != begin else 0
            squares += begin_square + end_square
        steps = steps or Fraction(max(self.resolutions) ** 2, 6)
        return Truth(energies[0], energies[1] if len(energies) > 1 else Fraction(0)), squares + steps

    def _at(self, time_ms: Fraction, value: int) -> tuple[Fraction, Fraction]:
        """Return a register at an instant, and the square of what its time and the interpolation may be wrong by."""
        index = self._around(time_ms)
        look, slope = self._looks[index], self._slope(index, value)
        energy = look.values[value] + slope * (time_ms - look.at)
        following = self._looks[index + 1]
        late = slope * max(look.width, following.width)
        gap = following.at - look.at
        # A load that changed in between bends the line; the neighbours tell by how much at most.
        bend = max(abs(self._slope(index - 1, value) - slope), abs(self._slope(index + 1, value) - slope)) * gap / 4
        return energy, (late * late + bend * bend) / 3


class PowerStandard(ReadStandard):
    """By its active power, summed up by trapezoids; a step that changes its sign is cut where it crosses zero."""

    def __init__(
        self, meter: Dut, time: BenchTime, *, period_ms: int = 200, accuracy_percent: Fraction = Fraction(0)
    ) -> None:
        super().__init__(meter, time, ("power",), period_ms=period_ms, accuracy_percent=accuracy_percent)

    def _flowed(self, first_ms: Fraction, last_ms: Fraction) -> tuple[Truth, Fraction]:
        first, last = bisect_left(self._instants, first_ms), bisect_left(self._instants, last_ms)
        inner = [(look.at, Fraction(look.values[0])) for look in self._looks[first:last] if look.at > first_ms]
        line = [(first_ms, self._power(first_ms)), *inner, (last_ms, self._power(last_ms))]
        forward = reverse = jumps = Fraction(0)
        for (begin, power), (end, later) in pairwise(line):
            positive, negative = _trapezoid(power, later, end - begin)
            forward, reverse = forward + positive, reverse + negative
            jump = abs(later - power) * (end - begin) / (2 * MS_PER_HOUR)
            jumps += jump * jump
        step = self.resolutions[0] * (last_ms - first_ms) / MS_PER_HOUR
        late = sum(abs(power) for _, power in (line[0], line[-1])) * max(look.width for look in self._looks)
        # One reading's rounding is like the next one's while the load stands, so they don't cancel out.
        return Truth(forward, reverse), step * step / 12 + jumps / 3 + (late / MS_PER_HOUR) ** 2 / 3

    def _power(self, time_ms: Fraction) -> Fraction:
        index = self._around(time_ms)
        return self._looks[index].values[0] + self._slope(index, 0) * (time_ms - self._instants[index])


def registers_of(meter: Dut) -> tuple[str, ...]:
    """Return the energy registers of a meter; not every one counts backwards."""
    try:
        meter.resolution("energy_reverse")
    except KeyError:
        return ("energy_forward",)
    return ("energy_forward", "energy_reverse")


def _trapezoid(power: Fraction, later: Fraction, duration: Fraction) -> tuple[Fraction, Fraction]:
    """Return (forward, reverse) in mWh of a power in mW that goes evenly to another in some ms."""
    if power * later >= 0:
        energy = (power + later) / 2 * duration / MS_PER_HOUR
        return max(energy, Fraction(0)), max(-energy, Fraction(0))
    crossing = duration * power / (power - later)
    before, after = power * crossing / (2 * MS_PER_HOUR), later * (duration - crossing) / (2 * MS_PER_HOUR)
    return max(before, after), -min(before, after)


def _root(square: Fraction) -> Fraction:
    """Return the square root, rounded up to 10^-6."""
    return Fraction(isqrt(int(square * _ROOT_SCALE)) + (square > 0), 10**6)
