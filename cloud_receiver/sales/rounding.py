"""Whether amounts are rounded to the charger's side: each within the minimum pay variable, and all together too much.

An amount may honestly be computed from an energy with more digits than the order tells, which is cut to its step; so
on average it may be worth half a step more than the energy that is told. What chance does is bounded by four standard
deviations, of roundings that are uniform.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from math import sqrt
from typing import Final

from cloud_receiver.checks.model import Kind
from cloud_receiver.sales.amounts import UNITS, in_all
from cloud_receiver.sales.finding import Found
from cloud_receiver.sales.order import Order
from cloud_receiver.sales.window import Window
from cloud_receiver.sales.worth import worth_of

_FEWEST: Final = 100
"""Products, or totals, of a charger, before anything is said of their roundings."""
_DEVIATIONS: Final = 4


_SURELY: Final = 9.0
"""Amounts that honest ways of rounding make less than their product, or much more, on average: by chance none is there
once in eight thousand."""


@dataclass(slots=True)
class _Roundings:
    """Differences of amounts from what they should be, in 10^-4 of the unit, together."""

    count: int = 0
    total: int = 0
    bias: float = 0.0
    """What they may honestly be on average, summed."""
    variance: float = 0.0
    rounded: int = 0
    """Amounts of whole steps of the minimum pay variable: others show the energy that they were computed from."""
    below: int = 0
    up: int = 0
    """Those that a rounding to the nearest does not make."""
    beyond: int = 0
    expected: tuple[float, ...] = (0.0, 0.0, 0.0)
    """How many would be below or beyond, by honest way of rounding."""

    def product(self, worth: int, amount: int, step: int, pay: int) -> None:
        """Add an amount and what its energy is worth; `step` is what a step of the energy is."""
        difference = amount - worth
        self._add(difference, step / 2, (pay * pay + step * step) / 12)
        if not pay or amount % pay:
            return
        self.rounded += 1
        self.below += difference < 0
        self.up += 2 * difference > pay + 1
        self.beyond += difference > pay
        shares = _exceptions(worth % pay, step, pay)
        self.expected = tuple(sum(pair) for pair in zip(self.expected, shares, strict=True))

    def sum(self, difference: int, count: int, pay: int) -> None:
        """Add an amount less its parts: these may have been cut, and the whole computed from what they were before."""
        self._add(difference, pay * (count - 1) / 2, count * pay * pay / 12)

    def _add(self, difference: int, bias: float, variance: float) -> None:
        self.count += 1
        self.total += difference
        self.bias += bias
        self.variance += variance

    @property
    def limit(self) -> float:
        """Return what the sum may be."""
        return self.bias + _DEVIATIONS * sqrt(self.variance)

    @property
    def suspicious(self) -> bool:
        """Return whether the sum is too large, or all are rounded up."""
        if self.count < _FEWEST:
            return False
        # From an energy with more digits some amounts would be less than the told one is worth, or more than a
        # rounding up makes of it; not where a step of it is worth one of the minimum pay variable, or less.
        always_up = (
            self.rounded >= _FEWEST and not self.below and not self.beyond and 5 * self.up >= self.rounded
        ) and min(self.expected) >= _SURELY
        return always_up or self.total > self.limit


def _exceptions(rest: int, step: int, pay: int) -> tuple[float, float, float]:
    """Return how likely an amount is below its product, or beyond, by honest way of rounding.

    `rest`: what the product has beyond whole steps of `pay`. Ways: to the nearest and down, of an energy that was cut
    by some part of its step; to the nearest, of the energy that is told.
    """
    told = float(0 < 2 * rest < pay)
    if not step:
        return told, float(rest > 0), told
    nearest, down = (
        (max(0.0, least - rest) if rest else 0.0) + max(0.0, step + rest - least - pay) for least in (pay / 2, pay)
    )
    return min(1.0, nearest / step), min(1.0, down / step), told


def rounding(window: Window) -> Iterator[Found]:
    """Find chargers whose orders that end in the span are rounded up in all."""
    pay = int(window.settings.minimum_pay * UNITS)
    of: defaultdict[tuple[int, str], _Roundings] = defaultdict(_Roundings)
    for number, order in window.ended():
        for name, energy, price, amount in in_all(window, order):
            step, worth = abs(worth_of(window.resolution_mwh, price)), worth_of(energy, price)
            if abs(amount - worth) <= pay + step:  # more is a finding of its own
                of[number, f"{name} amounts"].product(worth, amount, step, pay)
        for name, whole, parts in _sums(order):
            if abs(whole - sum(parts)) <= pay * len(parts):
                of[number, name].sum(whole - sum(parts), len(parts), pay)
    for (number, name), found in of.items():
        if found.suspicious:
            detail = {"what": f"{name} rounded up", "amounts": found.count, "too_much": found.total}
            yield Found(Kind.ORDER_AMOUNT, number, window.end_ms - 1, detail | {"limit": round(found.limit)})


def _sums(order: Order) -> Iterator[tuple[str, int, list[int]]]:
    electricity, service = order.electricity_amount, order.service_amount
    if order.amount is not None and electricity is not None and service is not None:
        yield "totals", order.amount, [electricity, service]
    for name, told, parts in (
        ("electricity amounts of orders", electricity, [period.amount for period in order.periods]),
        ("service amounts of orders", service, [period.service_amount for period in order.periods]),
    ):
        known = [part for part in parts if part is not None]
        if told is not None and known and len(known) == len(parts):
            yield name, told, known
