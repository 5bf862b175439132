"""The voltage of a supply (供电电压) over time: a slow daily course, and a faster wander of all phases and of each one.

It is a function of seed and time alone: whoever asks, in whatever order, is told the same.
"""

import math
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from diantan_core import day_start_ms
from firmware_sim.circuit import PHASES
from profiles.rounding import half_even

Voltages = tuple[int, ...]
"""Of each phase to neutral, in µV."""

_PPM: Final = 10**6
_HOUR_MS: Final = 3_600_000
_DAY_HOURS: Final = 24
# Between the knots of each octave the wander goes straight; the squares of the weights add up to 1.
_OCTAVES: Final = ((1_800_000, 800_000), (300_000, 500_000), (60_000, 331_662))
_UNIFORMS: Final = 6
_UNIFORM_MIDDLE: Final = (2**16 - 1) * _UNIFORMS // 2
# The sum of so many uniform numbers below 2^16 has this standard deviation, 2^16·sqrt(6/12).
_UNIFORM_SD: Final = 46_341


@dataclass(frozen=True, slots=True)
class Supply:
    """A supply; `daily`, `wander` and `phase_wander` in 10⁻⁶ of its nominal voltage (phase to neutral).

    The daily course is a cosine of that amplitude. The two wanders have about that standard deviation where they are
    widest, each sums linear paths between random knots 30, 5 and 1 min apart. Within a step the voltage is constant.
    """

    nominal_mv: int
    seed: int
    timezone: str
    daily: int = 0
    highest_hour: int = 3
    wander: int = 0
    phase_wander: int = 0
    step_ms: int = 60_000

    def voltages_uv(self, time_ms: int) -> Voltages:
        """Return the voltage of each phase at an instant."""
        start_ms = time_ms - time_ms % self.step_ms
        together = _PPM + self._course(start_ms) + self._wander("all", self.wander, start_ms)
        return tuple(
            half_even(self.nominal_mv * (together + self._wander(phase, self.phase_wander, start_ms)), 1000)
            for phase in PHASES
        )

    def next_change(self, time_ms: int) -> int:
        """Return when the step ends that an instant belongs to."""
        return time_ms - time_ms % self.step_ms + self.step_ms

    def _course(self, time_ms: int) -> int:
        if not self.daily:
            return 0
        hours = (time_ms - day_start_ms(time_ms, self.timezone)) / _HOUR_MS - self.highest_hour
        return round(self.daily * math.cos(2 * math.pi * hours / _DAY_HOURS))

    def _wander(self, stream: str, deviation: int, time_ms: int) -> int:
        if not deviation:
            return 0
        total = 0
        for length_ms, weight in _OCTAVES:
            knot, into_ms = divmod(time_ms, length_ms)
            before, after = (self._knot(stream, length_ms, number) for number in (knot, knot + 1))
            total += weight * (before * (length_ms - into_ms) + after * into_ms) // length_ms
        return half_even(deviation * total, _PPM * _UNIFORM_SD)

    def _knot(self, stream: str, length_ms: int, number: int) -> int:
        """Return an all but normal number of standard deviation `_UNIFORM_SD`, at most 4.2 times as large."""
        octets = blake2b(f"{self.seed}/supply/{stream}/{length_ms}/{number}".encode(), digest_size=2 * _UNIFORMS)
        digest = octets.digest()
        words = (int.from_bytes(digest[at : at + 2], "big") for at in range(0, len(digest), 2))
        return sum(words) - _UNIFORM_MIDDLE
