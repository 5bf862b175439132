"""The reckoning: every record that entered a journal against the centre's store, octet by octet."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chaos.journals import Kept
from diantan_core import RecordBatch, decode_batch
from wire.envelope import KeyRing, open_envelope
from wire.records import AdjustmentRecord, EventRecord, FreezeRecord, IntervalRecord, Record
from wire.row import to_body

_SPAN = "meter, start_ms, duration_ms"
_ENERGIES = "forward_mwh, reverse_mwh"
_CARBON = "carbon_forward_ug, carbon_reverse_ug"
_TOTALS = "forward_total_mwh, reverse_total_mwh"
_CARBON_TOTALS = "carbon_forward_total_ug, carbon_reverse_total_ug"
# In the order of the records' fields, the meter first.
_COLUMNS: dict[type[Record], tuple[str, str]] = {
    IntervalRecord: (
        "interval",
        f"{_SPAN}, {_ENERGIES}, {_TOTALS}, factor, factor_quality, {_CARBON}, {_CARBON_TOTALS}, readings, quality",
    ),
    FreezeRecord: ("freeze", f"meter, time_ms, kind, {_TOTALS}, {_CARBON_TOTALS}, source"),
    AdjustmentRecord: (
        "adjustment",
        f"{_SPAN}, {_ENERGIES}, factor_used, factor_now, {_CARBON}, solve_id",
    ),
    EventRecord: ("event", "meter, time_ms, code, details"),
}


@dataclass(slots=True)
class Reckoning:
    """What became of the records; sequences by journal context where something is wrong."""

    records: int = 0
    lost: dict[str, list[int]] = field(default_factory=dict)  # not in the store, and nobody says so
    reported: dict[str, list[int]] = field(default_factory=dict)  # not in the store, as a finding says
    doubled: dict[str, list[int]] = field(default_factory=dict)
    altered: dict[str, list[int]] = field(default_factory=dict)  # other octets in the store or under the signature
    invented: dict[str, list[int]] = field(default_factory=dict)  # in the store and in no journal
    slandered: dict[str, list[int]] = field(default_factory=dict)  # called lost, and in the store or in no journal

    @property
    def sound(self) -> bool:
        """Whether nothing was lost without a word, doubled, altered or invented, nor called lost without cause."""
        return not (self.lost or self.doubled or self.altered or self.invented or self.slandered)


@dataclass(frozen=True, slots=True)
class Lost:
    """What a finding says of a journal that ended."""

    ranges: tuple[tuple[int, int], ...]  # these are not in the store
    told_to: int
    exact: bool  # nothing came after `told_to`; otherwise what did is lost too

    def covers(self, sequence: int) -> bool:
        """Return whether the finding speaks of a sequence."""
        beyond = not self.exact and sequence > self.told_to
        return beyond or any(first <= sequence <= last for first, last in self.ranges)


def reckon(store: Path, journals: Iterable[Kept], keys: KeyRing) -> Reckoning:
    """Compare what entered the journals with the store; every envelope is verified with the public keys alone."""
    result = Reckoning()
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
        names = dict(connection.execute("SELECT id, name FROM meter"))
        numbers = dict(connection.execute("SELECT context, id FROM journal"))
        told = told_lost(connection)
        for journal in journals:
            number = numbers.pop(journal.context, None)
            stored = [] if number is None else list(_stored(connection, number, names))
            signed = [] if number is None else list(_signed(connection, number, keys))
            # Of a journal that its gateway still has, no word excuses a loss.
            said = told.get(journal.context.hex())
            _compare(result, journal, stored, signed, said if journal.deleted else None)
            _check_losses(result, journal, {sequence for sequence, _ in stored}, said)
        for context, number in numbers.items():
            result.invented[context.hex()] = [sequence for sequence, _ in _stored(connection, number, names)]
    return result


def _compare(
    result: Reckoning,
    journal: Kept,
    stored: Sequence[tuple[int, bytes]],
    signed: Sequence[tuple[int, bytes]],
    told: Lost | None,
) -> None:
    def note(where: dict[str, list[int]], sequences: Iterable[int]) -> None:
        if found := sorted(sequences):
            where.setdefault(journal.context.hex(), []).extend(found)

    bodies = journal.bodies
    times = Counter(sequence for sequence, _ in stored)
    proved = {sequence for sequence, _ in signed}
    gone = bodies.keys() - (times.keys() & proved)
    result.records += len(bodies)
    note(result.reported, (sequence for sequence in gone if told is not None and told.covers(sequence)))
    note(result.lost, (sequence for sequence in gone if told is None or not told.covers(sequence)))
    note(result.doubled, (sequence for sequence, count in times.items() if count > 1))
    differing = {sequence for sequence, body in (*stored, *signed) if bodies.get(sequence, body) != body}
    note(result.altered, differing)
    note(result.invented, (times.keys() | proved) - bodies.keys())


def _check_losses(result: Reckoning, journal: Kept, stored: set[int], said: Lost | None) -> None:
    """Note what a finding calls lost though it is in the store, or never was in the journal."""
    ranges = () if said is None else said.ranges
    named = {sequence for first, last in ranges for sequence in range(first, last + 1)}
    if false := sorted(named & stored | named - journal.bodies.keys()):
        result.slandered[journal.context.hex()] = false


def _stored(connection: sqlite3.Connection, journal: int, names: dict[int, str]) -> Iterator[tuple[int, bytes]]:
    """Return (sequence, body) of every row of a journal, as it would stand in the journal."""
    for kind, (table, columns) in _COLUMNS.items():
        for sequence, meter, *values in connection.execute(
            f"SELECT sequence, {columns} FROM {table} WHERE journal = ?", (journal,)
        ):
            if kind is EventRecord:
                values[-1] = {int(key): value for key, value in json.loads(values[-1]).items()}
            yield sequence, _body(kind, names.get(meter), values)


def _signed(connection: sqlite3.Connection, journal: int, keys: KeyRing) -> Iterator[tuple[int, bytes]]:
    """Return (sequence, body) of what the stored envelopes of a journal hold; EnvelopeError for a bad signature."""
    for topic, envelope in connection.execute("SELECT topic, envelope FROM message WHERE journal = ?", (journal,)):
        yield from _of_batch(decode_batch(open_envelope(envelope, topic, keys).payload))


def _of_batch(batch: RecordBatch) -> Iterator[tuple[int, bytes]]:
    meters = batch.meters
    keys = range(len(meters))
    rows: tuple[tuple[type[Record], Sequence[tuple[Any, ...]]], ...] = (
        (IntervalRecord, batch.interval_rows(keys)),
        (FreezeRecord, batch.freeze_rows(keys)),
        (AdjustmentRecord, batch.adjustment_rows(keys)),
        (EventRecord, batch.event_rows(keys)),
    )
    for kind, found in rows:
        for sequence, meter, *values in found:
            yield sequence, _body(kind, None if meter is None else meters[meter], values)


def _body(kind: type[Record], meter: str | None, values: Sequence[Any]) -> bytes:
    make: Any = kind
    return to_body(make(meter, *values))


def told_lost(connection: sqlite3.Connection) -> dict[str, Lost]:
    """Return what the centre's findings say of journals that others replaced, by context."""
    result: dict[str, Lost] = {}
    for (evidence,) in connection.execute("SELECT evidence FROM finding WHERE kind = 'journal_opened'"):
        for detail in json.loads(evidence)["details"]:
            ranges = tuple((int(first), int(last)) for first, last in detail["lost"])
            exact = detail["extent"] == "exact"
            result[detail["journal_before"]] = Lost(ranges, int(detail["told_to"]), exact)
    return result
