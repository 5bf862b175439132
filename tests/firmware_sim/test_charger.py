"""Charge orders of simulated chargers: what the register says, priced by tariff, once each, with faults on demand."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.charger import Charger, OrderSettings
from firmware_sim.circuit import Circuit
from firmware_sim.config import StationConfig
from firmware_sim.faults.book import FaultBook, FaultError, Target
from firmware_sim.faults.meter import FaultyMeter
from firmware_sim.faults.model import parse_fault
from firmware_sim.layout import Layout
from firmware_sim.meter import MeterSettings
from firmware_sim.orders import OrderLog, Prices, Sold, SoldPeriod
from firmware_sim.registers import RegisterMap
from firmware_sim.sessions import Session, SessionCurve
from firmware_sim.station import Station
from firmware_sim.truth import as_json, as_table, truth
from profiles import load
from profiles.loader import parse
from profiles.modbus.orders import RegisterOrders
from profiles.modbus.plan import ReadBlock
from profiles.model import LoggedOrder

ZONE = "Asia/Shanghai"
START = int(datetime(2026, 6, 15, tzinfo=ZoneInfo(ZONE)).timestamp() * 1000)
HOUR = 3_600_000
DAY = 24 * HOUR
PROFILE = load("sim-charger")
assert isinstance(PROFILE.orders, RegisterOrders)
LAYOUT: RegisterOrders = PROFILE.orders
KWH = 10**6


def session(arrival_h: float, kwh: float, hours: float = 5, *, reverse: bool = False) -> Session:
    arrival = START + int(arrival_h * HOUR)
    return Session(arrival, arrival + int(hours * HOUR), int(kwh * KWH), "car", reverse)


def charger(sessions: Sequence[Session], layout: RegisterOrders = LAYOUT, **meter: Any) -> Charger:
    curve = SessionCurve(
        START,
        ZoneInfo(ZONE),
        7 * KWH,
        lambda day: [
            one for one in sessions if datetime.fromtimestamp(one.arrival_ms / 1000, ZoneInfo(ZONE)).date() == day
        ],
    )
    return Charger(curve, Circuit(), MeterSettings(serial_number=42, **meter), OrderSettings(layout))


def settled(subject: Charger) -> list[Sold]:
    """Return the list into which its orders go."""
    found: list[Sold] = []

    def take(sold: Sold, _: int) -> Sequence[Sold]:
        found.append(sold)
        return (sold,)

    subject.settled = take
    return found


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


# The log in registers


def read(registers: RegisterMap, layout: RegisterOrders, order: int, now_ms: int) -> LoggedOrder:
    count = counter(registers, layout, now_ms)
    values: dict[str, int] = {}
    for block in layout.order_blocks(order, count, ZONE):
        assert isinstance(block, ReadBlock)
        values |= block.decode(octets(registers, block, now_ms))
    assert values["count"] == count
    return layout.order(values, ZONE)


def octets(registers: RegisterMap, block: Any, now_ms: int) -> bytes:
    words = registers.read(block.function, block.address, block.count, now_ms)
    return b"".join(word.to_bytes(2, "big") for word in words)


def counter(registers: RegisterMap, layout: RegisterOrders, now_ms: int) -> int:
    block = layout.count_block()
    return block.decode(octets(registers, block, now_ms))["count"]


MANY = [session(hour * 0.6, 1, 0.3) for hour in range(36)]


def faulty(
    subject: Charger, faults: Sequence[dict[str, Any]] = (), layout: Any = PROFILE
) -> tuple[RegisterMap, FaultBook]:
    book = FaultBook({"c": Target("bus", "modbus", True, frozenset(PROFILE.points), sells=True)}, ZONE)
    for fault in faults:
        book.set(parse_fault(fault), START)
    meter = FaultyMeter("c", subject, book)
    return RegisterMap(meter, Layout(layout), meter.swapped, meter.order_row, ZONE), book


def test_the_registers_hold_the_last_orders_as_they_were_settled() -> None:
    subject = charger(MANY)
    registers, _ = faulty(subject)
    found = settled(subject)
    assert counter(registers, LAYOUT, START) == 0
    assert counter(registers, LAYOUT, START + DAY) == 36
    for number in range(5, 37):
        row, order = read(registers, LAYOUT, number, START + DAY), found[number - 1]
        assert row.index == number
        assert row.texts == {"number": order.number, "connector": "A"}
        assert row.numbers == {
            "start": order.start_ms,
            "end": order.end_ms,
            "energy": order.energy_mwh,
            "start_total": order.start_total_mwh,
            "end_total": order.end_total_mwh,
            "amount": order.amount,
            "electricity_amount": order.electricity_amount,
            "service_amount": order.service_amount,
            "stop_reason": order.stop_reason,
        }
        assert row.periods == tuple(
            {
                "start": period.start_ms,
                "end": period.end_ms,
                "energy": period.energy_mwh,
                "price": period.price,
                "service_price": period.service_price,
                "amount": period.amount,
                "service_amount": period.service_amount,
            }
            for period in order.periods
        )


OTHER_MAKER = """
[meter]
model = "C1"
manufacturer = "Maker"
protocol = "modbus"
source = "manual 1.0"
[modbus]
function = 3
[points]
energy_forward = { address = 0x10, type = "uint32", unit = "kWh", scale = "0.01" }
[orders]
address = 0x2000
rows = 5
stride = 40
placement = "newest-first"
[orders.counter]
address = 0x1FF0
type = "uint16"
first = 0
missing = 0xFFFF
[orders.fields]
number = { offset = 0, registers = 8, text = "bcd" }
start = { offset = 8, bcd = "YYMMDDhhmmss" }
end = { offset = 11, bcd = "YYYYMMDDhhmmss00" }
energy = { offset = 16, type = "uint32", unit = "kWh", scale = "0.01" }
connector = { offset = 18, registers = 2, text = "gb18030", word_order = "BADC" }
amount = { offset = 20, type = "float32", resolution = "0.01" }
"""


def test_another_makers_log_is_served_in_its_own_encodings() -> None:
    profile = parse(OTHER_MAKER, "c1.toml", "c1")
    layout = profile.orders
    assert isinstance(layout, RegisterOrders)
    subject = charger(MANY, layout)
    found = settled(subject)
    registers = RegisterMap(
        FaultyMeter("c", subject, FaultBook({"c": Target("b", "modbus", True, frozenset())}, ZONE)), Layout(profile)
    )
    assert counter(registers, layout, START) == 0  # nothing is connected to the log
    registers, _ = faulty(subject, layout=profile)
    found = settled(subject)
    assert counter(registers, layout, START) == 0
    assert counter(registers, layout, START + DAY) == 36
    for number in range(32, 37):
        row, order = read(registers, layout, number, START + DAY), found[number - 1]
        assert row.texts == {"number": order.number, "connector": "A"}
        assert row.numbers == {
            "start": order.start_ms,
            "end": order.end_ms,
            "energy": order.energy_mwh - order.energy_mwh % 10_000,
            "amount": order.amount,
        }


def test_a_charge_of_more_tariffs_than_a_row_has_room_for_shows_none_of_them() -> None:
    log = OrderLog(LAYOUT)
    order = Sold("1", 0, 0, 0, 0, (SoldPeriod(0, 1, 2, 3, 4),) * 9, 0, "A")
    log.add(order)
    assert not [name for name in log.row(0) if name.startswith("periods.")]
    log.add(replace(order, periods=order.periods[:8]))
    assert "periods.8.energy" in log.row(1)


# Faults


def orders_under(*faults: dict[str, Any]) -> tuple[list[LoggedOrder], FaultBook]:
    registers, book = faulty(charger([session(12, 3.5, 1), session(14, 3.5, 1)]), faults)
    count = counter(registers, LAYOUT, START + DAY)
    return [read(registers, LAYOUT, number, START + DAY) for number in range(1, count + 1)], book


def test_an_order_can_sell_more_than_the_register_counted() -> None:
    (first, second), book = orders_under({"kind": "order-energy", "percent": "2.5", "count": 1})
    assert first.numbers["energy"] == 3_588_000  # 3.5875, half to even in steps of 1 Wh
    assert first.numbers["end_total"] - first.numbers["start_total"] == 3_500_000
    assert first.numbers["electricity_amount"] == 25_100
    assert first.numbers["amount"] == 25_100 + 14_400
    assert second.numbers["energy"] == 3_500_000
    assert book.counters["c"].faults == {"order-energy": 1}


def test_an_order_can_ask_for_a_wrong_amount() -> None:
    (first, second), _ = orders_under({"kind": "order-amount", "by": "-1.50", "count": 1})
    sums = first.numbers["electricity_amount"] + first.numbers["service_amount"]
    assert first.numbers["amount"] == sums - 15_000
    assert second.numbers["amount"] == second.numbers["electricity_amount"] + second.numbers["service_amount"]


def test_an_order_can_be_missing_and_leaves_a_gap_in_the_numbers() -> None:
    (only,), book = orders_under({"kind": "order-missing", "count": 1})
    assert only.texts["number"].endswith("000002")
    assert only.index == 1
    assert book.counters["c"].faults == {"order-missing": 1}


def test_an_order_can_be_there_twice() -> None:
    found, _ = orders_under({"kind": "order-duplicate", "count": 1})
    assert [order.index for order in found] == [1, 2, 3]
    assert found[0].texts == found[1].texts
    assert found[0].numbers == found[1].numbers
    assert found[2].texts != found[1].texts


def test_a_fault_is_on_in_its_time_only() -> None:
    found, _ = orders_under({"kind": "order-energy", "percent": 10, "after_s": 13 * 3600, "duration_s": 3 * 3600})
    assert [order.numbers["energy"] for order in found] == [3_500_000, 3_850_000]


def test_faults_of_orders_are_for_chargers_that_log_them() -> None:
    book = FaultBook({"m": Target("bus", "modbus", True, frozenset())}, ZONE)
    with pytest.raises(FaultError, match="kind: expected a charger with an order log, found none in m: order-missing"):
        book.set(parse_fault({"kind": "order-missing"}), START)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "order-energy"},
        {"kind": "order-energy", "percent": -101},
        {"kind": "order-amount", "by": "0.001"},
        {"kind": "order-missing", "percent": 5},
    ],
)
def test_faults_that_can_not_be_are_refused(fault: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="order-"):
        parse_fault(fault)


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
