"""The description of a station (STATION.toml), checked as a whole: every mistake names file and key.

Numbers that enter exact arithmetic may be written as text or as TOML numbers; both are read as decimals, never floats.
"""

from collections import Counter
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, field_validator, model_validator

from firmware_sim.faults.model import Fault
from firmware_sim.line_config import LineSection, check_turnaround
from firmware_sim.sections import Milliseconds, whole
from firmware_sim.supply_config import MilliOhm, SupplySection
from firmware_sim.tariffs import DEFAULT_HOURS, HOURS_A_DAY
from settings.errors import ConfigError
from settings.load import load
from settings.values import Exact, Flag, FreePort, Host, Name, Section, Whole, Zone

# Error limits in %, at PF 1 and I >= Itr: GB/T 17215.321-2021 letters and the older numbers of the classes.
CLASS_LIMITS: Final = {
    "A": Decimal(2),
    "B": Decimal(1),
    "C": Decimal("0.5"),
    "D": Decimal("0.2"),
    "E": Decimal("0.1"),
    "2": Decimal(2),
    "1": Decimal(1),
    "0.5": Decimal("0.5"),
    "0.5S": Decimal("0.5"),
    "0.2": Decimal("0.2"),
    "0.2S": Decimal("0.2"),
}
_MWH_PER_KWH: Final = 10**6
_NG_PER_KG: Final = 10**12
_LAST_PORT: Final = 65535


class MeterSection(Section):
    """One meter: where it answers, what it is, and how it errs."""

    id: Name
    line: str | None = None
    unit: Whole | None = Field(default=None, ge=1, le=247)
    address: str | None = Field(default=None, pattern=r"^[0-9A-Fa-f]{1,32}$")
    port: FreePort | None = None
    profile: str = "sim-carbon-meter"
    parameters: dict[str, Exact] = Field(default_factory=dict)
    accuracy_class: str = Field(default="1", alias="class")
    gain_error: Exact | Literal["random"] = Decimal(0)
    resolution_kwh: Exact | None = Field(default=None, gt=0, le=100)
    carbon_resolution_kg: Exact = Field(default=Decimal("0.000001"), gt=0, le=100)
    startup_current_ma: Whole = Field(default=20, ge=0, le=10_000)
    clock_offset_ms: Whole = Field(default=0, ge=-86_400_000_000, le=86_400_000_000)
    clock_drift_ppm: Exact = Field(default=Decimal(0), ge=-100_000, le=100_000)
    initial_forward_kwh: Exact = Field(default=Decimal(0), ge=0, le=10**9)
    initial_reverse_kwh: Exact = Field(default=Decimal(0), ge=0, le=10**9)
    serial_number: Whole | None = Field(default=None, ge=0, lt=2**32)
    meter_constant: Whole = Field(default=1_000, ge=1, le=10**9)
    power_factor: Exact = Field(default=Decimal("0.99"), gt=0, le=1)
    phase_shares: tuple[Whole, ...] = (1, 1, 1)
    voltage_v: Exact | None = Field(default=None, gt=0, le=100_000)
    voltage_error: Exact | Literal["random"] = Decimal(0)
    phase: Literal["a", "b", "c"] | None = None
    turnaround_ms: Milliseconds | None = None

    @field_validator("accuracy_class")
    @classmethod
    def _class_is_known(cls, value: str) -> str:
        if value not in CLASS_LIMITS:
            raise ValueError(f"expected one of {', '.join(CLASS_LIMITS)}")
        return value

    @field_validator("gain_error", "voltage_error")
    @classmethod
    def _gain_is_possible(cls, value: Decimal | str) -> Decimal | str:
        if isinstance(value, Decimal) and not -1 < value < 1:
            raise ValueError("expected above -1 and below 1: 0.03 is 3 %")
        return value

    @field_validator("phase_shares")
    @classmethod
    def _phases_are_possible(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(value) not in (1, 3) or any(share < 1 for share in value):
            raise ValueError("expected one or three positive whole numbers")
        return value

    @field_validator("resolution_kwh", "initial_forward_kwh", "initial_reverse_kwh")
    @classmethod
    def _energy_is_whole(cls, value: Decimal | None) -> Decimal | None:
        return None if value is None else whole(value, _MWH_PER_KWH, "1 mWh (0.000001 kWh)")

    @field_validator("voltage_v")
    @classmethod
    def _voltage_is_whole(cls, value: Decimal | None) -> Decimal | None:
        return None if value is None else whole(value, 1000, "0.001")

    @model_validator(mode="after")
    def _turnaround_is_possible(self) -> "MeterSection":
        if self.turnaround_ms is not None:
            check_turnaround(self.turnaround_ms)
        return self

    @model_validator(mode="after")
    def _phase_is_the_only_one(self) -> "MeterSection":
        if self.phase is not None and len(self.phase_shares) > 1:
            raise ValueError(
                "phase: expected none beside the phase_shares of three phases: it is of a single-phase meter"
            )
        return self

    @model_validator(mode="after")
    def _place_is_one(self) -> "MeterSection":
        if self.line is not None and self.port is not None:
            raise ValueError("port: expected none beside line: the line has one")
        return self

    @field_validator("power_factor")
    @classmethod
    def _power_factor_is_whole(cls, value: Decimal) -> Decimal:
        return whole(value, 10**6, "0.000001")

    @field_validator("carbon_resolution_kg")
    @classmethod
    def _carbon_is_whole(cls, value: Decimal) -> Decimal:
        return whole(value, _NG_PER_KG, "1 ng (0.000000000001 kg)")


class ChargerSection(MeterSection):
    """A charger and its meter."""

    rated_kw: Exact = Field(default=Decimal(7), gt=0, le=10_000)
    kind: Literal["ac", "dc"] = "ac"
    sessions_per_day: Exact | None = Field(default=None, ge=0, le=200)
    v2g_share: Exact = Field(default=Decimal(0), ge=0, le=1)
    cable_milliohm: MilliOhm | None = None
    cable_reactance_milliohm: MilliOhm | None = None

    @field_validator("rated_kw")
    @classmethod
    def _power_is_whole(cls, value: Decimal) -> Decimal:
        return whole(value, 10**6, "1 mW (0.000001 kW)")


class GridSection(MeterSection):
    """The grid-side meter (关口表): it measures chargers, losses and auxiliary load together."""

    accuracy_class: str = Field(default="0.5", alias="class")


class StationSection(Section):
    """The station and its supply."""

    id: Name
    timezone: Zone = "Asia/Shanghai"
    seed: Whole = 1
    start: datetime | date | None = None
    voltage_v: Exact = Field(default=Decimal(220), gt=0, le=100_000)
    frequency_hz: Exact = Field(default=Decimal(50), gt=0, le=1_000)
    tariff_hours: tuple[Annotated[Whole, Field(ge=1, le=4)], ...] = DEFAULT_HOURS

    @field_validator("tariff_hours")
    @classmethod
    def _every_hour_has_a_tariff(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        if len(value) != HOURS_A_DAY:
            raise ValueError(f"expected the tariff (1 to 4) of each of {HOURS_A_DAY} hours, found {len(value)} of them")
        return value

    @field_validator("voltage_v", "frequency_hz")
    @classmethod
    def _supply_is_whole(cls, value: Decimal) -> Decimal:
        return whole(value, 1000, "0.001")


class SimulateSection(Section):
    """Where the meters are served. Meters without a port of their own are spread over `ports` ports."""

    host: Host = "127.0.0.1"
    port: FreePort = 0
    ports: Whole = Field(default=1, ge=1, le=1_000)
    silent_units: Flag = False

    @model_validator(mode="after")
    def _ports_exist(self) -> "SimulateSection":
        if self.port and self.port + self.ports - 1 > _LAST_PORT:
            raise ValueError(f"ports: expected at most {_LAST_PORT - self.port + 1} from port {self.port} on")
        return self


class AuxiliarySection(Section):
    """What the station itself uses, and its meter if it has one."""

    load_w: Exact = Field(default=Decimal(0), ge=0, le=10**7)
    meter: MeterSection | None = None

    @field_validator("load_w")
    @classmethod
    def _load_is_whole(cls, value: Decimal) -> Decimal:
        return whole(value, 1000, "1 mW (0.001 W)")


class LossSection(Section):
    """Resistance and reactance of each conductor of the cable to a charger."""

    cable_milliohm: MilliOhm = Decimal(0)
    cable_reactance_milliohm: MilliOhm = Decimal(0)


class SessionsSection(Section):
    """Where the sessions come from."""

    model: Literal["generated", "file"] = "generated"
    file: Path | None = None
    day: date | None = None
    days: Whole = Field(default=1, ge=1, le=400)
    replay_on: date | None = None

    @model_validator(mode="after")
    def _file_belongs_to_model(self) -> "SessionsSection":
        if self.model == "file" and self.file is None:
            raise ValueError('file: expected a path, because model is "file"')
        if self.model == "generated" and (self.file or self.day or self.days > 1 or self.replay_on):
            raise ValueError('file, day, days and replay_on are for model = "file"')
        return self


class FactorSection(Section):
    """The carbon factor that meters use before they are sent one."""

    default: Exact | None = Field(default=None, ge=0, le=4_000)

    @field_validator("default")
    @classmethod
    def _factor_is_whole(cls, value: Decimal | None) -> Decimal | None:
        return None if value is None else whole(value, 10**6, "1 mg/kWh (0.000001 kg/kWh)")


Price = Annotated[Exact, Field(ge=0, le=1000)]
Tariffs = tuple[Price, Price, Price, Price]


class OrdersSection(Section):
    """What the chargers ask for a kWh in each tariff (尖峰平谷), in the currency's unit; of those with an order log."""

    electricity_price: Tariffs = (Decimal("1.2"), Decimal(1), Decimal("0.7"), Decimal("0.35"))
    service_price: Tariffs = (Decimal("0.4"), Decimal("0.4"), Decimal("0.4"), Decimal("0.4"))
    connector: Annotated[str, Field(pattern="^[!-~]{1,8}$")] = "A"

    @field_validator("electricity_price", "service_price")
    @classmethod
    def _prices_are_whole(cls, value: tuple[Decimal, ...]) -> tuple[Decimal, ...]:
        return tuple(whole(price, 10**6, "0.000001") for price in value)


class StationConfig(Section):
    """A whole station file."""

    station: StationSection
    simulate: SimulateSection = SimulateSection()
    grid: GridSection | None = None
    charger: list[ChargerSection] = Field(min_length=1, max_length=10_000)
    auxiliary: AuxiliarySection = AuxiliarySection()
    loss: LossSection = LossSection()
    supply: SupplySection | None = None
    sessions: SessionsSection = SessionsSection()
    factor: FactorSection = FactorSection()
    orders: OrdersSection = OrdersSection()
    line: list[LineSection] = Field(default_factory=list, max_length=1_000)
    fault: list[Fault] = Field(default_factory=list, max_length=1_000)

    @property
    def meters(self) -> list[MeterSection]:
        """Return every meter in the order in which ports and units are given out."""
        grid = [self.grid] if self.grid else []
        auxiliary = [self.auxiliary.meter] if self.auxiliary.meter else []
        return [*self.charger, *grid, *auxiliary]

    @model_validator(mode="after")
    def _names_and_places_are_their_own(self) -> "StationConfig":
        problems = [*self._doubled_names(), *self._doubled_places(), *self._unknown_lines()]
        if problems:
            raise ConfigError(problems)
        return self

    def _doubled_names(self) -> list[str]:
        names = [*(f"id {meter.id!r}" for meter in self.meters), *(f"line {line.name!r}" for line in self.line)]
        counts = Counter(names)
        return [f"{name}: expected a name of its own, found it twice" for name, count in counts.items() if count > 1]

    def _doubled_places(self) -> list[str]:
        problems = []
        owners: dict[tuple[object, ...], str] = {}
        for line in self.line:
            if line.place is None or (other := owners.setdefault(line.place, line.name)) == line.name:
                continue
            where = ":".join(map(str, line.place))
            problems.append(f"line {line.name}: expected a place of its own, found {where}, which is that of {other}")
        return problems

    def _unknown_lines(self) -> list[str]:
        names = [line.name for line in self.line]
        return [
            f"meter {meter.id}: line: expected one of {names}, found {meter.line!r}"
            for meter in self.meters
            if meter.line is not None and meter.line not in names
        ]


def load_station(path: Path) -> StationConfig:
    """Return a checked station file, the paths in it relative to it. ConfigError has every mistake."""
    return load(path, StationConfig)
