"""receiver.toml: where the centre keeps its data, which broker it uses, and how it checks and dispatches."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from cloud_receiver.api.config import Api
from cloud_receiver.broker_config import Broker
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.grid.config import Grid
from cloud_receiver.levels.config import Child, LevelStore, Parent
from cloud_receiver.sales.config import Sales
from cloud_receiver.validation.config import Validation
from settings.load import load as load_file
from settings.values import Exact, Flag, Section, Whole
from supervision.config import Metrics

Positive = Annotated[Whole, Field(ge=1)]


class Centre(Section):
    """The centre itself."""

    name: str = "centre"
    database: str = "sqlite:///receiver.sqlite"
    """SQLAlchemy URL; a relative SQLite file lies in `data_dir`."""
    data_dir: Path = Path()
    key_file: Path
    """Private key (PEM; Ed25519 or SM2) that signs acknowledgements, factors and commands."""


class Intake(Section):
    """Group commit: many batches share one durable transaction."""

    commit_batches: Annotated[Whole, Field(ge=1, le=4096)] = 256
    commit_wait_ms: Annotated[Whole, Field(ge=0, le=1000)] = 10
    """The longest time a batch waits for others before they are committed together (real time)."""
    retry_first_ms: Positive = 500
    retry_longest_ms: Positive = 30_000
    key_refresh_s: Positive = 5
    """How soon a key enrolled or revoked by another process is known here."""
    quarantine_per_minute: Positive = 60
    """Rows kept per gateway, reason and minute; what exceeds it is counted only."""
    quarantine_rows: Positive = 100_000
    quarantine_bytes: Annotated[Whole, Field(ge=65_536)] = 268_435_456
    """Beyond either the oldest rows are dropped, and counted."""
    replay_after_s: Positive = 90_000
    """A message that is stored and comes again so much later was replayed: a broker repeats for a session's life."""


class Dispatch(Section):
    """Dispatch of carbon factors (电碳因子下发)."""

    schedule: Path
    slots: Annotated[Whole, Field(ge=1, le=2976)] = 96
    """How many slots a message carries, so that a gateway that was cut off catches up."""
    lead_slots: Annotated[Whole, Field(ge=0, le=96)] = 0
    lead_ms: Annotated[Whole, Field(ge=0, le=900_000)] = 0
    """Publish this long before the slot begins."""


class Checks(Section):
    """The checks of slots and days."""

    enabled: Flag = True
    grace_minutes: Annotated[Whole, Field(ge=0)] = 30
    """How long after its end a slot may still be incomplete without a finding."""
    coverage_factor: Annotated[float, Field(gt=0, le=5)] = 2.0
    """k, by which the combined standard uncertainty is multiplied to give the tolerance."""
    minimum_slots: Positive = 5
    """A day's slots beyond tolerance that make a finding: k = 2 lets about 5 % of 96 pass by chance."""
    gross_ratio: Annotated[float, Field(ge=1)] = 2.0
    """A single slot makes a finding when its imbalance exceeds the tolerance by this factor."""
    complete_percent: Annotated[Exact, Field(gt=0, le=100)] | None = None
    """Least completeness (完整率) of a gateway in a day and a month; below it there is a finding. None: no limit."""
    timely_percent: Annotated[Exact, Field(gt=0, le=100)] | None = None
    """Least timeliness (及时率) likewise: the share that came within an hour of the interval's end."""
    recheck_days: Annotated[Whole, Field(ge=0, le=400)] = 40
    """Days back that are checked anew by themselves once the registry or these settings are not what they were."""
    pause_ms: Positive = 200
    """Rest between two rounds, in real time, so that the intake is not starved."""


class Settings(Section):
    """The whole of receiver.toml; paths are relative to the file."""

    centre: Centre
    broker: Broker = Broker()
    registry: Path = Path("registry.toml")
    intake: Intake = Intake()
    dispatch: Dispatch | None = None
    grid: Grid | None = None
    api: Api = Api()
    parent: Parent | None = None
    child: tuple[Child, ...] = ()
    levels: LevelStore = LevelStore()
    checks: Checks = Checks()
    validation: Validation = Validation()
    sales: Sales = Sales()
    estimation: Estimation = Estimation()
    metrics: Metrics = Metrics()


def load(path: Path) -> Settings:
    """Read and check receiver.toml; ConfigError has every mistake."""
    return load_file(path, Settings)
