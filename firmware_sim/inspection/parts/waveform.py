"""Load points as waveforms: the samples that stand for them, and the energy of exactly these samples."""

import math
import sys
from array import array
from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate
from typing import Final, Protocol

from firmware_sim.inspection.bench import BenchError
from firmware_sim.inspection.parts.stream_frames import Phasor
from firmware_sim.inspection.points import Character, LoadPoint

PJ_PER_MWH: Final = 3_600_000_000_000  # 1 uV times 1 uA for 1 s is 1 pJ
OCTETS: Final = 8  # of a sample of one phase
_LONGEST_PERIOD: Final = 1 << 18
_GREATEST: Final = 2**31 - 1
_MICRO: Final = 1000  # mV and mA to uV and uA
_PPM: Final = 10**6


class Flow(Protocol):
    """What flows while a load point stands."""

    @property
    def reverse(self) -> bool:
        """Whether it flows out, as a whole: within a period some flows the other way."""

    def energy_mwh(self, first: Fraction, last: Fraction) -> Fraction:
        """Return the energy between two instants, in samples since sample 0; below 0 in reverse."""


class Nothing:
    """No current."""

    reverse = False

    def energy_mwh(self, first: Fraction, last: Fraction) -> Fraction:
        """Return 0."""
        return Fraction(0)


class PhasorFlow:
    """A load point as rms values: its power is that of the load point, exactly."""

    def __init__(self, point: LoadPoint, rate: int) -> None:
        self.reverse = point.reverse
        self.frequency_mhz = point.frequency_mhz
        sign = -1 if point.reverse else 1
        lagging = {Character.INDUCTIVE: 1, Character.CAPACITIVE: -1}.get(point.character, 0)
        self.phases = [
            Phasor(
                point.voltage_mv * _MICRO,
                point.current_ma * _MICRO if loaded else 0,
                sign * point.power_factor_ppm,
                lagging,
            )
            for loaded in point.loaded_phases
        ]
        self._mwh_per_sample = point.power_mw / (3_600 * rate)

    def energy_mwh(self, first: Fraction, last: Fraction) -> Fraction:
        """Return the energy between two instants."""
        return self._mwh_per_sample * (last - first)


class Waveform:
    """Sines, sampled and rounded to 1 uV and 1 uA; they repeat after `period` samples.

    The truth about them is the sum of the products of these very samples, so the rounding is no error of anybody.
    """

    def __init__(self, point: LoadPoint, rate: int) -> None:
        self.rate = rate
        self.reverse = point.reverse
        self.period = rate * 1000 // math.gcd(rate * 1000, point.frequency_mhz)
        if self.period > _LONGEST_PERIOD:
            raise BenchError(
                f"samples of {point.frequency_mhz} mHz at {rate} a second repeat only after {self.period}; take a "
                "frequency or a rate of rounder numbers"
            )
        columns = list(_columns(point, rate, self.period))
        interleaved = array("i", [value for row in zip(*columns, strict=True) for value in row])
        if sys.byteorder == "big":
            interleaved.byteswap()
        self.octets = interleaved.tobytes()
        self._stride = OCTETS * point.phases
        self._repeated = self.octets
        products = [
            sum(row[place] * row[place + 1] for place in range(0, len(row), 2)) for row in zip(*columns, strict=True)
        ]
        self._before: list[int] = [0, *accumulate(products)]

    def samples(self, index: int, count: int) -> memoryview:
        """Return so many samples from an index on, interleaved."""
        start = index % self.period
        while len(self._repeated) < (start + count) * self._stride:
            self._repeated += self._repeated
        return memoryview(self._repeated)[start * self._stride : (start + count) * self._stride]

    def energy_mwh(self, first: Fraction, last: Fraction) -> Fraction:
        """Return the energy between two instants; each sample stands until the next one."""
        return (self._sum(last) - self._sum(first)) / (self.rate * PJ_PER_MWH)

    def _sum(self, until: Fraction) -> Fraction:
        whole = math.floor(until)
        periods, place = divmod(whole, self.period)
        begun = self._before[place + 1] - self._before[place]
        whole_pj: Fraction = Fraction(periods * self._before[-1] + self._before[place])
        return whole_pj + (until - whole) * begun


@lru_cache(maxsize=64)
def waveform(point: LoadPoint, rate: int) -> Waveform:
    """Return the waveform of a load point; BenchError for one that samples can't stand for."""
    return Waveform(point, rate)


def _columns(point: LoadPoint, rate: int, period: int) -> Iterator[Sequence[int]]:
    """Yield voltage and current of each phase."""
    step = 2 * math.pi * point.frequency_mhz / 1000 / rate
    shift = math.acos(point.power_factor_ppm / _PPM)
    behind = -shift if point.character is Character.CAPACITIVE else shift
    if point.reverse:
        behind += math.pi
    for number, loaded in enumerate(point.loaded_phases):
        angle = number * 2 * math.pi / 3
        yield _sine(point.voltage_mv * _MICRO, step, angle, period)
        yield _sine(point.current_ma * _MICRO if loaded else 0, step, angle + behind, period)


def _sine(rms: int, step: float, behind: float, period: int) -> list[int]:
    peak = rms * math.sqrt(2)
    if peak > _GREATEST:
        raise BenchError(f"samples hold up to {_GREATEST} uV or uA, the load point has peaks of {peak:.0f}")
    return [round(peak * math.sin(step * number - behind)) for number in range(period)]
