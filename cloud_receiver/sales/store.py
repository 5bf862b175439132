"""Orders in the store: entering them in versions, and reading those in force."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any, Final

from sqlalchemy import Connection, Row, Subquery, func, insert, select, union_all, update

from cloud_receiver import row_counts
from cloud_receiver.sales.order import Order, Period
from cloud_receiver.sales.versions import CONTENT, MOST_CHARGES, Kept, Number, filled, is_earlier
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


def enter(
    connection: Connection, station: int, told: Sequence[Told], *, source: str, made_by: str, now_ms: int
) -> Entered:
    """Enter orders, and tell the checks of what is new; the caller's transaction has it all or nothing.

    An order that says nothing new is known; another content under its number is a further version, which keeps what it
    leaves out, and the one before is superseded. A gateway's record that comes after a later one of its journal is kept
    as superseded at once. One that says again what was superseded is known when it is of another journal than that in
    force: a gateway that has lost its journal reads the whole log of its charger again. A gateway's record that has
    nothing in common with what is known under its number is another charge's (see versions.charge_of), and both count.
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
        self.kept: dict[tuple[int, str], Number] = {}
        self._station = station
        self._origin = origin
        self._rows: list[dict[str, object]] = []
        self._ended: list[int] = []
        self._fresh: list[Order] = []
        self._untimely: set[int] = set()
        """When those came that are superseded now, and whose times are told on the day on which they came."""

    def take(self, item: Told, now_ms: int) -> None:
        """Take note of what is to be written of an order."""
        number = self.kept.setdefault((item.meter, item.order.number), Number())
        before = number.charge_of(item.order, by_gateway=item.journal is not None)
        if number.is_known(item.order, before) or number.is_again(item.order, item.journal, before):
            self.result.known += 1
            return
        number.highest += 1
        if before is None:
            self.result.new += 1
            values = self._row(item, item.order, number.highest)
            number.charges.append(Kept(item.order, None, item.journal, item.sequence, now_ms, values))
            return
        self.result.changed += 1
        self._fresh.append(before.order)
        if is_earlier(item.journal, item.sequence, before):
            self._row(item, item.order, number.highest)["superseded_ms"] = now_ms
            number.earlier.append(item.order)
            return
        order = filled(item.order, before.order)
        if not before.received_ms - MOST_AGE_MS <= before.order.last_ms <= before.received_ms:
            self._untimely.add(before.received_ms)
        if before.row is not None:
            self._ended.append(before.row)
        elif before.pending is not None:
            before.pending["superseded_ms"] = now_ms
        if before.journal is not None:
            number.earlier.append(before.order)
        number.charges.remove(before)
        values = self._row(item, order, number.highest)
        number.charges.append(Kept(order, None, item.journal, item.sequence, now_ms, values))

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
        tell(connection, self._station, self._untimely)
        self._rows, self._ended, self._fresh, self._untimely = [], [], [], set()


def _kept(connection: Connection, station: int, told: Sequence[Told]) -> dict[tuple[int, str], Number]:
    table = charge_order
    wanted = (
        table.c.station == station,
        table.c.meter.in_({item.meter for item in told}),
        table.c.number.in_({item.order.number for item in told}),
    )
    kept = {
        (row.meter, row.number): Number(row.highest)
        for row in connection.execute(
            select(table.c.meter, table.c.number, func.max(table.c.version).label("highest"))
            .where(*wanted)
            .group_by(table.c.meter, table.c.number)
        )
    }
    newest_first = func.row_number().over(partition_by=(table.c.meter, table.c.number), order_by=table.c.version.desc())
    ranked = select(table, newest_first.label("place")).where(*wanted, table.c.superseded_ms.is_(None)).subquery()
    asked = (ranked.c.place <= MOST_CHARGES) | ranked.c.start_ms.in_({item.order.start_ms for item in told})
    for row in connection.execute(select(ranked).where(asked).order_by(ranked.c.version)):
        number = kept[row.meter, row.number]
        if row.place <= MOST_CHARGES:
            number.charges.append(Kept(order_of(row), row.id, row.journal, row.sequence, row.received_ms))
        else:
            number.note_older(order_of(row))
    versions = ((item, kept.get((item.meter, item.order.number))) for item in told)
    if any(item.journal is not None and number is not None and number.highest > 1 for item, number in versions):
        old = (table.c.superseded_ms.is_not(None), table.c.journal.is_not(None))
        newest = select(table).where(*wanted, *old).order_by(table.c.id.desc()).limit(_MOST_EARLIER)
        for row in connection.execute(newest):
            kept[row.meter, row.number].earlier.append(order_of(row))
    return kept


def _values(item: Told, order: Order) -> dict[str, object]:
    periods = (
        json.dumps([astuple(period) for period in order.periods], separators=(",", ":")) if order.periods else None
    )
    return {
        "meter": item.meter,
        "number": order.number,
        **{name: getattr(order, name) for name in CONTENT},
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
