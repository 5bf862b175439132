"""What a multi-function meter (多功能电能表) has besides its totals: tariffs, phases, quadrants, demand, status."""

from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from typing import Final

from firmware_sim.circuit import PHASES, Circuit
from firmware_sim.curves import Curve
from firmware_sim.demand import DEFAULT_PERIOD_MS, DemandMemory
from firmware_sim.device_clock import DeviceClock
from firmware_sim.tariffs import DEFAULT_HOURS, TariffRegisters, TariffSchedule

_PPM: Final = 10**6
_TEMPERATURE: Final = 25_000  # m°C
_BATTERY_MV: Final = 3_600
_STATUS_WORDS: Final = range(1, 8)
_QUADRANTS: Final = range(1, 5)


@dataclass(frozen=True, slots=True)
class MultiFunctionSettings:
    """The tariff of each local hour, the demand period in ms, and the communication address (通信地址) as a number."""

    tariff_hours: tuple[int, ...] = DEFAULT_HOURS
    demand_period_ms: int = DEFAULT_PERIOD_MS
    communication_address: int | None = None


class MultiFunction:
    """These registers of one meter."""

    def __init__(
        self,
        settings: MultiFunctionSettings,
        circuit: Circuit,
        load: Curve,
        gain: Fraction,
        clock: DeviceClock,
        *,
        timezone: str,
        initial: tuple[int, int],
    ) -> None:
        self._settings = settings
        self._circuit = circuit
        self.tariffs = TariffRegisters(TariffSchedule(settings.tariff_hours, timezone), *initial)
        self.demand = DemandMemory(load, gain, clock, timezone, settings.demand_period_ms)
        factor = circuit.power_factor
        self._tangent_ppm = isqrt(_PPM * _PPM - factor * factor) * _PPM // factor

    def shown(self, energy: tuple[int, int], step_mwh: int) -> dict[str, int | None]:
        """Return the cumulative registers for a forward and a reverse energy at full precision."""
        values = self.tariffs.shown()
        shares, total = self._circuit.shares, sum(self._circuit.shares)
        for direction, amount in zip(("forward", "reverse"), energy, strict=True):
            for number, phase in enumerate(PHASES):
                part = amount * shares[number] // total if number < len(shares) else 0
                values[f"energy_{direction}_{phase}"] = part - part % step_mwh
        # The load draws reactive power in both directions of active power: quadrants I and II.
        quadrants = [amount * self._tangent_ppm // _PPM for amount in energy]
        quadrants = [amount - amount % step_mwh for amount in quadrants] + [0, 0]
        for number, amount in zip(_QUADRANTS, quadrants, strict=True):
            values[f"reactive_energy_q{number}"] = amount
        values["reactive_energy_forward"] = quadrants[0] + quadrants[1]
        values["reactive_energy_reverse"] = quadrants[2] + quadrants[3]
        return values

    def instantaneous(self, now_ms: int, power_mw: int) -> dict[str, int | None]:
        """Return what the meter shows of an instant."""
        circuit, demand = self._circuit, self.demand
        demand.bring(now_ms)
        present = demand.forward.last - demand.reverse.last
        currents = [circuit.current_ma(phase_mw) for phase_mw in circuit.phase_powers(power_mw)]
        return {
            "voltage": circuit.voltage_mv,
            "current": abs(power_mw) * 1000 // circuit.voltage_mv,
            "neutral_current": _neutral_ma(currents),
            "power_demand": present,
            "reactive_power_demand": circuit.reactive_mvar(present),
            "apparent_power_demand": circuit.apparent_mva(present),
            "demand_forward": demand.forward.greatest,
            "demand_forward_time": demand.forward.time_ms,
            "demand_reverse": demand.reverse.greatest,
            "demand_reverse_time": demand.reverse.time_ms,
            "temperature": _TEMPERATURE,
            "clock_battery_voltage": _BATTERY_MV,
            "communication_address": self._settings.communication_address,
            **{f"status_{number}": 0 for number in _STATUS_WORDS},
        }


def _neutral_ma(currents: list[int]) -> int:
    """Return the sum of three phasors 120° apart; one phase alone returns all of its current."""
    if len(currents) == 1:
        return currents[0]
    a, b, c = currents
    return isqrt(a * a + b * b + c * c - a * b - b * c - c * a)
