"""Chargers that are known by their orders (订单) only, and what orders tell of the sessions of others.

Such a charger has no register. Between its orders it sells nothing, so what all orders up to then came to stands for
one at every instant at which none is open. An order is open as long as the vehicle is plugged in, if that is what its
times say: when it took its energy need not be known.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy import BigInteger, Connection, bindparam, select

from cloud_receiver.checks.model import Context
from cloud_receiver.database import raw_rows
from cloud_receiver.registry import Role
from cloud_receiver.sales.store import MOST_AGE_MS
from cloud_receiver.schema import charge_order
from diantan_core import day_start_ms, next_day_start_ms

Span = tuple[int, int]
_MINUTE_MS = 60_000
_CLOCKS_MS = 10 * _MINUTE_MS
"""By how much an order may end after it came."""
_CHARGING_SHARE = 0.25
"""Of the rated power. An order with less on average is not of the time in which a vehicle charged: it stood there."""


@dataclass(frozen=True, slots=True)
class ChargerOrders:
    """The orders of one charger. `open`: when one was, clocks and cut-off seconds allowed for; rising, apart."""

    open: Sequence[Span]
    totals_mwh: Sequence[int]
    """What all orders came to, at the end of each span."""
    sessions: Sequence[Span]
    """Those that are told of; others there may have been."""

    def total_mwh(self, time_ms: int) -> int | None:
        """Return what its orders came to until an instant; None where one is open."""
        return self._at(bisect_left(self.open, time_ms, key=lambda span: span[0]), time_ms)

    def totals_at(self, times: Sequence[int]) -> list[int | None]:
        """Return the same at times in rising order."""
        result = []
        place = 0
        for time_ms in times:
            while place < len(self.open) and self.open[place][0] < time_ms:
                place += 1
            result.append(self._at(place, time_ms))
        return result

    def _at(self, place: int, time_ms: int) -> int | None:
        """Return what the orders begun until an instant came to, `place` of them as one where they overlap."""
        if place and self.open[place - 1][1] > time_ms:
            return None
        return self.totals_mwh[place - 1] if place else 0


def charger_orders(
    orders: Sequence[tuple[int, int, int]], margin_ms: int, midnights: Sequence[int] = ()
) -> ChargerOrders:
    """Return a charger's orders (start, end, energy in mWh) as one series; those that overlap are one.

    Where all times are whole minutes, their seconds were cut off. An order over one of the `midnights` tells no
    session: it comes when the night up to it may have been made, and would tell of windows that it had. It would have
    to take them all again, at stations where vehicles stay overnight nearly every night.
    """
    cut_ms = _MINUTE_MS if all(not time % _MINUTE_MS for start, end, _ in orders for time in (start, end)) else 0
    spans: list[Span] = []
    totals: list[int] = []
    sessions: list[Span] = []
    total = 0
    for start, end, energy in sorted(orders):
        total += energy
        first, last = start - margin_ms, end + cut_ms + margin_ms
        if spans and first < spans[-1][1]:
            spans[-1] = (spans[-1][0], max(last, spans[-1][1]))
            totals[-1] = total
        else:
            spans.append((first, last))
            totals.append(total)
        if bisect_right(midnights, start) < bisect_left(midnights, end):
            continue
        if sessions and start <= sessions[-1][1]:
            sessions[-1] = (sessions[-1][0], max(end, sessions[-1][1]))
        elif end > start:
            sessions.append((start, end))
    return ChargerOrders(spans, totals, sessions)


@dataclass(frozen=True, slots=True)
class Orders:
    """The orders of a station's chargers, by meter."""

    alone: Mapping[int, ChargerOrders] = field(default_factory=dict)
    """Of chargers that nothing else is known of."""
    beside: Mapping[int, ChargerOrders] = field(default_factory=dict)
    """Of chargers with registers."""
    known: Span = (0, 0)
    """From the first order that the centre has of those to the last: before and after, orders may be missing."""

    def without(self, numbers: Collection[int]) -> "Orders":
        """Return what there is less the orders of some chargers that have registers."""
        return replace(self, beside={number: one for number, one in self.beside.items() if number not in numbers})

    def column(self, number: int, times: Sequence[int]) -> list[int | None]:
        """Return what a charger's orders came to at each time, in mWh; None where it is not known."""
        first_ms, last_ms = self.known
        return [
            total if first_ms <= time_ms <= last_ms else None
            for time_ms, total in zip(times, self.alone[number].totals_at(times), strict=True)
        ]

    def sessions(self, chargers: Sequence[int], span: Span) -> tuple[list[list[Span] | None], list[list[Span] | None]]:
        """Return by charger its sessions in a span (None: nobody tells), and where all of them are told (None: always).

        Those of a charger with registers are right, and others may be missing.
        """
        given: list[list[Span] | None] = []
        told: list[list[Span] | None] = []
        for number in chargers:
            found = self.alone.get(number) or self.beside.get(number)
            given.append(None if found is None else _within(found.sessions, span))
            told.append([] if number in self.beside else None)
        return given, told


def _within(sessions: Sequence[Span], span: Span) -> list[Span]:
    first = bisect_right(sessions, span[0], key=lambda one: one[1])
    return list(sessions[first : bisect_left(sessions, span[1], key=lambda one: one[0])])


def only_orders(context: Context) -> list[int]:
    """Return the chargers that are known by their orders only."""
    return [number for number in context.numbers(Role.CHARGER) if context.meters[number].only_orders]


# By the index of ends: begun before a time are nearly all orders that there ever were.
_IN_FORCE: Final = select(
    *(charge_order.c.meter, charge_order.c.start_ms, charge_order.c.end_ms, charge_order.c.energy_mwh)
).where(
    charge_order.c.station == bindparam("station", type_=BigInteger),
    charge_order.c.superseded_ms.is_(None),
    # One that ends long after it came would be open for as long, and its charger known no more.
    charge_order.c.end_ms <= charge_order.c.received_ms + _CLOCKS_MS,
    charge_order.c.end_ms >= bindparam("first_ms", type_=BigInteger),
    charge_order.c.start_ms + 0 < bindparam("end_ms", type_=BigInteger),
)


def read(connection: Connection, context: Context, first_ms: int, end_ms: int) -> Orders:
    """Return the orders in force that overlap a span."""
    span = {"station": context.number, "first_ms": first_ms, "end_ms": end_ms}
    by_meter: dict[int, list[tuple[int, int, int]]] = {}
    for number, start_ms, last_ms, energy_mwh in raw_rows(connection, _IN_FORCE, span):
        by_meter.setdefault(number, []).append((start_ms, last_ms, energy_mwh))
    alone = only_orders(context)
    margin_ms = int(context.station.time_uncertainty_s * 1000)
    midnights = _midnights(first_ms, end_ms, context.station.timezone)
    beside = {
        number: _charging(found, float(context.meters[number].rated_kw))
        for number, found in by_meter.items()
        if number not in alone and number in context.meters
    }
    return Orders(
        {number: charger_orders(by_meter.get(number, []), margin_ms) for number in alone},
        {number: charger_orders(found, margin_ms, midnights) for number, found in beside.items()},
        _known(connection, context, alone),
    )


def _midnights(first_ms: int, end_ms: int, zone: str) -> list[int]:
    """Return the local midnights of a span and the one before it."""
    found = [day_start_ms(first_ms, zone)]
    while (following := next_day_start_ms(found[-1], zone)) <= end_ms:
        found.append(following)
    return found


def _charging(found: Sequence[tuple[int, int, int]], rated_kw: float) -> list[tuple[int, int, int]]:
    """Return the orders that are of the time in which a vehicle charged."""
    least_kw = _CHARGING_SHARE * rated_kw
    return [order for order in found if order[2] * 3.6 >= least_kw * (order[1] - order[0])]


def _known(connection: Connection, context: Context, alone: Sequence[int]) -> Span:
    """Return from when to when orders have come; one of a clock that was wrong has come of no time before or after."""
    if not alone:
        return (0, -1)
    table = charge_order.c
    mine = (table.station == context.number, table.superseded_ms.is_(None), table.meter.in_(alone))
    timely = table.journal.is_(None) | (table.end_ms >= table.received_ms - MOST_AGE_MS)
    past = table.end_ms <= table.received_ms + _CLOCKS_MS
    # One by one: either end of an index, not all orders that there ever were.
    first, last = (
        connection.execute(select(column).where(*mine, timely, past).order_by(order).limit(1)).scalar()
        for column, order in ((table.start_ms, table.start_ms), (table.end_ms, table.end_ms.desc()))
    )
    return (0, -1) if first is None or last is None else (first, last)
