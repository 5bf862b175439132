"""Where a meter is connected (接入点): the voltages that are there at an instant, and what the meter makes of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from firmware_sim.circuit import Circuit
from firmware_sim.curves import Curve
from profiles.rounding import half_even

_UV_PER_MV: Final = 1000


@dataclass(frozen=True, slots=True)
class Tap:
    """True voltages in µV at an instant, one for each phase of the meter, and the meter's error ε of voltage.

    Shown is true·(1 + ε). `phase_loads` is what flows through each phase, where that is not by the circuit's shares.
    """

    voltages_uv: Callable[[int], Sequence[int]]
    error: Fraction = Fraction(0)
    phase_loads: tuple[Curve, ...] = ()

    def seen(self, circuit: Circuit, now_ms: int) -> Circuit:
        """Return a circuit as the meter sees it at an instant; its `voltage_mv` is the mean of the phases."""
        gain = 1 + self.error
        numerator, denominator = gain.numerator, gain.denominator * _UV_PER_MV
        true = self.voltages_uv(now_ms)
        voltages = tuple(half_even(voltage * numerator, denominator) for voltage in true)
        mean = half_even(sum(true) * numerator, denominator * len(voltages))
        shares = circuit.shares
        powers = [load.power_at(now_ms) for load in self.phase_loads]
        # What one phase feeds back may be all that the others draw: then nothing is shown of any of them.
        if (total := sum(powers)) != 0:
            shares = tuple(power if total > 0 else -power for power in powers)
        return replace(circuit, voltage_mv=mean, voltages_mv=voltages, shares=shares)
