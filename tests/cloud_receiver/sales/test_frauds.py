"""What an operator may do to the orders of an honest month, and the finding that names it."""

import random
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from math import floor

import pytest
from sales_support import DAY_MS, HOUR_MS, KWH, MINUTE_MS, SLOT_MS
from window_support import CHARGERS, GRID, MEASURED, context, window

from cloud_receiver.checks.model import STATION, Kind
from cloud_receiver.registry import Tariff
from cloud_receiver.sales import amounts, order_rules, rounding, sums_rules
from cloud_receiver.sales.curve import Row
from cloud_receiver.sales.order import Order, Period

DAYS = 14
HERE, THERE = CHARGERS
STEP = 10_000
DAY_PRICE, NIGHT_PRICE, SERVICE = 1_200_000, 400_000, 500_000
TARIFF = (
    Tariff(begin="08:00", end="22:00", price=Decimal("1.2"), service_price=Decimal("0.5")),
    Tariff(begin="22:00", end="08:00", price=Decimal("0.4"), service_price=Decimal("0.5")),
)
Orders = dict[int, list[Order]]


def fen(energy: int, price: int) -> int:
    """Return energy times price, rounded to 0.01."""
    return floor(energy * price / 10**10 + 0.5) * 100


def priced(item: Order, price: int | None = None) -> Order:
    """Return an order with one period and the amounts of its energy; it lies within one price."""
    hour = (item.start_ms - DAY_MS) // HOUR_MS % 24
    price = price or (DAY_PRICE if 8 <= hour < 22 else NIGHT_PRICE)
    electricity, service = fen(item.energy_mwh, price), fen(item.energy_mwh, SERVICE)
    period = Period(item.start_ms, item.end_ms, item.energy_mwh, price, SERVICE, electricity, service)
    money = {"amount": electricity + service, "electricity_amount": electricity, "service_amount": service}
    return replace(item, periods=(period,), **money)


def honest(seed: int = 5) -> tuple[Orders, dict[int, list[Row]]]:
    """Return the orders of some days and the records of what truly happened."""
    draw = random.Random(seed)
    orders: Orders = {}
    records: dict[int, list[Row]] = {}
    slots = (DAYS + 2) * 96
    grid = [0.0] * slots
    for number in CHARGERS:
        energies, register, found = [0.0] * slots, 0, []
        for day in range(DAYS):
            for hour in (1, 3, 5, 9, 11, 13, 15, 17, *([] if number == HERE else [19])):
                slot = 96 + day * 96 + hour * 4 + draw.randrange(1, 3)
                power = draw.uniform(4, 13)  # kWh a slot
                for place in range(slot, slot + 4):
                    energies[place] = power * KWH
                energy = floor(4 * power * 100) * STEP
                start = DAY_MS + (slot - 96) * SLOT_MS
                item = Order(f"{number}-{day}-{hour}", start, start + HOUR_MS, energy, start_total_mwh=register)
                register += energy
                found.append(priced(replace(item, end_total_mwh=register)))
        orders[number] = found
        records[number] = cut(energies)
        grid = [whole + part for whole, part in zip(grid, energies, strict=True)]
    records[GRID] = cut(grid)
    return orders, records


def cut(energies: list[float]) -> list[Row]:
    total, told, found = 0.0, 0, []
    for slot, energy in enumerate(energies):
        total += energy
        now = int(total) // STEP * STEP
        start = DAY_MS + (slot - 96) * SLOT_MS
        found.append(Row(start, start + SLOT_MS, now - told, now, 1, MEASURED))
        told = now
    return found


def found(orders: Orders, records: dict[int, list[Row]]) -> set[tuple[str, int]]:
    """Return the kinds that are found, and of which charger."""
    at = window(orders, records, context(tariff=TARIFF), days=DAYS)
    items = [item for rule in order_rules.RULES for item in rule(at)]
    items += [*amounts.amounts(at), *rounding.rounding(at), *sums_rules.unsold(at)]
    items += [*sums_rules.chargers(at, Kind.SOLD_MONTH), *sums_rules.station(at, Kind.SOLD_MONTH)]
    return {(item.kind.value, item.meter) for item in items}


def without_registers(item: Order) -> Order:
    return replace(item, start_total_mwh=None, end_total_mwh=None)


def more(percent: float, *, registers: bool) -> Callable[[list[Order]], list[Order]]:
    """Sell more in each order, and tell registers that go on as if it had been metered."""

    def change(orders: list[Order]) -> list[Order]:
        at, result = 0, []
        for item in orders:
            energy = floor(item.energy_mwh * (1 + percent / 100) / STEP) * STEP
            changed = replace(item, energy_mwh=energy, start_total_mwh=at, end_total_mwh=at + energy)
            at += energy
            result.append(priced(changed if registers else without_registers(changed)))
        return result

    return change


def one(change: Callable[[Order], list[Order]]) -> Callable[[list[Order]], list[Order]]:
    """Change an order of the afternoon, after which nobody came."""
    return lambda orders: [*orders[:15], *change(orders[15]), *orders[16:]]


def each(change: Callable[[Order], Order]) -> Callable[[list[Order]], list[Order]]:
    return lambda orders: [change(item) for item in orders]


def shifted(item: Order, hours: float) -> Order:
    by = round(hours * HOUR_MS)
    return priced(replace(item, start_ms=item.start_ms + by, end_ms=item.end_ms + by))


def dearer(item: Order) -> Order:
    return priced(item, DAY_PRICE + 10_000)


def a_cent_more(item: Order) -> Order:
    (period,) = item.periods
    electricity = (item.electricity_amount or 0) + 100
    changed = replace(period, amount=electricity)
    return replace(item, electricity_amount=electricity, amount=(item.amount or 0) + 100, periods=(changed,))


def split(item: Order) -> list[Order]:
    """Tell one charge as two at once, each with the whole of its energy."""
    return [item, replace(item, number=item.number + "b", end_ms=item.end_ms - 5 * MINUTE_MS, periods=())]


def negative(item: Order) -> Order:
    money = {"amount": -(item.amount or 0), "electricity_amount": -(item.electricity_amount or 0)}
    return replace(item, service_amount=-(item.service_amount or 0), periods=(), **money)


def amount_alone(item: Order) -> Order:
    """Tell nothing but the amount, of ten times the price."""
    alone = replace(item, periods=(), electricity_amount=None, service_amount=None)
    return replace(alone, amount=10 * (item.amount or 0))


def without_prices(item: Order) -> Order:
    """Leave the prices out, which were ten times those of the tariff."""
    dear = [replace(each, price=None, service_price=None, amount=10 * (each.amount or 0)) for each in item.periods]
    electricity = 10 * (item.electricity_amount or 0)
    money = {"electricity_amount": electricity, "amount": electricity + (item.service_amount or 0)}
    return replace(item, periods=tuple(dear), **money)


SUM = ("sold_month", HERE)
SUMS = {SUM, ("sold_month", STATION)}
Change = Callable[[list[Order]], list[Order]]
FRAUDS: dict[str, tuple[Change, set[tuple[str, int]]]] = {
    "3 % more in each, with registers": (more(3, registers=True), {("order_energy", HERE), *SUMS}),
    "3 % more in each": (more(3, registers=False), {("order_energy", HERE), *SUMS}),
    "a price above the tariff": (one(lambda item: [dearer(item)]), {("order_amount", HERE)}),
    "always 0.01 more": (each(a_cent_more), {("order_amount", HERE)}),
    "amounts below nothing": (one(lambda item: [negative(item)]), {("order_amount", HERE)}),
    "an amount alone": (one(lambda item: [amount_alone(item)]), {("order_amount", HERE)}),
    "prices left out": (one(lambda item: [without_prices(item)]), {("order_amount", HERE)}),
    "the same charge with another number": (
        one(lambda item: [item, replace(item, number="again")]),
        {("order_duplicate", HERE), SUM},
    ),
    "one charge told as two": (one(split), {("order_overlap", HERE), SUM}),
    "every 20th left out": (
        lambda orders: [item for place, item in enumerate(orders) if place % 20],
        {("unsold_energy", HERE), *SUMS},
    ),
    "a charge told two hours later": (
        one(lambda item: [shifted(item, 2.25)]),
        {("sold_unmetered", HERE), ("unsold_energy", HERE)},
    ),
    "a charge that ends before it begins": (
        one(lambda item: [replace(item, start_ms=item.end_ms, end_ms=item.start_ms)]),
        {("order_times", HERE)},
    ),
    "more than the charger can give": (
        one(lambda item: [priced(replace(without_registers(item), energy_mwh=80 * KWH))]),
        {("order_power", HERE), ("order_energy", HERE), SUM},
    ),
    "registers that say otherwise": (
        one(lambda item: [replace(item, end_total_mwh=(item.end_total_mwh or 0) + 3 * STEP)]),
        {("order_energy", HERE)},
    ),
}


@pytest.mark.parametrize("seed", range(6))
def test_an_honest_month(seed: int) -> None:
    orders, records = honest(seed)
    assert found(orders, records) == set()


@pytest.mark.parametrize("name", FRAUDS)
def test_what_an_operator_does_is_named_and_nothing_else(name: str) -> None:
    change, told = FRAUDS[name]
    orders, records = honest()
    orders[HERE] = change(orders[HERE])
    assert found(orders, records) == told


def test_the_order_of_another_charger() -> None:
    orders, records = honest()
    moved = orders[THERE].pop(17)
    orders[HERE].append(without_registers(moved))
    named = {("sold_unmetered", HERE), ("unsold_energy", THERE), SUM, ("sold_month", THERE)}
    assert found(orders, records) == named
