"""Idle moments: instants at which no order is open, and at which the station's balance can be closed.

Of an order that is open at a midnight it is not known how much was charged before it: a car that is plugged in for
twelve hours may have charged in the first three. Between idle moments every order counts whole.
"""

from bisect import bisect_right
from dataclasses import dataclass, replace
from itertools import pairwise

from cloud_receiver.registry import Role
from cloud_receiver.sales.order import END_MS, Order
from cloud_receiver.sales.spans import open_spans
from cloud_receiver.sales.totals import Total, share, station
from cloud_receiver.sales.window import BACK_MS, DAY_MS, Window


@dataclass(frozen=True, slots=True)
class Closed:
    """A station's total between two instants, and its parts between idle moments."""

    total: Total
    between_idle: bool
    """Whether no order was open at both; else what is sold has bounds."""
    parts: tuple[Total, ...] = ()
    """In order of time; those without an order are one as long as it goes on."""


def _edges(window: Window, first_ms: int, end_ms: int) -> list[int]:
    """Return the ends of the grid side's records in [first_ms, end_ms], in order of time."""
    grids = [window.curves[number] for number in window.context.numbers(Role.GRID) if number in window.curves]
    if not grids:
        return []
    edges = set(grids[0].edges(first_ms, end_ms)).intersection(*(grid.edges(first_ms, end_ms) for grid in grids[1:]))
    return sorted(edges)


def moments(window: Window, first_ms: int, end_ms: int) -> list[int]:
    """Return the ends of the grid side's records in [first_ms, end_ms] at which no order was open."""
    spans = open_spans(window.orders, window.clock_ms)
    starts = [first for first, _ in spans]
    idle = []
    for time_ms in _edges(window, first_ms, end_ms):
        place = bisect_right(starts, time_ms) - 1
        if place < 0 or spans[place][1] <= time_ms:
            idle.append(time_ms)
    return idle


def closed(window: Window, *, parts: bool = True) -> Closed | None:
    """Return the station's balance of the window's span; None without the grid side's records.

    It is closed between an instant for the span's beginning and one for its end: the last idle moment of the three days
    before, else the end of a record of the day before at which the least is unknown. Spans that follow each other have
    the same one between them, so their balances leave nothing out. Where these don't serve, the span itself is
    balanced, within bounds.
    """
    # Orders are read from three days before the span on: before that, a moment only seems to be idle.
    idle = moments(window, window.first_ms - BACK_MS, window.end_ms)
    begin, end = _cut(window, idle, window.first_ms), _cut(window, idle, window.end_ms)
    if end is None and (known := _edges(window, window.first_ms, window.end_ms)):
        end = _cut(window, idle, known[-1])  # the span goes on, or the grid side's records end before it
    if begin is not None and end is not None and begin < end:
        total = station(window, begin, end)
        if total is not None and total.determined:
            cuts = [begin, *(time_ms for time_ms in idle if begin < time_ms < end), end]
            between = begin in idle and end in idle
            return Closed(total, between_idle=between, parts=tuple(_parts(window, cuts)) if parts else ())
    total = station(window, window.first_ms, window.end_ms)
    return None if total is None else Closed(total, between_idle=False)


def _cut(window: Window, idle: list[int], at_ms: int) -> int | None:
    """Return the instant at which spans that meet at one are divided; None where the grid side has no record."""
    place = bisect_right(idle, at_ms) - 1
    if place >= 0 and idle[place] >= at_ms - BACK_MS:
        return idle[place]
    edges = _edges(window, at_ms - DAY_MS + 1, at_ms)
    return min(edges, key=lambda time_ms: (_unknown(window, time_ms), -time_ms), default=None)


def _unknown(window: Window, time_ms: int) -> int:
    """Return how much of the orders that are open at an instant may be charged before it, or after it, mWh."""
    unknown = 0
    clock = window.clock_ms
    for number, orders in window.orders.items():
        for order in orders:
            if order.first_ms - clock < time_ms < order.last_ms + clock:
                part = share(window, number, order, time_ms, END_MS)
                unknown += part.high - part.low
    return unknown


def _parts(window: Window, cuts: list[int]) -> list[Total]:
    """Return the totals between the first and the last instant, and the idle moments within."""
    orders: list[dict[int, list[Order]]] = [{} for _ in cuts]
    for number, found in window.orders.items():
        for order in found:
            if order.first_ms < cuts[-1] and order.last_ms + window.clock_ms > cuts[0]:
                # At the first instant an order may have been open.
                place = max(0, bisect_right(cuts, order.first_ms) - 1)
                orders[place].setdefault(number, []).append(order)
    merged: list[tuple[int, int, dict[int, list[Order]]]] = []
    for (first, end), mine in zip(pairwise(cuts), orders, strict=False):
        if merged and not mine and not merged[-1][2]:
            merged[-1] = merged[-1][0], end, {}
        else:
            merged.append((first, end, mine))
    totals = (station(replace(window, orders=mine), first, end) for first, end, mine in merged)
    return [total for total in totals if total is not None]
