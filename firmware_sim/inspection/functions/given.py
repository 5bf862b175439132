"""The factors that the bench has given to the device, and which one is to be in force when.

A factor holds from the start of its slot of 15 minutes; one that comes later holds from its arrival on, and registers
are never rewritten. What holds in a slot whose factor has not come is a setting (Expectations.missing).
"""

from bisect import bisect_left, bisect_right, insort
from fractions import Fraction
from typing import Final

from firmware_sim.inspection.functions.expectations import Expectations

SLOT_MS: Final = 900_000


class UnknownFactorError(LookupError):
    """Something flowed at a time for which the bench has given no factor."""


class Given:
    """Factors by slot, with the bench's instants at which they came."""

    def __init__(self, expectations: Expectations) -> None:
        self._expectations = expectations
        self._starts: list[int] = []
        self._versions: dict[int, list[tuple[Fraction, int | None]]] = {}
        self._arrivals: list[Fraction] = []

    def add(self, slot_ms: int, factor: int | None, arrived: Fraction) -> None:
        """Note a factor (mg/kWh, None: undefined) of the slot that starts at the device's time `slot_ms`."""
        if slot_ms not in self._versions:
            insort(self._starts, slot_ms)
        self._versions.setdefault(slot_ms, []).append((arrived, factor))
        if not self._arrivals or self._arrivals[-1] != arrived:
            self._arrivals.append(arrived)

    def of_slot(self, slot_ms: int) -> int | None:
        """Return the factor that was given last for a slot; KeyError for none."""
        return self._versions[slot_ms][-1][1]

    def known(self, slot_ms: int) -> bool:
        """Return whether a factor was given for a slot."""
        return slot_ms in self._versions

    def at(self, device_ms: Fraction | int, now: Fraction) -> int | None:
        """Return what is in force when the device's clock shows a time and the bench's another; UnknownFactorError."""
        for index in range(bisect_right(self._starts, device_ms) - 1, -1, -1):
            start = self._starts[index]
            come = [factor for arrived, factor in self._versions[start] if arrived <= now]
            if come:
                if self._expectations.missing != "held" and device_ms >= start + SLOT_MS:
                    return self._expectations.default_mg if self._expectations.missing == "default" else None
                return come[-1]
        raise UnknownFactorError(f"no factor was given for {device_ms} ms")

    def changes(self, first_ms: Fraction, last_ms: Fraction) -> list[int]:
        """Return the device's times after the first and before the last at which another factor may begin to hold."""
        starts = self._starts[bisect_right(self._starts, first_ms) : bisect_left(self._starts, last_ms)]
        if self._expectations.missing == "held":
            return starts
        before = self._starts[max(bisect_right(self._starts, first_ms) - 1, 0) : bisect_left(self._starts, last_ms)]
        ends = (start + SLOT_MS for start in before)
        return sorted({*starts, *(end for end in ends if first_ms < end < last_ms)})

    def arrivals(self, first: Fraction, last: Fraction) -> list[Fraction]:
        """Return the bench's instants between two at which factors came."""
        return self._arrivals[bisect_right(self._arrivals, first) : bisect_left(self._arrivals, last)]
