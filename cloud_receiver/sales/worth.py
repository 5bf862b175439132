"""What an energy that was charged in a time may be worth by a station's tariff (电价).

Where several prices were in force, how much was charged at each is known from the charger's records within bounds, or
from its rated power; what is worth least, and what most, is charged as late or as early as these allow.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Final, NamedTuple

from cloud_receiver.registry import Tariff
from cloud_receiver.sales.charged import Stretch, allowed
from cloud_receiver.sales.prices import cuts, in_force
from cloud_receiver.sales.window import DAY_MS, Window

_PRICE_UNITS: Final = 1_000_000
_WORTH: Final = 100_000_000
"""mWh times 10^-6 of the unit per kWh, in an amount's 10^-4 of the unit."""
_LOW, _HIGH = 0, 1


class Worth(NamedTuple):
    """The least and the most that something comes to, 10^-4 of the unit."""

    low: int
    high: int

    def widened(self, by: int) -> "Worth":
        """Return it with a limit on both sides."""
        return Worth(self.low - by, self.high + by)

    def plus(self, other: "Worth") -> "Worth":
        """Return the bounds of a sum."""
        return Worth(self.low + other.low, self.high + other.high)

    def has(self, amount: int) -> bool:
        """Return whether an amount is within."""
        return self.low <= amount <= self.high


class _Part(NamedTuple):
    """A time in which the same prices are in force, and how much may have been charged in it, mWh."""

    prices: tuple[int, int]
    """The lowest and the highest."""
    least: int
    most: int


def worth_of(energy_mwh: int, price: int) -> int:
    """Return energy times price in 10^-4 of the unit, to the nearest."""
    return (2 * energy_mwh * price + _WORTH) // (2 * _WORTH)


def price_of(tariff: Tariff, key: str) -> int | None:
    """Return a tariff's price in 10^-6 of the unit per kWh; `key` is price or service_price."""
    value: Decimal | None = getattr(tariff, key)
    return None if value is None else int(value * _PRICE_UNITS)


def products(window: Window, told: Stretch) -> int:
    """Return of how many products an amount is the sum at most: one for each time with the same tariffs."""
    first_ms, last_ms = told.first_ms - window.clock_ms, told.last_ms + window.clock_ms
    station = window.context.station
    possible = in_force(station.tariff, first_ms, last_ms, station.timezone)
    inside = cuts(possible, first_ms, last_ms, station.timezone)
    if not inside:
        days = -(-(last_ms - first_ms) // DAY_MS)
        return 1 if len(possible) <= 1 else (len(possible) + 1) * days
    there = [in_force(possible, start, end, station.timezone) for start, end in pairwise((first_ms, *inside, last_ms))]
    return 1 + sum(before != after for before, after in pairwise(there))


def by_tariff(window: Window, told: Stretch, key: str) -> tuple[Worth, int] | None:
    """Return what an energy may be worth, and the largest price in its time; None where one is unknown.

    Prices that are in force within the clock's limit of the time may be those of its edges.
    """
    first_ms, last_ms = told.first_ms - window.clock_ms, told.last_ms + window.clock_ms
    station = window.context.station
    possible = in_force(station.tariff, first_ms, last_ms, station.timezone)
    if not possible or any(price_of(tariff, key) is None for tariff in possible):
        return None
    inside = cuts(possible, first_ms, last_ms, station.timezone)
    times = [first_ms, *inside, last_ms]
    spans: list[tuple[int, int, tuple[int, int]]] = []
    for start, end in pairwise(times):
        here = in_force(possible, start, end, station.timezone) if inside else possible
        prices = [price_of(tariff, key) or 0 for tariff in here]
        if not prices:
            if start < told.last_ms and end > told.first_ms:
                return None  # a part of the time that no tariff prices
            continue
        both = min(prices), max(prices)
        if spans and spans[-1][1] == start and spans[-1][2] == both:
            spans[-1] = spans[-1][0], end, both
        else:
            spans.append((start, end, both))
    largest = max(abs(price) for _, _, both in spans for price in both)
    if len(spans) == 1:
        return Worth(*(worth_of(told.energy_mwh, price) for price in spans[0][2])), largest
    parts = [_part(window, told, each) for each in spans]
    return Worth(_of(parts, told.energy_mwh, _LOW), _of(parts, told.energy_mwh, _HIGH)), largest


def _part(window: Window, told: Stretch, piece: tuple[int, int, tuple[int, int]]) -> _Part:
    start, end, prices = piece
    meter = window.context.meters.get(told.number)
    # Prices may have changed by another clock than that of the order's times.
    most = told.energy_mwh
    if meter is not None:
        most = min(most, window.most(told.number, end - start + window.clock_ms))
    inside = told._replace(first_ms=max(start, told.first_ms), last_ms=min(end, told.last_ms))
    known = allowed(window, inside) if inside.first_ms < inside.last_ms else None
    if known is None:
        return _Part(prices, 0, most)
    # What another connector of the charger had at the time is not told apart.
    alone = told.order.connector is None and meter is not None and len(meter.connectors) <= 1
    return _Part(prices, known.least if alone else 0, min(most, known.most))


def _of(parts: Sequence[_Part], told_mwh: int, side: int) -> int:
    """Return the least or the most that the energy comes to over its parts, whose sum it is."""
    rest = told_mwh - sum(part.least for part in parts)
    if rest < 0:
        # The records have more than the order tells, which is another rule's: nothing is known of the parts.
        return _chosen((worth_of(told_mwh, part.prices[side]) for part in parts), side)
    worth = 0
    for part in sorted(parts, key=lambda part: part.prices[side], reverse=side == _HIGH):
        more = min(rest, part.most - part.least)
        worth, rest = worth + worth_of(part.least + more, part.prices[side]), rest - more
    return worth + _chosen((worth_of(rest, part.prices[side]) for part in parts), side)


def _chosen(worths: Iterable[int], side: int) -> int:
    return max(worths) if side == _HIGH else min(worths)
