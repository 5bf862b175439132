"""What makes one simulated meter differ from another."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction

from firmware_sim.circuit import Circuit
from firmware_sim.multifunction import MultiFunctionSettings
from firmware_sim.tap import Tap


@dataclass(frozen=True, slots=True)
class MeterSettings:
    """A meter's errors, steps and constants.

    `gain_error` is ε in indicated = true·(1 + ε). Resolutions are the steps of the registers; below
    `startup_current_ma` (起动电流, mean of the phases) nothing is registered. `multi_function` is for meters that have
    tariffs, demand and quadrants; without it they are not worked out.

    `tap` is where its voltage comes from; without it the circuit's is shown.

    `load_parts` is how many units of the load's power make 1 mW. At `rollover_mwh` and `carbon_rollover_ng` the
    registers start again from 0 (翻转; None: never). `pulse_constant` is what the energy pulses follow where that is
    not the `meter_constant` on the plate; `carbon_constant` (imp/kgCO2) None: there are no carbon pulses.
    """

    timezone: str = "Asia/Shanghai"
    gain_error: Fraction = Fraction(0)
    resolution_mwh: int = 1_000
    carbon_resolution_ng: int = 10**6
    startup_current_ma: int = 0
    clock_offset_ms: int = 0
    clock_drift_ppm: Fraction = Fraction(0)
    default_factor: int | None = None
    initial_forward_mwh: int = 0
    initial_reverse_mwh: int = 0
    initial_carbon_forward_ng: int = 0
    initial_carbon_reverse_ng: int = 0
    serial_number: int = 0
    meter_constant: int = 1_000
    pulse_constant: int | None = None
    carbon_constant: int | None = None
    rollover_mwh: int | None = None
    carbon_rollover_ng: int | None = None
    load_parts: int = 1
    parameters: dict[str, Decimal] = field(default_factory=dict)
    multi_function: MultiFunctionSettings | None = None
    tap: Tap | None = None

    def seen(self, circuit: Circuit, now_ms: int) -> Circuit:
        """Return a circuit as the meter sees it at an instant."""
        return circuit if self.tap is None else self.tap.seen(circuit, now_ms)

    def wrapped(self, registers: Mapping[str, int | None]) -> dict[str, int | None]:
        """Return registers as they are shown when they start again from 0 at their end."""
        ends = {"energy": self.rollover_mwh, "carbon": self.carbon_rollover_ng}
        shown = dict(registers)
        for name, value in registers.items():
            end = ends.get(name.partition("_")[0])
            if end is not None and value is not None:
                shown[name] = value % end
        return shown
