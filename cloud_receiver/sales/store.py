"""Orders in the store: entering them in versions, and reading those in force."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, field, fields, replace
from typing import Any, Final

from sqlalchemy import Connection, Row, Subquery, func, insert, select, union_all, update

from cloud_receiver import row_counts
from cloud_receiver.sales.order import Order, Period
from cloud_receiver.schema import charge_order, dirty
from cloud_receiver.schema import station as station_table

_AT_ONCE: Final = 500
"""Numbers asked for in one statement: SQLite allows some thousand parameters."""
_MOST_EARLIER: Final = 5000
"""Superseded versions that are looked at for one statement's orders, the newest first."""
SLOT_MS: Final = 900_000
DAY_MS: Final = 86_400_000
MOST_AGE_MS: Final = 400 * DAY_MS
"""How old a day is at most that is checked again (RETENTION_MS of cloud_receiver.checks.load)."""
MOST_DAYS: Final = 8
"""Days of one order that are checked again; of a longer one its first days and its last."""
_RECENT_MS: Final = 40 * DAY_MS
"""Before the newest order: a month that is judged at its end is recent."""
_CONTENT: Final = tuple(each.name for each in fields(Order) if each.name not in {"number", "periods"})


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
    earlier: list[Order] = field(default_factory=list)
    """What gateways told before it."""


def enter(
    connection: Connection, station: int, told: Sequence[Told], *, source: str, made_by: str, now_ms: int
) -> Entered:
    """Enter orders, and tell the checks of what is new; the caller's transaction has it all or nothing.

    An order that says nothing new is known; another content under its number is a further version, which keeps what it
    leaves out, and the one before is superseded. A gateway's record that comes after a later one of its journal is kept
    as superseded at once. One that says again what was superseded is known when it is of another journal than that in
    force: a gateway that has lost its journal reads the whole log of its charger again.
    """
    if connection.dialect.name == "postgresql":
        # Two writers would enter the same version. SQLite has one; not the key's lock, which inserted records share.
        turn = select(station_table.c.id).where(station_table.c.id == station)
        connection.execute(turn.with_for_update(key_share=True))
    entry = _Entry(station, {"source": source, "made_by": made_by, "received_ms": now_ms})
    for place in range(0, len(told), _AT_ONCE):
        part = told[place : place + _AT_ONCE]
        entry.kept = _kept(connection, station, part)
        for item in part:
            entry.take(item, now_ms)
        entry.write(connection, now_ms)
    return entry.result


class _Entry:
    """Orders that are being entered."""

    def __init__(self, station: int, origin: Mapping[str, object]) -> None:
        self.result = Entered()
        self.kept: dict[tuple[int, str], _Kept] = {}
        self._station = station
        self._origin = origin
        self._rows: list[dict[str, object]] = []
        self._ended: list[int] = []
        self._fresh: list[Order] = []

    def take(self, item: Told, now_ms: int) -> None:
        """Take note of what is to be written of an order."""
        key = item.meter, item.order.number
        before = self.kept.get(key)
        if before is None:
            self.result.new += 1
            values = self._row(item, item.order, 1)
            self.kept[key] = _Kept(item.order, 1, None, item.journal, item.sequence, values)
            return
        if _says_nothing_new(item.order, before.order) or _is_again(item, before):
            self.result.known += 1
            return
        self.result.changed += 1
        self._fresh.append(before.order)
        version = before.version + 1
        if _is_earlier(item, before):
            self._row(item, item.order, version)["superseded_ms"] = now_ms
            before.version = version
            before.earlier.append(item.order)
            return
        order = _filled(item.order, before.order)
        if before.row is not None:
            self._ended.append(before.row)
        elif before.pending is not None:
            before.pending["superseded_ms"] = now_ms
        values = self._row(item, order, version)
        earlier = [*before.earlier, *([] if before.journal is None else [before.order])]
        self.kept[key] = _Kept(order, version, None, item.journal, item.sequence, values, earlier)

    def _row(self, item: Told, order: Order, version: int) -> dict[str, object]:
        values = {"station": self._station, "version": version, **_values(item, order), **self._origin}
        self._rows.append(values)
        self._fresh.append(order)
        return values

    def write(self, connection: Connection, now_ms: int) -> None:
        """Write what was noted, and tell the checks."""
        if self._ended:
            over = charge_order.c.id.in_(self._ended)
            connection.execute(update(charge_order).where(over).values(superseded_ms=now_ms))
        if self._rows:
            connection.execute(insert(charge_order), self._rows)
        ended = len(self._ended) + sum(row["superseded_ms"] is not None for row in self._rows)
        if self._rows:
            row_counts.add(connection, orders={self._station: len(self._rows) + ended})
        tell_checks(connection, self._station, self._fresh, now_ms)
        self._rows, self._ended, self._fresh = [], [], []


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
    kept = {
        (row.meter, row.number): _Kept(order_of(row), highest[row.meter, row.number], row.id, row.journal, row.sequence)
        for row in connection.execute(select(table).where(*wanted, table.c.superseded_ms.is_(None)))
    }
    if any(item.journal is not None and highest.get((item.meter, item.order.number), 1) > 1 for item in told):
        old = (table.c.superseded_ms.is_not(None), table.c.journal.is_not(None))
        newest = select(table).where(*wanted, *old).order_by(table.c.id.desc()).limit(_MOST_EARLIER)
        for row in connection.execute(newest):
            if (found := kept.get((row.meter, row.number))) is not None:
                found.earlier.append(order_of(row))
    return kept


def _says_nothing_new(order: Order, before: Order) -> bool:
    """Return whether all that an order tells is what is known; what it leaves out it doesn't deny."""
    if order.periods and order.periods != before.periods:
        return False
    return all((value := getattr(order, name)) is None or value == getattr(before, name) for name in _CONTENT)


def _is_again(item: Told, before: _Kept) -> bool:
    if item.journal is None or item.journal == before.journal:
        return False
    return any(_says_nothing_new(item.order, order) for order in before.earlier)


def _filled(order: Order, before: Order) -> Order:
    """Return an order with what was known of it and is not told again.

    Periods are those of their times and energy: another charge's are left out.
    """
    known = {name: getattr(before, name) for name in _CONTENT if getattr(order, name) is None}
    same = (order.start_ms, order.end_ms, order.energy_mwh) == (before.start_ms, before.end_ms, before.energy_mwh)
    return replace(order, periods=order.periods or (before.periods if same else ()), **known)


def _is_earlier(item: Told, before: _Kept) -> bool:
    if item.journal is None or item.journal != before.journal or item.sequence is None or before.sequence is None:
        return False
    return item.sequence < before.sequence


def _values(item: Told, order: Order) -> dict[str, object]:
    periods = (
        json.dumps([astuple(period) for period in order.periods], separators=(",", ":")) if order.periods else None
    )
    return {
        "meter": item.meter,
        "number": order.number,
        **{name: getattr(order, name) for name in _CONTENT},
        "periods": periods,
        "journal": item.journal,
        "sequence": item.sequence,
        "superseded_ms": None,
    }


def tell_checks(connection: Connection, station: int, orders: Iterable[Order], now_ms: int) -> None:
    """Leave notices, so that the days of these orders are checked again.

    Of one of the future, or so old that its day isn't checked any more, the day of now.
    """
    times = {min(time_ms, now_ms) for order in orders for time_ms in _instants(order)}
    if times and min(times) < now_ms - MOST_AGE_MS:
        times = {time_ms for time_ms in times if time_ms >= now_ms - MOST_AGE_MS} | {now_ms}
    tell(connection, station, times)


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


def in_force(
    connection: Connection, station: int, first_ms: int, end_ms: int, *, without: Collection[int] = ()
) -> dict[int, list[Order]]:
    """Return the orders in force that overlap [first_ms, end_ms), by the number of their meter, in order of time.

    An order of no duration belongs to the instant at which it ends. Those of the meters `without` are left out.
    """
    found = _overlapping(connection, station, first_ms, end_ms)
    statement = select(found).order_by(found.c.meter, found.c.start_ms, found.c.id)
    if without:
        statement = statement.where(found.c.meter.not_in(without))
    orders: dict[int, list[Order]] = {}
    for row in connection.execute(statement):
        if row.end_ms == first_ms and row.start_ms < first_ms:
            continue
        orders.setdefault(row.meter, []).append(order_of(row))
    return orders


def crowds(connection: Connection, station: int, first_ms: int, end_ms: int, most: int) -> dict[int, int]:
    """Return the meters of which more orders than `most` overlap [first_ms, end_ms), and how many."""
    found = _overlapping(connection, station, first_ms, end_ms)
    count = func.count().label("orders")
    rows = connection.execute(select(found.c.meter, count).group_by(found.c.meter).having(count > most))
    return {row.meter: row.orders for row in rows}


def _overlapping(connection: Connection, station: int, first_ms: int, end_ms: int) -> Subquery:
    """Return the orders that are open at some time of [first_ms, end_ms), those that end before they begin too."""
    table = charge_order.c
    newest = connection.execute(select(func.max(table.received_ms)).where(table.station == station)).scalar()
    recent = newest is None or first_ms >= newest - _RECENT_MS
    # Begun before a recent time are nearly all orders that there ever were, and few end after it. What something is
    # added to has no index that a planner could take instead.
    start, end = table.start_ms + 0, table.end_ms + 0
    low_start, low_end = (table.start_ms, table.end_ms) if recent else (start, end)
    high_start, high_end = (start, end) if recent else (table.start_ms, table.end_ms)
    straight = (low_end >= first_ms, high_start < end_ms, start <= end)
    turned = (low_start >= first_ms, high_end < end_ms, end < start)
    mine = (table.station == station, table.superseded_ms.is_(None))
    return union_all(*(select(charge_order).where(*mine, *each) for each in (straight, turned))).subquery()
