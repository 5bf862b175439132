"""What the store says of how orders came: events that are none, orders that were changed, orders of the future."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, replace
from itertools import groupby
from typing import Any, Final

from sqlalchemy import Connection, func, select, union

from cloud_receiver import event_rows
from cloud_receiver.checks.model import Kind, Severity
from cloud_receiver.sales import store
from cloud_receiver.sales.finding import Found, iso, of_order
from cloud_receiver.sales.from_gateway import MalformedError, parse
from cloud_receiver.sales.order import END_MS, FIRST_MS, Order
from cloud_receiver.sales.versions import MOST_CHARGES, Kept, charge_of, is_earlier
from cloud_receiver.sales.window import MOST_AGE_MS, Window
from cloud_receiver.schema import charge_order, event, message
from wire.batch import MAX_RECORDS
from wire.records import EventCode

_MOST: Final = 10_000
"""Events, or versions, of a day that are looked at."""
_FIELDS: Final = tuple(field.name for field in fields(Order))


def malformed(connection: Connection, window: Window) -> Iterator[Found]:
    """Find events that say they are orders, and are none; they are kept as events.

    Of those with a time that no order has, as by a clock that never was set, it is told on the day on which they came.
    """
    columns = event.c
    wanted = (columns.station == window.context.number, event_rows.told([EventCode.CHARGE_ORDER]))
    named = select(columns.meter, columns.time_ms, columns.journal, columns.sequence, columns.details)
    of_day = named.where(*wanted, columns.time_ms >= window.first_ms, columns.time_ms < window.end_ms)
    for row in connection.execute(of_day.limit(_MOST)):
        yield from _malformed(row, row.time_ms)
    came = func.min(message.c.received_ms).label("came_ms")
    carried = (message.c.first <= columns.sequence) & (message.c.first > columns.sequence - MAX_RECORDS)
    timeless = (
        named.add_columns(came)
        .join(message, (message.c.journal == columns.journal) & carried)
        .where(*wanted, message.c.first + message.c.count > columns.sequence)
        .group_by(*named.selected_columns)
        .having(came >= window.first_ms, came < window.end_ms)
        .limit(_MOST)
    )
    for outside in (columns.time_ms < FIRST_MS, columns.time_ms >= END_MS):  # either by itself is found by the index
        for row in connection.execute(timeless.where(outside)):
            yield from _malformed(row, row.came_ms)


def _malformed(row: Any, time_ms: int) -> Iterator[Found]:  # noqa: ANN401  # of whichever columns
    try:
        parse(row.meter, row.details)
    except MalformedError as error:
        detail = {"problem": str(error)[:500], "journal": row.journal, "sequence": row.sequence}
        yield Found(Kind.ORDER_MALFORMED, row.meter, time_ms, detail)


def changed(connection: Connection, window: Window) -> Iterator[Found]:
    """Find orders of the span that were told otherwise before, and say what changed, by whom, and when.

    Of those whose own day isn't checked any more, what changed is told on the day on which it came.
    """
    table = charge_order.c
    first_ms, end_ms = window.first_ms, window.end_ms
    ends = (table.end_ms > first_ms, table.end_ms <= end_ms)
    turned = (table.start_ms > first_ms, table.start_ms <= end_ms, table.end_ms < table.start_ms)
    old = (
        table.received_ms >= first_ms,
        table.received_ms < end_ms,
        table.end_ms + 0 < table.received_ms - MOST_AGE_MS,
    )
    versions = select(table.meter, table.number).where(table.station == window.context.number, table.version > 1)
    # One statement each, which an index answers: either of two conditions would read all orders of the station.
    later = union(*(versions.where(*each) for each in (ends, turned, old))).limit(_MOST).subquery()
    rows = connection.execute(
        select(charge_order)
        .join(later, (later.c.meter == table.meter) & (later.c.number == table.number))
        .where(table.station == window.context.number)
        .order_by(table.meter, table.number, table.version)
        .limit(4 * _MOST)
    ).all()
    for _, of_number in groupby(rows, key=lambda row: (row.meter, row.number)):
        yield from _changed(window, list(of_number))


def _changed(window: Window, versions: Sequence[Any]) -> Iterator[Found]:
    """Find what changed with the versions of one number that are of the span; they are in their order."""
    times = [_at(window, row) for row in versions]
    told = [place for place, time_ms in enumerate(times) if time_ms is not None]
    charges: list[Kept] = []
    for number in range(max(told[0] - MOST_CHARGES, 0), told[-1] + 1) if told else ():
        row, time_ms = versions[number], times[number]
        order = store.order_of(row)
        place = charge_of(order, [kept.order for kept in charges], by_gateway=row.journal is not None)
        before = None if place is None else charges[place]
        detail: dict[str, Any] = {"version": row.version}
        if before is not None:
            detail["changes"] = changes(before.order, order)
        elif charges:
            other = charges[-1].order
            detail |= {"what": "the number of another charge is used again"}
            detail |= {"other_from": iso(other.start_ms), "other_to": iso(other.end_ms)}
        # What was superseded as it came may have been by one that came with it.
        late = row.superseded_ms == row.received_ms
        late = late and before is not None and is_earlier(row.journal, row.sequence, before)
        if charges and time_ms is not None:
            detail |= {"source": row.source, "by": row.made_by, "at": iso(row.received_ms)}
            if late:
                detail["late"] = "came after a later record of its journal"
            yield replace(of_order(Kind.ORDER_CHANGED, row.meter, order, detail, Severity.INFO), time_ms=time_ms)
        if late:
            continue
        if before is not None:
            charges.remove(before)
        # The newest last, as whoever entered the next one had them.
        charges = [*charges[1 - MOST_CHARGES :], Kept(order, row.id, row.journal, row.sequence, row.received_ms)]


def _at(window: Window, row: Any) -> int | None:  # noqa: ANN401  # of whichever columns
    """Return when a version is told; None where that is not of the span."""
    last_ms = max(row.start_ms, row.end_ms)
    at_ms: int = row.received_ms if last_ms < row.received_ms - MOST_AGE_MS else last_ms - 1
    return at_ms if window.first_ms <= at_ms < window.end_ms else None


def changes(before: Order, after: Order) -> Mapping[str, Any]:
    """Return what is not as it was: the value before and the one after."""
    found: dict[str, Any] = {}
    for name in _FIELDS:
        old, new = getattr(before, name), getattr(after, name)
        if old == new:
            continue
        if name == "periods":
            old, new = len(old), len(new)
        elif name in {"start_ms", "end_ms"}:
            old, new = iso(old), iso(new)
        found[name] = [old, new]
    return found


def untimely(connection: Connection, window: Window) -> Iterator[Found]:
    """Find orders that came in the span and end after they came, or so long before that only a dead clock says so.

    Files and HTTP may well bring orders of years ago.
    """
    table = charge_order.c
    future = table.end_ms > table.received_ms + window.clock_ms
    ancient = table.journal.is_not(None) & (table.end_ms < table.received_ms - MOST_AGE_MS)
    rows = connection.execute(
        select(charge_order)
        .where(
            table.station == window.context.number,
            table.received_ms >= window.first_ms,
            table.received_ms < window.end_ms,
            table.superseded_ms.is_(None),
            future | ancient,
        )
        .limit(_MOST)
    )
    for row in rows:
        order = store.order_of(row)
        what = "ends after it came" if order.end_ms > row.received_ms else "ended long before it came"
        detail = {"what": what, "came": iso(row.received_ms)}
        yield replace(of_order(Kind.ORDER_TIMES, row.meter, order, detail), time_ms=row.received_ms)
