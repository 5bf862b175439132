"""Each schema there ever was, with a row in every table, brought to the newest one; on both kinds of stores."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import BigInteger, Connection, Double, Engine, LargeBinary, MetaData, Table, select

from cloud_receiver import database
from cloud_receiver.schema import metadata


def _revisions() -> list[str]:
    config = Config()
    config.set_main_option("script_location", str(database.MIGRATIONS))
    return sorted(script.revision for script in ScriptDirectory.from_config(config).walk_revisions())


@pytest.fixture
def empty(store_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Open a store without a schema."""
    if store_kind == "sqlite":
        engine = database.open_store("sqlite:///empty.sqlite", tmp_path)
        yield engine
        engine.dispose()
        return
    server = request.getfixturevalue("postgresql_server")
    name = server.create()
    engine = database.open_store(server.address(name), tmp_path)
    yield engine
    engine.dispose()
    server.drop(name)


def _value(table: Table, name: str) -> object:
    kind = table.c[name].type
    if isinstance(kind, LargeBinary):
        return bytes(range(256))[-4:]
    if isinstance(kind, Double):
        return 0.1
    if kind.python_type is int:
        # Every number refers to the one row of the table it may refer to; others are as large as their column allows.
        key = name == "id" or table.c[name].foreign_keys or not isinstance(kind, BigInteger)
        return 1 if key else 2**63 - 1
    return "站"


def _fill(connection: Connection) -> dict[str, dict[str, Any]]:
    """Enter a row into every table; return them."""
    present = MetaData()
    present.reflect(connection)
    rows = {}
    for table in present.sorted_tables:
        if table.name != "alembic_version":
            rows[table.name] = {column.name: _value(table, column.name) for column in table.columns}
            connection.execute(table.insert().values(rows[table.name]))
    return rows


def _differences(connection: Connection) -> list[Any]:
    return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)


def test_an_empty_store_gets_the_schema_that_the_program_uses(empty: Engine) -> None:
    assert database.upgrade(empty) == (None, database.head())
    with database.reading(empty) as connection:
        assert _differences(connection) == []
    assert database.is_current(empty)


@pytest.mark.parametrize("revision", _revisions()[:-1])
def test_an_upgrade_keeps_a_row_of_every_table(revision: str, empty: Engine) -> None:
    database.upgrade(empty, revision)
    with database.writing(empty) as connection:
        rows = _fill(connection)
    assert len(rows) >= 15
    assert database.upgrade(empty) == (revision, database.head())
    with database.reading(empty) as connection:
        assert _differences(connection) == []
        for name, row in rows.items():
            found = connection.execute(select(metadata.tables[name])).mappings().one()
            assert {key: found[key] for key in row} == row, name


def test_an_upgrade_that_fails_leaves_the_schema_as_it_was(empty: Engine) -> None:
    database.upgrade(empty, "0001")
    with database.writing(empty) as connection:
        before = _fill(connection)
        connection.exec_driver_sql("CREATE TABLE error_estimate (x INTEGER)")  # what revision 0008 makes is in its way
    with pytest.raises(Exception, match="error_estimate"):
        database.upgrade(empty)
    with database.writing(empty) as connection:
        connection.exec_driver_sql("DROP TABLE error_estimate")
    assert database.upgrade(empty) == ("0001", database.head())
    with database.reading(empty) as connection:
        assert connection.execute(select(metadata.tables["station"].c.name)).scalars().all() == [
            before["station"]["name"]
        ]


def test_who_comes_second_finds_the_schema_made(empty: Engine, tmp_path: Path) -> None:
    other = database.open_store(str(empty.url), tmp_path)
    assert not database.is_current(other)
    database.upgrade(empty)
    assert database.upgrade(other) == (database.head(), database.head())
    other.dispose()
