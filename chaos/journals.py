"""The witnesses: the journals of every gateway that worked, also of those that were taken away from it."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Kept:
    """What a journal holds: the octets of each record by its sequence."""

    context: bytes
    bodies: dict[int, bytes]
    deleted: bool  # taken away from its gateway: what it had not delivered can't come any more


def read(path: Path, *, deleted: bool) -> Kept:
    """Return what a journal holds."""
    with closing(sqlite3.connect(path)) as connection:
        (context,) = connection.execute("SELECT context FROM header").fetchone()
        return Kept(context, dict(connection.execute("SELECT sequence, body FROM records")), deleted)


def reached(path: Path) -> tuple[bytes, int] | None:
    """Return a journal's context and its last sequence; None where there is no journal yet."""
    if not path.exists():
        return None
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
        try:
            context, following = connection.execute("SELECT context, next_sequence FROM header").fetchone()
        except (sqlite3.OperationalError, TypeError):
            return None  # just being made
    return context, following - 1


def received(store: Path, context: bytes) -> int:
    """Return up to which sequence the store has all records of a journal."""
    return _number(
        store,
        "SELECT last FROM received_range JOIN journal ON journal.id = received_range.journal"
        " WHERE context = ? AND first = 1",
        context,
    )


def told(store: Path, context: bytes) -> int:
    """Return up to which sequence the statuses in the store tell of a journal."""
    return _number(store, "SELECT max(told_next - 1, 0) FROM journal WHERE context = ?", context)


def _number(store: Path, query: str, context: bytes) -> int:
    if not store.exists():
        return 0
    with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True, timeout=1)) as connection:
        try:
            row = connection.execute(query, (context,)).fetchone()
        except sqlite3.OperationalError:
            return 0  # the schema is just being made, or the store is locked
    return 0 if row is None else int(row[0])


def checkpoint(path: Path) -> None:
    """Bring what a database's log holds into the database, so that it needs no log; not while anybody has it open."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
