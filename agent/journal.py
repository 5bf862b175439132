"""The journal: what the gateway has measured and not yet forgotten, in one SQLite file.

Records get their sequence numbers here, and the state that would continue after them is written in the same
transaction: after a crash either both are there or neither, so no energy is lost or counted twice. Synchronous, one
thread at a time.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

from agent import journal_schema as schema
from agent.adjust import adjustments
from agent.journal_entry import Append, FactorUpdate, Operation, Row, StoredCommand, StoredFactor, to_row
from agent.journal_former import Former, forget
from agent.journal_pruning import DAY_MS, forget_by_age, forget_by_size, forget_factors
from agent.journal_schema import JournalError
from wire.commands import Outcome
from wire.records import ClockState, Record
from wire.row import RecordError, from_body


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
        with self._transaction() as connection:
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
        rows = self._fetch(
            "SELECT sequence, clock_state, body FROM records WHERE sequence >= ? ORDER BY sequence LIMIT ?",
            (first, limit),
        )
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
        rows = self._fetch("SELECT meter, state, serial_number FROM meters")
        return {meter: (state, serial) for meter, state, serial in rows}

    def notes(self) -> dict[str, bytes]:
        """Return the stored notes by meter."""
        return dict(self._fetch("SELECT meter, notes FROM meters WHERE notes IS NOT NULL"))

    def factors(self) -> list[StoredFactor]:
        """Return the stored factors in order of time."""
        rows = self._fetch("SELECT start_ms, factor, solve_id, issued_ms FROM factors ORDER BY start_ms")
        return [StoredFactor(*row) for row in rows]

    def commands(self) -> list[StoredCommand]:
        """Return the commands that are kept, without their replies, in the order of their issue."""
        rows = self._fetch("SELECT id, issued_ms, expires_ms, verb, outcome FROM commands ORDER BY issued_ms, id")
        return [StoredCommand(*row) for row in rows]

    def reply_sizes(self) -> dict[bytes, int]:
        """Return how many bytes of replies are kept, by the command's id."""
        return dict(self._fetch("SELECT id, length(reply) FROM commands WHERE reply IS NOT NULL"))

    def reply(self, command: bytes) -> bytes | None:
        """Return the reply that is kept for a command, by its id."""
        rows = self._fetch("SELECT reply FROM commands WHERE id = ?", (command,))
        return rows[0][0] if rows else None

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
        header = self.header
        following = header.next_sequence
        with self._transaction() as connection:
            forget_factors(connection)
            deleted, lost = 0, None
            if now_ms is not None:
                deleted = forget_by_age(connection, now_ms - keep_days * DAY_MS, header.acknowledged)
            if not deleted:
                deleted, lost = forget_by_size(connection, max_bytes, header.acknowledged)
            if lost is not None:
                told = tell(*lost)
                following += self._insert(following, told.rows, told.clock_state)
                connection.execute("UPDATE header SET dropped = dropped + ?, next_sequence = ?", (deleted, following))
        if lost is not None:
            header.dropped += deleted
            header.next_sequence = following
        return deleted, lost

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
        try:
            found = adjustments(self.connection, update.changed, update.slot_ms, update.solve_id, self.own_factor)
        except RecordError as error:
            raise schema.damaged(self.path, str(error)) from error
        rows = [to_row(record) for record in found]
        self.connection.executemany(
            "INSERT INTO factors VALUES (?, ?, ?, ?) ON CONFLICT (start_ms) DO UPDATE SET factor = excluded.factor,"
            " solve_id = excluded.solve_id, issued_ms = excluded.issued_ms",
            ((start, factor, update.solve_id, update.issued_ms) for start, factor in update.slots),
        )
        return rows

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        """Write all of it, or nothing when anything fails."""
        connection = self.connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")
        except BaseException as error:
            if connection.in_transaction:  # SQLite rolls back by itself after some errors
                connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.Error):
                raise schema.translated(error, self.path) from error
            raise

    def _fetch(self, query: str, parameters: Sequence[object] = ()) -> list[Any]:
        try:
            return self.connection.execute(query, parameters).fetchall()
        except sqlite3.Error as error:
            raise schema.translated(error, self.path) from error
