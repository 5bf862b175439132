"""What the tests of the journal share."""

import random
from pathlib import Path
from typing import Any

from agent.journal import Journal
from agent.journal_entry import Append, to_row
from wire.records import FactorQuality, IntervalRecord, Quality

START = 1_767_196_800_000
SLOT = 900_000


def entropy(length: int) -> bytes:
    """Return another context each time."""
    return random.Random().randbytes(length)


def opened(directory: Path) -> Journal:
    """Open the journal in a directory."""
    return Journal.open(directory / "journal.db", now_ms=START, entropy=entropy)


def interval(slot: int = 0, meter: str = "m", energy: int = 10**7, factor: int | None = 500_000) -> IntervalRecord:
    """Return an interval of a register that rises by `energy` in each slot."""
    carbon = energy * (factor or 0) // 1000
    return IntervalRecord(
        meter,
        START + slot * SLOT,
        SLOT,
        energy,
        0,
        energy * (slot + 1),
        0,
        factor,
        FactorQuality.UNDEFINED if factor is None else FactorQuality.HELD,
        carbon,
        0,
        carbon * (slot + 1),
        0,
        15,
        Quality.MEASURED,
    )


def append(*records: Any, **states: bytes) -> Append:
    """Return an operation."""
    return Append([to_row(record) for record in records], states)
