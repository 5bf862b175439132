"""The life of a finding (发现): open, acknowledged by a person, closed when its cause is gone; no row is deleted."""

from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, Table, insert, update

OPEN: Final = "open"
ACKNOWLEDGED: Final = "acknowledged"
CLOSED: Final = "closed"

Row: TypeAlias = Any  # a row of SQLAlchemy, whose type parameters are not the same in all its versions
Key: TypeAlias = tuple[tuple[str, object], ...]
"""What a finding is about: columns and their values."""
Note: TypeAlias = Callable[[int, str, Row | None], None]
"""Told of each change: the finding's number, what became of it, and its row before."""
OPENED: Final = "opened"
CHANGED: Final = "changed"
REOPENED: Final = "reopened"


def settle(
    connection: Connection,
    table: Table,
    stored: Mapping[Key, Row],
    wanted: Mapping[Key, Mapping[str, object]],
    now_ms: int,
    *,
    note: Note = lambda _number, _change, _before: None,
) -> tuple[int, int]:
    """Make the findings `stored` those that are `wanted`, with their values; return (opened, closed).

    One that no longer holds is closed; one that a person has acknowledged stays acknowledged.
    """
    opened = closed = 0
    for key, values in wanted.items():
        row = stored.get(key)
        if row is None:
            opened += 1
            times = {"opened_ms": now_ms, "updated_ms": now_ms}
            new = insert(table).values(**dict(key), state=OPEN, **times, **values).returning(table.c.id)
            note(connection.execute(new).scalar_one(), OPENED, None)
        elif row.state == CLOSED or any(getattr(row, name) != value for name, value in values.items()):
            again = {}
            if row.state == CLOSED:
                opened += 1
                again = {"state": OPEN, "closed_ms": None}
            connection.execute(update(table).where(table.c.id == row.id).values(updated_ms=now_ms, **values, **again))
            note(row.id, REOPENED if again else CHANGED, row)
    for key, row in stored.items():
        if key not in wanted and row.state != CLOSED:
            closed += 1
            over = {"state": CLOSED, "closed_ms": now_ms, "updated_ms": now_ms}
            connection.execute(update(table).where(table.c.id == row.id).values(**over))
            note(row.id, CLOSED, row)
    return opened, closed


def acknowledge(connection: Connection, table: Table, number: int, now_ms: int) -> bool:
    """Note that a person has seen an open finding; return whether there was one."""
    result = connection.execute(
        update(table).where(table.c.id == number, table.c.state == OPEN).values(state=ACKNOWLEDGED, updated_ms=now_ms)
    )
    return result.rowcount > 0
