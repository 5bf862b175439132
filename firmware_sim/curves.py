"""Loads over time: piecewise constant power with exact energy, extended lazily as time is asked for.

Power is in mW (positive forward 正向, negative reverse 反向), time in ms UTC, so energy is in whole µJ (1 mW · 1 ms)
and nothing is ever rounded: 1 mWh is 3 600 000 µJ. An instant belongs to the step that starts at it.
"""

from abc import ABC, abstractmethod
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Final

UJ_PER_MWH: Final = 3_600_000


class Curve(ABC):
    """A load whose power is known from `start_ms` on; before that it is zero."""

    def __init__(self, start_ms: int) -> None:
        self.start_ms = start_ms
        self.covered_ms = start_ms
        self._starts = [start_ms]
        self._powers = [0]
        self._forward = [0]  # µJ from start_ms to the start of each step
        self._reverse = [0]

    @abstractmethod
    def _extend(self, until_ms: int) -> None:
        """Append every step that starts before `until_ms`, and set `covered_ms` to at least that."""

    def cover(self, until_ms: int) -> None:
        """Make sure that the steps before an instant are known."""
        if until_ms > self.covered_ms:
            self._extend(until_ms)

    def power_at(self, time_ms: int) -> int:
        """Return the power in mW at an instant."""
        self.cover(time_ms + 1)
        index = bisect_right(self._starts, time_ms) - 1
        return self._powers[index] if index >= 0 else 0

    def energy_at(self, time_ms: int) -> tuple[int, int]:
        """Return the energy (forward, reverse) in µJ from the start of the curve to an instant."""
        self.cover(time_ms)
        index = bisect_right(self._starts, time_ms) - 1
        if index < 0:
            return 0, 0
        power = self._powers[index]
        energy = power * (time_ms - self._starts[index])
        forward, reverse = self._forward[index], self._reverse[index]
        return (forward + energy, reverse) if power >= 0 else (forward, reverse - energy)

    def steps(self, from_ms: int, until_ms: int) -> Iterator[tuple[int, int]]:
        """Yield (start, power) of the steps in a window, the first one cut to begin at `from_ms`."""
        self.cover(until_ms)
        if until_ms <= from_ms:
            return
        yield from_ms, self.power_at(from_ms)
        for index in range(bisect_right(self._starts, from_ms), bisect_left(self._starts, until_ms)):
            yield self._starts[index], self._powers[index]

    def _append(self, start_ms: int, power_mw: int) -> None:
        """Let the power change to `power_mw` at an instant not before the last change; the last word at it counts."""
        last = self._powers[-1]
        if power_mw == last:
            return
        energy = last * (start_ms - self._starts[-1])
        if start_ms == self._starts[-1]:
            self._powers[-1] = power_mw
            return
        self._starts.append(start_ms)
        self._powers.append(power_mw)
        self._forward.append(self._forward[-1] + max(energy, 0))
        self._reverse.append(self._reverse[-1] - min(energy, 0))


class ConstantCurve(Curve):
    """A load that never changes: lighting, cooling, communication (辅助用电)."""

    def __init__(self, start_ms: int, power_mw: int) -> None:
        super().__init__(start_ms)
        self._append(start_ms, power_mw)

    def _extend(self, until_ms: int) -> None:
        self.covered_ms = until_ms


class ManualCurve(Curve):
    """A load that somebody sets as time goes on."""

    def set_power(self, time_ms: int, power_mw: int) -> None:
        """Change the power from an instant on; ValueError when that instant has been asked for already."""
        if time_ms < self.covered_ms:
            raise ValueError(f"the load is already known until {self.covered_ms} ms, it can't change at {time_ms} ms")
        self._append(time_ms, power_mw)

    def _extend(self, until_ms: int) -> None:
        self.covered_ms = until_ms


class RepeatedCurve(Curve):
    """A cycle of (duration in ms, power in mW) steps, repeated for ever."""

    def __init__(self, start_ms: int, cycle: Sequence[tuple[int, int]]) -> None:
        super().__init__(start_ms)
        if not cycle or any(duration <= 0 for duration, _ in cycle):
            raise ValueError("a load cycle needs steps of a positive duration")
        self._cycle = tuple(cycle)

    def _extend(self, until_ms: int) -> None:
        while self.covered_ms < until_ms:
            for duration, power in self._cycle:
                self._append(self.covered_ms, power)
                self.covered_ms += duration


class MappedCurve(Curve):
    """A load that is a function of another one at every instant, as a cable's loss is of its current."""

    def __init__(self, source: Curve, function: Callable[[int], int]) -> None:
        super().__init__(source.start_ms)
        self._source = source
        self._function = function

    def _extend(self, until_ms: int) -> None:
        for start, power in self._source.steps(self.covered_ms, until_ms):
            self._append(start, self._function(power))
        self.covered_ms = until_ms


class SumCurve(Curve):
    """The sum of loads at every instant: at a node, opposite flows cancel before a meter sees them.

    With `ahead_ms`, it is worked out that far ahead at a time, which is cheaper where the loads are known in advance.
    """

    def __init__(self, start_ms: int, parts: Sequence[Curve], *, ahead_ms: int = 0) -> None:
        super().__init__(start_ms)
        self._parts = tuple(parts)
        self._ahead_ms = ahead_ms

    def _extend(self, until_ms: int) -> None:
        until_ms = max(until_ms, self.covered_ms + self._ahead_ms)
        changes = sorted(
            (start, number, power)
            for number, part in enumerate(self._parts)
            for start, power in part.steps(self.covered_ms, until_ms)
        )
        powers = [0] * len(self._parts)
        total = 0
        for start, number, power in changes:
            total += power - powers[number]
            powers[number] = power
            self._append(start, total)
        self.covered_ms = until_ms
