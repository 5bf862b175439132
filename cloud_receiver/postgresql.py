"""What PostgreSQL needs to be the store that SQLite is: one state for a reader, turns for writers, rows in bulk.

The driver is psycopg; nothing here imports it, so that a receiver with an SQLite store needs none.
"""

from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, ExceptionContext, Table, event, text
from sqlalchemy.exc import DBAPIError, OperationalError

from cloud_receiver.store_error import StoreError

DRIVER: Final = "psycopg"
BEFORE_COPY: Final = 16
"""Rows: below it an INSERT costs fewer round trips than COPY."""

OLDEST: Final = 15
"""Oldest version of the server that is tested and that its makers still support."""

_STORE: Final = 0x6469_616E_0000
_DEFAULTS: Final = {
    "application_name": "diantan-receiver",
    "client_encoding": "utf8",
    "connect_timeout": "5",
    # The event loop waits for the server: that its machine is gone must be known in less than a quarter of an hour.
    "keepalives_idle": "30",
    "tcp_user_timeout": "30000",
}
_BUSY: Final = frozenset({"55P03", "40P01", "40001"})  # lock_not_available, deadlock_detected, serialization_failure


class UnreachableError(StoreError, OperationalError):
    """There is no connection to the server; one that comes again later may be had, so it is both kinds of errors."""

    def __init__(self, url: URL, cause: BaseException) -> None:
        """Tell of the cause in one line."""
        super().__init__(None, None, cause)
        self._line = f"centre.database: no connection to {named(url)}: {one_line(cause)}"

    def __str__(self) -> str:
        """Return the line."""
        return self._line


def one_line(error: BaseException) -> str:
    """Return what an error says, in one line: the driver's own words have several."""
    return " ".join(str(error).split())


def named(url: URL) -> str:
    """Return what a URL leads to, without anything secret."""
    at = url.host or url.query.get("host") or "the local socket"
    where = at if isinstance(at, str) else ", ".join(at)
    port = f":{url.port}" if url.port else ""
    return f"database {url.database} of role {url.username} on {where}{port}"


def address(url: URL) -> URL:
    """Return a PostgreSQL URL with the driver, and how long a lost server is waited for where it does not say."""
    if "@" in (url.host or ""):
        # Else a part of the password would be looked up, and told of, as a host.
        raise StoreError("centre.database: an @ in the password of the URL has to be written as %40")
    if url.drivername == "postgresql":
        url = url.set(drivername=f"postgresql+{DRIVER}")
    return url.set(query={**_DEFAULTS, **url.query})


def prepare(engine: Engine, patience_ms: int) -> None:
    """Let each connection keep what it commits, and wait for a lock no longer than `patience_ms`."""

    def connected(connection: Any, _record: object) -> None:  # noqa: ANN401  # a connection of the driver
        with connection.cursor() as cursor:
            # A commit that the server only promises to write would be acknowledged to a gateway, which then forgets.
            cursor.execute(
                "SELECT set_config('lock_timeout', %s, false), "
                "set_config('synchronous_commit', replace(current_setting('synchronous_commit'), 'off', 'on'), false), "
                "current_setting('server_encoding')",
                (str(patience_ms),),
            )
            encoding = cursor.fetchone()[2]
        connection.commit()
        version = connection.info.server_version // 10_000
        if version < OLDEST:
            raise StoreError(f"centre.database: the server is PostgreSQL {version}, expected {OLDEST} or newer")
        if encoding != "UTF8":
            raise StoreError(
                f"centre.database: the database is encoded in {encoding}, expected UTF8: "
                "make it anew with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
            )

    def failed(context: ExceptionContext) -> BaseException | None:
        lost = context.connection is None and not context.is_pre_ping
        if lost and isinstance(context.sqlalchemy_exception, DBAPIError):
            return UnreachableError(engine.url, context.original_exception)
        return None

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "handle_error", failed)


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes")
    if writes:
        # As SQLite has one writer, so that what a transaction reads is so until it has written. Only those of the
        # intake go on beside each other, since they are many, short, and lock the gateways of which they write.
        shared = "_shared" if writes == "shared" else ""
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock{shared}({_STORE})")


class Turn(IntEnum):
    """What writers of the intake do one after the other; who needs several takes them in this order."""

    MESSAGES = 0x6469_616E_0003
    """Numbers of messages: whoever has seen one has seen all below it, as if they were given at the commit."""
    QUARANTINE = 0x6469_616E_0004
    """Rows of the quarantine: each continues the sums of the one before."""


def take_turn(connection: Connection, turn: Turn) -> None:
    """Wait until no other transaction has the turn, and keep it until the commit; SQLite has one writer anyway."""
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({turn.value})")


def is_busy(error: OperationalError) -> bool:
    """Return whether a statement failed because of another transaction only, and may succeed the next time."""
    return getattr(error.orig, "sqlstate", None) in _BUSY


def copy(connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Enter rows by COPY; raises what SQLAlchemy would raise of an INSERT."""
    dialect = connection.dialect
    preparer = dialect.identifier_preparer
    names = ", ".join(preparer.quote(name) for name in columns)
    statement = f"COPY {preparer.format_table(table)} ({names}) FROM STDIN"
    driver = connection.connection.driver_connection
    assert driver is not None
    assert dialect.dbapi is not None
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as channel:
            for row in rows:
                channel.write_row(row)
    except dialect.dbapi.Error as error:
        lost = dialect.is_disconnect(error, connection.connection, None)
        if lost:
            connection.invalidate(error)
        raise DBAPIError.instance(
            statement, None, error, dialect.dbapi.Error, connection_invalidated=lost, dialect=dialect
        ) from error


def order_text(connection: Connection) -> None:
    """Give every column of text the order of its bytes, as SQLite has it; after each upgrade of the schema.

    The server's own order depends on how the database was made, and an update of its operating system may change it
    under the indexes.
    """
    found = connection.execute(
        text(
            "SELECT table_name, column_name, data_type, character_maximum_length FROM information_schema.columns "
            "WHERE table_schema = current_schema() AND data_type IN ('text', 'character varying') "
            "AND collation_name IS DISTINCT FROM 'C' AND table_name <> 'alembic_version' ORDER BY 1, 2"
        )
    ).all()
    quote = connection.dialect.identifier_preparer.quote_identifier
    changes: dict[str, list[str]] = {}
    for row in found:
        kind = "text" if row.data_type == "text" else f"varchar({row.character_maximum_length})"
        changes.setdefault(row.table_name, []).append(f'ALTER COLUMN {quote(row.column_name)} TYPE {kind} COLLATE "C"')
    for table, columns in changes.items():
        connection.exec_driver_sql(f"ALTER TABLE {quote(table)} {', '.join(columns)}")


def dangers(connection: Connection) -> list[str]:
    """Return what of the server's settings may lose what it has committed, when its machine fails."""
    settings = ("fsync", "full_page_writes")
    rows = connection.execute(text("SELECT name FROM pg_settings WHERE setting <> 'on' ORDER BY name")).scalars()
    return [name for name in rows if name in settings]
