"""The store: migrations, durability settings, and the errors a person gets."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, bindparam, inspect, select
from sqlalchemy.exc import IntegrityError

from cloud_receiver import database
from cloud_receiver.schema import error_state, metadata, station


def test_upgrade_from_empty_matches_the_schema(tmp_path: Path) -> None:
    engine = database.open_store("sqlite:///store.sqlite", tmp_path)
    assert database.upgrade(engine) == (None, database.head())
    with database.reading(engine) as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    names = set(inspect(engine).get_table_names()) - {"alembic_version"}
    assert names == set(metadata.tables)
    assert database.upgrade(engine) == (database.head(), database.head())
    engine.dispose()


def test_upgrade_from_the_first_schema_keeps_what_is_there(tmp_path: Path) -> None:
    engine = database.open_store("sqlite:///store.sqlite", tmp_path)
    assert database.upgrade(engine, "0001") == (None, "0001")
    with database.writing(engine) as connection:
        connection.execute(station.insert().values(name="S1"))
    assert database.upgrade(engine) == ("0001", database.head())
    with database.reading(engine) as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        assert connection.execute(select(station.c.name)).scalars().all() == ["S1"]
    engine.dispose()


def test_an_upgrade_keeps_sums_that_nights_went_on_from(tmp_path: Path) -> None:
    engine = database.open_store("sqlite:///store.sqlite", tmp_path)
    database.upgrade(engine, "0010")
    names = ("station", "first_ms", "end_ms", "through_ms", "full_ms", "rows")
    row = dict.fromkeys(names, 1) | {"digest": "a" * 64, "state": b"DTE4"}
    with database.writing(engine) as connection:
        connection.execute(error_state.insert().values(row).inline())
    assert database.upgrade(engine)[0] == "0010"
    with database.reading(engine) as connection:
        # Of branches nothing is known: the next night takes all windows.
        assert connection.execute(select(error_state)).mappings().one() == row | {"branches": ""}
    engine.dispose()


def test_rows_of_readings_are_clustered_by_station_and_time(tmp_path: Path) -> None:
    engine = database.open_store("sqlite:///store.sqlite", tmp_path)
    database.upgrade(engine)
    with database.reading(engine) as connection:
        sql = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name='interval'").scalar_one()
    assert "WITHOUT ROWID" in sql
    assert [column.name for column in metadata.tables["interval"].primary_key][:2] == ["station", "start_ms"]
    engine.dispose()


def test_commits_are_durable(tmp_path: Path) -> None:
    engine = database.open_store("sqlite:///store.sqlite", tmp_path)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    engine.dispose()


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    engine = database.open_store("sqlite:///store.sqlite", tmp_path)
    database.upgrade(engine)

    def enter_twice() -> None:
        with database.writing(engine) as connection:
            connection.execute(station.insert().values(name="S1"))
            connection.execute(station.insert().values(name="S1"))

    with pytest.raises(IntegrityError):
        enter_twice()
    with database.reading(engine) as connection:
        assert connection.execute(select(station)).all() == []
    engine.dispose()


def test_rows_come_as_the_driver_has_them(engine: Engine) -> None:
    asked = select(station.c.id, station.c.name).where(station.c.name > bindparam("after")).order_by(station.c.name)
    with database.writing(engine) as connection:
        connection.execute(station.insert(), [{"name": f"T{number}"} for number in range(3)])
        rows = database.raw_rows(connection, asked, {"after": "T0"})
        assert [type(row) for row in rows] == [tuple, tuple]
        assert [name for _, name in rows] == ["T1", "T2"]
        assert list(database.raw_rows(connection, asked, {"after": "T2"})) == []


def test_an_old_schema_is_named_with_the_remedy(tmp_path: Path) -> None:
    engine = database.open_store("sqlite:///store.sqlite", tmp_path)
    with pytest.raises(database.StoreError, match="database upgrade"):
        database.require_current(engine)
    engine.dispose()


@pytest.mark.parametrize("url", ["no url", "sqlite//x"])
def test_a_wrong_url_is_named(url: str, tmp_path: Path) -> None:
    with pytest.raises(database.StoreError, match=r"centre\.database"):
        database.open_store(url, tmp_path)
