"""Days that are noted to be checked anew (重新核查): who takes one, and what becomes of one whose check fails.

A day is taken by putting it off: no other process that works on the store takes it for as long, nor for ever if this
one ends. One that fails is tried again, later and later, a bounded number of times; then it stays noted, and is tried
again when a person asks for it, or after the next start, which mostly brings what was put right.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from cloud_receiver.schema import recheck

_MINUTE_MS: Final = 60_000
TAKEN_MS: Final = 10 * _MINUTE_MS
"""For how long a process has a day for itself; a portion takes a second or two."""
PAUSES_MS: Final = (10 * _MINUTE_MS, 60 * _MINUTE_MS, 360 * _MINUTE_MS, 1440 * _MINUTE_MS)
"""How long a day is left alone after each failure."""
MOST_TRIES: Final = len(PAUSES_MS) + 1


@dataclass(frozen=True, slots=True)
class Failed:
    """How often a day's check has failed, and when it is tried again; None: no more."""

    tries: int
    due_ms: int | None


def ask(connection: Connection, station: int, days: Iterable[int], who: str, now_ms: int) -> int:
    """Note that a person wants days checked anew; return how many were not noted before, or had failed."""
    wanted = set(days)
    new = _enter(connection, station, wanted, who, now_ms, due_ms=0)
    others = wanted - new
    if not others:
        return len(new)
    mine = and_(recheck.c.station == station, recheck.c.day_ms.in_(sorted(others)))
    connection.execute(update(recheck).where(mine, recheck.c.asked_by == "").values(asked_by=who, asked_ms=now_ms))
    failed = update(recheck).where(mine, recheck.c.tries > 0).values(tries=0, due_ms=0)
    return len(new) + connection.execute(failed).rowcount


def take(connection: Connection, station: int, days: Mapping[int, str | None], now_ms: int) -> set[int]:
    """Take days for this process: those that are due, or not noted at all; return which no other has taken."""
    due_ms = now_ms + TAKEN_MS
    new = _enter(connection, station, [day for day, who in days.items() if who is None], "", now_ms, due_ms=due_ms)
    mine = and_(recheck.c.station == station, recheck.c.day_ms.in_(sorted(days.keys() - new)))
    taken = update(recheck).where(mine, _due(now_ms)).values(due_ms=due_ms).returning(recheck.c.day_ms)
    return new | set(connection.execute(taken).scalars())


def _enter(
    connection: Connection, station: int, days: Collection[int], who: str, now_ms: int, *, due_ms: int
) -> set[int]:
    """Note days that are not noted yet; return which."""
    if not days:
        return set()
    rows = [
        {"station": station, "day_ms": day, "asked_by": who, "asked_ms": now_ms, "due_ms": due_ms}
        for day in sorted(days)
    ]
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    # Two that ask at once: one of them enters the day.
    statement = insert(recheck).on_conflict_do_nothing().returning(recheck.c.day_ms)
    return set(connection.execute(statement, rows).scalars())


def done(connection: Connection, station: int, days: Collection[int]) -> None:
    """Take note that days have been checked anew."""
    connection.execute(delete(recheck).where(recheck.c.station == station, recheck.c.day_ms.in_(sorted(days))))


def failed(connection: Connection, station: int, day_ms: int, now_ms: int) -> Failed:
    """Take note that the check of a day has failed; return what becomes of it."""
    mine = and_(recheck.c.station == station, recheck.c.day_ms == day_ms)
    tries = (connection.execute(select(recheck.c.tries).where(mine)).scalar() or 0) + 1
    due_ms = now_ms + PAUSES_MS[tries - 1] if tries < MOST_TRIES else None
    connection.execute(update(recheck).where(mine).values(tries=tries, due_ms=due_ms or now_ms))
    return Failed(tries, due_ms)


def begin(connection: Connection) -> int:
    """Let all days that have failed be tried anew, as after a start; return how many."""
    return connection.execute(update(recheck).where(recheck.c.tries > 0).values(tries=0, due_ms=0)).rowcount


def any_failed(connection: Connection) -> bool:
    """Return whether the check of a noted day has failed."""
    return connection.execute(select(recheck.c.day_ms).where(recheck.c.tries > 0).limit(1)).first() is not None


def waiting(connection: Connection) -> int:
    """Return how many days are noted and not given up."""
    still = select(func.count()).select_from(recheck).where(recheck.c.tries < MOST_TRIES)
    return connection.execute(still).scalar_one()


def following(connection: Connection, station: int, now_ms: int) -> int | None:
    """Return the first station after a number of which a day is due."""
    first = select(recheck.c.station).where(recheck.c.station > station, _due(now_ms)).order_by(recheck.c.station)
    return connection.execute(first.limit(1)).scalar()


def due(connection: Connection, station: int, now_ms: int) -> dict[int, str | None]:
    """Return the days of a station that are due, with who asked for each; None: nobody had to."""
    rows = connection.execute(
        select(recheck.c.day_ms, recheck.c.asked_by).where(recheck.c.station == station, _due(now_ms))
    )
    return {row.day_ms: row.asked_by or None for row in rows}


def noted(connection: Connection, station: int) -> set[int]:
    """Return all days of a station that are noted, whatever became of them."""
    return set(connection.execute(select(recheck.c.day_ms).where(recheck.c.station == station)).scalars())


def _due(now_ms: int) -> ColumnElement[bool]:
    return and_(recheck.c.due_ms <= now_ms, recheck.c.tries < MOST_TRIES)
