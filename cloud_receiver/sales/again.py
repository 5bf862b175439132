"""Notices for later: days and months that are to be judged again after what came late has settled."""

from typing import Final

from sqlalchemy import Connection, insert, select

from cloud_receiver.grid.analysis.periods import By, period_of
from cloud_receiver.sales import store
from cloud_receiver.sales.spans import open_spans
from cloud_receiver.sales.window import BACK_MS, Window
from cloud_receiver.schema import dirty

SLOT_MS: Final = 900_000
AFTER_MS: Final = 900_000
"""How long after a change of a day those that depend on it are judged again: what comes late comes in crowds."""


def later(connection: Connection, day: Window, time_ms: int, due_ms: int) -> None:
    """Leave a notice for later, unless there is one."""
    station = day.context.number
    mine = (dirty.c.station == station, dirty.c.first_ms == time_ms, dirty.c.last_ms == time_ms)
    there = connection.execute(select(dirty.c.id).where(*mine, dirty.c.due_ms > day.now_ms).limit(1)).scalar()
    if there is None:
        values = {"station": station, "first_ms": time_ms, "last_ms": time_ms, "due_ms": due_ms}
        connection.execute(insert(dirty).values(values))


def following_days(connection: Connection, day: Window) -> None:
    """See to it that the days are judged again whose orders, or whose balance, reach back into one with late data.

    Notices of this kind have a time at which they are due, and those of what came have none: no day passes them on.
    """
    if day.end_ms >= day.now_ms or not _has_news(connection, day):
        return
    around = day.end_ms - day.clock_ms, day.end_ms + BACK_MS
    orders = store.in_force(connection, day.context.number, *around, without=day.crowds)
    spans = open_spans(orders, day.clock_ms)
    open_ms = next((last for first, last in spans if first < day.end_ms < last), day.end_ms)
    at = day.end_ms
    while at < min(open_ms, day.end_ms + BACK_MS, day.now_ms):
        # Not the first slot: what ends the day before is not of the notice.
        later(connection, day, at + SLOT_MS, day.now_ms + AFTER_MS)
        at = period_of(at, By.DAY, day.context.station.timezone).end_ms


def _has_news(connection: Connection, day: Window) -> bool:
    table = dirty.c
    mine = (table.station == day.context.number, table.first_ms < day.end_ms, table.last_ms >= day.first_ms)
    return connection.execute(select(table.id).where(*mine, table.due_ms.is_(None)).limit(1)).scalar() is not None
