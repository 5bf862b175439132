"""Simulated days whose registers are cut, whose clocks are off, and whose orders have whole minutes: who is accused."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest
from sales_support import DAY_MS, KWH, MINUTE_MS, SLOT_MS
from window_support import CHARGERS, GRID, MEASURED, context, window

from cloud_receiver.checks.model import Kind
from cloud_receiver.sales import order_rules, sums_rules
from cloud_receiver.sales.curve import Row
from cloud_receiver.sales.order import Order
from cloud_receiver.sales.window import Window
from wire.records import Quality

MINUTES = 1440
STEP = 10_000
SEEDS = range(40)


def cut(value: float) -> int:
    return int(value) // STEP * STEP


class Day:
    """A day of two chargers: what they truly did, minute by minute, and what is told of it."""

    def __init__(self, seed: int) -> None:
        draw = random.Random(seed)
        self.orders: dict[int, list[Order]] = {}
        truth = {number: [0.0] * (3 * MINUTES) for number in CHARGERS}  # from the day before to the day after
        for number in CHARGERS:
            clock = draw.randrange(-150, 151) * 1000
            at, register = draw.randrange(0, 300), [0.0]
            self.orders[number] = []
            while at < 3 * MINUTES - 700:
                opened, charging = draw.randrange(20, 600), draw.randrange(10, 180)
                power = draw.uniform(3, 60) * KWH / 60
                begin = at + draw.randrange(0, opened)
                for minute in range(begin, min(begin + charging, at + opened)):
                    truth[number][minute] = power
                energy = sum(truth[number][at : at + opened])
                before, after = cut(register[0]), cut(register[0] + energy)
                register[0] += energy
                start, end = ((DAY_MS + (minute - MINUTES) * MINUTE_MS + clock) for minute in (at, at + opened))
                times = (start // MINUTE_MS * MINUTE_MS, end // MINUTE_MS * MINUTE_MS)
                name = f"{number}-{len(self.orders[number])}"
                registers = {"start_total_mwh": before, "end_total_mwh": after}
                self.orders[number].append(Order(name, *times, after - before, **registers))
                at += opened + draw.randrange(10, 200)
        self.records = {number: self._records(truth[number], idle_w=30) for number in CHARGERS}
        total = [sum(truth[number][minute] for number in CHARGERS) for minute in range(3 * MINUTES)]
        self.records[GRID] = self._records(total, idle_w=60)

    @staticmethod
    def _records(minutes: list[float], idle_w: int) -> list[Row]:
        register, told, found = 0.0, 0, []
        for slot in range(3 * MINUTES // 15):
            register += sum(minutes[slot * 15 : slot * 15 + 15]) + idle_w * 250
            now = cut(register)
            start = DAY_MS - MINUTES * MINUTE_MS + slot * SLOT_MS
            found.append(Row(start, start + SLOT_MS, now - told, now, 1, MEASURED))
            told = now
        return found

    def window(self) -> Window:
        """Return what the checks see."""
        return window(self.orders, self.records, context(load_w=60))

    def within(self) -> list[tuple[int, int]]:
        """Return charger and place of the orders that lie within the day and sold something."""
        return [
            (number, place)
            for number, orders in self.orders.items()
            for place, item in enumerate(orders)
            if item.start_ms > DAY_MS and item.end_ms < DAY_MS + MINUTES * MINUTE_MS and item.energy_mwh > 2 * KWH
        ]


def found(at: Window) -> list[tuple[Kind, int, object]]:
    """Return what the rules find of single orders, chargers and the station."""
    rules = (*order_rules.RULES, sums_rules.unsold)
    items = [item for rule in rules for item in rule(at)]
    items += [*sums_rules.chargers(at, Kind.SOLD_DAY), *sums_rules.station(at, Kind.SOLD_DAY)]
    return [(item.kind, item.meter, item.detail.get("order")) for item in items]


@pytest.mark.parametrize("seed", SEEDS)
def test_nobody_is_accused_on_an_honest_day(seed: int) -> None:
    day = Day(seed)
    assert day.within()
    assert found(day.window()) == []


def spread(rows: list[Row], first: int, end: int) -> list[Row]:
    """Have a gateway without readings over some records spread evenly what the register rose by."""
    total = rows[first].total_mwh - rows[first].energy_mwh
    energy, count = rows[end - 1].total_mwh - total, end - first
    changed = []
    for place, row in enumerate(rows[first:end]):
        upto = [energy * number // count for number in (place, place + 1)]
        share = upto[1] - upto[0]
        changed.append(row._replace(energy_mwh=share, total_mwh=total + upto[1], quality=int(Quality.ESTIMATED)))
    return [*rows[:first], *changed, *rows[end:]]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("numbers", [CHARGERS[:1], CHARGERS, (GRID,)], ids=["one", "chargers", "grid side"])
def test_nobody_is_accused_for_a_gateway_that_did_not_read(numbers: tuple[int, ...], seed: int) -> None:
    day, draw = Day(seed), random.Random(seed)
    first = MINUTES // 15 + draw.randrange(0, 80)
    end = first + draw.randrange(2, 40)
    for number in numbers:
        day.records[number] = spread(day.records[number], first, end)
    assert found(day.window()) == []


def altered(change: Callable[[Order], Order | None], seed: int) -> tuple[int, Order, list[tuple[Kind, int, object]]]:
    """Alter one order of a day; return its charger, what it was, and what is found then."""
    day = Day(seed)
    number, place = random.Random(seed).choice(day.within())
    was = day.orders[number][place]
    now = change(was)
    day.orders[number][place : place + 1] = [] if now is None else [now]
    return number, was, found(day.window())


@pytest.mark.parametrize("seed", SEEDS)
def test_an_order_that_is_missing_is_found(seed: int) -> None:
    number, _, told = altered(lambda _: None, seed)
    assert {kind for kind, meter, _ in told if meter == number} & {Kind.UNSOLD, Kind.SOLD_DAY}


@pytest.mark.parametrize("seed", SEEDS)
def test_an_order_that_sold_half_as_much_again_is_found(seed: int) -> None:
    def more(item: Order) -> Order:
        return replace(item, energy_mwh=item.energy_mwh * 3 // 2, start_total_mwh=None, end_total_mwh=None)

    number, was, told = altered(more, seed)
    assert (Kind.ORDER_ENERGY, number, was.number) in told or (Kind.SOLD_DAY, number, None) in told


@pytest.mark.parametrize("seed", SEEDS)
def test_registers_that_do_not_fit_are_found_to_two_steps(seed: int) -> None:
    number, was, told = altered(lambda item: replace(item, energy_mwh=item.energy_mwh + 3 * STEP), seed)
    assert (Kind.ORDER_ENERGY, number, was.number) in told
