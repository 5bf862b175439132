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


@dataclass(slots=True)
class _Roundings:
    """Differences of amounts from what they should be, in 10^-4 of the unit, together."""

    count: int = 0
    total: int = 0
    bias: float = 0.0
    """What they may honestly be on average, summed."""
    variance: float = 0.0
    below: int = 0
    up: int = 0
    """Those that a rounding to the nearest does not make."""
    beyond: int = 0

    def product(self, difference: int, step: int, pay: int) -> None:
        """Add an amount less what its energy is worth; `step` is what a step of the energy is."""
        self._add(difference, step / 2, (pay * pay + step * step) / 12)
        self.below += difference < 0
        self.up += 2 * difference > pay + 1
        self.beyond += difference > pay

    def sum(self, difference: int, count: int, pay: int) -> None:
        """Add an amount less its parts: these may have been cut, and the whole computed from what they were before."""
        self._add(difference, pay * (count - 1) / 2, count * pay * pay / 12)
        self.below += 1

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
        # rounding up makes of it.
        always_up = not self.below and not self.beyond and 5 * self.up >= self.count
        return always_up or self.total > self.limit


def rounding(window: Window) -> Iterator[Found]:
    """Find chargers whose orders that end in the span are rounded up in all."""
    pay = int(window.settings.minimum_pay * UNITS)
    of: defaultdict[tuple[int, str], _Roundings] = defaultdict(_Roundings)
    for number, order in window.ended():
        for name, energy, price, amount in in_all(window, order):
            step, difference = abs(worth_of(window.resolution_mwh, price)), amount - worth_of(energy, price)
            if abs(difference) <= pay + step:  # more is a finding of its own
                of[number, f"{name} amounts"].product(difference, step, pay)
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
