"""What connects power with voltage and current: a circuit of one or three phases, and the loss in its cable."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from profiles.rounding import half_even

PHASES: Final = ("a", "b", "c")
_PPM: Final = 10**6


@dataclass(frozen=True, slots=True)
class Circuit:
    """A circuit with constant frequency and power factor.

    `voltage_mv` is between phase and neutral, `voltages_mv` of each phase where they differ; `power_factor` in 10⁻⁶.
    `shares` says how the power spreads over the phases (unbalanced load 不平衡负载): any weights, one per phase, that
    add up to more than 0. A `capacitive` (容性) load gives reactive power back.
    """

    voltage_mv: int = 220_000
    frequency_mhz: int = 50_000
    power_factor: int = _PPM
    shares: tuple[int, ...] = (1, 1, 1)
    capacitive: bool = False
    voltages_mv: tuple[int, ...] | None = None

    @property
    def phases(self) -> int:
        """Return the number of phases."""
        return len(self.shares)

    def phase_powers(self, power_mw: int) -> tuple[int, ...]:
        """Return the power of each phase; they add up to the total exactly."""
        total, before, powers, done = sum(self.shares), 0, [], 0
        for share in self.shares:
            before += share
            upto = half_even(power_mw * before, total)
            powers.append(upto - done)
            done = upto
        return tuple(powers)

    def voltage_of(self, phase: int) -> int:
        """Return the voltage of a phase, from 0 on, in mV."""
        return self.voltage_mv if self.voltages_mv is None else self.voltages_mv[phase]

    def current_ma(self, phase_power_mw: int, phase: int = 0) -> int:
        """Return the current of a phase, rounded half to even; it has no sign."""
        return half_even(abs(phase_power_mw) * 10**9, self.voltage_of(phase) * self.power_factor)

    def loss_mw(self, power_mw: int, resistance_mohm: Fraction) -> int:
        """Return I²R of all phases of a cable of `resistance_mohm` a conductor, rounded half to even to 1 mW.

        The unbalance counts: the loss is summed over the phases. Current in the neutral is left out.
        """
        squares = sum(phase * phase for phase in self.phase_powers(power_mw))
        # I in mA is P·10⁹/(U·λ); I² in mA² times mΩ is 10⁻⁶ mW.
        loss = resistance_mohm * squares * 10**12 / (self.voltage_mv * self.power_factor) ** 2
        return half_even(loss.numerator, loss.denominator)

    def above_current(self, power_mw: int, current_ma: int) -> bool:
        """Return whether the mean current of the phases is at least `current_ma`, exactly."""
        return abs(power_mw) * 10**9 >= current_ma * self.phases * self.voltage_mv * self.power_factor

    def apparent_mva(self, power_mw: int) -> int:
        """Return the apparent power S = |P|/λ."""
        return half_even(abs(power_mw) * _PPM, self.power_factor)

    def reactive_mvar(self, power_mw: int) -> int:
        """Return the reactive power Q = sqrt(S² - P²), an estimate for display; below 0 of a capacitive load."""
        apparent = self.apparent_mva(power_mw)
        reactive = int(max(apparent * apparent - power_mw * power_mw, 0) ** 0.5)
        return -reactive if self.capacitive else reactive

    def shown(self, power_mw: int, *, is_reverse: bool) -> dict[str, int | None]:
        """Return what a meter shows of an instant, by standard name in canonical units."""
        powers = self.phase_powers(power_mw)
        signed = -self.power_factor if is_reverse else self.power_factor
        values: dict[str, int | None] = {
            "power": power_mw,
            "reactive_power": self.reactive_mvar(power_mw),
            "apparent_power": self.apparent_mva(power_mw),
            "power_factor": signed,
            "frequency": self.frequency_mhz,
        }
        for number, phase in enumerate(PHASES):
            present = number < self.phases
            phase_mw = powers[number] if present else 0
            values[f"power_{phase}"] = phase_mw
            values[f"reactive_power_{phase}"] = self.reactive_mvar(phase_mw)
            values[f"apparent_power_{phase}"] = self.apparent_mva(phase_mw)
            values[f"power_factor_{phase}"] = signed if present else 0
            values[f"voltage_{phase}"] = self.voltage_of(number) if present else 0
            values[f"current_{phase}"] = self.current_ma(phase_mw, number) if present else 0
        return values
