"""Sums of chargers and stations against meters, between idle moments and within bounds."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from sales_support import DAY_MS, HOUR_MS, KWH, order
from window_support import GRID, context, rows, window

from cloud_receiver.checks.model import Kind
from cloud_receiver.sales import idle, sums_rules, totals
from cloud_receiver.sales.order import Order
from cloud_receiver.sales.window import Window

BUSY = {40: 5.0, 41: 5.0, 42: 5.0, 43: 5.0}


def test_what_was_metered_outside_orders_is_named_with_its_slots() -> None:
    at = window({1: [order("a", 10, 1, 20)]}, {1: rows({**BUSY, 60: 4, 61: 3})})
    (found,) = sums_rules.unsold(at)
    assert (found.kind, found.meter) == (Kind.UNSOLD, 1)
    assert found.time_ms == DAY_MS + 15 * HOUR_MS
    assert [item["mwh"] for item in found.detail["records"]] == [4 * KWH, 3 * KWH]
    # 7 kWh less the own consumption of some 13 hours, and a step of the register.
    assert 6.3 * KWH < found.detail["at_least_mwh"] < 6.4 * KWH


def test_own_consumption_is_no_missing_order() -> None:
    standby = dict.fromkeys(range(96), 0.012)  # 48 W
    assert list(sums_rules.unsold(window({1: [order("a", 10, 1, 20)]}, {1: rows(standby | BUSY)}))) == []


def test_a_chargers_day_is_its_orders() -> None:
    at = window({1: [order("a", 10, 1, 20)]}, {1: rows(BUSY)})
    assert list(sums_rules.chargers(at, Kind.SOLD_DAY)) == []
    (less,) = sums_rules.chargers(window({1: [order("a", 10, 1, 15)]}, {1: rows(BUSY)}), Kind.SOLD_DAY)
    assert less.detail["difference_mwh"][1] < -3 * KWH
    (more,) = sums_rules.chargers(window({1: [order("a", 10, 1, 25)]}, {1: rows(BUSY)}), Kind.SOLD_DAY)
    assert more.detail["difference_mwh"][0] == 5 * KWH


def test_an_order_across_midnight_is_split_by_the_records() -> None:
    crossing = order("a", 23.5, 1, 20)
    records = rows({94: 5, 95: 5, 96: 5, 97: 5}, 120)
    at = window({1: [crossing]}, {1: records})
    total = totals.charger(at, 1, at.first_ms, at.end_ms)
    assert total is not None
    assert abs(total.sold.low - 10 * KWH) < 0.1 * KWH
    assert abs(total.sold.high - 10 * KWH) < 0.1 * KWH
    assert total.beyond_mwh == 0


def test_a_charger_that_came_and_went_within_the_time_is_in_its_sums() -> None:
    station = context()
    first, end = (datetime.fromtimestamp((DAY_MS + hours * HOUR_MS) / 1000, UTC) for hours in (8, 13))
    station.meters[1] = station.meters[1].model_copy(update={"since": first, "until": end})
    records = {1: rows(dict.fromkeys(BUSY, 5), 20, first=32), GRID: rows(dict.fromkeys(BUSY, 5))}
    honest = window({1: [order("a", 10, 1, 20)]}, records, station)
    assert list(sums_rules.chargers(honest, Kind.SOLD_MONTH)) == []
    assert list(sums_rules.station(honest, Kind.SOLD_MONTH)) == []
    [more] = sums_rules.chargers(window({1: [order("a", 10, 1, 25)]}, records, station), Kind.SOLD_MONTH)
    assert more.meter == 1


def hourly(orders: Sequence[Order], hours: int, *, first: float = 0.0, base: float = 0.0) -> dict[int, float]:
    """Return what the grid side has in each hour when each order charges at its beginning with 7 kW."""
    energies = dict.fromkeys(range(round(first), hours), base)
    for each in orders:
        left, at = each.energy_mwh / KWH, (each.start_ms - DAY_MS) / HOUR_MS
        while left > 1e-9:
            until = min(int(at // 1) + 1.0, at + left / 7)
            energies[int(at // 1)] += (until - at) * 7
            left -= (until - at) * 7
            at = until
    return energies


def garage(orders: Sequence[Order], told: Sequence[Order], days: int, base: float = 0.06) -> Window:
    """Return a garage known by its hourly meter and by the orders that are told."""
    found = hourly(orders, days * 24, first=-24, base=base)
    station = context(only_orders=True, load_w=round(base * 1000))
    first_rows = rows(found, 24 * days + 24, slot_ms=HOUR_MS, first=-24)
    return window({1: told}, {GRID: first_rows}, station, days=days)


def evenings(days: int, seed: int = 3) -> list[Order]:
    """Return a charge each evening, plugged in for the night, and unknown when it charged."""
    draw = random.Random(seed)
    return [
        order(f"n{day}", day * 24 + 17 + draw.uniform(0, 2), 12, round(draw.uniform(5, 30), 2))
        for day in range(-1, days)
    ]


def test_idle_moments_are_those_at_which_no_order_is_open() -> None:
    at = garage(evenings(2), evenings(2), 2)
    found = idle.moments(at, at.first_ms, at.end_ms)
    opened = [(each.start_ms - at.clock_ms, each.end_ms + at.clock_ms) for each in evenings(2)]
    hours = [DAY_MS + hour * HOUR_MS for hour in range(49)]
    assert found == [time_ms for time_ms in hours if all(not first < time_ms < last for first, last in opened)]
    assert 10 < len(found) < 30


def test_a_healthy_garage_is_closed_between_idle_moments_without_a_finding() -> None:
    for days in (1, 30):
        at = garage(evenings(days), evenings(days), days)
        closed = idle.closed(at)
        assert closed is not None
        assert closed.between_idle
        assert closed.total.sold.low == closed.total.sold.high
        assert list(sums_rules.station(at, Kind.SOLD_DAY)) == []


@pytest.mark.parametrize("days", [1, 30])
def test_half_the_orders_missing_are_found(days: int) -> None:
    orders = [
        order(f"n{place}", 24 * day + hour, 2, 10)
        for place, (day, hour) in enumerate((day, hour) for day in range(-1, days) for hour in (9, 14))
    ]
    assert list(sums_rules.station(garage(orders, orders, days), Kind.SOLD_MONTH)) == []
    (found,) = sums_rules.station(garage(orders, orders[::2], days), Kind.SOLD_MONTH)
    assert found.detail["between_idle_moments"]
    assert found.detail["difference_mwh"] < -9 * KWH * days


def test_one_missing_order_of_a_day_is_named_with_its_time() -> None:
    orders = [order("a", 8, 2, 10), order("b", 14, 1, 6), order("c", 19, 2, 12)]
    found = list(sums_rules.station(garage(orders, [orders[0], orders[2]], 1), Kind.SOLD_DAY))
    parts = [(item.detail["from"], item.detail["to"], item.detail["orders"]) for item in found[1:]]
    assert parts == [("2026-07-01T03:00:00+00:00", "2026-07-01T10:00:00+00:00", 0)]


def test_without_an_idle_moment_bounds_accuse_nobody() -> None:
    # A car stays for three days; all of its energy lies in the first hours, before the day.
    stay, others = order("stay", -20, 60, 40), [order("a", 9, 2, 10, connector="B")]
    at = garage([*evenings(0), stay, *others], [*evenings(0), stay, *others], 1)
    closed = idle.closed(at)
    assert closed is not None
    assert not closed.between_idle
    assert closed.total.sold.low == 10 * KWH
    assert closed.total.sold.high == 50 * KWH + evenings(0)[0].energy_mwh
    assert list(sums_rules.station(at, Kind.SOLD_DAY)) == []
    much = order("b", 9, 10, 60, connector="B")
    (found,) = sums_rules.station(garage([stay, much], [stay], 1), Kind.SOLD_DAY)
    assert found.detail["between_idle_moments"] is False


def test_without_the_grid_sides_records_nothing_is_said() -> None:
    assert list(sums_rules.station(window({1: [order()]}, {1: rows(BUSY)}), Kind.SOLD_DAY)) == []


def test_a_gap_of_the_grid_side_accuses_nobody() -> None:
    at = garage(evenings(1), evenings(1), 1)
    holes = [
        row._replace(journal=place)
        for place, row in enumerate(rows(hourly(evenings(1), 24, first=-24), 48, slot_ms=HOUR_MS, first=-24))
    ]
    left = [row for row in holes if not DAY_MS + 5 * HOUR_MS <= row.start_ms < DAY_MS + 20 * HOUR_MS]
    gap = window({1: evenings(1)}, {GRID: left}, at.context)
    assert list(sums_rules.station(gap, Kind.SOLD_DAY)) == []


def test_loss_lies_between_what_the_mean_and_the_rated_power_lose() -> None:
    station = context(only_orders=True)
    loss = station.station.loss.model_copy(update={"branch_ohm": 1, "fixed_w": 100})
    lossy = station.station.model_copy(update={"loss": loss})
    at = garage([order("a", 8, 2, 10)], [order("a", 8, 2, 10)], 1)
    at.context = type(station)(1, lossy, station.meters, {})
    total = totals.station(at, at.first_ms, at.end_ms)
    assert total is not None
    # 100 W for a day, and 5 to 60 kW through 1 ohm at 400 V and the form factor 1.1.
    assert 2.4 * KWH + 0.343 * KWH < total.more.low < 2.4 * KWH + 4.2 * KWH
    assert total.terms_mwh["loss"] > 1 * KWH
