"""How many rows of each station are counted, and how many there are."""

from sqlalchemy import Engine, delete, func, insert, select

from cloud_receiver import database
from cloud_receiver.schema import charge_order, event, interval, station_rows
from wire.records import EventCode

Counts = dict[int, tuple[int, int]]


def kept(engine: Engine) -> Counts:
    """Return what is kept of each station: records, and versions of orders."""
    with database.reading(engine) as connection:
        return {row.station: (row.records, row.orders) for row in connection.execute(select(station_rows))}


def counted(engine: Engine) -> Counts:
    """Return what is there."""
    telling = event.c.code != int(EventCode.VOLTAGE_MEANS)
    versions = func.count() + func.count(charge_order.c.superseded_ms)
    asked = (
        (0, select(interval.c.station, func.count()).group_by(interval.c.station)),
        (0, select(event.c.station, func.count()).where(telling).group_by(event.c.station)),
        (1, select(charge_order.c.station, versions).group_by(charge_order.c.station)),
    )
    found: dict[int, list[int]] = {}
    with database.reading(engine) as connection:
        for place, statement in asked:
            for station, count in connection.execute(statement):
                found.setdefault(station, [0, 0])[place] += count
    return {station: (records, orders) for station, (records, orders) in found.items()}


def count_anew(engine: Engine) -> None:
    """Keep what is there: for rows that a test has entered past those that count."""
    found = counted(engine)
    with database.writing(engine) as connection:
        connection.execute(delete(station_rows))
        rows = [{"station": one, "records": records, "orders": orders} for one, (records, orders) in found.items()]
        if rows:
            connection.execute(insert(station_rows), rows)
