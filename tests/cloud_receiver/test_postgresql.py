"""What is PostgreSQL's own of the store: durability, the order of text, turns of writers, COPY, and what is refused."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from postgresql_support import Server
from sqlalchemy import Engine, func, insert, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError

from cloud_receiver import database, postgresql
from cloud_receiver.schema import interval, message, station


@pytest.fixture
def address(postgresql_server: Server, postgresql_template: str) -> Iterator[str]:
    """Return the address of a database with the newest schema."""
    name = postgresql_server.create(template=postgresql_template)
    yield postgresql_server.address(name)
    postgresql_server.drop(name)


@pytest.fixture
def opened(address: str) -> Iterator[Callable[[], Engine]]:
    """Open the database, each time as another program would."""
    engines: list[Engine] = []

    def open_another() -> Engine:
        engines.append(database.open_store(address, Path()))
        return engines[-1]

    yield open_another
    for engine in engines:
        engine.dispose()


@pytest.fixture
def engine(opened: Callable[[], Engine]) -> Engine:
    """Open the database."""
    return opened()


def shown(engine: Engine, setting: str) -> Any:
    with engine.connect() as connection:
        return connection.execute(text(f"SHOW {setting}")).scalar_one()


@pytest.mark.parametrize(
    ("before", "now"), [("off", "on"), ("on", "on"), ("local", "local"), ("remote_apply", "remote_apply")]
)
def test_a_commit_is_never_only_promised(before: str, now: str, postgresql_server: Server, engine: Engine) -> None:
    name = engine.url.database
    postgresql_server.execute(f"ALTER DATABASE {name} SET synchronous_commit = {before}")
    engine.dispose()
    assert shown(engine, "synchronous_commit") == now


def test_a_lock_is_waited_for_as_long_as_sqlite_does(engine: Engine) -> None:
    assert shown(engine, "lock_timeout") == f"{database.BUSY_TIMEOUT_MS // 1000}s"


def test_a_server_that_may_lose_commits_is_told_of(engine: Engine, postgresql_durable: Server) -> None:
    with database.reading(engine) as connection:
        assert postgresql.dangers(connection) == ["fsync", "full_page_writes"]
    careful = database.open_store(postgresql_durable.address("postgres"), Path())
    with database.reading(careful) as connection:
        assert postgresql.dangers(connection) == []
    careful.dispose()


def test_a_database_of_another_encoding_is_refused(postgresql_server: Server) -> None:
    postgresql_server.execute(
        "CREATE DATABASE ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LOCALE 'C'"
    )
    engine = database.open_store(postgresql_server.address("ascii"), Path())
    try:
        with pytest.raises(database.StoreError, match="encoded in SQL_ASCII, expected UTF8: make it anew"):
            database.upgrade(engine)
    finally:
        engine.dispose()
        postgresql_server.drop("ascii")


@pytest.mark.parametrize("url", ["mysql://u@h/d", "postgresql+asyncpg://u@h/d", "oracle://u@h/d"])
def test_other_databases_and_drivers_are_refused(url: str) -> None:
    with pytest.raises(database.StoreError, match=r"centre\.database"):
        database.open_store(url, Path())


def test_a_missing_driver_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(database.StoreError, match=r"pip install 'diantan\[postgresql\]'"):
        database.open_store("postgresql://u@h/d", Path())


def test_a_lost_server_is_not_waited_for_for_ever() -> None:
    asked = postgresql.address(make_url("postgresql://u@h/d?connect_timeout=2"))
    assert asked.drivername == "postgresql+psycopg"
    assert asked.query["connect_timeout"] == "2"
    assert asked.query["tcp_user_timeout"] == "30000"


def test_text_is_ordered_by_its_bytes(engine: Engine) -> None:
    names = ["b", "A", "a", "B", "站", "S-1", "S1", "é", "z"]
    with database.writing(engine) as connection:
        # The cluster's own order would be a, A, b, B, é, …: else this test could not fail.
        own = [
            row[0]
            for row in connection.execute(
                text("SELECT x FROM unnest(CAST(:names AS text[])) x ORDER BY x"), {"names": names}
            )
        ]
        connection.execute(insert(station), [{"name": name} for name in names])
    with database.reading(engine) as connection:
        assert list(connection.execute(select(station.c.name).order_by(station.c.name)).scalars()) == sorted(names)
    assert own != sorted(names)


def test_every_column_of_text_has_the_order_of_bytes(engine: Engine) -> None:
    with database.reading(engine) as connection:
        rows = connection.execute(
            text(
                "SELECT table_name, collation_name FROM information_schema.columns WHERE table_schema = 'public' "
                "AND data_type IN ('text', 'character varying') AND table_name <> 'alembic_version'"
            )
        ).all()
    assert {row.collation_name for row in rows} == {"C"}
    assert {row.table_name for row in rows} >= {"station", "factor", "finding", "charge_order"}


def test_a_reader_sees_one_state_and_can_write_nothing(engine: Engine, opened: Callable[[], Engine]) -> None:
    other = opened()
    with database.reading(engine) as connection:
        count = select(func.count()).select_from(station)
        assert connection.execute(count).scalar() == 0
        with database.writing(other) as writer:
            writer.execute(insert(station).values(name="S1"))
        assert connection.execute(count).scalar() == 0
        with pytest.raises(DBAPIError, match="read-only transaction"):
            connection.execute(insert(station).values(name="S2"))
        connection.rollback()
    with database.reading(engine) as connection:
        assert connection.execute(count).scalar() == 1


@pytest.mark.parametrize(
    ("first", "second", "waits"),
    [
        (database.writing, database.writing, True),
        (database.writing, database.taking_in, True),
        (database.taking_in, database.writing, True),
        (database.taking_in, database.taking_in, False),
    ],
    ids=["writer-writer", "writer-intake", "intake-writer", "intake-intake"],
)
def test_there_is_one_writer_at_a_time_except_for_the_intake(
    first: Any, second: Any, waits: bool, opened: Callable[[], Engine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 20)
    one, other = opened(), opened()
    with first(one):
        if waits:
            with pytest.raises(OperationalError) as failed, second(other):
                pass
            assert database.is_busy(failed.value)
        else:
            with second(other) as connection:
                connection.execute(insert(station).values(name="S1"))
    with second(other) as connection:
        connection.execute(insert(station).values(name="S2"))


def test_other_failures_are_not_taken_for_a_busy_store(engine: Engine) -> None:
    engine.dispose()
    lost = database.open_store("postgresql://u@/d?host=/nowhere", Path())
    with pytest.raises(OperationalError) as failed, database.reading(lost):
        pass
    assert not database.is_busy(failed.value)


INTERVAL = [column.name for column in interval.columns]


def rows_of(count: int, **other: object) -> list[tuple[Any, ...]]:
    made = {column.name: 1 for column in interval.columns} | {"factor": None} | other
    return [tuple((made | {"sequence": number})[name] for name in INTERVAL) for number in range(count)]


@pytest.mark.parametrize("count", [1, postgresql.BEFORE_COPY - 1, postgresql.BEFORE_COPY, 1000])
def test_rows_are_entered_the_same_by_insert_and_by_copy(count: int, engine: Engine) -> None:
    rows = rows_of(count, forward_total_mwh=2**63 - 1, forward_mwh=-(2**63))
    with database.writing(engine) as connection:
        database.enter_rows(connection, interval, INTERVAL, rows)
    with database.reading(engine) as connection:
        assert [tuple(row) for row in connection.execute(select(interval).order_by(interval.c.sequence))] == rows


@pytest.mark.parametrize("count", [2, 100])
@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"start_ms": None}, IntegrityError),
        ({"forward_mwh": 2**63}, DataError),
        ({"quality": 2**15}, DataError),
    ],
    ids=["null", "int8", "int2"],
)
def test_what_the_store_will_never_take_is_known_as_such(
    count: int, changed: dict[str, object], error: type[Exception], engine: Engine
) -> None:
    rows = rows_of(count)
    rows[-1] = rows_of(count, **changed)[-1]
    with pytest.raises(error), database.writing(engine) as connection:
        database.enter_rows(connection, interval, INTERVAL, rows)
    with database.writing(engine) as connection:
        assert connection.execute(select(func.count()).select_from(interval)).scalar() == 0
        database.enter_rows(connection, interval, INTERVAL, rows[:-1])


def test_a_key_that_is_there_is_known_as_such_by_copy(engine: Engine) -> None:
    rows = rows_of(100)
    with pytest.raises(IntegrityError), database.writing(engine) as connection:
        database.enter_rows(connection, interval, INTERVAL, [*rows, rows[50]])


def test_bytes_and_text_of_any_content_come_back(engine: Engine) -> None:
    columns = [column.name for column in message.columns if column.name != "id"]
    hostile = "\\N\t\\.\n'\"{},%s 站\x7f"
    content = bytes(range(256)) * 3
    made = dict.fromkeys(columns, 1) | {"topic": hostile, "kid": content[:8], "envelope": content}
    rows = [tuple((made | {"first": number})[name] for name in columns) for number in range(100)]
    with database.writing(engine) as connection:
        connection.execute(text("ALTER TABLE message DROP CONSTRAINT fk_message_journal"))
        database.enter_rows(connection, message, columns, rows)
        found = connection.execute(select(message.c.topic, message.c.envelope).distinct()).all()
    assert [(row.topic, bytes(row.envelope)) for row in found] == [(hostile, content)]


def test_a_connection_that_ended_is_replaced(engine: Engine, postgresql_server: Server) -> None:
    with database.reading(engine):
        pass
    postgresql_server.execute(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{engine.url.database}'"
    )
    with database.reading(engine) as connection:
        assert connection.execute(select(func.count()).select_from(station)).scalar() == 0


def test_a_connection_that_ends_in_the_middle_of_a_copy_leaves_nothing(
    engine: Engine, postgresql_server: Server
) -> None:
    def cut(count: int) -> Iterator[tuple[Any, ...]]:
        for number, row in enumerate(rows_of(count)):
            if number == 10:
                postgresql_server.execute(
                    f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{engine.url.database}'"
                )
            yield row

    with pytest.raises(OperationalError) as failed, database.writing(engine) as connection:
        postgresql.copy(connection, interval, INTERVAL, cut(20_000))
    assert failed.value.connection_invalidated
    with database.writing(engine) as connection:
        assert connection.execute(select(func.count()).select_from(interval)).scalar() == 0
