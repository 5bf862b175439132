"""The journal's tables, and opening its SQLite file with the durability that "written" promises."""

import sqlite3
from pathlib import Path
from typing import Final

SCHEMA_VERSION: Final = 3
APPLICATION_ID: Final = 0x4454_4A4C  # "DTJL", so that `file` and we recognise a journal

KIND_INTERVAL: Final = 0
KIND_FREEZE: Final = 1
KIND_ADJUSTMENT: Final = 2
KIND_EVENT: Final = 3

# start_ms: an interval's or adjustment's start, a freeze's or event's time, of a charge order when it was read.
# clock_state: when the record was made (wire.records). body: wire.row. notes: what is still to be asked of a meter
# (agent.notes); version 1 had none. centre_ms: the newest time that the centre has signed to this gateway. commands:
# what the centre ordered; outcome is NULL until it is known, reply the payload (wire.commands) that answers it. Version
# 2 had neither.
_COMMANDS: Final = """CREATE TABLE commands (
    id BLOB PRIMARY KEY NOT NULL CHECK (length(id) = 16),
    issued_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    verb INTEGER NOT NULL,
    outcome INTEGER,
    reply BLOB
) STRICT"""
_TABLES: Final = f"""
CREATE TABLE header (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    context BLOB NOT NULL CHECK (length(context) = 8),
    created_ms INTEGER NOT NULL,
    next_sequence INTEGER NOT NULL,
    acknowledged INTEGER NOT NULL,
    sent INTEGER NOT NULL,
    dropped INTEGER NOT NULL,
    closed_cleanly INTEGER NOT NULL,
    centre_ms INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE records (
    sequence INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    meter TEXT,
    start_ms INTEGER NOT NULL,
    clock_state INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX records_by_time ON records (start_ms, kind);
CREATE TABLE meters (
    meter TEXT PRIMARY KEY,
    state BLOB,
    serial_number INTEGER,
    adjusted_forward_ng TEXT NOT NULL DEFAULT '0',
    adjusted_reverse_ng TEXT NOT NULL DEFAULT '0',
    notes BLOB
) STRICT, WITHOUT ROWID;
CREATE TABLE factors (
    start_ms INTEGER PRIMARY KEY,
    factor INTEGER,
    solve_id BLOB NOT NULL,
    issued_ms INTEGER NOT NULL
) STRICT;
{_COMMANDS};
"""


_UPGRADES: Final = {  # by the version from which each leads to the next
    1: ("ALTER TABLE meters ADD COLUMN notes BLOB",),
    2: ("ALTER TABLE header ADD COLUMN centre_ms INTEGER NOT NULL DEFAULT 0", _COMMANDS),
}


class JournalError(Exception):
    """The journal can't be used; the text names the file and says what to do."""


class StorageFullError(JournalError):
    """Nothing can be written at the moment: the disk is full or refuses; what was to be written is unchanged."""


# Conditions that end when somebody makes room or the disk answers again; anything else stops the program.
_PASSING: Final = frozenset(
    {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_CANTOPEN}
)
_PRIMARY_CODE: Final = 0xFF  # the low octet of an extended result code


def translated(error: sqlite3.Error, path: Path) -> JournalError:
    """Return SQLite's error as one of ours."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & _PRIMARY_CODE in _PASSING:
        return StorageFullError(f"{path}: {error}")
    return damaged(path, str(error))


def damaged(path: Path, why: str) -> JournalError:
    """Return the error for a journal that can't be trusted."""
    return JournalError(
        f"{path}: the journal is damaged: {why}. Nothing was changed. Keep the file for recovery: "
        "`diantan-agent journal set-aside` renames it, and the next run opens a new context"
    )


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Open the file, without changing it; sqlite3.Error when that fails."""
    mode = "ro" if read_only else "rwc"
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    # The one thread that uses it is not the one that opened it (agent.writer).
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False, timeout=10)
    connection.execute("PRAGMA cache_size = -2000")  # 2 MB: the gateway is small
    return connection


def prepare(connection: sqlite3.Connection) -> None:
    """Set how a journal is written; this changes the file, so it must be known to be ours."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")  # a commit returns when the log is on the disk
    connection.execute("PRAGMA journal_size_limit = 4194304")


def create(connection: sqlite3.Connection, context: bytes, now_ms: int) -> None:
    """Make the tables of an empty file, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement in _TABLES.split(";"):
            connection.execute(statement)
        connection.execute("INSERT INTO header VALUES (1, ?, ?, 1, 0, 0, 0, 0, 0)", (context, now_ms))
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def upgrade(connection: sqlite3.Connection) -> None:
    """Bring the tables of an earlier version to this one, in one transaction."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == SCHEMA_VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in range(version, SCHEMA_VERSION):
            for statement in _UPGRADES[step]:
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def check_version(connection: sqlite3.Connection, path: Path) -> bool:
    """Return whether the file has our tables, of this version or an earlier one; JournalError for anything else."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if not tables:
        return False
    if application != APPLICATION_ID:
        raise JournalError(f"{path}: expected a journal of diantan-agent, found another SQLite database")
    if not 1 <= version <= SCHEMA_VERSION:
        raise JournalError(f"{path}: expected journal schema 1 to {SCHEMA_VERSION}, found {version}")
    return True
