"""The connection to the store: durable SQLite by default, PostgreSQL by URL; migrations run from inside the package."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import URL, Connection, Engine, Select, Table, create_engine, event
from sqlalchemy.dialects import postgresql as postgresql_dialect
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, OperationalError

from cloud_receiver import postgresql
from cloud_receiver.store_error import StoreError

__all__ = [
    "BUSY_TIMEOUT_MS",
    "StoreError",
    "enter_rows",
    "head",
    "insert_statement",
    "is_busy",
    "is_current",
    "open_store",
    "raw_rows",
    "reading",
    "require_current",
    "taking_in",
    "upgrade",
    "upsert",
    "warnings",
    "writing",
]

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_TIMEOUT_MS = 5000
"""How long a transaction waits for others."""
_SNAPSHOT: Final[Mapping[str, Mapping[str, Any]]] = {
    "sqlite": {},
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}


def open_store(url: str, directory: Path) -> Engine:
    """Return an engine; a relative SQLite file lies in `directory`, which is created. StoreError for a bad URL."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        # Neither the URL nor the error that quotes it: there may be a password in it.
        raise StoreError(
            "centre.database: expected an SQLAlchemy URL such as sqlite:///receiver.sqlite or "
            "postgresql://ROLE@HOST/DATABASE"
        ) from None
    backend = parsed.get_backend_name()
    if backend not in _SNAPSHOT:
        raise StoreError(f"centre.database: expected sqlite or postgresql, found {backend}")
    if backend == "sqlite" and parsed.database and parsed.database != ":memory:":
        file = directory / parsed.database
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"centre.data_dir: {file.parent} can't be made: {error.strerror}") from error
        parsed = parsed.set(database=str(file))
    return _sqlite(parsed) if backend == "sqlite" else _postgresql(postgresql.address(parsed))


def _sqlite(url: URL) -> Engine:
    engine = create_engine(url)
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _postgresql(url: URL) -> Engine:
    try:
        # Asked for: a server that was started again has ended the connections that wait in the pool.
        engine = create_engine(url, isolation_level="READ COMMITTED", pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise StoreError(
            f"centre.database: the driver of {url.drivername} is not installed: pip install 'diantan[postgresql]'"
        ) from error
    if engine.dialect.driver != postgresql.DRIVER:
        raise StoreError(f"centre.database: expected the driver {postgresql.DRIVER}, found {engine.dialect.driver}")
    postgresql.prepare(engine, BUSY_TIMEOUT_MS)
    return engine


def _configure_sqlite(connection: Any, _record: object) -> None:  # noqa: ANN401  # whatever DB-API the engine has
    connection.isolation_level = None  # the driver starts no transaction of its own: `begin` below does
    cursor = connection.cursor()
    # FULL: what was acknowledged survives a power cut (design section 5).
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        "cache_size=-65536",
        "wal_autocheckpoint=4000",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the lock at once: two receivers that both read first would otherwise fail when they write.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Open a write transaction, committed at the end and rolled back on any error; there is one at a time."""
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        yield connection


@contextmanager
def taking_in(engine: Engine) -> Iterator[Connection]:
    """Open a write transaction of the intake: as `writing`, but on PostgreSQL others of its kind go on beside it.

    It has to lock the rows of the gateways of which it writes, in the order of their numbers, before it reads of them.
    """
    with engine.connect().execution_options(writes="shared") as connection, connection.begin():
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that sees one state of the store."""
    with engine.connect().execution_options(**_SNAPSHOT[engine.dialect.name]) as connection, connection.begin():
        yield connection


def warnings(engine: Engine) -> list[str]:
    """Return what of the store's settings may lose what was acknowledged."""
    if engine.dialect.name != "postgresql":
        return []
    with reading(engine) as connection:
        return [
            f"the server has {name} off: a failure of its machine loses what was acknowledged"
            for name in postgresql.dangers(connection)
        ]


def is_busy(error: OperationalError) -> bool:
    """Return whether the store failed only because others use it, and may work the next time."""
    cause = error.orig
    if isinstance(cause, sqlite3.OperationalError):
        return cause.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
    return postgresql.is_busy(error)


def raw_rows(connection: Connection, statement: Select[Any], values: Mapping[str, object]) -> Sequence[Any]:
    """Return the rows of a query as the driver's own tuples: for columns that it gives as they were stored."""
    result = connection.execute(statement, values)
    assert result.cursor is not None
    rows = result.cursor.fetchall()
    result.close()
    return rows


def enter_rows(connection: Connection, table: Table, columns: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
    """Enter rows the shortest way from the decoder into the store: COPY on PostgreSQL, else the driver's own INSERT."""
    if connection.dialect.name == "postgresql" and len(rows) >= postgresql.BEFORE_COPY:
        postgresql.copy(connection, table, columns, rows)
    elif rows:
        connection.exec_driver_sql(insert_statement(table, columns, connection.engine), rows)


def insert_statement(table: Table, columns: Sequence[str], engine: Engine) -> str:
    """Return the driver's own INSERT for rows as tuples."""
    style = engine.dialect.paramstyle
    quote = engine.dialect.identifier_preparer
    names = ", ".join(quote.quote(column) for column in columns)
    marks = ", ".join(
        "?" if style == "qmark" else f"${number}" if style == "numeric_dollar" else "%s"
        for number in range(1, len(columns) + 1)
    )
    return f"INSERT INTO {quote.format_table(table)} ({names}) VALUES ({marks})"  # noqa: S608  # names of the schema


def upsert(
    connection: Connection,
    table: Table,
    key: Mapping[str, object],
    *,
    add: Mapping[str, int],
    first: Mapping[str, object] | None = None,
    last: Mapping[str, object] | None = None,
) -> None:
    """Enter a row, or increase that of the key by `add` and set `last`; `first` is what only a new row gets."""
    values = {**key, **add, **(first or {}), **(last or {})}
    # One statement: two receivers of one PostgreSQL store may be the first at the same time.
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql_dialect.insert
    changes = {name: table.c[name] + number for name, number in add.items()} | dict(last or {})
    connection.execute(insert(table).values(values).on_conflict_do_update(index_elements=list(key), set_=changes))


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def upgrade(engine: Engine, revision: str | None = None) -> tuple[str | None, str]:
    """Bring the schema to the newest revision, or to `revision`; return (revision before, revision now)."""
    wanted = head() if revision is None else revision
    config = _alembic()
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        before = MigrationContext.configure(connection).get_current_revision()
        if before is not None and not _known(before):
            raise _newer(before)
        config.attributes["connection"] = connection
        command.upgrade(config, wanted)
    return before, wanted


def head() -> str:
    """Return the newest revision this program knows."""
    revision = ScriptDirectory.from_config(_alembic()).get_current_head()
    assert revision is not None
    return revision


def _known(revision: str) -> bool:
    try:
        return ScriptDirectory.from_config(_alembic()).get_revision(revision) is not None
    except CommandError:
        return False


def _newer(revision: str) -> StoreError:
    return StoreError(f"the store has schema {revision}, made by a newer program than this one ({head()}): update it")


def is_current(engine: Engine) -> bool:
    """Return whether the schema is the one this program was written for."""
    return _revision(engine) == head()


def _revision(engine: Engine) -> str | None:
    with reading(engine) as connection:
        return MigrationContext.configure(connection).get_current_revision()


def require_current(engine: Engine) -> None:
    """Raise StoreError unless the schema is the one this program was written for."""
    revision = _revision(engine)
    if revision is not None and not _known(revision):
        raise _newer(revision)
    if revision != head():
        raise StoreError(
            f"the store has schema {revision or 'none'}, expected {head()}: run `diantan-receiver database upgrade`"
        )
