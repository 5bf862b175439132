"""The gateway's configuration: what may be in the file (docs/agent.md explains each key)."""

from decimal import Decimal
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from agent.config_lines import AnyLine, Line, Meter, shared_ports
from agent.config_values import FactorValue
from agent.drain import OLDEST_SHARE
from settings.errors import ConfigError
from settings.values import Exact, Flag, Host, Name, PlainName, Port, Section, Whole, Zone
from supervision.config import Metrics

__all__ = ["AgentConfig", "Line", "Meter"]


class Gateway(Section):
    """Who this gateway is."""

    id: Name
    station: PlainName
    timezone: Zone = "Asia/Shanghai"
    data_dir: Path
    key_file: Path


class Centre(Section):
    """Whose factors and acknowledgements are believed."""

    key_file: Path


class Broker(Section):
    """Where the MQTT broker is."""

    host: Host
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

    node: Name
    default: FactorValue | None = None  # kgCO2/kWh
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
    linger_seconds: Exact = Field(default=Decimal(2), ge=0, le=3600)
    timeout_seconds: Whole = Field(default=30, ge=1)
    longest_timeout_seconds: Whole = Field(default=600, ge=1)
    drain_records_per_second: Whole = Field(default=0, ge=0)  # of a backlog; 0: as fast as the window allows

    def problems(self, meters: int, interval_s: int) -> list[str]:
        """Return what is wrong beside so many meters; the oldest of a backlog have only a part of the rate."""
        rate, most = self.drain_records_per_second, OLDEST_SHARE * meters
        if not rate or rate * interval_s > most:
            return []
        # The oldest of a backlog have one part in so many: that alone must be faster than the journal fills.
        problem = (
            f"uplink.drain_records_per_second: {meters} meters make {meters} records in {interval_s} s, so a backlog "
            f"would grow faster than it drains: expected more than {most}/{interval_s} ({OLDEST_SHARE} times as much, "
            f"since its oldest records have one part in {OLDEST_SHARE}), or 0 for no limit, got {rate}"
        )
        return [problem]


class Reporting(Section):
    """What is told beside energies: latest values and health, which may be lost, and voltage means (电压均值)."""

    live_seconds: Whole = Field(default=60, ge=0)  # 0: never
    stale_seconds: Whole = Field(default=180, ge=1)
    status_seconds: Whole = Field(default=300, ge=1)
    overdue_seconds: Whole = Field(default=900, ge=1)  # without a good reading, before a meter is told of by name
    voltage_means: Flag = True  # event 107, four times a day and meter


class Freezes(Section):
    """Freezes (冻结) read from the meters that keep them."""

    read: Flag = True
    margin_seconds: Whole = Field(default=300, ge=0, le=3600)  # how wrong a meter's clock may be at its midnight
    give_up_hours: Whole = Field(default=12, ge=1, le=72)


class MeterClocks(Section):
    """Clocks of the meters (电能表时钟) that tell the time."""

    limit_seconds: Whole = Field(default=300, ge=1, le=86_400)
    check_minutes: Whole = Field(default=60, ge=0, le=1440)  # 0: never


class Orders(Section):
    """Charge orders (充电订单) read from the chargers that log them."""

    check_seconds: Whole = Field(default=30, ge=0, le=3600)  # between two looks at the counter; 0: never


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
    freezes: Freezes = Freezes()
    meter_clocks: MeterClocks = MeterClocks()
    orders: Orders = Orders()
    metrics: Metrics = Metrics()
    line: list[AnyLine] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_are_unique(self) -> "AgentConfig":
        problems = []
        for kind, names in (
            ("line", [line.name for line in self.line]),
            ("meter", [meter.id for line in self.line for meter in line.meter]),
        ):
            doubled = sorted({name for name in names if names.count(name) > 1})
            problems += [f"{kind} {name!r} is there more than once" for name in doubled]
        problems += shared_ports(self.line)
        problems += self.uplink.problems(sum(len(line.meter) for line in self.line), 60 * self.interval.minutes)
        problems += [
            f"meter {meter.id!r}: poll_seconds {meter.poll_seconds} is longer than the interval"
            for line in self.line
            for meter in line.meter
            if meter.poll_seconds > 60 * self.interval.minutes
        ]
        if problems:
            raise ConfigError(problems)
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
