"""A simulated electricity-carbon meter (电碳表): it measures a load and keeps what a real one keeps.

Everything is computed when somebody reads, from the load's exact energy: accelerated time costs nothing while nobody
does, and the result does not depend on how often the meter was read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from diantan_core import day_start_ms
from firmware_sim.circuit import Circuit
from firmware_sim.curves import UJ_PER_MWH, Curve, MappedCurve
from firmware_sim.device_clock import DeviceClock
from firmware_sim.factors import SLOT_MS, FactorMemory
from firmware_sim.freezes import DAILY_FREEZES, MONTHLY_FREEZES, FreezeMemory, Row
from firmware_sim.history import CARBON_DAYS, HistoryDay
from firmware_sim.meter_settings import MeterSettings
from firmware_sim.multifunction import MultiFunction
from profiles.rounding import half_even

__all__ = ["CARBON_DAYS", "DAILY_FREEZES", "MONTHLY_FREEZES", "Meter", "MeterSettings", "Row"]

CLOCK_END_MS: Final = 2**32 * 1000  # in 2106: the seconds of its tables have 32 bits


@dataclass(slots=True)
class _Totals:
    """Registers at their full precision: mWh and ng."""

    energy_forward: int
    energy_reverse: int
    carbon_forward: int
    carbon_reverse: int


class Meter:
    """One meter on one load."""

    factor_memory = FactorMemory  # as the small methods below, for firmware with a defect to replace
    freeze_memory = FreezeMemory

    def __init__(self, load: Curve, circuit: Circuit, settings: MeterSettings) -> None:
        if settings.gain_error <= -1:
            raise ValueError(f"a gain error of {settings.gain_error} leaves nothing to register")
        self.settings = settings
        self.circuit = circuit
        self.powered = True
        self._load = load
        startup = settings.startup_current_ma
        self._measured: Curve = (
            MappedCurve(load, lambda power: power if circuit.above_current(power, startup) else 0) if startup else load
        )
        gain = 1 + settings.gain_error
        self._gain_numerator = gain.numerator
        self._gain_denominator = gain.denominator * UJ_PER_MWH * settings.load_parts
        self._gain = gain / settings.load_parts
        self._clock = DeviceClock(load.start_ms, offset_ms=settings.clock_offset_ms, drift_ppm=settings.clock_drift_ppm)
        self._factors = self.factor_memory(settings.default_factor)
        self._now_ms = load.start_ms
        self._initial = settings.initial_forward_mwh, settings.initial_reverse_mwh
        carbon = settings.initial_carbon_forward_ng, settings.initial_carbon_reverse_ng
        self._totals = _Totals(*self._initial, *carbon)
        self._weighed = (0, 0)
        device_ms = self._clock.at(load.start_ms)
        self._first_ms = device_ms
        self.frozen = self.freeze_memory(settings.timezone, device_ms, carbon)
        self._history = HistoryDay(settings.timezone)
        self._more = self._multi_function()
        self._next_tariff = None if self._more is None else self._more.tariffs.schedule.next_change(device_ms)

    def _multi_function(self) -> MultiFunction | None:
        settings = self.settings
        if settings.multi_function is None:
            return None
        initial = tuple(self._step_energy(mwh) for mwh in (settings.initial_forward_mwh, settings.initial_reverse_mwh))
        return MultiFunction(
            settings.multi_function,
            self.circuit,
            self._measured,
            self._gain,
            self._clock,
            timezone=settings.timezone,
            initial=(initial[0], initial[1]),
        )

    # Time

    def advance(self, now_ms: int) -> None:
        """Bring the registers to an instant; an earlier one than the last changes nothing (registers never go back)."""
        if now_ms <= self._now_ms:
            return
        while True:
            change = self._factors.next_change(self._clock.at(self._now_ms))
            boundary = min(time for time in (change, self._next_tariff, self.frozen.next_ms) if time is not None)
            true_ms = self._clock.when(boundary)
            if true_ms > now_ms:
                break
            self._accumulate(true_ms)
            if boundary == self._next_tariff:
                self._follow_tariffs()
            if boundary == self.frozen.next_ms:
                self._freeze(boundary)
        self._accumulate(now_ms)

    def _follow_tariffs(self) -> None:
        if self._more is not None:
            self._next_tariff = self._more.tariffs.schedule.next_change(self._clock.at(self._now_ms))

    def _accumulate(self, until_ms: int) -> None:
        device_ms = self._clock.at(self._now_ms)
        factor = self._factors.at(device_ms).factor
        forward_uj, reverse_uj = self._measured.energy_at(until_ms)
        forward = self._initial[0] + forward_uj * self._gain_numerator // self._gain_denominator
        reverse = self._initial[1] + reverse_uj * self._gain_numerator // self._gain_denominator
        totals = self._totals
        if factor is not None:
            before = self._measured.energy_at(self._now_ms)
            moved = forward_uj - before[0], reverse_uj - before[1]
            self._weighed = self._weighed[0] + moved[0] * factor, self._weighed[1] + moved[1] * factor
            totals.carbon_forward += self._carbon(forward - totals.energy_forward, factor)
            totals.carbon_reverse += self._carbon(reverse - totals.energy_reverse, factor)
        if self._more is not None:
            tariffs = self._more.tariffs
            tariffs.add(
                tariffs.schedule.at(device_ms),
                self._step_energy(forward) - self._step_energy(totals.energy_forward),
                self._step_energy(reverse) - self._step_energy(totals.energy_reverse),
            )
        totals.energy_forward, totals.energy_reverse = forward, reverse
        self._now_ms = until_ms

    def _carbon(self, energy_mwh: int, factor: int) -> int:
        """Return the carbon in ng of an energy that flowed just now, under one factor in mg/kWh."""
        return energy_mwh * factor

    def _freeze(self, midnight_ms: int) -> None:
        totals = self._totals
        self.frozen.freeze(midnight_ms, self._shown(), (totals.carbon_forward, totals.carbon_reverse))

    # What is written to a meter

    def apply(self, write: str, fields: Row, now_ms: int) -> None:
        """Carry out a standard write (`profiles.points.WRITES`); ValueError for values that the meter refuses."""
        if write == "factor":
            self.receive_factor(now_ms, _required(fields, "time"), fields["carbon_factor"])
        elif write == "clock":
            self.set_clock(now_ms, _required(fields, "time"))
        elif write == "factor_history_day":
            self.select_history_day(_required(fields, "day"))
        else:
            raise ValueError(f"a meter knows no write {write!r}")

    def receive_factor(self, now_ms: int, slot_start_ms: int, factor: int | None) -> None:
        """Take the factor (mg/kWh; None: undefined) of the slot that starts at `slot_start_ms` of the meter's clock.

        FactorRefusedError when the meter does not accept it.
        """
        self.advance(now_ms)
        self._factors.receive(slot_start_ms, factor, self._clock.at(now_ms))

    def set_clock(self, now_ms: int, device_ms: int) -> None:
        """Set the meter's clock. Put forward over a midnight, it freezes at once; put back, it never freezes twice.

        ValueError for a time that the meter's 32-bit seconds can't show; its clock is then as before.
        """
        if not 0 <= device_ms < CLOCK_END_MS:
            raise ValueError(f"the clock goes from 0 to {CLOCK_END_MS - 1} ms, not to {device_ms}")
        self.advance(now_ms)
        crossed = device_ms >= self.frozen.next_ms
        if self._more is not None:
            self._more.demand.bring(now_ms)
        self._clock.set_time(now_ms, device_ms)
        if crossed:
            self._freeze(day_start_ms(device_ms, self.settings.timezone))
        self.frozen.next_ms = self.frozen.midnight_after(device_ms)
        if self._more is not None:
            self._more.demand.restart(now_ms)
        self._follow_tariffs()

    @property
    def drift_ppm(self) -> Fraction:
        """How fast the meter's clock runs."""
        return self._clock.drift_ppm

    def set_drift(self, now_ms: int, drift_ppm: Fraction) -> None:
        """Let the meter's clock drift otherwise from now on."""
        self.advance(now_ms)
        if self._more is not None:
            self._more.demand.bring(now_ms)
        self._clock.set_drift(now_ms, drift_ppm)

    @property
    def measured(self) -> Curve:
        """What the meter measures of its load."""
        return self._measured

    @property
    def gain(self) -> Fraction:
        """What the meter makes of one part of its load's energy (MeterSettings.load_parts)."""
        return self._gain

    def counted(self, now_ms: int) -> tuple[int, int]:
        """Return the load's forward plus reverse energy (parts of 1 µJ) unrounded, and the same weighed by factors."""
        self.advance(now_ms)
        return sum(self._measured.energy_at(now_ms)), sum(self._weighed)

    def next_factor(self, now_ms: int) -> tuple[int | None, int | None]:
        """Return the factor in force (mg/kWh) and the true time at which one that was received begins, if any."""
        device_ms = self._clock.at(now_ms)
        change = self._factors.next_change(device_ms)
        return self._factors.at(device_ms).factor, None if change is None else self._clock.when(change)

    def factor_at(self, slot_start_ms: int) -> int | None:
        """Return the factor that the meter would use in a slot, as far as it knows now."""
        return self._factors.at(slot_start_ms).factor

    def select_history_day(self, days_back: int) -> None:
        """Choose which day the factor history shows: 0 today, 1 yesterday .. 365; ValueError beyond."""
        self._history.select(days_back)

    # What a bench does to a meter

    def set_circuit(self, now_ms: int, circuit: Circuit) -> None:
        """Let voltage, power factor or phases be others from now on; the power is the load's."""
        self.advance(now_ms)
        if self._more is not None:
            self._more.set_circuit(circuit, (self._totals.energy_forward, self._totals.energy_reverse))
        self.circuit = circuit

    def cut(self, now_ms: int) -> None:
        """Lose the supply (停电): registers are kept, clock and freezes go on by battery, nobody is answered."""
        self.advance(now_ms)
        self.powered = False

    def restore(self, now_ms: int) -> None:
        """Have the supply back (上电)."""
        self.advance(now_ms)
        self.powered = True

    def preset(self, now_ms: int, registers: Mapping[str, int]) -> None:
        """Set energies and carbons (`energy_forward` …) to mWh and ng; the day's carbon does not count the difference.

        ValueError for a register that is not one of these, or a negative value.
        """
        self.advance(now_ms)
        for name, value in registers.items():
            if name not in ("energy_forward", "energy_reverse", "carbon_forward", "carbon_reverse") or value < 0:
                raise ValueError(f"expected energies and carbons, at least 0, found {name} = {value}")
        totals = self._totals
        by = {}
        for name, value in registers.items():
            by[name] = value - getattr(totals, name)
            setattr(totals, name, value)
        energy, carbon = ((by.get(f"{kind}_forward", 0), by.get(f"{kind}_reverse", 0)) for kind in ("energy", "carbon"))
        self._initial = self._initial[0] + energy[0], self._initial[1] + energy[1]
        day = self.frozen.day_carbon
        self.frozen.day_carbon = day[0] + carbon[0], day[1] + carbon[1]
        if self._more is not None:
            self._more.preset((totals.energy_forward, totals.energy_reverse), energy, self.settings.resolution_mwh)

    # What can be read

    def device_time(self, now_ms: int) -> int:
        """Return what the meter's clock shows, in ms UTC."""
        return self._clock.at(now_ms)

    def energy(self, now_ms: int) -> tuple[int, int]:
        """Return the (forward, reverse) energy at full precision in mWh, initial registers included."""
        self.advance(now_ms)
        return self._totals.energy_forward, self._totals.energy_reverse

    def carbon(self, now_ms: int) -> tuple[int, int]:
        """Return the (forward, reverse) carbon at full precision in ng."""
        self.advance(now_ms)
        return self._totals.carbon_forward, self._totals.carbon_reverse

    def values(self, now_ms: int) -> Row:
        """Return every point the meter knows, by standard name, in canonical units, of one instant."""
        self.advance(now_ms)
        device_ms = self._clock.at(now_ms)
        in_force = self._factors.at(device_ms)
        yesterday = self.frozen.row("daily_carbon", 1)
        return {
            **self._shown(),
            **self._instantaneous(now_ms),
            "carbon_factor": in_force.factor,
            "carbon_factor_start": in_force.start_ms,
            "carbon_factor_quality": int(in_force.quality),
            "carbon_forward_previous_day": yesterday.get("carbon_forward", 0),
            "carbon_reverse_previous_day": yesterday.get("carbon_reverse", 0),
            "device_time": device_ms,
            "serial_number": self.settings.serial_number,
            "meter_constant": self.settings.meter_constant,
            "pt_ratio": int(self.settings.parameters.get("pt", 1)),
            "ct_ratio": int(self.settings.parameters.get("ct", 1)),
            "status": 0,
        }

    def row(self, table: str, number: int, now_ms: int) -> Row:
        """Return a row of a table (see `profiles.points.TABLES`); empty when the meter has nothing there yet."""
        self.advance(now_ms)
        if table == "factor_history":
            return self._factor_slot(number, now_ms)
        return self.frozen.row(table, number)

    def _factor_slot(self, slot: int, now_ms: int) -> Row:
        device_ms = self._clock.at(now_ms)
        time_ms = self._history.slot_ms(slot, device_ms)
        if time_ms is None or time_ms + SLOT_MS <= self._first_ms or time_ms > device_ms:
            return {}
        return {"time": time_ms, "carbon_factor": self._factors.at(time_ms).factor}

    def _shown(self) -> Row:
        totals, step = self._totals, self.settings.carbon_resolution_ng
        forward, reverse = self._step_energy(totals.energy_forward), self._step_energy(totals.energy_reverse)
        shown: Row = {
            "energy_forward": forward,
            "energy_reverse": reverse,
            "energy_total": forward + reverse,
            "carbon_forward": totals.carbon_forward - totals.carbon_forward % step,
            "carbon_reverse": totals.carbon_reverse - totals.carbon_reverse % step,
        }
        if self._more is not None:
            energy = (totals.energy_forward, totals.energy_reverse)
            shown |= self._more.shown(energy, self.settings.resolution_mwh, self._now_ms)
        return self.settings.wrapped(shown)

    def _step_energy(self, energy_mwh: int) -> int:
        return energy_mwh - energy_mwh % self.settings.resolution_mwh

    def _instantaneous(self, now_ms: int) -> Row:
        true = self._measured.power_at(now_ms)  # in parts
        power = half_even(true * self._gain.numerator, self._gain.denominator)
        circuit = self.settings.seen(self.circuit, now_ms)
        shown = circuit.shown(power, is_reverse=true < 0)
        return shown if self._more is None else shown | self._more.instantaneous(now_ms, power, circuit)


def _required(fields: Row, name: str) -> int:
    value = fields[name]
    if value is None:
        raise ValueError(f"{name}: a value is needed here")
    return value
