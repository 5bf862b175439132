"""The records of one meter in the verified batches of a proof. Units: mWh, µg, mg/kWh, ms UTC."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from diantan_core import RecordBatch
from wire.records import DetailKey, EventCode


class Interval(NamedTuple):
    """An interval record of the meter, in the order of diantan_core.IntervalRow."""

    context: bytes
    sequence: int
    start_ms: int
    duration_ms: int
    forward_mwh: int
    reverse_mwh: int
    forward_total_mwh: int
    reverse_total_mwh: int
    factor: int | None
    factor_quality: int
    carbon_forward_ug: int
    carbon_reverse_ug: int
    carbon_forward_total_ug: int
    carbon_reverse_total_ug: int
    readings: int
    quality: int

    @property
    def end_ms(self) -> int:
        """Return the end of the interval."""
        return self.start_ms + self.duration_ms


class Frozen(NamedTuple):
    """A freeze (冻结) of the meter."""

    context: bytes
    sequence: int
    time_ms: int
    kind: int
    forward_total_mwh: int
    reverse_total_mwh: int
    carbon_forward_total_ug: int
    carbon_reverse_total_ug: int
    source: int


class Adjustment(NamedTuple):
    """An adjustment of one of the meter's intervals."""

    context: bytes
    sequence: int
    start_ms: int
    duration_ms: int
    forward_mwh: int
    reverse_mwh: int
    factor_used: int | None
    factor_now: int | None
    carbon_forward_ug: int
    carbon_reverse_ug: int
    solve_id: bytes


@dataclass(slots=True)
class Journal:
    """What the proof has of one journal (context): which sequences, and which of them the gateway gave up."""

    sequences: set[int] = field(default_factory=set)
    dropped: list[tuple[int, int]] = field(default_factory=list)
    """Ranges of records that a signed event says were given up undelivered."""
    batches: int = 0
    previous_end: int = 0
    disordered: bool = False

    def holes(self, first: int, last: int) -> list[tuple[int, int]]:
        """Return the ranges between two sequences of the proof that it neither has nor explains."""
        dropped = sorted(self.dropped)
        result = []
        for before, after in pairwise(sorted(number for number in self.sequences if first <= number <= last)):
            start = before + 1
            if start == after:
                continue
            for low, high in dropped:
                if low > start:
                    result.append((start, min(low, after) - 1))
                start = max(start, high + 1)
                if start >= after:
                    break
            if start < after:
                result.append((start, after - 1))
        return result


@dataclass(slots=True)
class Contents:
    """All records of the meter in the proof, each sequence once."""

    journals: dict[bytes, Journal]
    intervals: list[Interval]
    """By journal and sequence."""
    freezes: list[Frozen]
    adjustments: list[Adjustment]
    conflicts: list[str]
    """Sequences under which two batches have different records."""


def collect(batches: Iterable[RecordBatch], meter: str) -> Contents:
    """Return the records of a meter; batches may overlap, as those that were sent again do."""
    journals: dict[bytes, Journal] = {}
    seen: dict[tuple[bytes, int], object] = {}
    conflicts: list[str] = []
    kinds: dict[type, list[tuple[object, ...]]] = {Interval: [], Frozen: [], Adjustment: []}
    for batch in batches:
        journal = journals.setdefault(batch.context, Journal())
        journal.batches += 1
        journal.disordered |= batch.first + batch.count - 1 <= journal.previous_end
        journal.previous_end = batch.first + batch.count - 1
        journal.sequences.update(range(batch.first, batch.first + batch.count))
        numbers = list(range(len(batch.meters)))
        for sequence, names in _all(batch, numbers).items():
            before = seen.setdefault((batch.context, sequence), names)
            if before != names:
                conflicts.append(f"sequence {sequence} of journal {batch.context.hex()} has two different records")
            elif before is names:
                kind, name, row = names
                if kind is _Event:
                    _note_dropped(journal, row)
                elif name == meter:
                    kinds[kind].append((batch.context, sequence, *row))
    return Contents(
        journals,
        sorted(Interval(*row) for row in kinds[Interval]),  # type: ignore[arg-type]  # the decoder's rows
        sorted(Frozen(*row) for row in kinds[Frozen]),  # type: ignore[arg-type]  # likewise
        sorted(Adjustment(*row) for row in kinds[Adjustment]),  # type: ignore[arg-type]  # likewise
        conflicts,
    )


class _Event:
    """Marks the rows of events."""


def _all(batch: RecordBatch, numbers: list[int]) -> dict[int, tuple[type, str | None, tuple[object, ...]]]:
    """Return kind, meter and values of each record by its sequence."""
    result: dict[int, tuple[type, str | None, tuple[object, ...]]] = {}
    groups: tuple[tuple[type, Iterable[tuple[object, ...]]], ...] = (
        (Interval, batch.interval_rows(numbers)),
        (Frozen, batch.freeze_rows(numbers)),
        (Adjustment, batch.adjustment_rows(numbers)),
        (_Event, batch.event_rows(numbers)),
    )
    for kind, rows in groups:
        for row in rows:
            sequence, number = row[0], row[1]
            assert isinstance(sequence, int)
            result[sequence] = (kind, batch.meters[number] if isinstance(number, int) else None, tuple(row[2:]))
    return result


def _note_dropped(journal: Journal, row: tuple[object, ...]) -> None:
    _, code, details = row
    if code == EventCode.RECORDS_DROPPED and isinstance(details, dict):
        first, last = details.get(DetailKey.FIRST_SEQUENCE), details.get(DetailKey.LAST_SEQUENCE)
        if isinstance(first, int) and isinstance(last, int) and first <= last:
            journal.dropped.append((first, last))
