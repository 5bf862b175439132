"""Power plants and loads: generating units and grid meters that follow their profiles, as meters to serve."""

from dataclasses import dataclass, replace
from datetime import datetime, time
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from firmware_sim.circuit import Circuit
from firmware_sim.curves import UJ_PER_MWH, ConstantCurve, Curve
from firmware_sim.grid_config import GridConfig, GridMeterSection, LoadSection, UnitSection
from firmware_sim.meter import Meter, MeterSettings
from firmware_sim.places import Served, address_of
from firmware_sim.power_profiles import DailyCurve, DatedCurve, SineCurve, local_ms, step_of
from firmware_sim.profile_files import DEFAULT_COLUMN, MW_PER, PowerTable, ProfileFileError, milliwatts, read_table
from firmware_sim.station import gain_error, multi_function, resolution_of, voltage_error
from firmware_sim.unit import Fuel, GridMeter, UnitMeter
from firmware_sim.wiring import constant_tap
from profiles import Profile, ProfileError, load
from settings.errors import ConfigError

_NG_PER_KG: Final = 10**12
_MG_PER_KG: Final = 10**6
_HOUR_MS: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class GridPoint:
    """A meter, what it measures, and how it is served."""

    section: UnitSection | LoadSection
    load: Curve
    meter: Meter
    served: Served


class Grid:
    """Everything a grid file describes, from its start on. ConfigError names every meter that can't be."""

    def __init__(self, config: GridConfig, start_ms: int, *, file: str = "grid") -> None:
        self.config = config
        self.start_ms = start_ms
        self.zone = ZoneInfo(config.grid.timezone)
        self.points: list[GridPoint] = []
        self._tables, problems = self._read_tables()
        for number, section in enumerate(config.meters, 1):
            if section.file is not None and section.file not in self._tables:
                continue
            try:
                self.points.append(self._point(section, number))
            except ProfileError as error:
                problems += [f"{file}: meter {section.id}: {problem}" for problem in error.problems]
            except ValueError as error:
                problems.append(f"{file}: meter {section.id}: {error}")
        if problems:
            raise ConfigError(problems)

    def _read_tables(self) -> tuple[dict[Path, PowerTable], list[str]]:
        """Return the profiles of every file, read once, and what is wrong with them."""
        tables: dict[Path, PowerTable] = {}
        problems = []
        for path in dict.fromkeys(section.file for section in self.config.meters if section.file is not None):
            try:
                tables[path] = read_table(path, self.zone)
            except ProfileFileError as error:
                problems.append(str(error))
        return tables, problems

    @property
    def served(self) -> list[Served]:
        """Return the meters as they are served."""
        return [point.served for point in self.points]

    def _point(self, section: UnitSection | LoadSection, number: int) -> GridPoint:
        profile = load(section.profile, section.parameters)
        address = address_of(section, profile.protocol, number)
        curve = self._curve(section)
        circuit = Circuit(
            voltage_mv=int((section.voltage_v or self.config.grid.voltage_v) * 1000),
            frequency_mhz=int(self.config.grid.frequency_hz * 1000),
            power_factor=int(section.power_factor * 10**6),
            shares=section.phase_shares,
        )
        tap = constant_tap(circuit, voltage_error(section, self.config.grid.seed))
        settings = replace(self._settings(section, number, profile, address), tap=tap)
        meter: Meter
        if isinstance(section, UnitSection):
            fuel = Fuel(int(section.fuel_factor * _MG_PER_KG), int(section.no_load_kg_per_h * _NG_PER_KG))
            meter = UnitMeter(curve, circuit, settings, fuel)
        elif "factor" in profile.writes:
            meter = Meter(curve, circuit, settings)  # an electricity-carbon meter, which is sent factors
        else:
            meter = GridMeter(curve, circuit, settings)
        return GridPoint(section, curve, meter, Served(section, profile, meter, address))

    def _curve(self, section: GridMeterSection) -> Curve:
        start_ms, timezone, mw_per_unit = self.start_ms, self.config.grid.timezone, MW_PER[section.power_unit]
        if section.power is not None:
            return ConstantCurve(start_ms, milliwatts(section.power, mw_per_unit))
        if section.values is not None:
            step_ms = step_of(len(section.values)) or 0
            powers = [milliwatts(value, mw_per_unit) for value in section.values]
            return DailyCurve(start_ms, timezone, [(step_ms * row, power) for row, power in enumerate(powers)])
        if section.sine is not None:
            sine = section.sine
            return SineCurve(
                start_ms,
                timezone,
                mean_mw=milliwatts(sine.mean, mw_per_unit),
                amplitude_mw=milliwatts(sine.amplitude, mw_per_unit),
                period_ms=int(sine.period_hours * _HOUR_MS),
                peak_ms=int(sine.peak_hour * _HOUR_MS),
                step_ms=60_000 * sine.step_minutes,
            )
        assert section.file is not None
        table = self._tables[section.file]
        column = section.column or (section.id if section.id in table.columns else DEFAULT_COLUMN)
        steps = table.steps(column, mw_per_unit)
        return DailyCurve(start_ms, timezone, steps) if table.is_daily else DatedCurve(start_ms, steps)

    def _settings(
        self, section: UnitSection | LoadSection, number: int, profile: Profile, address: str | None
    ) -> MeterSettings:
        emission, rollover = Decimal(0), None
        if isinstance(section, UnitSection):
            emission, rollover = section.initial_emission_kg, section.emission_rollover_kg
        return MeterSettings(
            timezone=self.config.grid.timezone,
            gain_error=gain_error(section, self.config.grid.seed),
            resolution_mwh=resolution_of(section, profile),
            carbon_resolution_ng=int(section.carbon_resolution_kg * _NG_PER_KG),
            startup_current_ma=section.startup_current_ma,
            clock_offset_ms=section.clock_offset_ms,
            clock_drift_ppm=Fraction(section.clock_drift_ppm),
            initial_forward_mwh=int(section.initial_forward_kwh * 10**6),
            initial_reverse_mwh=int(section.initial_reverse_kwh * 10**6),
            initial_carbon_forward_ng=int(emission * _NG_PER_KG),
            serial_number=number if section.serial_number is None else section.serial_number,
            meter_constant=section.meter_constant,
            carbon_rollover_ng=None if rollover is None else int(rollover * _NG_PER_KG),
            parameters=dict(section.parameters),
            multi_function=multi_function(profile, address),
        )


def grid_start(config: GridConfig, now_ms: int) -> int:
    """Return when a grid begins: as its file says (local time unless it has an offset), or last local midnight."""
    zone = ZoneInfo(config.grid.timezone)
    start = config.grid.start or datetime.fromtimestamp(now_ms / 1000, zone).date()
    return local_ms(start if isinstance(start, datetime) else datetime.combine(start, time()), zone)


def grid_truth(grid: Grid, from_ms: int, until_ms: int) -> list[dict[str, int | str]]:
    """Return what really flowed in a period, by meter: true energy in µJ, registered in mWh, emission in ng.

    The meters are asked in order of time, so call it once per grid.
    """
    before = [(point.meter.energy(from_ms), point.meter.carbon(from_ms)[0]) for point in grid.points]
    found: list[dict[str, int | str]] = []
    for point, (energy, carbon) in zip(grid.points, before, strict=True):
        true = [a - b for a, b in zip(point.load.energy_at(until_ms), point.load.energy_at(from_ms), strict=True)]
        registered = point.meter.energy(until_ms)
        found.append(
            {
                "id": point.section.id,
                "role": "generation" if isinstance(point.section, UnitSection) else "load",
                "true_forward_uj": true[0],
                "true_reverse_uj": true[1],
                "registered_forward_mwh": registered[0] - energy[0],
                "registered_reverse_mwh": registered[1] - energy[1],
                "emission_ng": point.meter.carbon(until_ms)[0] - carbon,
            }
        )
    return found


def truth_table(rows: list[dict[str, int | str]]) -> str:
    """Return the truth for people: energies in kWh, emission in kg."""
    lines = [f"{'meter':<24} {'role':<10} {'true fwd kWh':>20} {'true rev kWh':>18} {'emission kg':>22}"]
    for row in rows:
        forward, reverse = (
            Decimal(int(row[name]) // UJ_PER_MWH).scaleb(-6) for name in ("true_forward_uj", "true_reverse_uj")
        )
        emission = Decimal(int(row["emission_ng"]) // _MG_PER_KG).scaleb(-6)
        lines.append(f"{row['id']:<24} {row['role']:<10} {forward:>20} {reverse:>18} {emission:>22}")
    return "\n".join(lines)
