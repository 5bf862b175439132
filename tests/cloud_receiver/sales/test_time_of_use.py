"""Charges over changes of price (分时电价), honest ones by clocks that are off, and what an operator may do to them."""

import random
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from math import floor

import pytest
from sales_support import DAY_MS, HOUR_MS, KWH, MINUTE_MS, SLOT_MS
from test_worth import FOUR
from window_support import GRID, MEASURED, context, window

from cloud_receiver.sales import amounts, order_rules
from cloud_receiver.sales.curve import Row
from cloud_receiver.sales.order import Order, Period
from cloud_receiver.sales.prices import cuts, in_force
from cloud_receiver.sales.worth import worth_of

STEP = 10_000
ZONE = "Asia/Shanghai"
CLOCK_MS = 150_000
SEEDS = 40


class Charge:
    """A charge of constant power by true time, and a day's records of it."""

    def __init__(self, seed: int) -> None:
        draw = random.Random(seed)
        change = draw.choice([7, 10, 12, 14, 23]) * HOUR_MS
        self.start = DAY_MS + change - draw.randrange(5, 90) * MINUTE_MS
        self.end = DAY_MS + min(change + draw.randrange(5, 90) * MINUTE_MS, 24 * HOUR_MS - 4 * MINUTE_MS)
        self.power = draw.uniform(7, 60) * KWH / HOUR_MS  # mWh a ms
        self.off = draw.randrange(-CLOCK_MS, CLOCK_MS)
        """Of the clock of its orders and prices."""

    def energy(self, first: int, end: int) -> float:
        return max(0, min(end, self.end) - max(first, self.start)) * self.power

    def records(self) -> list[Row]:
        true, told, found = 0.0, 0, []
        for slot in range(96):
            start = DAY_MS + slot * SLOT_MS
            true += self.energy(start, start + SLOT_MS)
            now = int(true) // STEP * STEP
            found.append(Row(start, start + SLOT_MS, now - told, now, 1, MEASURED))
            told = now
        return found

    def order(self) -> Order:
        """Return what is told of it: by a clock that is off, each energy cut to its step."""
        first, last = self.start + self.off, self.end + self.off
        times = [first, *cuts(FOUR, first, last, ZONE), last]
        periods = []
        for start, end in pairwise(times):
            price = int(in_force(FOUR, start, end, ZONE)[0].price * 10**6)
            energy = floor(self.energy(start - self.off, end - self.off)) // STEP * STEP
            periods.append(Period(start, end, energy, price, 0, worth_of(energy, price), 0))
        electricity = sum(item.amount or 0 for item in periods)
        energy = sum(item.energy_mwh for item in periods)
        return Order("1", first, last, energy, electricity, electricity, 0, periods=tuple(periods))


def found(item: Order, charge: Charge) -> set[str]:
    """Return the kinds that are found."""
    records = charge.records()
    tariff = tuple(each.model_copy(update={"service_price": 0}) for each in FOUR)
    at = window({1: [item]}, {1: records, GRID: records}, context(tariff=tariff))
    return {each.kind.value for rule in (*order_rules.RULES, amounts.amounts) for each in rule(at)}


def whole(item: Order) -> Order:
    """Tell the amount alone."""
    return replace(item, periods=(), electricity_amount=None, service_amount=None)


def parts(item: Order) -> Order:
    """Tell no periods."""
    return replace(item, periods=())


def unpriced(item: Order) -> Order:
    """Tell periods without prices."""
    return replace(item, periods=tuple(replace(each, price=None, service_price=None) for each in item.periods))


@pytest.mark.parametrize("seed", range(SEEDS))
@pytest.mark.parametrize("told", [lambda item: item, whole, parts, unpriced], ids=["all", "whole", "parts", "unpriced"])
def test_an_honest_charge(told: Callable[[Order], Order], seed: int) -> None:
    charge = Charge(seed)
    assert found(told(charge.order()), charge) == set()


def moved(item: Order) -> Order:
    """Tell the energy of a cheaper period in the dearest one, with prices and amounts that agree."""
    dearest = max(item.periods, key=lambda each: each.price or 0)
    more = sum(each.energy_mwh for each in item.periods if each is not dearest)
    changed = []
    for each in item.periods:
        energy = each.energy_mwh + more if each is dearest else 0
        changed.append(replace(each, energy_mwh=energy, amount=worth_of(energy, each.price or 0)))
    electricity = sum(each.amount or 0 for each in changed)
    return replace(item, periods=tuple(changed), electricity_amount=electricity, amount=electricity)


LONG = [seed for seed in range(200) if len(Charge(seed).order().periods) > 1]


def certain(seed: int) -> bool:
    """Return whether so much was charged in each period that neither clocks nor records allow it to be elsewhere."""
    least = 2 * SLOT_MS + 4 * CLOCK_MS
    return all(each.end_ms - each.start_ms > least for each in Charge(seed).order().periods)


CERTAIN = [seed for seed in LONG if certain(seed)]


@pytest.mark.parametrize("seed", CERTAIN)
def test_energy_told_in_a_dearer_period(seed: int) -> None:
    charge = Charge(seed)
    assert found(moved(charge.order()), charge) == {"order_energy"}


@pytest.mark.parametrize("seed", CERTAIN)
@pytest.mark.parametrize("told", [whole, parts])
def test_an_amount_alone_as_if_all_had_been_charged_at_the_dearest_price(
    told: Callable[[Order], Order], seed: int
) -> None:
    charge = Charge(seed)
    assert found(told(moved(charge.order())), charge) == {"order_amount"}


def test_there_are_such_charges() -> None:
    assert len(CERTAIN) >= 10
