"""How much of each station is stored, kept as it comes: that something came late shows without counting all there is.

Counted are intervals and events, but for means of voltage, which are removed when they are old; and orders, each
version once when it comes and once more when it goes out of force. Nothing that is counted is ever removed or changed,
so that a number that is the same stands for the same rows.
"""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, bindparam, func, select

from cloud_receiver.schema import charge_order, event, interval, station_rows
from wire.records import EventCode

_STATION: Final = bindparam("station", type_=BigInteger)
_SQLITE: Final = (
    "INSERT INTO station_rows (station, records, orders) VALUES (?, ?, ?) ON CONFLICT (station) DO UPDATE "
    "SET records = records + excluded.records, orders = orders + excluded.orders"
)
_POSTGRESQL: Final = (
    "INSERT INTO station_rows (station, records, orders) "
    "SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) ON CONFLICT (station) DO UPDATE "
    "SET records = station_rows.records + excluded.records, orders = station_rows.orders + excluded.orders"
)


def add(
    connection: Connection, *, records: Mapping[int, int] | None = None, orders: Mapping[int, int] | None = None
) -> None:
    """Count what the transaction enters of each station: (new) intervals and events; versions of orders.

    In the order of stations' numbers, in one statement and as late as may be: whoever enters others of a station waits.
    """
    told = (records or {}, orders or {})
    rows = [(number, *(each.get(number, 0) for each in told)) for number in sorted({*told[0], *told[1]})]
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(_POSTGRESQL, tuple(list(column) for column in zip(*rows, strict=True)))
    else:
        connection.exec_driver_sql(_SQLITE, rows)


def before(connection: Connection, station: int, *times_ms: int) -> list[int]:
    """Return how many rows of a station are of the time before each instant (one or two); orders by their end.

    What is of later is counted, to be taken off: it should not be much.
    """
    times = {f"t{place}": time_ms for place, time_ms in enumerate(times_ms)}
    entered, *later = connection.execute(_BEFORE[len(times_ms)], {"station": station, **times}).one()
    return [entered - each for each in later]


def _later(name: str) -> ColumnElement[int]:
    """Return the number of rows of an instant or later."""
    time_ms = bindparam(name, type_=BigInteger)
    readings = _count(func.count(), interval.c.station == _STATION, interval.c.start_ms >= time_ms)
    telling = event.c.code != int(EventCode.VOLTAGE_MEANS)
    events = _count(func.count(), event.c.station == _STATION, event.c.time_ms >= time_ms, telling)
    versions = func.count() + func.count(charge_order.c.superseded_ms)
    orders = _count(versions, charge_order.c.station == _STATION, charge_order.c.end_ms > time_ms)
    return readings + events + orders


def _count(what: ColumnElement[int], *conditions: ColumnElement[bool]) -> ColumnElement[int]:
    return select(what).where(*conditions).scalar_subquery()


def _statement(times: int) -> Select[*tuple[int, ...]]:
    entered = select(station_rows.c.records + station_rows.c.orders).where(station_rows.c.station == _STATION)
    return select(func.coalesce(entered.scalar_subquery(), 0), *(_later(f"t{place}") for place in range(times)))


_BEFORE: Final = {times: _statement(times) for times in (1, 2)}
