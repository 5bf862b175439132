"""Amounts that are each within the minimum pay variable, and together rounded up."""

import random
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from math import ceil, floor

import pytest
from sales_support import HOUR_MS, order
from window_support import context, window

from cloud_receiver.checks.model import Kind
from cloud_receiver.registry import Tariff
from cloud_receiver.sales.amounts import amounts
from cloud_receiver.sales.order import Order, Period
from cloud_receiver.sales.rounding import rounding

TARIFF = (Tariff(price=Decimal("1.2"), service_price=Decimal("0.5")),)
Money = Callable[[float], int]


def nearest(fen: float) -> int:
    return floor(fen + 0.5) * 100


def down(fen: float) -> int:
    return floor(fen + 1e-9) * 100


def exact(fen: float) -> int:
    return floor(fen * 100)


def up(fen: float) -> int:
    return ceil(fen - 1e-9) * 100


def one_more(fen: float) -> int:
    return nearest(fen) + 100


def month(money: Money, seed: int, *, cut_after: bool, prices: tuple[float, float], count: int = 120) -> list[Order]:
    """Return a charger's orders; `cut_after`: amounts are of energies that are cut to 0.01 kWh afterwards."""
    draw = random.Random(seed)
    found = []
    for place in range(count):
        truth = draw.uniform(1, 40)
        told = floor(truth * 100) / 100
        energy = truth if cut_after else told
        electricity, service = (money(energy * price * 100) for price in prices)
        item = order(str(place), 4 * place, 1, told, amount=electricity + service)
        found.append(replace(item, electricity_amount=electricity, service_amount=service))
    return found


def whats(orders: list[Order], *, periods: bool = False, prices: tuple[float, float] = (1.2, 0.5)) -> list[object]:
    if periods:
        scaled = [round(price * 1_000_000) for price in prices]
        orders = [
            replace(
                item,
                periods=(
                    Period(
                        *(item.start_ms, item.start_ms + HOUR_MS, item.energy_mwh, *scaled),
                        *(item.electricity_amount, item.service_amount),
                    ),
                ),
            )
            for item in orders
        ]
    at = window({1: orders}, station=context(tariff=() if periods else TARIFF), days=21)
    assert list(amounts(at)) == []  # no order by itself
    found = list(rounding(at))
    assert all((item.kind, item.meter) == (Kind.ORDER_AMOUNT, 1) for item in found)
    return [item.detail["what"] for item in found]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("money", [nearest, down, exact])
@pytest.mark.parametrize("cut_after", [False, True])
@pytest.mark.parametrize("prices", [(1.2, 0.5), (0.8, 0.5), (1.0, 0.6), (3.0, 0.25)])
def test_honest_roundings_accuse_nobody(
    seed: int, money: Money, prices: tuple[float, float], *, cut_after: bool
) -> None:
    assert whats(month(money, seed, cut_after=cut_after, prices=prices), periods=True, prices=prices) == []


@pytest.mark.parametrize("periods", [True, False])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("money", [up, one_more])
def test_amounts_that_are_always_rounded_up_are_found(seed: int, money: Money, *, periods: bool) -> None:
    orders = month(money, seed, cut_after=False, prices=(1.2, 0.5))
    assert "electricity amounts rounded up" in whats(orders, periods=periods)
    assert whats(orders[:99], periods=periods) == []


@pytest.mark.parametrize(("money", "price"), [(up, 0.8), (one_more, 0.8), (one_more, 1.0), (up, 3.3)])
def test_so_they_are_at_prices_of_which_a_cut_energy_is_worth_little(money: Money, price: float) -> None:
    orders = month(money, 1, cut_after=False, prices=(price, 0.5))
    assert "electricity amounts rounded up" in whats(orders, periods=True, prices=(price, 0.5))


def test_totals_that_are_always_a_little_more_than_their_parts_are_found() -> None:
    honest = month(nearest, 1, cut_after=False, prices=(1.2, 0.5))
    assert whats([replace(item, amount=(item.amount or 0) + 100) for item in honest]) == ["totals rounded up"]


def test_a_whole_that_is_computed_before_its_parts_are_cut_is_honest() -> None:
    draw = random.Random(7)
    orders = []
    for item in month(down, 1, cut_after=False, prices=(1.2, 0.5)):
        more = draw.choice([0, 100])  # what two cuts leave out
        orders.append(replace(item, amount=(item.amount or 0) + more))
    assert whats(orders) == []
