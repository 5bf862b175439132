"""What an energy may be worth by a tariff of four prices, and what the charger's records leave of that."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

import pytest
from sales_support import DAY_MS, HOUR_MS, KWH, order
from window_support import GRID, context, rows, window

from cloud_receiver.registry import Tariff
from cloud_receiver.sales.charged import Stretch
from cloud_receiver.sales.order import Order
from cloud_receiver.sales.prices import cuts
from cloud_receiver.sales.window import Window
from cloud_receiver.sales.worth import Worth, by_tariff, worth_of

VALLEY, FLAT, PEAK, SHARP = 300_000, 700_000, 1_100_000, 1_300_000
FOUR = tuple(
    Tariff(begin=begin, end=end, price=Decimal(price) / 10**6)
    for begin, end, price in (
        ("23:00", "07:00", VALLEY),
        ("07:00", "10:00", FLAT),
        ("10:00", "12:00", PEAK),
        ("12:00", "14:00", SHARP),
        ("14:00", "23:00", FLAT),
    )
)
"""谷、平、峰、尖."""
CLOCK_H = (180 + 2) / 3600
RATED_KWH = 66.0
"""An hour at the rated power, with the margin."""
STEP = 10_000


def told(item: Order, records: Mapping[int, float] | None = None) -> Window:
    found = None if records is None else {1: rows(records), GRID: rows(records)}
    return window({1: [item]}, found, context(tariff=FOUR))


def worth(item: Order, records: Mapping[int, float] | None = None) -> Worth:
    found = by_tariff(told(item, records), Stretch.whole(1, item), "price")
    assert found is not None
    return found[0]


def kwh(energy: float, price: int) -> int:
    return worth_of(round(energy * KWH), price)


@pytest.mark.parametrize(
    ("start", "price"), [(3, VALLEY), (8, FLAT), (10.5, PEAK), (12.5, SHARP), (20, FLAT), (23.5, VALLEY)]
)
def test_within_one_price_it_is_that_price(start: float, price: int) -> None:
    assert worth(order(start=start, hours=0.4)) == Worth(kwh(20, price), kwh(20, price))


def test_of_a_charge_over_a_change_the_rated_power_bounds_what_each_price_may_have() -> None:
    item = order(start=11.75, hours=1.25, kwh=50)
    # A quarter of an hour before the change: no more than that allows, and the clock.
    dear = kwh(50, SHARP)
    cheap = RATED_KWH * (0.25 + 2 * CLOCK_H)
    assert worth(item).high == dear
    assert worth(item).low == pytest.approx(kwh(cheap, PEAK) + kwh(50 - cheap, SHARP), abs=2)


def test_records_say_how_much_was_charged_at_each_price() -> None:
    even = dict.fromkeys(range(44, 52), 2.5)  # 10 kWh an hour, 11:00 to 13:00
    item = order(start=11, hours=2, kwh=20)
    low, high = worth(item, even)
    assert kwh(10, PEAK) + kwh(10, SHARP) == pytest.approx((low + high) / 2, abs=150)
    # The quarter of an hour on each side of the change may lie on the other by the clock.
    assert high - low <= kwh(2 * 2.5 + 0.2, SHARP - PEAK)
    assert worth(item).high - worth(item).low > kwh(19, SHARP - PEAK)


def test_all_in_the_cheap_hour_is_not_worth_the_dear_one() -> None:
    early = dict.fromkeys(range(44, 47), 20 / 3)
    item = order(start=11, hours=2, kwh=20)
    assert worth(item, early).high < kwh(20, PEAK) + kwh(0.5, SHARP - PEAK)


def test_connectors_share_a_meter_and_nothing_is_certain_of_one() -> None:
    late = dict.fromkeys(range(48, 51), 20 / 3)
    item = order(start=11, hours=2, kwh=10, connector="2")
    assert worth(item, late).low < kwh(0.5, PEAK) + kwh(10, SHARP)
    assert worth(item, late).high == kwh(10, SHARP)


def test_records_that_have_more_than_the_order_leave_every_price() -> None:
    much = dict.fromkeys(range(44, 52), 10.0)
    assert worth(order(start=11, hours=2, kwh=20), much) == Worth(kwh(20, PEAK), kwh(20, SHARP))


def test_a_time_without_a_price_says_nothing() -> None:
    item = order(start=8, hours=4)
    for tariff in (FOUR[:1], FOUR[1:2]):
        at = window({1: [item]}, None, context(tariff=tariff))
        assert by_tariff(at, Stretch.whole(1, item), "price") is None
    assert by_tariff(told(item), Stretch.whole(1, item), "service_price") is None


def test_prices_below_nothing() -> None:
    free = (FOUR[0].model_copy(update={"price": Decimal(-1)}), *FOUR[1:])
    item = order(start=6.9, hours=0.2, kwh=10)
    found = by_tariff(window({1: [item]}, None, context(tariff=free)), Stretch.whole(1, item), "price")
    assert found == (Worth(kwh(10, -1_000_000), kwh(10, FLAT)), 1_000_000)


def test_the_instants_at_which_prices_change() -> None:
    day = DAY_MS, DAY_MS + 24 * HOUR_MS
    assert [(each - DAY_MS) // HOUR_MS for each in cuts(FOUR, *day, "Asia/Shanghai")] == [7, 10, 12, 14, 23]
    assert cuts(FOUR, DAY_MS, DAY_MS + 60 * 24 * HOUR_MS, "Asia/Shanghai") == []
    since = FOUR[3].model_copy(update={"since": datetime.fromisoformat("2026-07-01T13:00:00+08:00")})
    assert DAY_MS + 13 * HOUR_MS in cuts((since,), *day, "Asia/Shanghai")


def test_a_charge_of_many_years_is_no_work() -> None:
    item = order(start=0, hours=24 * 365 * 60, kwh=20)
    assert worth(item) == Worth(kwh(20, VALLEY), kwh(20, SHARP))
