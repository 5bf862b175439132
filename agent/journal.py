"""The journal: what the gateway has measured and not yet forgotten, in one SQLite file.

Records get their sequence numbers here, and the state that would continue after them is written in the same
transaction: after a crash either both are there or neither, so no energy is lost or counted twice. Synchronous, one
thread at a time.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, Self

from agent import journal_schema as schema
from agent.adjust import adjustments
from agent.journal_former import Former, forget
from agent.journal_schema import JournalError
from wire.commands import Outcome
from wire.records import (
    AdjustmentRecord,
    ClockState,
    DetailKey,
    EventCode,
    EventRecord,
    FreezeRecord,
    IntervalRecord,
    Record,
)
from wire.row import RecordError, from_body, to_body

DAY_MS: Final = 86_400_000
FACTOR_DAYS: Final = 365  # T/CIMA 0079.4, 5.7: factors of a year are kept
_PRUNE_AT_ONCE: Final = 5_000  # records deleted in one transaction, so that a commit never waits long
_FEWEST: Final = 2  # unacknowledged records that stay whatever the size: they tell of those that went


@dataclass(frozen=True, slots=True)
class Row:
    """A record on its way into the journal, already encoded."""

    kind: int
    meter: str | None
    start_ms: int
    body: bytes


@dataclass(frozen=True, slots=True)
class StoredCommand:
    """What is kept of a command (命令) from the centre, so that it is done at most once; `outcome` None: under way."""

    id: bytes
    issued_ms: int
    expires_ms: int
    verb: int
    outcome: int | None = None
    reply: bytes | None = None  # the payload; Journal.commands leaves it out


@dataclass(frozen=True, slots=True)
class Append:
    """Records, and the integrator states (by meter) that follow from the same readings."""

    rows: Sequence[Row] = ()
    states: Mapping[str, bytes] = field(default_factory=dict)
    serial_numbers: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, bytes] = field(default_factory=dict)  # agent.notes, by meter
    clock_state: ClockState = ClockState.UNKNOWN  # set by the writer
    command: StoredCommand | None = None  # put in the place of what was kept of the same one
    on_kept: Callable[[], None] | None = None  # called by the writer when all this is on the disk


@dataclass(frozen=True, slots=True)
class FactorUpdate:
    """Factors of a node as they were dispatched; the journal finds the closed intervals that they change."""

    slots: Sequence[tuple[int, int | None]]  # start ms, mg/kWh: what to store
    changed: Sequence[tuple[int, int | None]]  # those of them that differ from what was known
    slot_ms: int
    solve_id: bytes
    issued_ms: int
    rows: Sequence[Row] = ()  # none of its own: adjustments are made when it is written
    clock_state: ClockState = ClockState.UNKNOWN


Operation = Append | FactorUpdate


@dataclass(frozen=True, slots=True)
class StoredFactor:
    """A factor in the journal."""

    start_ms: int
    factor: int | None
    solve_id: bytes
    issued_ms: int


class Run(NamedTuple):
    """Records without a gap in their sequences, made in one state of the clock."""

    first: int
    records: list[Record]
    clock_state: ClockState


@dataclass(slots=True)
class Header:
    """The journal's counters."""

    context: bytes
    created_ms: int
    next_sequence: int
    acknowledged: int
    sent: int
    dropped: int
    centre_ms: int


def to_row(record: Record) -> Row:
    """Return the record encoded; RecordError when a field can't travel."""
    match record:
        case IntervalRecord():
            return Row(schema.KIND_INTERVAL, record.meter, record.start_ms, to_body(record))
        case FreezeRecord():
            return Row(schema.KIND_FREEZE, record.meter, record.time_ms, to_body(record))
        case AdjustmentRecord():
            return Row(schema.KIND_ADJUSTMENT, record.meter, record.start_ms, to_body(record))
        case EventRecord():
            return Row(schema.KIND_EVENT, record.meter, record.time_ms, to_body(record))


class Journal:
    """An open journal."""

    def __init__(self, path: Path, connection: sqlite3.Connection, *, created: bool) -> None:
        self.path = path
        self.created = created
        self.connection = connection
        self.header = self._read_header()
        self.own_factor: frozenset[str] = frozenset()  # meters of whose records no dispatched factor says anything
        self.former: Former | None = None  # the journal before, until this one has a record that tells of it

    @classmethod
    def open(cls, path: Path, *, now_ms: int, entropy: Callable[[int], bytes]) -> Self:
        """Open the journal, or make a new one with a new context where there is no file.

        JournalError when the file is damaged or not a journal; StorageFullError when the disk refuses. A file that
        was not closed cleanly is checked first. Nothing is ever moved or replaced.
        """
        connection = None
        try:
            connection = schema.connect(path)
            created = not schema.check_version(connection, path)
            schema.prepare(connection)
            if created:
                schema.create(connection, entropy(8), now_ms)
            elif not connection.execute("SELECT closed_cleanly FROM header").fetchone()[0]:
                problems = [row[0] for row in connection.execute("PRAGMA quick_check(5)")]
                if problems != ["ok"]:
                    raise schema.damaged(path, "; ".join(problems))
            if not created:
                schema.upgrade(connection)
            journal = cls(path, connection, created=created)
            connection.execute("UPDATE header SET closed_cleanly = 0")
            if journal.header.next_sequence == 1:
                journal.former = Former.of_trace(path)
            else:
                forget(path)
        except sqlite3.Error as error:
            if connection is not None:
                connection.close()
            raise schema.translated(error, path) from error
        except JournalError:
            if connection is not None:
                connection.close()
            raise
        return journal

    def close(self) -> None:
        """Close the file; the next opening need not check it."""
        try:
            self.connection.execute("UPDATE header SET closed_cleanly = 1")
        except sqlite3.Error as error:
            raise schema.translated(error, self.path) from error
        finally:
            self.connection.close()

    def commit(
        self, operations: Sequence[Operation], *, acknowledged: int = 0, sent: int = 0, centre_ms: int = 0
    ) -> int:
        """Write operations in their order, in one transaction; return the number of records written.

        `acknowledged` and `sent` are the highest sequences known to be, `centre_ms` the newest time that the centre
        signed; they never fall. StorageFullError leaves everything as it was, to be tried again.
        """
        connection = self.connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            following = self.header.next_sequence
            for operation in operations:
                rows = operation.rows
                if isinstance(operation, FactorUpdate):
                    rows = self._take_factors(operation)
                else:
                    self._put_states(operation)
                following += self._insert(following, rows, operation.clock_state)
            new_acknowledged = max(self.header.acknowledged, min(acknowledged, following - 1))
            new_sent = max(self.header.sent, sent)
            new_centre = max(self.header.centre_ms, centre_ms)
            connection.execute(
                "UPDATE header SET next_sequence = ?, acknowledged = ?, sent = ?, centre_ms = ?",
                (following, new_acknowledged, new_sent, new_centre),
            )
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise schema.translated(error, self.path) from error
        except BaseException:
            self._roll_back()
            raise
        written = following - self.header.next_sequence
        if written and self.former is not None:
            self.former = None
            forget(self.path)
        self.header.next_sequence, self.header.acknowledged, self.header.sent = following, new_acknowledged, new_sent
        self.header.centre_ms = new_centre
        return written

    def _insert(self, following: int, rows: Sequence[Row], clock_state: ClockState) -> int:
        self.connection.executemany(
            "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?)",
            ((following + i, row.kind, row.meter, row.start_ms, clock_state, row.body) for i, row in enumerate(rows)),
        )
        return len(rows)

    def read(self, first: int, limit: int) -> Run:
        """Return a run of at most `limit` records, from `first` or later."""
        try:
            rows = self.connection.execute(
                "SELECT sequence, clock_state, body FROM records WHERE sequence >= ? ORDER BY sequence LIMIT ?",
                (first, limit),
            ).fetchall()
        except sqlite3.Error as error:
            raise schema.translated(error, self.path) from error
        start, state, _ = rows[0] if rows else (first, ClockState.UNKNOWN, b"")
        records: list[Record] = []
        for sequence, clock_state, body in rows:
            if sequence != start + len(records) or clock_state != state:
                break
            try:
                records.append(from_body(body))
            except RecordError as error:
                raise schema.damaged(self.path, f"record {sequence}: {error}") from error
        return Run(start, records, ClockState(state))

    def states(self) -> dict[str, tuple[bytes | None, int | None]]:
        """Return (integrator state, serial number) by meter."""
        rows = self.connection.execute("SELECT meter, state, serial_number FROM meters")
        return {meter: (state, serial) for meter, state, serial in rows}

    def notes(self) -> dict[str, bytes]:
        """Return the stored notes by meter."""
        rows = self.connection.execute("SELECT meter, notes FROM meters WHERE notes IS NOT NULL")
        return dict(rows.fetchall())

    def factors(self) -> list[StoredFactor]:
        """Return the stored factors in order of time."""
        rows = self.connection.execute("SELECT start_ms, factor, solve_id, issued_ms FROM factors ORDER BY start_ms")
        return [StoredFactor(*row) for row in rows]

    def commands(self) -> list[StoredCommand]:
        """Return the commands that are kept, without their replies, in the order of their issue."""
        rows = self.connection.execute(
            "SELECT id, issued_ms, expires_ms, verb, outcome FROM commands ORDER BY issued_ms, id"
        )
        return [StoredCommand(*row) for row in rows]

    def reply_sizes(self) -> dict[bytes, int]:
        """Return how many bytes of replies are kept, by the command's id."""
        return dict(
            self.connection.execute("SELECT id, length(reply) FROM commands WHERE reply IS NOT NULL").fetchall()
        )

    def reply(self, command: bytes) -> bytes | None:
        """Return the reply that is kept for a command, by its id."""
        try:
            row = self.connection.execute("SELECT reply FROM commands WHERE id = ?", (command,)).fetchone()
        except sqlite3.Error as error:
            raise schema.translated(error, self.path) from error
        return None if row is None else row[0]

    def prune(
        self,
        now_ms: int | None,
        *,
        keep_days: int,
        max_bytes: int,
        tell: Callable[[int, int], Append] = lambda _first, _last: Append(),
    ) -> tuple[int, tuple[int, int] | None]:
        """Forget what is older than `keep_days`, and the oldest beyond `max_bytes`; a few thousand records a call.

        Records go in the order of their sequences, acknowledged ones by age and size, others by size only; none goes
        to make room for replies. Without `now_ms`, as when the clock can't be trusted, nothing goes by age. Returns
        (records deleted, the range of unacknowledged sequences that had to go for want of space, or None).

        `tell` makes of that range the records that say so. They are written in the same transaction, and the range
        begins with the first sequence that is not acknowledged: what told of those before it may have gone, too.
        """
        connection, header = self.connection, self.header
        following = header.next_sequence
        try:
            connection.execute("BEGIN IMMEDIATE")
            # By the newest of them, which the centre's clock dated.
            connection.execute(
                "DELETE FROM factors WHERE start_ms < (SELECT max(start_ms) FROM factors) - ?",
                (FACTOR_DAYS * DAY_MS,),
            )
            deleted = 0 if now_ms is None else self._prune_by_age(now_ms - keep_days * DAY_MS)
            lost = None
            if not deleted and self.used_bytes() > max_bytes and self._used_by_records() > max_bytes:
                # A tenth at a time: often enough to stay within the limit, seldom enough to cost nothing.
                (first, last) = connection.execute("SELECT min(sequence), max(sequence) FROM records").fetchone()
                if first is not None:
                    until = first + min(_PRUNE_AT_ONCE, max(1, (last - first + 1) // 10)) - 1
                    if first <= header.acknowledged:
                        until = min(until, header.acknowledged)
                    elif last - first + 1 > _FEWEST:
                        until = max(until, first + 1)  # one more than comes in their place
                        lost = (header.acknowledged + 1, until)
                    else:
                        until = first - 1
                    deleted = connection.execute("DELETE FROM records WHERE sequence <= ?", (until,)).rowcount
                    if lost:
                        told = tell(*lost)
                        following += self._insert(following, told.rows, told.clock_state)
                        connection.execute(
                            "UPDATE header SET dropped = dropped + ?, next_sequence = ?", (deleted, following)
                        )
            connection.execute("COMMIT")
        except sqlite3.Error as error:
            self._roll_back()
            raise schema.translated(error, self.path) from error
        if lost:
            header.dropped += deleted
            header.next_sequence = following
        return deleted, lost

    def _prune_by_age(self, oldest_ms: int) -> int:
        # A prefix: an old event or adjustment behind a young interval would leave a hole in the sequences.
        first = self.connection.execute("SELECT min(sequence) FROM records").fetchone()[0] or 0
        limit = min(first + _PRUNE_AT_ONCE - 1, self.header.acknowledged)
        (young,) = self.connection.execute(
            "SELECT min(sequence) FROM records WHERE start_ms >= ? AND sequence <= ?", (oldest_ms, limit)
        ).fetchone()
        until = limit if young is None else young - 1
        return self.connection.execute("DELETE FROM records WHERE sequence <= ?", (until,)).rowcount

    def _used_by_records(self) -> int:
        """Return how much is in use without the replies to commands, which have a bound of their own."""
        (replies,) = self.connection.execute("SELECT coalesce(sum(length(reply)), 0) FROM commands").fetchone()
        return self.used_bytes() - int(replies)

    def used_bytes(self) -> int:
        """Return how much of the file is in use."""
        (pages,) = self.connection.execute("PRAGMA page_count").fetchone()
        (free,) = self.connection.execute("PRAGMA freelist_count").fetchone()
        (size,) = self.connection.execute("PRAGMA page_size").fetchone()
        return int((pages - free) * size)

    def _read_header(self) -> Header:
        row = self.connection.execute(
            "SELECT context, created_ms, next_sequence, acknowledged, sent, dropped, centre_ms FROM header"
        ).fetchone()
        if row is None:
            raise schema.damaged(self.path, "it has no header")
        header = Header(*row)
        (last,) = self.connection.execute("SELECT max(sequence) FROM records").fetchone()
        if last is not None and last >= header.next_sequence:
            raise schema.damaged(self.path, f"record {last} is beyond the next sequence {header.next_sequence}")
        return header

    def _put_states(self, operation: Append) -> None:
        self.connection.executemany(
            "INSERT INTO meters (meter, state) VALUES (?, ?) ON CONFLICT (meter) DO UPDATE SET state = excluded.state",
            operation.states.items(),
        )
        self.connection.executemany(
            "INSERT INTO meters (meter, serial_number) VALUES (?, ?)"
            " ON CONFLICT (meter) DO UPDATE SET serial_number = excluded.serial_number",
            operation.serial_numbers.items(),
        )
        self.connection.executemany(
            "INSERT INTO meters (meter, notes) VALUES (?, ?) ON CONFLICT (meter) DO UPDATE SET notes = excluded.notes",
            operation.notes.items(),
        )
        if (command := operation.command) is not None:
            # What has expired by the centre's own time can't be believed again, so it need not be remembered.
            # One that is still to be answered is, even then.
            self.connection.execute(
                "DELETE FROM commands WHERE expires_ms < ? AND outcome <> ?",
                (self.header.centre_ms, Outcome.UNDER_WAY),
            )
            self.connection.execute(
                "INSERT INTO commands VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id)"
                " DO UPDATE SET outcome = excluded.outcome, reply = excluded.reply",
                (command.id, command.issued_ms, command.expires_ms, command.verb, command.outcome, command.reply),
            )

    def _take_factors(self, update: FactorUpdate) -> list[Row]:
        found = adjustments(self.connection, update.changed, update.slot_ms, update.solve_id, self.own_factor)
        rows = [to_row(record) for record in found]
        self.connection.executemany(
            "INSERT INTO factors VALUES (?, ?, ?, ?) ON CONFLICT (start_ms) DO UPDATE SET factor = excluded.factor,"
            " solve_id = excluded.solve_id, issued_ms = excluded.issued_ms",
            ((start, factor, update.solve_id, update.issued_ms) for start, factor in update.slots),
        )
        return rows

    def _roll_back(self) -> None:
        # SQLite has already rolled back by itself after some errors.
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK")


def event(
    time_ms: int, code: EventCode, meter: str | None = None, details: Mapping[DetailKey, int | str] | None = None
) -> EventRecord:
    """Return an event record with its details by their keys in docs/wire.md."""
    return EventRecord(meter, time_ms, code, {int(key): value for key, value in (details or {}).items()})
