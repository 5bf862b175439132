"""A table that takes no more rows, in the words of each kind of store."""

from sqlalchemy import Engine, Table

from cloud_receiver import database

_REFUSE = {
    "sqlite": "CREATE TRIGGER refusing BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'refused'); END",
    # Not for the rows that are there.
    "postgresql": "ALTER TABLE {table} ADD CONSTRAINT refusing CHECK (false) NOT VALID",
}


def refuse_rows(engine: Engine, table: Table) -> None:
    """Let a table take no more rows: an INSERT fails with IntegrityError."""
    with database.writing(engine) as connection:
        connection.exec_driver_sql(_REFUSE[engine.dialect.name].format(table=table.name))
