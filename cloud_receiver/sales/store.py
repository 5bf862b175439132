"""Orders in the store: entering them in versions, and reading those in force."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from typing import Any, Final

from sqlalchemy import Connection, Row, func, insert, select, update

from cloud_receiver.sales.order import Order, Period
from cloud_receiver.schema import charge_order, dirty

_AT_ONCE: Final = 500
"""Numbers asked for in one statement: SQLite allows some thousand parameters."""
SLOT_MS: Final = 900_000
DAY_MS: Final = 86_400_000
MOST_DAYS: Final = 8
"""Days of one order that are checked again; of a longer one its first days and its last."""
_CONTENT: Final = tuple(field.name for field in fields(Order) if field.name not in {"number", "periods"})


@dataclass(frozen=True, slots=True)
class Told:
    """An order as it was told of a charger; `journal` and `sequence` are those of a gateway's record."""

    meter: int
    order: Order
    journal: int | None = None
    sequence: int | None = None


@dataclass(slots=True)
class Entered:
    """What became of orders: new ones, known ones, and those that say something else than before."""

    new: int = 0
    known: int = 0
    changed: int = 0


@dataclass(slots=True)
class _Kept:
    """What there is of one number: the version in force, and the highest."""

    order: Order
    version: int
    row: int | None
    """Its row in the store; None for one that is entered now."""
    journal: int | None
    sequence: int | None
    pending: dict[str, object] | None = None
    """The row that is entered now."""


def enter(
    connection: Connection, station: int, told: Sequence[Told], *, source: str, made_by: str, now_ms: int
) -> Entered:
    """Enter orders, and tell the checks of what is new; the caller's transaction has it all or nothing.

    An order that says nothing new is known; another content under its number is a further version, and the one before
    is superseded. A gateway's record that comes after a later one of its journal is kept as superseded at once.
    """
    result = Entered()
    for place in range(0, len(told), _AT_ONCE):
        part = told[place : place + _AT_ONCE]
        kept = _kept(connection, station, part)
        rows: list[dict[str, object]] = []
        ended: list[int] = []
        fresh: list[Order] = []
        for item in part:
            key = item.meter, item.order.number
            before = kept.get(key)
            if before is not None and _says_nothing_new(item.order, before.order):
                result.known += 1
                continue
            version = 1 if before is None else before.version + 1
            values = _values(station, item, source, made_by, now_ms) | {"version": version, "superseded_ms": None}
            rows.append(values)
            fresh.append(item.order)
            if before is None:
                result.new += 1
            else:
                result.changed += 1
                fresh.append(before.order)
                if _is_earlier(item, before):
                    values["superseded_ms"] = now_ms
                    before.version = version
                    continue
                if before.row is not None:
                    ended.append(before.row)
                elif before.pending is not None:
                    before.pending["superseded_ms"] = now_ms
            kept[key] = _Kept(item.order, version, None, item.journal, item.sequence, values)
        if ended:
            over = charge_order.c.id.in_(ended)
            connection.execute(update(charge_order).where(over).values(superseded_ms=now_ms))
        if rows:
            connection.execute(insert(charge_order), rows)
        tell_checks(connection, station, fresh, now_ms)
    return result


def _kept(connection: Connection, station: int, told: Sequence[Told]) -> dict[tuple[int, str], _Kept]:
    table = charge_order
    wanted = (
        table.c.station == station,
        table.c.meter.in_({item.meter for item in told}),
        table.c.number.in_({item.order.number for item in told}),
    )
    highest = {
        (row.meter, row.number): row.highest
        for row in connection.execute(
            select(table.c.meter, table.c.number, func.max(table.c.version).label("highest"))
            .where(*wanted)
            .group_by(table.c.meter, table.c.number)
        )
    }
    return {
        (row.meter, row.number): _Kept(order_of(row), highest[row.meter, row.number], row.id, row.journal, row.sequence)
        for row in connection.execute(select(table).where(*wanted, table.c.superseded_ms.is_(None)))
    }


def _says_nothing_new(order: Order, before: Order) -> bool:
    """Return whether all that an order tells is what is known; what it leaves out it doesn't deny."""
    if order.periods and order.periods != before.periods:
        return False
    return all((value := getattr(order, name)) is None or value == getattr(before, name) for name in _CONTENT)


def _is_earlier(item: Told, before: _Kept) -> bool:
    if item.journal is None or item.journal != before.journal or item.sequence is None or before.sequence is None:
        return False
    return item.sequence < before.sequence


def _values(station: int, item: Told, source: str, made_by: str, now_ms: int) -> dict[str, object]:
    order = item.order
    periods = (
        json.dumps([astuple(period) for period in order.periods], separators=(",", ":")) if order.periods else None
    )
    return {
        "station": station,
        "meter": item.meter,
        "number": order.number,
        **{name: getattr(order, name) for name in _CONTENT},
        "periods": periods,
        "source": source,
        "journal": item.journal,
        "sequence": item.sequence,
        "made_by": made_by,
        "received_ms": now_ms,
    }


def tell_checks(connection: Connection, station: int, orders: Iterable[Order], now_ms: int) -> None:
    """Leave notices, so that the days of these orders are checked again: of one of the future, that of now."""
    tell(connection, station, (min(time_ms, now_ms) for order in orders for time_ms in _instants(order)))


def tell(connection: Connection, station: int, times: Iterable[int]) -> None:
    """Leave notices, so that the days of these instants are checked again."""
    starts = {time_ms - time_ms % SLOT_MS for time_ms in times}
    if starts:
        rows = [{"station": station, "first_ms": start, "last_ms": start} for start in _one_an_hour(starts)]
        connection.execute(insert(dirty), rows)


def _instants(order: Order) -> Iterator[int]:
    yield order.last_ms
    yield from range(order.first_ms, order.last_ms, DAY_MS)[:MOST_DAYS]


def _one_an_hour(starts: set[int]) -> list[int]:
    """Return one slot of each hour, which no midnight of a time zone of quarters of an hour divides."""
    # Every zone in use is a multiple of a quarter of an hour from UTC, so a slot lies within one local day; of slots
    # within one UTC hour the first and the last are enough.
    hours: dict[int, list[int]] = {}
    for start in sorted(starts):
        hours.setdefault(start // (4 * SLOT_MS), []).append(start)
    return [start for found in hours.values() for start in dict.fromkeys((found[0], found[-1]))]


def order_of(row: Row[Any]) -> Order:
    """Return the order of a row of the store."""
    return Order(
        row.number,
        row.start_ms,
        row.end_ms,
        row.energy_mwh,
        row.amount,
        row.electricity_amount,
        row.service_amount,
        row.start_total_mwh,
        row.end_total_mwh,
        row.stop_reason,
        row.connector,
        tuple(Period(*each) for each in json.loads(row.periods)) if row.periods else (),
    )


def in_force(connection: Connection, station: int, first_ms: int, end_ms: int) -> dict[int, list[Order]]:
    """Return the orders in force that overlap [first_ms, end_ms), by the number of their meter, in order of time.

    An order of no duration belongs to the instant at which it ends.
    """
    table = charge_order
    rows = connection.execute(
        select(table)
        .where(
            table.c.station == station,
            table.c.end_ms >= first_ms,
            table.c.start_ms < end_ms,
            table.c.superseded_ms.is_(None),
        )
        .order_by(table.c.meter, table.c.start_ms, table.c.id)
    )
    found: dict[int, list[Order]] = {}
    for row in rows:
        if row.end_ms == first_ms and row.start_ms < first_ms:
            continue
        found.setdefault(row.meter, []).append(order_of(row))
    return found
