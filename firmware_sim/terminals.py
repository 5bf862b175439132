"""The terminals of a simulated meter (接线端): what a source on the bench puts there, and when it changed."""

from fractions import Fraction
from typing import Final

from firmware_sim.circuit import Circuit
from firmware_sim.curves import UJ_PER_MWH, Curve
from firmware_sim.inspection.points import LoadPoint

PARTS: Final = 10**9
"""Of 1 mW: mV times mA times 10^-6 of power factor is a whole number of them, so no load point is ever rounded."""


class SetCurve(Curve):
    """A load that is set as time goes on and stays until it is set again; power in `PARTS` of 1 mW.

    Looking at the present or the future does not fix it, as it does with a ManualCurve: only the past stays.
    """

    def set_power(self, time_ms: int, power: int) -> None:
        """Change the power from an instant on; ValueError for one before the last change."""
        if time_ms < self._starts[-1]:
            raise ValueError(f"the load was set at {self._starts[-1]} ms, it can't change at {time_ms} ms")
        self._append(time_ms, power)

    def flowed(self, until_ms: Fraction) -> tuple[Fraction, Fraction]:
        """Return the (forward, reverse) energy in mWh from the start to an instant, exactly."""
        whole_ms = int(until_ms)
        forward, reverse = map(Fraction, self.energy_at(whole_ms))
        rest = self.power_at(whole_ms) * (until_ms - whole_ms)
        worth = UJ_PER_MWH * PARTS
        return (forward + max(rest, Fraction(0))) / worth, (reverse - min(rest, Fraction(0))) / worth

    def _extend(self, until_ms: int) -> None:
        self.covered_ms = until_ms


class Terminals:
    """What flows through the meter (`flow`), and what of it the meter starts to measure (`load`).

    Below the starting current (起动电流, mean of the phases) a meter measures nothing.
    """

    def __init__(self, start_ms: int, startup_current_ma: int = 0) -> None:
        self.flow = SetCurve(start_ms)
        self.load = SetCurve(start_ms)
        self._startup_ma = startup_current_ma

    def set(self, time_ms: int, point: LoadPoint | None) -> None:
        """Put a load point on the terminals from an instant on, or (None) take the current away."""
        power = 0 if point is None else parts_of(point)
        self.flow.set_power(time_ms, power)
        starts = point is not None and point.current_ma * sum(point.loaded_phases) >= self._startup_ma * point.phases
        self.load.set_power(time_ms, power if starts else 0)


def parts_of(point: LoadPoint) -> int:
    """Return the active power of a load point in `PARTS` of 1 mW, exactly."""
    return (point.power_mw * PARTS).numerator


def circuit_of(point: LoadPoint) -> Circuit:
    """Return what the meter sees of a load point beside its power."""
    return Circuit(
        voltage_mv=point.voltage_mv,
        frequency_mhz=point.frequency_mhz,
        power_factor=point.power_factor_ppm,
        shares=tuple(map(int, point.loaded_phases)),
        capacitive=point.character == "C",
    )
