"""PLAN.toml: what is inspected, on which bench, at which load points (docs/inspection.md explains each key)."""

import hashlib
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator
from pydantic.main import IncEx

from fieldbus.lines import AnyLine
from firmware_sim.inspection.bench import Ability, Selection
from firmware_sim.inspection.functions import Expectations
from firmware_sim.inspection.functions.expectations import YEAR_DAYS, Far, Missing
from firmware_sim.inspection.metering.grid import current_ma, power_factor
from firmware_sim.inspection.metering.limits import DEFAULT_FILE
from firmware_sim.inspection.points import Balance, Rating
from firmware_sim.inspection.report.model import Environment, Subject
from settings.load import load
from settings.values import Exact, Flag, Host, PlainName, Port, Section, Whole, Zone

Text = Annotated[str, Field(max_length=200)]
Positive = Annotated[Exact, Field(gt=0)]
_MILLI = 1000
_MG_PER_KG = 10**6
_MOST_MG = 4000 * _MG_PER_KG  # as points.factors
_KG_DIGITS = 12  # carbon is kept in ng
_FACTOR_DIGITS = 6  # factors in mg


class About(Section):
    """The inspection itself."""

    number: PlainName
    kind: Literal["factory", "type"] = "factory"
    timezone: Zone = "Asia/Shanghai"
    limits: Path | None = None
    clock_ppm: Annotated[Exact, Field(ge=0, le=1000)] | None = None
    output: Path | None = None


class SubjectSection(Section):
    """The device and who inspects it, for the report."""

    manufacturer: Text = ""
    model: Text = ""
    serial: Text = ""
    firmware: Text = ""
    inspector: Text = ""
    place: Text = ""


class EnvironmentSection(Section):
    """Ambient conditions as they were read, for the report."""

    temperature: Text = ""
    humidity: Text = ""
    voltage_deviation: Text = ""
    frequency_deviation: Text = ""
    remarks: Text = ""


class RatingSection(Section):
    """The name plate (铭牌)."""

    accuracy_class: Annotated[str, Field(alias="class", pattern="^[A-Za-z0-9.]{1,8}$")]
    voltage_v: Positive
    imin_a: Positive
    itr_a: Positive
    imax_a: Positive
    starting_a: Positive
    frequency_hz: Positive = Decimal(50)
    phases: Literal[1, 3] = 3
    constant: Annotated[Whole, Field(ge=1, le=10**9)] | None = None
    carbon_constant: Annotated[Whole, Field(ge=1, le=10**9)] | None = None

    @model_validator(mode="after")
    def _is_in_order(self) -> "RatingSection":
        if not self.starting_a <= self.imin_a <= self.itr_a <= self.imax_a:
            raise ValueError("expected starting_a <= imin_a <= itr_a <= imax_a")
        for name in ("voltage_v", "imin_a", "itr_a", "imax_a", "starting_a", "frequency_hz"):
            if (getattr(self, name) * _MILLI) % 1:
                raise ValueError(f"{name}: expected at most three decimals")
        return self

    def rating(self) -> Rating:
        """Return the rating in the bench's units."""
        return Rating(
            self.accuracy_class,
            int(self.voltage_v * _MILLI),
            int(self.imin_a * _MILLI),
            int(self.itr_a * _MILLI),
            int(self.imax_a * _MILLI),
            int(self.starting_a * _MILLI),
            int(self.frequency_hz * _MILLI),
            self.phases,
            self.constant,
            self.carbon_constant,
        )


class PointsSection(Section):
    """Load points (负载点); the defaults are those of T/CIMA 0079.4, 5.6.2 (one source)."""

    factors: list[Annotated[Exact, Field(gt=0, le=4000)]] = Field(
        default=[Decimal("0.1"), Decimal("0.2"), Decimal("0.5"), Decimal(1)], min_length=1
    )
    power_factors: list[str] = Field(default=["1.0", "0.5L", "0.8C"], min_length=1)
    currents: list[str] = Field(default=["Imax", "0.5Imax", "10Itr", "Itr", "Imin"], min_length=1)
    balances: list[Balance] = Field(default=[Balance.BALANCED, Balance.A], min_length=1)
    voltages_v: list[Positive] = Field(default_factory=list)
    runs: Annotated[Whole, Field(ge=2, le=20)] = 2
    dwell_seconds: Annotated[Whole, Field(ge=1, le=3600)] = 120
    settle_seconds: Annotated[Whole, Field(ge=0, le=600)] = 5
    judge: Literal["rounded", "unrounded"] = "rounded"

    @model_validator(mode="after")
    def _are_whole(self) -> "PointsSection":
        for factor in self.factors:
            if (factor * _MG_PER_KG) % 1:
                raise ValueError(f"factors: expected at most six decimals, got {factor}")
        for name in self.power_factors:
            power_factor(name)
        return self

    def selection(self) -> Selection:
        """Return what the items take."""
        return Selection(
            tuple(int(factor * _MG_PER_KG) for factor in self.factors),
            tuple(self.power_factors),
            tuple(self.currents),
            tuple(balance.value for balance in self.balances),
            tuple(int(voltage * _MILLI) for voltage in self.voltages_v),
            self.runs,
            self.dwell_seconds * _MILLI,
            self.settle_seconds * _MILLI,
            judge_rounded=self.judge == "rounded",
        )


class FunctionsSection(Section):
    """What the maker says of functions that the standard, as known here, leaves open (functions.Expectations)."""

    missing: Missing = "held"
    default_mg: Annotated[Whole, Field(ge=0, le=_MOST_MG)] | None = None
    carbon_decimals: Annotated[Whole, Field(ge=0, le=_KG_DIGITS)] = 2
    factor_decimals: Annotated[Whole, Field(ge=0, le=_FACTOR_DIGITS)] = 4
    largest_factor_mg: Annotated[Whole, Field(ge=1, le=_MOST_MG)] | None = None
    far: Far = "refused"
    year_days: Annotated[Whole, Field(ge=1, le=YEAR_DAYS)] = YEAR_DAYS
    every_days: Annotated[Whole, Field(ge=1, le=YEAR_DAYS)] = 1

    @model_validator(mode="after")
    def _default_is_used(self) -> "FunctionsSection":
        if (self.missing == "default") != (self.default_mg is not None):
            raise ValueError('default_mg: expected a factor where missing = "default", and none otherwise')
        return self

    @property
    def is_whole(self) -> bool:
        """Whether all days are filled and read back."""
        return self.year_days == YEAR_DAYS and self.every_days == 1

    def expectations(self) -> Expectations:
        """Return what the items ask for."""
        return Expectations(**self.model_dump())


class DutSection(Section):
    """The device under test (被检表): a real one on a line, or (without a line) the simulated firmware."""

    profile: str = Field(default="sim-carbon-meter", min_length=1)
    parameters: dict[str, Exact] = Field(default_factory=dict)
    line: AnyLine | None = None
    unit: Annotated[Whole, Field(ge=0, le=255)] = 1
    address: Annotated[str, Field(pattern="^[0-9A-Fa-f]{1,32}$")] | None = None
    retries: Annotated[Whole, Field(ge=0, le=5)] = 1
    renewed_ms: Annotated[Whole, Field(ge=0, le=60_000)] | None = None
    can: list[Ability] = Field(default_factory=list)
    cannot: list[Ability] = Field(default_factory=list)


class SimulatedSource(Section):
    """The load of the simulated firmware."""

    kind: Literal["simulated"]


class StreamSource(Section):
    """Samples to host-built firmware that connects to this port."""

    kind: Literal["stream"]
    host: Host = "127.0.0.1"
    port: Port = 7696
    rate: Annotated[Whole, Field(ge=100, le=1_000_000)] = 6400
    form: Literal["samples", "phasors"] = "samples"
    connect_seconds: Annotated[Whole, Field(ge=1, le=3600)] = 60


class CommandSource(Section):
    """A program of the laboratory that sets its supply, run for each load point."""

    kind: Literal["command"]
    command: list[str] = Field(min_length=1)
    directory: Path = Path()
    timeout_seconds: Annotated[Whole, Field(ge=1, le=3600)] = 60


class ManualSource(Section):
    """A person sets each load point."""

    kind: Literal["manual"]


AnySource = Annotated[SimulatedSource | StreamSource | CommandSource | ManualSource, Field(discriminator="kind")]


class StandardSection(Section):
    """The standard meter (标准表): by `profile` on a line, or (kind `source`) what the source knows of its own load."""

    kind: Literal["source", "registers", "power"] = "source"
    profile: str | None = None
    parameters: dict[str, Exact] = Field(default_factory=dict)
    line: AnyLine | None = None
    unit: Annotated[Whole, Field(ge=0, le=255)] = 1
    address: Annotated[str, Field(pattern="^[0-9A-Fa-f]{1,32}$")] | None = None
    period_ms: Annotated[Whole, Field(ge=50, le=60_000)] = 1000
    accuracy_percent: Annotated[Exact, Field(ge=0, le=5)] = Decimal(0)

    @model_validator(mode="after")
    def _is_complete(self) -> "StandardSection":
        if self.kind != "source" and (self.profile is None or self.line is None):
            raise ValueError(f"a standard meter by {self.kind} needs a profile and a line")
        return self


class PulseSection(Section):
    """Pulse heads of a real device: they connect to this port and send a line a pulse."""

    host: Host = "127.0.0.1"
    port: Port = 7697
    outputs: list[Literal["energy", "carbon"]] = Field(default=["energy"], min_length=1)
    jitter_ms: Annotated[Exact, Field(gt=0, le=1000)] = Decimal(5)


class Plan(Section):
    """The whole file; paths are relative to it."""

    inspection: About
    subject: SubjectSection = SubjectSection()
    environment: EnvironmentSection = EnvironmentSection()
    rating: RatingSection
    points: PointsSection = PointsSection()
    functions: FunctionsSection = FunctionsSection()
    dut: DutSection = DutSection()
    source: AnySource = SimulatedSource(kind="simulated")
    standard: StandardSection = StandardSection()
    pulses: PulseSection | None = None
    fast: Flag = True
    items: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _fits_together(self) -> "Plan":
        rating = self.rating.rating()
        for name in self.points.currents:
            current_ma(name, rating)
        simulated = isinstance(self.source, SimulatedSource)
        if simulated != (self.dut.line is None):
            raise ValueError(
                'dut.line: the source "simulated" loads the simulated firmware alone, which has no line; '
                "a device on a line needs another source, and the other sources a line"
            )
        if self.dut.line is not None and self.standard.line is not None:
            ends = [
                line.model_dump(include={"transport", "host", "port", "device"})
                for line in (self.dut.line, self.standard.line)
            ]
            # A gateway of Modbus TCP keeps its clients apart itself.
            if ends[0] == ends[1] and self.dut.line.transport != "modbus-tcp":
                raise ValueError("standard.line: expected a line of its own: two that ask on one disturb each other")
        knows_its_load = isinstance(self.source, SimulatedSource | StreamSource)
        if self.pulses is not None:
            if knows_its_load:
                raise ValueError(f"pulses: a source by {self.source.kind} brings the pulses itself")
            constants = {"energy": self.rating.constant, "carbon": self.rating.carbon_constant}
            if missing := [name for name in self.pulses.outputs if constants[name] is None]:
                raise ValueError(f"pulses.outputs: the rating names no constant for {', '.join(missing)}")
        if not knows_its_load and self.standard.kind == "source":
            raise ValueError(f"standard: a source by {self.source.kind} needs a standard meter that is read")
        return self

    def subject_of(self) -> Subject:
        """Return the report's head."""
        return Subject(self.inspection.number, **self.subject.model_dump())

    def environment_of(self) -> Environment:
        """Return the report's conditions."""
        return Environment(**self.environment.model_dump())


def load_plan(path: Path) -> Plan:
    """Read and check a plan; ConfigError has every mistake."""
    plan = load(path, Plan)
    limits = plan.inspection.limits or DEFAULT_FILE
    base = path.absolute().parent
    output = plan.inspection.output or base / f"inspection-{plan.inspection.number}"
    about = plan.inspection.model_copy(update={"limits": limits, "output": output})
    dut = plan.dut.model_copy(update={"profile": _anchored(plan.dut.profile, base)})
    standard = plan.standard
    if standard.profile is not None:
        standard = standard.model_copy(update={"profile": _anchored(standard.profile, base)})
    return plan.model_copy(update={"inspection": about, "dut": dut, "standard": standard})


def _anchored(profile: str, base: Path) -> str:
    is_file = "/" in profile or profile.endswith(".toml")
    return str(base / profile) if is_file else profile


_WHERE: Final = {"name", "host", "port", "device", "baud", "parity", "stop_bits", "timeout_ms"}


def digest(plan: Plan, more: str = "") -> str:
    """Return what tells this plan's record from another's.

    That is everything which decides what is measured, on which device, and how it is judged: limits and an own profile
    count by their content. Texts that only the report shows, and where the record lies, don't.
    """
    unsaid: dict[str, IncEx | bool] = {
        "environment": True,
        "items": True,
        "inspection": {"output", "limits"},
        "subject": {"inspector", "place"},
        # Where a device is connected is no other device: its number is in the subject.
        "dut": {"profile": True, "line": _WHERE},
        "standard": {"profile": True, "line": _WHERE},
        "source": {"directory", "host", "port", "connect_seconds"},
        "pulses": {"host", "port"},
    }
    told = hashlib.sha256(plan.model_dump_json(exclude=unsaid).encode() + more.encode())
    limits = plan.inspection.limits
    parts = [b"" if limits is None else limits.read_bytes(), _said(plan.dut.profile), _said(plan.standard.profile)]
    for part in parts:
        told.update(len(part).to_bytes(8) + part)
    return told.hexdigest()


def _said(profile: str | None) -> bytes:
    """Return the content of an own profile, the name of one of ours; one that can't be read is told when it is used."""
    if profile is None:
        return b""
    path = Path(profile)
    return path.read_bytes() if path.suffix == ".toml" and path.is_file() else profile.encode()
