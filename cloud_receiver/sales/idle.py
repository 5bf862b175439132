"""Idle moments: instants at which no order is open, and at which the station's balance can be closed.

Of an order that is open at a midnight it is not known how much was charged before it: a car that is plugged in for
twelve hours may have charged in the first three. Between idle moments every order counts whole.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

from cloud_receiver.registry import Role
from cloud_receiver.sales.order import Order
from cloud_receiver.sales.totals import Total, station
from cloud_receiver.sales.window import BACK_MS, Window


@dataclass(frozen=True, slots=True)
class Closed:
    """A station's total between idle moments, or over the span itself with bounds; and its parts."""

    total: Total
    between_idle: bool
    parts: tuple[Total, ...] = ()
    """Between idle moments, in order of time; those without an order are one as long as it goes on."""


def open_spans(orders: Mapping[int, Iterable[Order]], clock_ms: int) -> list[tuple[int, int]]:
    """Return the times in which any order was open, as the clocks allow, joined and in order."""
    found = ((order.first_ms - clock_ms, order.last_ms + clock_ms) for mine in orders.values() for order in mine)
    return joined(sorted(found))


def joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return spans in order of time with those that touch made one."""
    result: list[tuple[int, int]] = []
    for first, last in spans:
        if result and first <= result[-1][1]:
            result[-1] = result[-1][0], max(result[-1][1], last)
        else:
            result.append((first, last))
    return result


def moments(window: Window, first_ms: int, end_ms: int) -> list[int]:
    """Return the ends of the grid side's records in [first_ms, end_ms] at which no order was open."""
    grids = [window.curves[number] for number in window.context.numbers(Role.GRID) if number in window.curves]
    if not grids:
        return []
    edges = set(grids[0].edges(first_ms, end_ms)).intersection(*(grid.edges(first_ms, end_ms) for grid in grids[1:]))
    spans = open_spans(window.orders, window.clock_ms)
    starts = [first for first, _ in spans]
    idle = []
    for time_ms in sorted(edges):
        place = bisect_right(starts, time_ms) - 1
        if place < 0 or spans[place][1] <= time_ms:
            idle.append(time_ms)
    return idle


def closed(window: Window, *, parts: bool = True) -> Closed | None:
    """Return the station's balance of the window's span; None without the grid side's records.

    It is closed between the last idle moment before the span's beginning and the last before its end, so that the
    balances of following days leave nothing out; where there is none, over the span itself, within bounds.
    """
    # Orders are read from three days before the span on: before that, a moment only seems to be idle.
    idle = moments(window, window.first_ms - BACK_MS, window.end_ms)
    before = [time_ms for time_ms in idle if time_ms <= window.first_ms]
    within = [time_ms for time_ms in idle if time_ms > window.first_ms]
    if before and within:
        total = station(window, before[-1], within[-1])
        if total is not None and total.determined:
            cuts = [before[-1], *within]
            return Closed(total, between_idle=True, parts=tuple(_parts(window, cuts)) if parts else ())
    total = station(window, window.first_ms, window.end_ms)
    return None if total is None else Closed(total, between_idle=False)


def _parts(window: Window, cuts: list[int]) -> list[Total]:
    """Return the totals between idle moments; each order lies between two of them."""
    orders: list[dict[int, list[Order]]] = [{} for _ in cuts]
    for number, found in window.orders.items():
        for order in found:
            if cuts[0] <= order.first_ms < cuts[-1]:
                orders[bisect_right(cuts, order.first_ms) - 1].setdefault(number, []).append(order)
    merged: list[tuple[int, int, dict[int, list[Order]]]] = []
    for (first, end), mine in zip(pairwise(cuts), orders, strict=False):
        if merged and not mine and not merged[-1][2]:
            merged[-1] = merged[-1][0], end, {}
        else:
            merged.append((first, end, mine))
    totals = (station(replace(window, orders=mine), first, end) for first, end, mine in merged)
    return [total for total in totals if total is not None]
