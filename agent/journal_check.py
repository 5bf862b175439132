"""Checks a journal: that the sequences have no gaps, and that each meter's registers go on where they stopped."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from agent import journal_schema as schema
from agent.journal_schema import JournalError
from wire.domain import EMISSION_END_UG
from wire.records import DetailKey, EventCode, EventRecord, FreezeRecord, FreezeSource, IntervalRecord, Record
from wire.row import RecordError, from_body


@dataclass(slots=True)
class Verdict:
    """What a check found."""

    records: int = 0
    first: int | None = None
    last: int | None = None
    meters: int = 0
    problems: list[str] = field(default_factory=list)


def open_read_only(path: Path) -> sqlite3.Connection:
    """Open an existing journal for reading, also while an agent runs; JournalError when it can't be."""
    if not path.is_file():
        raise JournalError(f"{path}: there is no journal (an agent makes it when it first runs)")
    try:
        connection = schema.connect(path, read_only=True)
        if not schema.check_version(connection, path):
            connection.close()
            raise JournalError(f"{path}: the journal is empty")
    except sqlite3.Error as error:
        raise schema.translated(error, path) from error
    return connection


def records(connection: sqlite3.Connection, first: int = 1) -> Iterator[tuple[int, Record]]:
    """Return (sequence, record) of every stored record from a sequence on; RecordError for one that is damaged."""
    for sequence, body in connection.execute(
        "SELECT sequence, body FROM records WHERE sequence >= ? ORDER BY sequence", (first,)
    ):
        try:
            yield sequence, from_body(body)
        except RecordError as error:
            raise RecordError(f"record {sequence}: {error}") from error


def verify(path: Path) -> Verdict:
    """Check the file, the sequences and the registers; every problem is named, up to one for each record."""
    verdict = Verdict()
    with closing(open_read_only(path)) as connection:
        try:
            # One snapshot: a running agent goes on writing.
            connection.execute("BEGIN")
            for (line,) in connection.execute("PRAGMA quick_check(20)"):
                if line != "ok":
                    verdict.problems.append(f"file: {line}")
            (following,) = connection.execute("SELECT next_sequence FROM header").fetchone()
            _check_records(connection, verdict)
        except sqlite3.Error as error:
            raise schema.translated(error, path) from error
    if verdict.last is not None and verdict.last != following - 1:
        verdict.problems.append(f"the last record is {verdict.last}, the header says {following - 1}")
    return verdict


def _check_records(connection: sqlite3.Connection, verdict: Verdict) -> None:
    chains: dict[str, IntervalRecord] = {}
    back: set[str] = set()  # meters whose time may go back: the clock did
    expected: int | None = None
    try:
        for sequence, record in records(connection):
            if verdict.first is None:
                verdict.first = sequence
            elif sequence != expected:
                verdict.problems.append(f"records {expected} to {sequence - 1} are missing")
            expected = sequence + 1
            verdict.last = sequence
            verdict.records += 1
            if isinstance(record, IntervalRecord):
                if (before := chains.get(record.meter)) is not None:
                    breaks = _breaks(before, record, may_overlap=record.meter in back)
                    verdict.problems += [f"record {sequence}: {text}" for text in breaks]
                chains[record.meter] = record
                back.discard(record.meter)
            elif isinstance(record, EventRecord):
                if record.code == EventCode.CLOCK_STEPPED and _went_back(record):
                    back = set(chains)
            elif isinstance(record, FreezeRecord):
                verdict.problems += [f"record {sequence}: {text}" for text in _freeze_breaks(chains, record)]
    except RecordError as error:
        verdict.problems.append(str(error))
    verdict.meters = len(chains)


def _went_back(event: EventRecord) -> bool:
    step = event.details.get(DetailKey.STEP)
    return isinstance(step, int) and step < 0


def _breaks(before: IntervalRecord, record: IntervalRecord, *, may_overlap: bool) -> Iterator[str]:
    if not may_overlap and record.start_ms < before.start_ms + before.duration_ms:
        yield (
            f"{record.meter}: interval at {record.start_ms} overlaps the one before, "
            f"which ends at {before.start_ms + before.duration_ms}"
        )
    for total, part in (
        ("forward_total_mwh", "forward_mwh"),
        ("reverse_total_mwh", "reverse_mwh"),
        ("carbon_forward_total_ug", "carbon_forward_ug"),
        ("carbon_reverse_total_ug", "carbon_reverse_ug"),
    ):
        expected = getattr(before, total) + getattr(record, part)
        if expected >= EMISSION_END_UG and total.startswith("carbon"):
            expected -= EMISSION_END_UG  # as a generating unit's emission does
        if getattr(record, total) != expected:
            yield f"{record.meter}: {total}: expected {expected}, found {getattr(record, total)}"


def _freeze_breaks(chains: dict[str, IntervalRecord], freeze: FreezeRecord) -> Iterator[str]:
    if freeze.source == FreezeSource.METER:
        return  # the meter's registers are not the gateway's
    before = chains.get(freeze.meter)
    if before is None or before.start_ms + before.duration_ms != freeze.time_ms:
        return
    for name in ("forward_total_mwh", "reverse_total_mwh", "carbon_forward_total_ug", "carbon_reverse_total_ug"):
        if getattr(freeze, name) != getattr(before, name):
            yield f"{freeze.meter}: freeze: {name}: expected {getattr(before, name)}, found {getattr(freeze, name)}"
