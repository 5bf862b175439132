"""Rules about money: sums, products, and prices of the tariff."""

from dataclasses import replace
from decimal import Decimal

import pytest
from sales_support import DAY_MS, HOUR_MS, KWH, MINUTE_MS, order
from window_support import context, window

from cloud_receiver.registry import Tariff
from cloud_receiver.sales.amounts import amounts
from cloud_receiver.sales.order import Order, Period

DAY_PRICE, NIGHT_PRICE, SERVICE = 1_200_000, 400_000, 500_000
TARIFF = (
    Tariff(begin="08:00", end="22:00", price=Decimal("1.2"), service_price=Decimal("0.5")),
    Tariff(begin="22:00", end="08:00", price=Decimal("0.4"), service_price=Decimal("0.5")),
)


def period(start: float, hours: float, kwh: float, price: int, **more: int) -> Period:
    begin = DAY_MS + round(start * HOUR_MS)
    energy = round(kwh * KWH)
    values = {
        "price": price,
        "service_price": SERVICE,
        "amount": round(kwh * price / 100),
        "service_amount": round(kwh * SERVICE / 100),
    }
    return Period(begin, begin + round(hours * HOUR_MS), energy, **(values | more))


def told(*periods: Period, **more: object) -> Order:
    electricity = sum(item.amount or 0 for item in periods)
    service = sum(item.service_amount or 0 for item in periods)
    first, last = periods[0], periods[-1]
    values = {
        "start_ms": first.start_ms,
        "end_ms": last.end_ms,
        "energy_mwh": sum(item.energy_mwh for item in periods),
        "amount": electricity + service,
        "electricity_amount": electricity,
        "service_amount": service,
        "periods": periods,
    }
    return replace(order(), **(values | more))


TWO = (period(21, 1, 10, DAY_PRICE), period(22, 1, 10, NIGHT_PRICE))


def whats(item: Order, *, tariff: bool = True) -> list[object]:
    found = amounts(window({1: [item]}, station=context(tariff=TARIFF if tariff else ())))
    return [each.detail["what"] for each in found]


def test_an_order_whose_sums_and_prices_agree() -> None:
    assert whats(told(*TWO)) == []


@pytest.mark.parametrize(("off", "wrong"), [(100, False), (-100, False), (101, True), (-101, True)])
def test_the_total_is_its_parts_within_the_minimum_pay(off: int, *, wrong: bool) -> None:
    right = told(*TWO)
    assert right.amount is not None
    assert whats(replace(right, amount=right.amount + off)) == (["amount: electricity and service"] if wrong else [])


@pytest.mark.parametrize(("off", "wrong"), [(219, False), (221, True), (-221, True)])
def test_a_periods_amount_is_energy_times_price(off: int, *, wrong: bool) -> None:
    # 0.01 and a step of 0.01 kWh at 1.2, as the energy may be cut to it: 0.022.
    changed = replace(TWO[0], amount=TWO[0].amount + off)  # type: ignore[operator]  # it has one
    assert ("electricity amount of period 1" in whats(told(changed, TWO[1]))) is wrong


def test_periods_make_up_the_orders_energy() -> None:
    assert whats(told(*TWO, energy_mwh=20 * KWH + 15_000)) == []
    assert whats(told(*TWO, energy_mwh=20 * KWH + 16_000)) == ["energy of the periods, mWh"]


@pytest.mark.parametrize("parts", [1, 2, 4, 8])
def test_periods_whose_energies_are_cut_make_up_the_cut_energy(parts: int) -> None:
    cut = [period(place, 1, 2, DAY_PRICE) for place in range(parts)]
    steps = max(parts - 1, 1)
    assert whats(told(*cut, energy_mwh=(2 * parts) * KWH + steps * 10_000), tariff=False) == []
    assert whats(told(*cut, energy_mwh=(2 * parts) * KWH + (steps + 1) * 10_000), tariff=False)


@pytest.mark.parametrize("name", ["electricity_amount", "service_amount", "amount"])
def test_an_amount_below_nothing_needs_a_price_below_nothing(name: str) -> None:
    assert len(whats(order(**{name: -1}), tariff=False)) == 1
    prices = {
        "electricity_amount": {"price": -5},
        "service_amount": {"service_price": -5},
        "amount": {"price": -5, "service_price": 0},
    }
    below = replace(period(10, 1, 20, DAY_PRICE), amount=None, service_amount=None, **prices[name])
    assert whats(order(kwh=20, periods=(below,), **{name: -1}), tariff=False) == []


def test_an_amount_in_all_that_its_periods_do_not_make() -> None:
    item = told(*TWO, electricity_amount=170_000, amount=270_000)
    assert whats(item) == ["electricity amount of the periods", "electricity amount"]


def test_periods_outside_the_order_or_over_each_other() -> None:
    assert whats(told(TWO[0], replace(TWO[1], start_ms=TWO[0].start_ms)), tariff=False) == [
        "a period outside the order, or over another"
    ]
    assert whats(told(*TWO, end_ms=TWO[1].end_ms - MINUTE_MS)) == ["a period outside the order, or over another"]


def test_periods_may_be_listed_by_price() -> None:
    assert whats(told(TWO[1], TWO[0], start_ms=TWO[0].start_ms, end_ms=TWO[1].end_ms)) == []
    three = (
        TWO[1],
        TWO[0],
        replace(TWO[0], start_ms=TWO[0].start_ms + MINUTE_MS, energy_mwh=0, amount=0, service_amount=0),
    )
    found = whats(told(*three, start_ms=TWO[0].start_ms, end_ms=TWO[1].end_ms))
    assert found == ["a period outside the order, or over another"]


def test_an_order_whose_times_are_cut_to_minutes_and_its_periods_are_not() -> None:
    first, last = (replace(item, start_ms=item.start_ms + 40_000, end_ms=item.end_ms + 40_000) for item in TWO)
    assert whats(told(first, last, start_ms=TWO[0].start_ms, end_ms=TWO[1].end_ms), tariff=False) == []
    assert whats(told(*TWO, start_ms=TWO[0].start_ms + 30_000, end_ms=TWO[1].end_ms), tariff=False) == []
    late = replace(last, end_ms=TWO[1].end_ms + MINUTE_MS)
    assert whats(told(first, late, start_ms=TWO[0].start_ms, end_ms=TWO[1].end_ms), tariff=False) != []


def test_an_amount_may_be_the_sum_of_periods_that_are_not_told() -> None:
    # Of energies cut to 0.01 kWh, and amounts cut to 0.01, of each time between two changes of price.
    tariff = [
        Tariff(begin=f"{hour:02}:00", end=f"{hour + 3:02}:00", price=Decimal(price), service_price=Decimal("0.4"))
        for hour, price in ((0, 1), (3, 2), (6, 1), (9, 2), (12, 1), (15, 2))
    ]
    for hours, cents, wrong in ((2.5, 2, True), (17, 6, False), (17, 10, True)):
        item = order(start=0.2, hours=hours, kwh=20, service_amount=80_000 - 100 * cents)
        at = window({1: [item]}, station=context(tariff=tariff))
        assert bool(list(amounts(at))) is wrong, (hours, cents)


def test_a_price_that_is_not_the_tariffs() -> None:
    wrong = period(12, 1, 10, 1_250_000)
    assert whats(told(wrong)) == ["electricity price of period 1"]
    assert whats(told(wrong), tariff=False) == []


def test_a_night_price_by_day_is_found_and_at_the_change_the_clock_is_allowed_for() -> None:
    assert whats(told(period(12, 1, 10, NIGHT_PRICE))) == ["electricity price of period 1"]
    assert whats(told(period(21.97, 1, 10, NIGHT_PRICE))) == []
    assert whats(told(period(21.5, 1, 10, NIGHT_PRICE))) == ["electricity price of period 1"]


def test_without_periods_the_amount_is_bounded_by_the_prices_in_force() -> None:
    for amount, wrong in ((239_000, True), (240_000, False), (241_000, True)):
        found = whats(order(start=12, hours=1, kwh=20, electricity_amount=amount))
        assert found == (["electricity amount by the tariff"] if wrong else []), amount
    assert whats(order(start=21.5, hours=1, kwh=20, electricity_amount=150_000)) == []


def test_a_tariff_of_another_time_says_nothing() -> None:
    late = TARIFF[0].model_copy(update={"since": None, "until": None})
    assert late.applies(DAY_MS, 8 * 60)
    assert not late.applies(DAY_MS, 22 * 60)
    assert TARIFF[1].applies(DAY_MS, 0)
    assert TARIFF[1].applies(DAY_MS, 23 * 60)
    assert not TARIFF[1].applies(DAY_MS, 8 * 60)


BARE = {"price": None, "service_price": None, "amount": None, "service_amount": None}
ONE = period(12, 1, 20, DAY_PRICE)
RIGHT, SERVED, TOO_MUCH = 240_000, 100_000, 2_000_000
"""20 kWh at 1.2, and at 0.5; what nothing makes of it."""


@pytest.mark.parametrize(
    "item",
    [
        order(start=12, kwh=20, amount=TOO_MUCH),
        order(start=12, kwh=20, amount=TOO_MUCH, electricity_amount=RIGHT),
        order(start=12, kwh=20, amount=TOO_MUCH, periods=(ONE,)),
        order(start=12, kwh=20, amount=TOO_MUCH, periods=(replace(ONE, amount=None, service_amount=None),)),
        order(start=12, kwh=20, amount=TOO_MUCH, periods=(replace(ONE, **BARE),)),
    ],
    ids=["alone", "with electricity", "with periods", "with prices", "with periods that tell nothing"],
)
def test_a_whole_is_what_its_parts_come_to_though_they_are_not_told(item: Order) -> None:
    assert whats(item) == ["amount: what electricity and service come to"]
    for off, wrong in ((0, False), (1_000, True), (-1_000, True)):
        assert bool(whats(replace(item, amount=RIGHT + SERVED + off))) is wrong, off


def test_a_price_that_is_left_out_is_the_tariffs() -> None:
    silent = replace(ONE, price=None, service_price=None)
    honest = order(start=12, kwh=20, periods=(silent,), electricity_amount=RIGHT, service_amount=SERVED)
    assert whats(honest) == []
    dear = replace(silent, amount=TOO_MUCH)
    assert whats(replace(honest, periods=(dear,), electricity_amount=TOO_MUCH)) == [
        "electricity amount of period 1 by the tariff",
        "electricity amount by the tariff",
    ]
    served = replace(silent, service_amount=TOO_MUCH)
    assert whats(replace(honest, periods=(served,), service_amount=TOO_MUCH)) == [
        "service amount of period 1 by the tariff",
        "service amount by the tariff",
    ]
    assert whats(replace(honest, periods=(replace(ONE, **BARE),), electricity_amount=TOO_MUCH)) == [
        "electricity amount by the tariff"
    ]


def test_without_a_service_price_nothing_is_said_of_a_whole() -> None:
    energy_only = tuple(tariff.model_copy(update={"service_price": None}) for tariff in TARIFF)
    item = order(start=12, kwh=20, amount=TOO_MUCH)
    assert list(amounts(window({1: [item]}, station=context(tariff=energy_only)))) == []
    known = replace(item, service_amount=SERVED)
    found = list(amounts(window({1: [known]}, station=context(tariff=energy_only))))
    assert [each.detail["what"] for each in found] == ["amount: what electricity and service come to"]
