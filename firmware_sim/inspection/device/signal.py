"""What a meter's front end makes of samples and phasors: power, voltage, power factor, and on which phases."""

import sys
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import isqrt
from operator import mul
from typing import Final

from firmware_sim.circuit import Circuit
from firmware_sim.inspection.parts.stream_frames import Phasor

_PPM: Final = 10**6
_MICRO: Final = 1000  # uV and uA in mV and mA
_SHOWN: Final = 10  # of 10^-6: what rounding of samples does to a power factor is not shown
_WEIGHTS: Final = 100
_ANGLE_PARTS: Final = 1000  # reactive power below this part of the apparent one is none
_SLACK_UA: Final = 50  # by which samples of a current may be below it, being rounded


@dataclass(frozen=True, slots=True)
class Signal:
    """A steady load. `power` is the mean of all phases in 10^-9 mW (1 uV times 1 uA), below 0 in reverse."""

    power: Fraction
    circuit: Circuit
    current_ua: int  # sum of the phases

    def starts(self, starting_ma: int) -> bool:
        """Return whether the mean current of the phases is at least the starting current (起动电流)."""
        phases = self.circuit.phases
        return self.current_ua + phases * _SLACK_UA >= starting_ma * _MICRO * phases


@lru_cache(maxsize=64)
def energy_of(octets: bytes, phases: int) -> int:
    """Return the sum of u·i over all samples and phases, in uV·uA."""
    values, width = _values(octets), 2 * phases
    return sum(_product(values[place::width], values[place + 1 :: width]) for place in range(0, width, 2))


@lru_cache(maxsize=64)
def of_samples(octets: bytes, phases: int, frequency_mhz: int) -> Signal:
    """Return the load of a period of samples."""
    values, width = _values(octets), 2 * phases
    columns = [(values[place::width], values[place + 1 :: width]) for place in range(0, width, 2)]
    count = len(columns[0][0])
    powers = [Fraction(_product(u, i), count) for u, i in columns]
    voltages = [isqrt(_product(u, u) // count) for u, _ in columns]
    currents = [isqrt(_product(i, i) // count) for _, i in columns]
    # The voltage a quarter of a period ago: with it an inductive current is in phase.
    quarter = count // 4
    reactive = sum((Fraction(_product(u[-quarter:] + u[:-quarter], i), count) for u, i in columns), Fraction(0))
    return _signal(voltages, currents, powers, reactive, frequency_mhz)


def of_phasors(phasors: Sequence[Phasor], frequency_mhz: int) -> Signal:
    """Return the load of rms values."""
    voltages = [phasor.voltage_uv for phasor in phasors]
    currents = [phasor.current_ua for phasor in phasors]
    apparents = [u * i for u, i in zip(voltages, currents, strict=True)]
    powers = [
        Fraction(apparent * phasor.power_factor_ppm, _PPM) for apparent, phasor in zip(apparents, phasors, strict=True)
    ]
    sign = -1 if sum(powers) < 0 else 1
    reactive = sign * sum(
        (Fraction(apparent * phasor.lagging) for apparent, phasor in zip(apparents, phasors, strict=True)), Fraction(0)
    )
    return _signal(voltages, currents, powers, reactive, frequency_mhz)


def _signal(
    voltages: Sequence[int],
    currents: Sequence[int],
    powers: Sequence[Fraction],
    reactive: Fraction,
    frequency_mhz: int,
) -> Signal:
    power = sum(powers, Fraction(0))
    apparent = sum(map(mul, voltages, currents))
    factor = _PPM
    if apparent and power:
        factor = min(max(round(abs(power) * _PPM / apparent / _SHOWN), 1) * _SHOWN, _PPM)
    largest = max(map(abs, powers)) or 1
    shares = tuple(round(_WEIGHTS * abs(value) / largest) for value in powers)
    behind = -reactive if power < 0 else reactive
    circuit = Circuit(
        voltage_mv=max(max(voltages) // _MICRO + (max(voltages) % _MICRO >= _MICRO // 2), 1),
        frequency_mhz=frequency_mhz,
        power_factor=factor,
        shares=shares if any(shares) else (1,) * len(shares),
        capacitive=behind * _ANGLE_PARTS < -apparent,
    )
    return Signal(power, circuit, sum(currents))


def _values(octets: bytes) -> "array[int]":
    values = array("i", octets)
    if sys.byteorder == "big":
        values.byteswap()
    return values


def _product(first: "array[int]", second: "array[int]") -> int:
    return sum(map(mul, first, second))
