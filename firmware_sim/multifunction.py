"""What a multi-function meter (多功能电能表) has besides its totals: tariffs, phases, quadrants, demand, status."""

from dataclasses import dataclass
from fractions import Fraction
from math import isqrt
from typing import Final

from firmware_sim.circuit import PHASES, Circuit
from firmware_sim.curves import UJ_PER_MWH, Curve
from firmware_sim.demand import DEFAULT_PERIOD_MS, DemandMemory
from firmware_sim.device_clock import DeviceClock
from firmware_sim.tariffs import DEFAULT_HOURS, FLAT, TariffRegisters, TariffSchedule

_PPM: Final = 10**6
_TEMPERATURE: Final = 25_000  # m°C
_BATTERY_MV: Final = 3_600
_STATUS_WORDS: Final = range(1, 8)
_QUADRANTS: Final = range(1, 5)

_PER_PHASE: Final = ("power", "reactive_power", "apparent_power", "power_factor", "voltage", "current")
MEASURED_BY_ALL: Final = frozenset(
    {
        *("energy_forward", "energy_reverse", "energy_total", "carbon_forward", "carbon_reverse"),
        *("carbon_forward_previous_day", "carbon_reverse_previous_day"),
        *("carbon_factor", "carbon_factor_start", "carbon_factor_quality"),
        *("power", "reactive_power", "apparent_power", "power_factor", "frequency"),
        *(f"{name}_{phase}" for name in _PER_PHASE for phase in PHASES),
        *("device_time", "serial_number", "meter_constant", "pt_ratio", "ct_ratio", "status"),
    }
)
"""The points that a meter has without the multi-function ones."""


@dataclass(frozen=True, slots=True)
class MultiFunctionSettings:
    """The tariff of each local hour, the demand period in ms, and the communication address (通信地址) as a number.

    `phase_loads` is what flows through each phase, where that is not by the shares of the circuit.
    """

    tariff_hours: tuple[int, ...] = DEFAULT_HOURS
    demand_period_ms: int = DEFAULT_PERIOD_MS
    communication_address: int | None = None
    phase_loads: tuple[Curve, ...] = ()


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
        self._gain = gain / UJ_PER_MWH
        self._initial = initial
        self._take(circuit)
        self._since = (0, 0)  # the energy when the circuit became what it is
        self._phases = [[0] * len(PHASES), [0] * len(PHASES)]  # and what each phase had then, forward and reverse
        self._quadrants = [0] * len(_QUADRANTS)
        self.tariffs = TariffRegisters(TariffSchedule(settings.tariff_hours, timezone), *initial)
        self.demand = DemandMemory(load, gain, clock, timezone, settings.demand_period_ms)

    def _take(self, circuit: Circuit) -> None:
        self._circuit = circuit
        factor = circuit.power_factor
        self._tangent_ppm = isqrt(_PPM * _PPM - factor * factor) * _PPM // factor if factor else 0

    def set_circuit(self, circuit: Circuit, energy: tuple[int, int]) -> None:
        """Let the circuit be another from a (forward, reverse) energy at full precision on."""
        self._phases = [list(self._by_shares(direction, energy)) for direction in (0, 1)]
        self._quadrants = self._of_quadrants(energy)
        self._since = energy
        self._take(circuit)

    def preset(self, energy: tuple[int, int], change: tuple[int, int], step_mwh: int) -> None:
        """Let the total be another, by a change; phases and quadrants are as if the circuit had always been this."""
        self._since, self._phases = (0, 0), [[0] * len(PHASES), [0] * len(PHASES)]
        self._quadrants = [0] * len(_QUADRANTS)
        shown = [
            amount - amount % step_mwh - (amount - by - (amount - by) % step_mwh)
            for amount, by in zip(energy, change, strict=True)
        ]
        self.tariffs.add(FLAT, shown[0], shown[1])

    def _of_phases(self, direction: int, energy: tuple[int, int], now_ms: int) -> list[int]:
        """Return each phase's own energy: what one gives back while others draw counts there, and not in the total."""
        loads = self._settings.phase_loads
        if not loads:
            return self._by_shares(direction, energy)
        flowed = (load.energy_at(now_ms)[direction] * self._gain for load in loads)
        return [self._initial[direction] // len(loads) + int(amount) for amount in flowed]

    def _by_shares(self, direction: int, energy: tuple[int, int]) -> list[int]:
        shares, total = self._circuit.shares, sum(self._circuit.shares)
        amount = energy[direction] - self._since[direction]
        return [
            base + (amount * shares[number] // total if number < len(shares) else 0)
            for number, base in enumerate(self._phases[direction])
        ]

    def _of_quadrants(self, energy: tuple[int, int]) -> list[int]:
        """Return the reactive energy of quadrants I to IV: a coil's in I and II, a capacitor's in IV and III."""
        first, second = (
            (amount - since) * self._tangent_ppm // _PPM for amount, since in zip(energy, self._since, strict=True)
        )
        added = [0, 0, second, first] if self._circuit.capacitive else [first, second, 0, 0]
        return [base + more for base, more in zip(self._quadrants, added, strict=True)]

    def shown(self, energy: tuple[int, int], step_mwh: int, now_ms: int) -> dict[str, int | None]:
        """Return the cumulative registers for a forward and a reverse energy at full precision, at an instant."""
        values = self.tariffs.shown()
        for direction, name in enumerate(("forward", "reverse")):
            for phase, part in zip(PHASES, self._of_phases(direction, energy, now_ms), strict=True):
                values[f"energy_{name}_{phase}"] = part - part % step_mwh
        quadrants = [amount - amount % step_mwh for amount in self._of_quadrants(energy)]
        for number, amount in zip(_QUADRANTS, quadrants, strict=True):
            values[f"reactive_energy_q{number}"] = amount
        values["reactive_energy_forward"] = quadrants[0] + quadrants[1]
        values["reactive_energy_reverse"] = quadrants[2] + quadrants[3]
        return values

    def instantaneous(self, now_ms: int, power_mw: int, circuit: Circuit) -> dict[str, int | None]:
        """Return what the meter shows of an instant, in a circuit as it is then."""
        demand = self.demand
        demand.bring(now_ms)
        present = demand.forward.last - demand.reverse.last
        currents = [circuit.current_ma(mw, phase) for phase, mw in enumerate(circuit.phase_powers(power_mw))]
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
