"""The gateway's configuration: what may be in the file (docs/agent.md explains each key)."""

from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, Strict, model_validator

from diantan_core import Energy, Factor, QuantityError
from wire.topics import TopicError, checked_name

_MAX_NAME_BYTES = 64
_MAX_KW = 1_000_000_000  # 1 TW


def _topic_name(value: str) -> str:
    try:
        return checked_name(value)
    except TopicError as error:
        raise ValueError(str(error)) from None


def _plain_name(value: str) -> str:
    if not value.isprintable() or not 1 <= len(value.encode()) <= _MAX_NAME_BYTES:
        raise ValueError(f"expected 1 to {_MAX_NAME_BYTES} bytes of printable text")
    return value


def _zone(value: str) -> str:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("expected the name of a time zone, such as Asia/Shanghai") from None
    return value


def _factor(value: Decimal) -> Decimal:
    try:
        Factor.from_kg_per_kwh(value)
    except QuantityError as error:
        raise ValueError(f"expected kgCO2/kWh with at most 6 decimals: {error}") from None
    return value


def _energy(value: Decimal) -> Decimal:
    try:
        Energy.from_kwh(value)
    except QuantityError as error:
        raise ValueError(f"expected kWh with at most 6 decimals: {error}") from None
    return value


TopicName = Annotated[str, AfterValidator(_topic_name)]
PlainName = Annotated[str, AfterValidator(_plain_name)]
# Strict, since TOML has types: `true` is no number, and "60" none either.
Whole = Annotated[int, Strict()]
Flag = Annotated[bool, Strict()]
Port = Annotated[Whole, Field(ge=1, le=65535)]
Kilowatts = Annotated[Decimal, Field(gt=0, le=_MAX_KW, allow_inf_nan=False)]
KilowattHours = Annotated[Decimal, Field(gt=0, allow_inf_nan=False), AfterValidator(_energy)]


class Section(BaseModel):
    """A table of the file; a key that nobody knows is a mistake."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False, validate_default=True)


class Gateway(Section):
    """Who this gateway is."""

    id: TopicName
    station: PlainName
    timezone: Annotated[str, AfterValidator(_zone)] = "Asia/Shanghai"
    data_dir: Path
    key_file: Path


class Centre(Section):
    """Whose factors and acknowledgements are believed."""

    key_file: Path


class Broker(Section):
    """Where the MQTT broker is."""

    host: str = Field(min_length=1)
    port: Port = 1883
    username: str | None = None
    password_file: Path | None = None
    tls: Flag = False
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    keepalive_seconds: Whole = Field(default=60, ge=1, le=65535)
    protocol: Literal["auto", "5", "3.1.1"] = "auto"


class Interval(Section):
    """Length of an interval record; it divides the 15 minutes of a factor slot."""

    minutes: Literal[1, 3, 5, 15] = 15


class FactorSettings(Section):
    """Which carbon factor (电碳因子) applies."""

    node: TopicName
    default: Annotated[Decimal, AfterValidator(_factor)] | None = None  # kgCO2/kWh
    hold_hours: Whole | None = Field(default=None, ge=0, le=8784)
    forward_to_meters: Flag = True


class JournalSettings(Section):
    """How much the gateway keeps."""

    days: Whole = Field(default=400, ge=1, le=3660)
    megabytes: Whole = Field(default=1024, ge=1)
    memory_records: Whole = Field(default=20_000, ge=100)
    checkpoint_seconds: Whole = Field(default=60, ge=1, le=3600)


class UplinkConfig(Section):
    """How records travel to the centre."""

    batch: Whole = Field(default=64, ge=1, le=4096)
    window: Whole = Field(default=8, ge=1, le=20)
    linger_seconds: Decimal = Field(default=Decimal(2), ge=0, le=3600)
    timeout_seconds: Whole = Field(default=30, ge=1)
    longest_timeout_seconds: Whole = Field(default=600, ge=1)


class Reporting(Section):
    """Messages that may be lost: latest values and health."""

    live_seconds: Whole = Field(default=60, ge=0)  # 0: never
    stale_seconds: Whole = Field(default=180, ge=1)
    status_seconds: Whole = Field(default=300, ge=1)


class Meter(Section):
    """A meter on a line."""

    id: PlainName
    unit: Whole = Field(default=1, ge=0, le=255)
    profile: str = Field(min_length=1)
    role: Literal["charger", "grid", "auxiliary"] = "charger"
    poll_seconds: Whole = Field(default=60, ge=1, le=900)
    rated_kw: Kilowatts | None = None
    max_kw: Kilowatts | None = None
    resolution_kwh: KilowattHours = Decimal(1)
    rollover_kwh: KilowattHours | None = None
    parameters: dict[str, Decimal] = Field(default_factory=dict)
    points: list[str] | None = None


class Line(Section):
    """One connection, and the meters behind it."""

    name: PlainName
    transport: Literal["modbus-tcp"]
    host: str = Field(min_length=1)
    port: Port = 502
    timeout_ms: Whole = Field(default=1000, ge=10, le=60_000)
    pause_after_connect_ms: Whole = Field(default=0, ge=0, le=60_000)
    pause_between_requests_ms: Whole = Field(default=0, ge=0, le=10_000)
    longest_silence_seconds: Whole = Field(default=300, ge=1, le=3600)
    meter: list[Meter] = Field(min_length=1)

    @model_validator(mode="after")
    def _one_meter_a_unit(self) -> "Line":
        units: dict[int, str] = {}
        for meter in self.meter:
            if (other := units.setdefault(meter.unit, meter.id)) != meter.id:
                raise ValueError(f"meters {other!r} and {meter.id!r} both have unit {meter.unit}")
        return self


class AgentConfig(Section):
    """The whole file."""

    gateway: Gateway
    centre: Centre
    broker: Broker
    interval: Interval = Interval()
    factor: FactorSettings
    journal: JournalSettings = JournalSettings()
    uplink: UplinkConfig = UplinkConfig()
    report: Reporting = Reporting()
    line: list[Line] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_are_unique(self) -> "AgentConfig":
        problems = []
        for kind, names in (
            ("line", [line.name for line in self.line]),
            ("meter", [meter.id for line in self.line for meter in line.meter]),
        ):
            doubled = sorted({name for name in names if names.count(name) > 1})
            problems += [f"{kind} {name!r} is there more than once" for name in doubled]
        problems += [
            f"meter {meter.id!r}: poll_seconds {meter.poll_seconds} is longer than the interval"
            for line in self.line
            for meter in line.meter
            if meter.poll_seconds > 60 * self.interval.minutes
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    @property
    def interval_ms(self) -> int:
        """Length of an interval, ms."""
        return 60_000 * self.interval.minutes

    @property
    def journal_file(self) -> Path:
        """Where the journal is."""
        return self.gateway.data_dir / "journal.db"

    def find_meter(self, meter: str) -> tuple[Line, Meter] | None:
        """Return a meter and its line by the meter's id."""
        return next(((line, found) for line in self.line for found in line.meter if found.id == meter), None)
