"""Rules about single orders: times, overlaps, duplicates, power, and energy against registers and records."""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate, groupby
from typing import Any, Final

from cloud_receiver.checks.model import Kind, Severity
from cloud_receiver.registry import Role
from cloud_receiver.sales import sides
from cloud_receiver.sales.charged import Stretch, allowed
from cloud_receiver.sales.curve import Bounds
from cloud_receiver.sales.finding import Found, iso, of_order
from cloud_receiver.sales.order import Order
from cloud_receiver.sales.totals import share
from cloud_receiver.sales.window import Window, milliseconds, mwh

_HOUR_MS: Final = 3_600_000
_MOST_OTHERS: Final = 64
_MOST_SHARES: Final = 50_000
"""Of all orders of a span together: what is beyond accuses nobody, but keeps nobody waiting."""
_ALL: Final = 1 << 62


def unknown_charger(window: Window) -> Iterator[Found]:
    """Find orders of what is no charger of the registry: they are kept, and in no balance's tolerance."""
    known = set(window.context.numbers(Role.CHARGER))
    for number, order in window.ended():
        if number not in known:
            detail = {"name": window.context.name(number), "energy_mwh": order.energy_mwh}
            yield of_order(Kind.ORDER_UNKNOWN_CHARGER, number, order, detail)


def times(window: Window) -> Iterator[Found]:
    """Find orders that end before they begin, or are longer than a charge is."""
    longest_ms = window.settings.longest_hours * _HOUR_MS
    for number, order in window.ended():
        if order.end_ms < order.start_ms:
            yield of_order(Kind.ORDER_TIMES, number, order, {"what": "ends before it begins"})
        elif order.end_ms - order.start_ms > longest_ms:
            hours = round((order.end_ms - order.start_ms) / _HOUR_MS, 1)
            detail = {"what": "longer than a charge", "hours": hours, "limit_hours": window.settings.longest_hours}
            yield of_order(Kind.ORDER_TIMES, number, order, detail, Severity.INFO)


def overlaps(window: Window) -> Iterator[Found]:
    """Find orders of one connector that were open at the same time, and charges that are there under two numbers."""
    mine = {id(order) for _, order in window.ended()}
    for number, orders in window.orders.items():
        meter = window.context.meters.get(number)
        # Of orders that don't tell their connector as many may be open at once as there are.
        connectors = max(1, len(meter.connectors)) if meter is not None else 1
        by_connector = sorted(orders, key=lambda order: (order.connector or "", order.first_ms, order.last_ms))
        for connector, group in groupby(by_connector, key=lambda order: order.connector or ""):
            for order, other in _open_together(window, group, 1 if connector else connectors):
                later, earlier = (order, other) if order.last_ms >= other.last_ms else (other, order)
                if id(later) in mine:
                    yield _overlap(number, later, earlier)


def _open_together(window: Window, orders: Iterable[Order], connectors: int) -> Iterator[tuple[Order, Order]]:
    """Yield orders for which no connector was free, each with the one that was in its way."""
    step_ms = milliseconds(window.settings.time_resolution_s)
    last: list[Order] = []  # of each connector, that which ends last
    for order in orders:
        same = next((other for other in last if _same(order, other)), None)
        free = next((place for place, other in enumerate(last) if order.first_ms >= other.last_ms - step_ms), None)
        if same is not None:
            yield order, same
        elif free is not None:
            last[free] = order
        elif len(last) < connectors:
            last.append(order)
        else:
            place = min(range(len(last)), key=lambda each: last[each].last_ms)
            yield order, last[place]
            if order.last_ms >= last[place].last_ms:
                last[place] = order


def _same(order: Order, other: Order) -> bool:
    content = (order.start_ms, order.end_ms, order.energy_mwh)
    return bool(order.energy_mwh) and content == (other.start_ms, other.end_ms, other.energy_mwh)


def _overlap(number: int, order: Order, other: Order) -> Found:
    kind = Kind.ORDER_DUPLICATE if _same(order, other) else Kind.ORDER_OVERLAP
    detail = {"other": other.number, "other_from": iso(other.start_ms), "other_to": iso(other.end_ms)}
    return of_order(kind, number, order, detail | {"energy_mwh": [order.energy_mwh, other.energy_mwh]})


def duplicates(window: Window) -> Iterator[Found]:
    """Find numbers that two chargers of the station have for a charge with the same times and energy."""
    seen: dict[tuple[str, int, int, int], int] = {}
    for number, order in sorted(window.ended(), key=lambda item: (item[1].number, item[0])):
        key = order.number, order.start_ms, order.end_ms, order.energy_mwh
        first = seen.setdefault(key, number)
        if first != number and order.energy_mwh:
            yield of_order(Kind.ORDER_DUPLICATE, number, order, {"charger": window.context.name(first)})


def power(window: Window) -> Iterator[Found]:
    """Find orders of more energy than the rated power gives in their time."""
    step_ms = milliseconds(window.settings.time_resolution_s)
    for number, order in window.ended():
        if number not in window.context.meters:
            continue
        duration_ms = order.last_ms - order.first_ms + step_ms
        most = window.most(number, duration_ms) + window.resolution_mwh
        if order.energy_mwh > most:
            detail = {"energy_mwh": order.energy_mwh, "most_mwh": most, "duration_s": duration_ms // 1000}
            yield of_order(Kind.ORDER_POWER, number, order, detail)


def energy(window: Window) -> Iterator[Found]:
    """Find orders whose energy is not what their registers, or the meter's records, say."""
    others = _Others(window)
    for number, order in window.ended():
        meter = window.context.meters.get(number)
        if meter is None:
            continue
        step = mwh(meter.resolution_kwh)
        if order.start_total_mwh is not None and order.end_total_mwh is not None:
            counted = order.end_total_mwh - order.start_total_mwh
            # Two readings cut to a step, and an energy cut to its own.
            tolerance = step + window.resolution_mwh
            # Where connectors have one register together, it has the others' energy too.
            least = (
                counted if order.energy_mwh >= counted - tolerance else counted - others(Stretch.whole(number, order))
            )
            if meter.orders_convert and counted > 0:
                # The registers that it tells may be of either side.
                told = sides.as_orders(meter, Bounds(max(least, 0), counted))
                least, counted = min(least, told.low), max(counted, told.high)
            if not least - tolerance <= order.energy_mwh <= counted + tolerance:
                detail = {"against": "registers", "energy_mwh": order.energy_mwh, "registers_mwh": counted}
                yield of_order(Kind.ORDER_ENERGY, number, order, detail | {"tolerance_mwh": tolerance})
        yield from _against_records(window, number, order, others)


def _against_records(window: Window, number: int, order: Order, others: "_Others") -> Iterator[Found]:
    """Find an order whose energy its meter's records don't allow, or else periods of it of which that is so."""
    wrong = _beyond(window, Stretch.whole(number, order), others)
    if wrong is not None:
        high, tolerance = wrong["metered_mwh"][1], wrong["tolerance_mwh"]
        unmetered = high <= tolerance and order.energy_mwh > high
        kind = Kind.SOLD_UNMETERED if unmetered else Kind.ORDER_ENERGY
        yield of_order(kind, number, order, {"against": "records"} | wrong, Severity.ALARM)
        return
    # Energy told in a dearer period than that in which it was charged leaves the order's own as it is.
    for place, period in enumerate(order.periods, 1):
        if not window.is_within(order, period):
            continue  # that is told with the amounts
        found = _beyond(window, Stretch.of(number, order, period), others)
        if found is not None:
            detail = {"against": "records", "period": place} | found
            yield of_order(Kind.ORDER_ENERGY, number, order, detail, Severity.ALARM)


def _beyond(window: Window, told: Stretch, others: "_Others") -> dict[str, Any] | None:
    """Return what an energy should be, None where it may be what is told."""
    known = allowed(window, told)
    if known is None:
        return None
    low = known.low
    if told.energy_mwh < known.least:
        low = max(0, low - others(told))
    if low - known.tolerance - known.besides <= told.energy_mwh <= known.most:
        return None
    detail = {"energy_mwh": told.energy_mwh, "metered_mwh": [low, known.high]}
    return detail | {"tolerance_mwh": known.tolerance, "besides_mwh": known.besides}


class _Others:
    """Says what other orders of a charger, as of another connector, may have of what was metered in an order's time."""

    def __init__(self, window: Window) -> None:
        self._window = window
        self._sorted: dict[int, tuple[list[Order], list[int], list[int]]] = {}
        self._left = _MOST_SHARES

    def __call__(self, told: Stretch) -> int:
        """Return the most that they may have, mWh."""
        first_ms, last_ms = told.span
        orders, starts, latest = self._of(told.number)
        last = bisect_left(starts, last_ms) - 1
        if last >= _MOST_OTHERS and latest[last - _MOST_OTHERS] > first_ms:
            return _ALL  # nothing can be said of so many at once; that they overlap is told
        most = 0
        for place in range(last, -1, -1):
            if latest[place] <= first_ms:
                break
            if not self._left:
                return _ALL
            if orders[place] is not told.order:
                self._left -= 1
                most += share(self._window, told.number, orders[place], first_ms, last_ms).high
        return most

    def _of(self, number: int) -> tuple[list[Order], list[int], list[int]]:
        if number not in self._sorted:
            orders = sorted(self._window.orders.get(number, ()), key=lambda order: order.first_ms)
            latest = list(accumulate((order.last_ms for order in orders), max))
            self._sorted[number] = orders, [order.first_ms for order in orders], latest
        return self._sorted[number]


def crowds(window: Window) -> Iterator[Found]:
    """Find chargers with more orders than anybody can have charged: these are counted, and not looked at."""
    for number, count in window.crowds.items():
        detail = {"what": "more orders than a charger can have", "orders": count, "most": window.most_orders}
        yield Found(Kind.ORDER_OVERLAP, number, window.end_ms - 1, detail, Severity.ALARM)


RULES: Final[tuple[Callable[[Window], Iterator[Found]], ...]] = (
    crowds,
    unknown_charger,
    times,
    overlaps,
    duplicates,
    power,
    energy,
)
