"""The order log of a simulated charger in its registers, and with faults on demand."""

from dataclasses import replace
from typing import Any

import pytest
from charger_support import DAY, LAYOUT, MANY, START, ZONE, charger, counter, faulty, read, session, settled

from firmware_sim.faults.book import FaultBook, FaultError, Target
from firmware_sim.faults.meter import FaultyMeter
from firmware_sim.faults.model import parse_fault
from firmware_sim.layout import Layout
from firmware_sim.orders import OrderLog, Sold, SoldPeriod
from firmware_sim.registers import RegisterMap
from profiles.loader import parse
from profiles.modbus.orders import RegisterOrders
from profiles.model import LoggedOrder


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
