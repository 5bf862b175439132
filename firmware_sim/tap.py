"""Where a meter is connected (接入点): the voltages that are there at an instant, and what the meter makes of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from firmware_sim.circuit import Circuit
from profiles.rounding import half_even

_UV_PER_MV: Final = 1000


@dataclass(frozen=True, slots=True)
class Tap:
    """True voltages in µV at an instant, one for each phase of the meter, and the meter's error ε of voltage.

    Shown is true·(1 + ε). `powers_mw` says how the power spreads over the phases where that changes.
    """

    voltages_uv: Callable[[int], Sequence[int]]
    error: Fraction = Fraction(0)
    powers_mw: Callable[[int], Sequence[int]] | None = None

    def seen(self, circuit: Circuit, now_ms: int) -> Circuit:
        """Return a circuit as the meter sees it at an instant; its `voltage_mv` is the mean of the phases."""
        gain = 1 + self.error
        numerator, denominator = gain.numerator, gain.denominator * _UV_PER_MV
        true = self.voltages_uv(now_ms)
        voltages = tuple(half_even(voltage * numerator, denominator) for voltage in true)
        mean = half_even(sum(true) * numerator, denominator * len(voltages))
        shares = circuit.shares
        if self.powers_mw is not None:
            powers = self.powers_mw(now_ms)
            # What one phase feeds back may be all that the others draw: then nothing is shown of any of them.
            if (total := sum(powers)) != 0:
                shares = tuple(power if total > 0 else -power for power in powers)
        return replace(circuit, voltage_mv=mean, voltages_mv=voltages, shares=shares)
