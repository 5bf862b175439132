"""Charge orders of simulated chargers: what the register says, priced by tariff, once each."""

from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Any

import pytest
from charger_support import DAY, HOUR, KWH, START, charger, session, settled
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.charger import Charger
from firmware_sim.config import StationConfig
from firmware_sim.orders import Prices, SoldPeriod
from firmware_sim.station import Station
from firmware_sim.truth import as_json, as_table, truth


def test_an_order_says_what_the_register_says_and_when() -> None:
    subject = charger([session(12, 7, 0.5), session(13, 1)], initial_forward_mwh=1000 * KWH)
    found = settled(subject)
    subject.advance(START + DAY)
    first, second = found
    # 0.5 h at 7 kW: the vehicle leaves before it has its 7 kWh.
    assert (first.start_ms, first.end_ms) == (START + 12 * HOUR, START + 12 * HOUR + HOUR // 2)
    assert (first.start_total_mwh, first.end_total_mwh) == (1000 * KWH, 1003 * KWH + KWH // 2)
    assert first.energy_mwh == 3 * KWH + KWH // 2
    assert first.stop_reason == 0
    assert first.number == "0000004220260615120000000001"
    # 0.7 kWh in flat at 0.7 and service at 0.4; half a cent goes to the even one.
    assert (first.electricity_amount, first.service_amount, first.amount) == (24_500, 14_000, 38_500)
    assert second.energy_mwh == KWH
    assert second.stop_reason == 2
    assert second.end_ms < START + 18 * HOUR
    assert second.start_total_mwh == first.end_total_mwh


def test_a_charge_over_a_change_of_tariff_has_a_period_in_each_and_they_make_up_the_whole() -> None:
    subject = charger([session(11.5, 7, 1)], gain_error=Fraction(3, 100))
    found = settled(subject)
    subject.advance(START + DAY)
    (order,) = found
    assert [(period.price, period.service_price) for period in order.periods] == [
        (1_200_000, 400_000),
        (700_000, 400_000),
    ]
    assert [period.energy_mwh for period in order.periods] == [3_605_000, 3_605_000]
    assert [period.start_ms for period in order.periods] == [START + 23 * HOUR // 2, START + 12 * HOUR]
    assert order.periods[0].end_ms == order.periods[1].start_ms
    # 3.605 kWh: 4.326 and 1.442; 2.5235 and 1.442.
    assert [period.amount for period in order.periods] == [43_300, 25_200]
    assert order.amount == 43_300 + 25_200 + 2 * 14_400


@pytest.mark.parametrize(
    ("energy_mwh", "price", "amount"),
    [(1_000, 5_000_000, 0), (3_000, 5_000_000, 200), (5_000, 1_000_000, 0), (15_000, 1_000_000, 200), (0, 10**6, 0)],
)
def test_amounts_are_rounded_to_a_hundredth_half_to_even(energy_mwh: int, price: int, amount: int) -> None:
    assert SoldPeriod(0, 0, energy_mwh, price, price).amount == amount
    assert SoldPeriod(0, 0, energy_mwh, price, price).service_amount == amount
    exact = Decimal(energy_mwh) / KWH * price / 10**6
    assert Decimal(amount) / 10_000 == exact.quantize(Decimal("0.01"), ROUND_HALF_EVEN)


@given(
    st.lists(st.tuples(st.integers(0, 4000), st.integers(1, 60_000), st.integers(1, 600)), max_size=12),
    st.lists(st.integers(0, 3 * DAY), max_size=8),
    st.integers(-99, 99),
    st.integers(-HOUR, HOUR),
)
@settings(max_examples=60)
def test_orders_do_not_depend_on_when_somebody_looks(
    wishes: list[tuple[int, int, int]], looks: list[int], gain: int, offset: int
) -> None:
    sessions = [session(minute / 60, wh / 1000, length / 60) for minute, wh, length in wishes]
    meter: dict[str, Any] = {"gain_error": Fraction(gain, 1000), "clock_offset_ms": offset}
    watched, left_alone = charger(sessions, **meter), charger(sessions, **meter)
    found, expected = settled(watched), settled(left_alone)
    for look in sorted(looks):
        watched.values(START + look)
    watched.advance(START + 4 * DAY)
    left_alone.advance(START + 4 * DAY)
    assert found == expected
    assert len(found) == len(watched._sessions.served)
    for order in found:
        assert order.energy_mwh == order.end_total_mwh - order.start_total_mwh
        assert order.periods[0].start_ms == order.start_ms
        assert order.periods[-1].end_ms == order.end_ms
    if found:
        assert found[-1].end_total_mwh == watched.values(START + 4 * DAY)["energy_forward"]


def test_feeding_back_sells_nothing() -> None:
    subject = charger([session(1, 5, reverse=True), session(8, 5)])
    found = settled(subject)
    subject.advance(START + DAY)
    assert [order.start_ms for order in found] == [START + 8 * HOUR]


def test_times_and_tariffs_are_those_of_the_charger_s_own_clock_also_when_it_is_set() -> None:
    subject = charger([session(7.5, 5), session(14, 5)], clock_offset_ms=HOUR)
    found = settled(subject)
    subject.advance(START + 13 * HOUR)
    (order,) = found
    assert order.start_ms == START + 17 * HOUR // 2
    assert {period.price for period in order.periods} == {1_000_000}  # peak, while it is valley until 8
    subject.set_clock(START + 13 * HOUR, START + 13 * HOUR)
    subject.advance(START + DAY)
    assert found[0] is order
    assert found[1].start_ms == START + 14 * HOUR


def test_a_clock_put_forward_during_a_charge_ends_its_tariff_at_once() -> None:
    subject = charger([session(1, 7, 6)])
    found = settled(subject)
    subject.set_clock(START + HOUR + 600_000, START + 11 * HOUR)
    subject.advance(START + DAY)
    (order,) = found
    assert [period.price for period in order.periods][:2] == [350_000, 1_200_000]
    assert sum(period.energy_mwh for period in order.periods) == 7 * KWH


# In a station


def station(**orders: Any) -> Station:
    chargers = [{"id": "c1", "profile": "sim-charger"}, {"id": "c2"}, {"id": "c3", "profile": "sim-charger"}]
    document = {"station": {"id": "s"}, "charger": chargers, "grid": {"id": "g", "profile": "sim-charger"}}
    return Station(StationConfig.model_validate(document | ({"orders": orders} if orders else {})), START)


def test_chargers_with_an_order_log_in_their_profile_have_one() -> None:
    found = station(electricity_price=["2", "2", "2", "2"], service_price=[0, 0, 0, "0.5"], connector="B")
    kinds = {item.section.id: type(item.meter).__name__ for item in found.meters}
    assert kinds == {"c1": "Charger", "c2": "Meter", "c3": "Charger", "g": "Meter"}
    subject = found.meters[0].meter
    assert isinstance(subject, Charger)
    sold = settled(subject)
    subject.advance(START + DAY)
    assert {period.price for order in sold for period in order.periods} == {2_000_000}
    assert {period.service_price for order in sold for period in order.periods} <= {0, 500_000}
    assert {order.connector for order in sold} == {"B"}


def test_the_truth_has_every_order_of_its_period() -> None:
    whole = truth(station(), START, START + 2 * DAY)
    second = truth(station(), START + DAY, START + 2 * DAY)
    assert {order.charger for order in whole.orders} == {"c1", "c3"}
    assert second.orders == tuple(order for order in whole.orders if order.settled_ms > START + DAY)
    assert 0 < len(second.orders) < len(whole.orders)
    document = as_json(whole)["orders"]
    assert [order["number"] for order in document] == [order.sold.number for order in whole.orders]
    for order in document:
        assert order["energy_mwh"] == order["end_total_mwh"] - order["start_total_mwh"]
        assert order["amount"] == order["electricity_amount"] + order["service_amount"]
        assert order["energy_mwh"] == sum(period["energy_mwh"] for period in order["periods"])
    kwh = Decimal(sum(order["energy_mwh"] for order in document)).scaleb(-6)
    assert f"orders    {len(document)}: {kwh} kWh sold for" in as_table(whole)


@pytest.mark.parametrize(
    "orders",
    [{"electricity_price": [1, 2, 3]}, {"service_price": ["0.0000001"] * 4}, {"electricity_price": [-1] * 4}, {"x": 1}],
)
def test_prices_that_can_not_be_are_refused(orders: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="orders"):
        station(**orders)


def test_prices_are_of_four_tariffs() -> None:
    assert Prices().electricity == (1_200_000, 1_000_000, 700_000, 350_000)
