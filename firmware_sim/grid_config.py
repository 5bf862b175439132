"""The description of power plants and loads (GRID.toml): generating units, grid meters, the profiles they follow."""

from collections import Counter
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Final, Literal

from pydantic import Field, field_validator, model_validator

from firmware_sim.config import MeterSection, SimulateSection
from firmware_sim.faults.model import Fault
from firmware_sim.line_config import LineSection
from firmware_sim.power_profiles import DAY_MS, step_of
from firmware_sim.profile_files import MOST_KW
from firmware_sim.sections import whole
from settings.errors import ConfigError
from settings.load import load
from settings.values import Exact, Name, Section, Whole, Zone

_MINUTES_A_DAY: Final = 1440
_MOST_FACTOR: Final = 100  # kg/kWh, far beyond any fuel
_MOST_KG: Final = 10**13


class SineSection(Section):
    """A sine: `mean` plus `amplitude` at `peak_hour`, in steps."""

    mean: Exact = Field(ge=-MOST_KW, le=MOST_KW)
    amplitude: Exact = Field(ge=0, le=MOST_KW)
    period_hours: Exact = Field(default=Decimal(24), gt=0, le=24)
    peak_hour: Exact = Field(default=Decimal(12), ge=0, lt=24)
    step_minutes: Whole = Field(default=15, ge=1, le=60)

    @field_validator("period_hours")
    @classmethod
    def _period_divides_a_day(cls, value: Decimal) -> Decimal:
        if DAY_MS % (value * 3_600_000):
            raise ValueError("expected hours that divide a day")
        return value

    @field_validator("step_minutes")
    @classmethod
    def _step_divides_a_day(cls, value: int) -> int:
        if _MINUTES_A_DAY % value:
            raise ValueError("expected minutes that divide a day")
        return value


class GridMeterSection(MeterSection):
    """A meter and the power it sees, in one of four ways. Positive: forward (of a unit: to the grid)."""

    profile: str = "sim-grid-meter"
    startup_current_ma: Whole = Field(default=0, ge=0, le=10_000)
    power_unit: Literal["kW", "MW"] = "kW"
    power: Exact | None = Field(default=None, ge=-MOST_KW, le=MOST_KW)
    values: tuple[Exact, ...] | None = Field(default=None, min_length=1, max_length=_MINUTES_A_DAY)
    file: Path | None = None
    column: str | None = None
    sine: SineSection | None = None

    @field_validator("phase")
    @classmethod
    def _there_is_no_phase(cls, value: str | None) -> str | None:
        if value is not None:
            raise ValueError("expected none: only a station has a supply with phases")
        return value

    @model_validator(mode="after")
    def _power_is_one(self) -> "GridMeterSection":
        given = [name for name in ("power", "values", "file", "sine") if getattr(self, name) is not None]
        if len(given) != 1:
            found = ", ".join(given) or "none"
            raise ValueError(f"power: expected one of power, values, file and sine, found {found}")
        if self.column is not None and self.file is None:
            raise ValueError("column: expected it beside file")
        return self

    @field_validator("values")
    @classmethod
    def _values_divide_a_day(cls, value: tuple[Decimal, ...] | None) -> tuple[Decimal, ...] | None:
        if value is not None and step_of(len(value)) is None:
            raise ValueError(f"expected as many as divide a day into whole minutes, such as 96, found {len(value)}")
        return value


class UnitSection(GridMeterSection):
    """A generating unit (机组): what it emits for each kWh that it sends out, and for each hour that it runs."""

    fuel_factor: Exact = Field(ge=0, le=_MOST_FACTOR)  # kgCO2/kWh
    no_load_kg_per_h: Exact = Field(default=Decimal(0), ge=0, le=10**9)
    initial_emission_kg: Exact = Field(default=Decimal(0), ge=0, le=_MOST_KG)
    emission_rollover_kg: Exact | None = Field(default=None, gt=0, le=_MOST_KG)

    @field_validator("fuel_factor")
    @classmethod
    def _factor_is_whole(cls, value: Decimal) -> Decimal:
        return whole(value, 10**6, "1 mg/kWh (0.000001 kg/kWh)")

    @field_validator("no_load_kg_per_h", "initial_emission_kg", "emission_rollover_kg")
    @classmethod
    def _emission_is_whole(cls, value: Decimal | None) -> Decimal | None:
        return None if value is None else whole(value, 10**12, "1 ng (0.000000000001 kg)")


class LoadSection(GridMeterSection):
    """A load, a feeder or a branch (支路): a meter without any emission."""


class GridSection(Section):
    """Where and when."""

    id: Name
    timezone: Zone = "Asia/Shanghai"
    seed: Whole = 1
    start: datetime | date | None = None
    voltage_v: Exact = Field(default=Decimal(63_500), gt=0, le=1_000_000)  # phase to neutral of 110 kV
    frequency_hz: Exact = Field(default=Decimal(50), gt=0, le=1_000)

    @field_validator("voltage_v", "frequency_hz")
    @classmethod
    def _supply_is_whole(cls, value: Decimal) -> Decimal:
        return whole(value, 1000, "0.001")


class GridConfig(Section):
    """A whole GRID.toml."""

    grid: GridSection
    simulate: SimulateSection = SimulateSection()
    unit: list[UnitSection] = Field(default_factory=list, max_length=10_000)
    load: list[LoadSection] = Field(default_factory=list, max_length=10_000)
    line: list[LineSection] = Field(default_factory=list, max_length=1_000)
    fault: list[Fault] = Field(default_factory=list, max_length=1_000)

    @property
    def meters(self) -> list[UnitSection | LoadSection]:
        """Return every meter in the order in which ports and units are given out."""
        return [*self.unit, *self.load]

    @model_validator(mode="after")
    def _names_are_their_own(self) -> "GridConfig":
        counts = Counter(meter.id for meter in self.meters)
        problems = [f"id {name!r}: expected a name of its own, found it twice" for name, n in counts.items() if n > 1]
        lines = [line.name for line in self.line]
        problems += [
            f"line {name!r}: expected a name of its own, found it twice" for name in set(lines) if lines.count(name) > 1
        ]
        problems += [
            f"meter {meter.id}: line: expected one of {lines}, found {meter.line!r}"
            for meter in self.meters
            if meter.line is not None and meter.line not in lines
        ]
        if not self.meters:
            problems.append("unit: expected a [[unit]] or a [[load]], found neither")
        if problems:
            raise ConfigError(problems)
        return self


def load_grid(path: Path) -> GridConfig:
    """Return a checked grid file, the paths in it relative to it. ConfigError has every mistake."""
    return load(path, GridConfig, 16 << 20)
