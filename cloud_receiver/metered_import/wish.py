"""What an import needs, what is wished of it, and what it came to."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import Engine

from clock import Clock
from cloud_receiver.config import Intake
from cloud_receiver.grid.series_told import Told
from cloud_receiver.metered_import.form import Form
from cloud_receiver.metered_import.journal import PATIENT, Pace
from cloud_receiver.metered_import.series import Series
from cloud_receiver.mistakes import Problem
from cloud_receiver.registry import Meter, Registry, Station
from wire.keys import PrivateKey


@dataclass(frozen=True)
class Surroundings:
    """What an import needs of the centre."""

    engine: Engine
    registry: Registry
    clock: Clock
    intake: Intake
    data_dir: Path
    key: PrivateKey
    random: Callable[[int], bytes] = secrets.token_bytes
    """Of contexts."""
    pace: Pace = PATIENT


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be imported, and how."""

    station: Station
    meter: Meter
    form: Form
    by: str
    """Who imports: kept in the signed record of the import."""
    name: str
    """Of the file, as messages and that record have it."""
    base_mwh: int | None = None
    """Cumulative register at the beginning of the first interval of a file of energies."""
    correct: bool = False
    skip_bad: bool = False
    dry_run: bool = False
    enrol: bool = False
    by_slot: bool = False

    @property
    def interval_ms(self) -> int:
        """Return the length of the meter's records."""
        return self.meter.interval_s * 1000

    @property
    def most_mwh(self) -> int:
        """Return what a register has risen by at most where nothing else tells: twice the rated power."""
        return int(self.meter.rated_kw * 2 * self.interval_ms * 1000 / 3600)

    @property
    def rollover_mwh(self) -> int | None:
        """Return at which value a register starts again from 0."""
        return None if self.form.rollover is None else int(self.form.rollover * self.form.unit.mwh)


@dataclass(slots=True)
class Outcome:
    """What an import came to."""

    series: Series
    sha256: str
    new: int = 0
    corrected: int = 0
    same: int = 0
    refused: int = 0
    """Intervals that are stored with other values."""
    records: int = 0
    divided: int = 0
    """Intervals that became several records: at a change of the factor, or a midnight."""
    without_factor: int = 0
    forward_mwh: int = 0
    reverse_mwh: int = 0
    first_ms: int = 0
    end_ms: int = 0
    gaps: int = 0
    context: str = ""
    begun: bool = False
    """Whether the records begin a journal of their own."""
    key: str = ""
    """Id of the key that was made and enrolled for it."""
    told: Told = field(default_factory=Told)
    """The lines that were left out."""
    contradictions: list[Problem] = field(default_factory=list)
    """The intervals that are stored with other values, the first thousand of them."""
