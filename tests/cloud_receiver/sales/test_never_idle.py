"""Stations of orders alone at which somebody is always plugged in: where their balances are divided."""

import random
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest
from sales_support import DAY_MS, HOUR_MS, KWH, order
from window_support import GRID, context, rows, window

from cloud_receiver.checks.model import Kind
from cloud_receiver.sales import idle, sums_rules
from cloud_receiver.sales.curve import Curve
from cloud_receiver.sales.order import Order
from cloud_receiver.sales.window import BACK_MS, Window

DAYS = 12
DAY = 24 * HOUR_MS
RATED, POWER = 11, 9.0


def truth(seed: int) -> tuple[list[Order], dict[int, float]]:
    """Return orders of cars that stay long and charge some time after they come, and what each hour takes."""
    draw = random.Random(seed)
    energies = dict.fromkeys(range(-96, 24 * DAYS + 96), 0.06)
    orders = []
    at = -90.0
    while at < 24 * DAYS:
        stay = draw.uniform(8, 16)
        kwh = round(draw.uniform(8, 45), 2)
        begin = at + draw.uniform(0, stay - kwh / POWER)
        left, time = kwh, begin
        while left > 1e-9:
            until = min(float(time // 1 + 1), time + left / POWER)
            energies[int(time // 1)] += (until - time) * POWER
            left, time = left - (until - time) * POWER, until
        orders.append(order(f"n{len(orders)}", at, stay, kwh, connector=str(len(orders))))
        at += stay - draw.uniform(0.5, 2)  # the next one comes before it leaves
    return orders, energies


def seen(orders: Sequence[Order], energies: dict[int, float], day: int, days: int = 1) -> Window:
    """Return what the check of a day, or of some, sees."""
    first, end = DAY_MS + day * DAY, DAY_MS + (day + days) * DAY
    around = [item for item in orders if item.last_ms >= first - BACK_MS and item.first_ms < end + 200_000]
    station = context(only_orders=True, load_w=60)
    charger = station.meters[1].model_copy(update={"rated_kw": Decimal(RATED)})
    at = window({1: around}, None, replace(station, meters={**station.meters, 1: charger}))
    at.first_ms, at.end_ms = first, end
    at.curves = {GRID: Curve(rows(energies, len(energies), slot_ms=HOUR_MS, first=-96), 440_000_000)}
    return at


@pytest.mark.parametrize("seed", range(12))
def test_days_that_follow_each_other_meet_and_nobody_is_accused(seed: int) -> None:
    orders, energies = truth(seed)
    totals = []
    for day in range(DAYS):
        at = seen(orders, energies, day)
        assert list(sums_rules.station(at, Kind.SOLD_DAY)) == []
        assert not idle.moments(at, at.first_ms, at.end_ms)
        closed = idle.closed(at)
        assert closed is not None
        totals.append(closed.total)
    for total, following in pairwise(totals):
        assert total.end_ms == following.first_ms
    whole = idle.closed(seen(orders, energies, 0, DAYS))
    assert whole is not None
    assert (whole.total.first_ms, whole.total.end_ms) == (totals[0].first_ms, totals[-1].end_ms)
    assert list(sums_rules.station(seen(orders, energies, 0, DAYS), Kind.SOLD_MONTH)) == []


@pytest.mark.parametrize("seed", range(12))
def test_less_is_unknown_there_than_at_midnight(seed: int) -> None:
    orders, energies = truth(seed)
    at = seen(orders, energies, 1, DAYS - 2)
    closed = idle.closed(at)
    assert closed is not None
    sold = closed.total.sold
    midnights = idle.station(at, at.first_ms, at.end_ms)
    assert midnights is not None
    assert sold.high - sold.low <= midnights.sold.high - midnights.sold.low
    assert sold.high - sold.low < 2 * 2 * RATED * KWH  # at each end, an hour of each of two


@pytest.mark.parametrize("seed", range(6))
def test_orders_that_are_missing_are_found(seed: int) -> None:
    orders, energies = truth(seed)
    left = [item for place, item in enumerate(orders) if place % 4]
    assert list(sums_rules.station(seen(left, energies, 0, DAYS), Kind.SOLD_MONTH))


def test_an_idle_moment_two_days_before_closes_the_balance() -> None:
    orders, energies = truth(1)
    gap_ms = DAY_MS + 6 * DAY - 62 * HOUR_MS
    broken = [item for item in orders if item.last_ms < gap_ms - HOUR_MS or item.first_ms > gap_ms + HOUR_MS]
    at = seen(broken, energies, 6)
    closed = idle.closed(at)
    assert closed is not None
    assert closed.total.first_ms in idle.moments(at, gap_ms - DAY, gap_ms + DAY)
