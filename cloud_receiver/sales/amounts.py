"""Rules about money: amounts are energies times prices, totals are their parts, prices those of the tariff (电价).

Limit of each product: the minimum pay variable (JJG 1148-2018, one source), and what the step of the energy is worth.
A price that an order leaves out is the tariff's: saying less must not be a way not to be checked.
"""

from collections.abc import Iterator
from typing import Any, Final

from cloud_receiver.checks.model import Kind
from cloud_receiver.sales.charged import Stretch
from cloud_receiver.sales.finding import Found, of_order
from cloud_receiver.sales.order import Order, Period
from cloud_receiver.sales.prices import in_force
from cloud_receiver.sales.window import Window, milliseconds
from cloud_receiver.sales.worth import Worth, by_tariff, price_of, products, worth_of

UNITS: Final = 10_000
"""Of an amount, in the currency's unit."""
_SECOND_MS: Final = 1000
_PAIRS: Final = (("electricity", "price", "amount"), ("service", "service_price", "service_amount"))


def amounts(window: Window) -> Iterator[Found]:
    """Find orders whose amounts, periods or prices don't agree."""
    pay = int(window.settings.minimum_pay * UNITS)
    for number, order in window.ended():
        for detail in (*_sums(order, pay, window.resolution_mwh), *_products(order, pay, window.resolution_mwh)):
            yield of_order(Kind.ORDER_AMOUNT, number, order, detail)
        for detail in (*_misplaced(window, order), *_prices(window, order)):
            yield of_order(Kind.ORDER_AMOUNT, number, order, detail)
        for detail in (*_bounded(window, number, order, pay), *_negative(window, order)):
            yield of_order(Kind.ORDER_AMOUNT, number, order, detail)


def _differs(what: str, expected: int, found: int, limit: int) -> dict[str, Any]:
    return {"what": what, "expected": expected, "found": found, "limit": limit}


def _negative(window: Window, order: Order) -> Iterator[dict[str, Any]]:
    """Find amounts below nothing where no price is."""
    below = [
        any((_of(period, key) or 0) < 0 for period in order.periods)
        or any((price_of(tariff, key) or 0) < 0 for tariff in window.context.station.tariff)
        for _, key, _ in _PAIRS
    ]
    told = (order.electricity_amount, order.service_amount, order.amount)
    for name, amount, may in zip(("electricity", "service", "whole"), told, (*below, any(below)), strict=True):
        if amount is not None and amount < 0 and not may:
            yield {"what": f"{name} amount below nothing", "found": amount}


def _sums(order: Order, pay: int, step: int) -> Iterator[dict[str, Any]]:
    if order.amount is not None and order.electricity_amount is not None and order.service_amount is not None:
        parts = order.electricity_amount + order.service_amount
        if abs(order.amount - parts) > pay:
            yield _differs("amount: electricity and service", parts, order.amount, pay)
    count = len(order.periods)
    if not count:
        return
    energy = sum(period.energy_mwh for period in order.periods)
    # Each, and their sum, rounded to its step, or cut to it.
    limit = max((count + 1) * step // 2, (count - 1) * step)
    if abs(energy - order.energy_mwh) > limit:
        yield _differs("energy of the periods, mWh", order.energy_mwh, energy, limit)
    for (name, _, key), told in zip(_PAIRS, (order.electricity_amount, order.service_amount), strict=True):
        amounts_told = [value for period in order.periods if (value := _of(period, key)) is not None]
        if told is not None and len(amounts_told) == count and abs(sum(amounts_told) - told) > pay * count:
            yield _differs(f"{name} amount of the periods", told, sum(amounts_told), pay * count)


def _misplaced(window: Window, order: Order) -> Iterator[dict[str, Any]]:
    # They may be listed by price.
    by_time = sorted(enumerate(order.periods, 1), key=lambda item: (item[1].start_ms, item[1].end_ms))
    over_ms = 0
    for place, period in by_time:
        if not window.is_within(order, period) or period.start_ms < over_ms - _SECOND_MS:
            yield {"what": "a period outside the order, or over another", "period": place}
        over_ms = max(over_ms, period.end_ms)


def _products(order: Order, pay: int, step: int) -> Iterator[dict[str, Any]]:
    for name, price_key, amount_key in _PAIRS:
        told = order.electricity_amount if name == "electricity" else order.service_amount
        worths: list[int] = []
        limits: list[int] = []
        for place, period in enumerate(order.periods, 1):
            price, amount = _of(period, price_key), _of(period, amount_key)
            if price is None:
                continue
            worth, limit = worth_of(period.energy_mwh, price), pay + abs(worth_of(step, price))
            worths.append(worth)
            limits.append(limit)
            if amount is not None and abs(amount - worth) > limit:
                yield _differs(f"{name} amount of period {place}", worth, amount, limit)
        if told is not None and worths and len(worths) == len(order.periods) and abs(told - sum(worths)) > sum(limits):
            yield _differs(f"{name} amount", sum(worths), told, sum(limits))


def _of(period: Period, key: str) -> int | None:
    value: int | None = getattr(period, key)
    return value


def _prices(window: Window, order: Order) -> Iterator[dict[str, Any]]:
    if window.context.station.tariff:
        for place, period in enumerate(order.periods, 1):
            yield from _period_prices(window, place, period)


def _bounded(window: Window, number: int, order: Order, pay: int) -> Iterator[dict[str, Any]]:
    """Find amounts that no price of the tariff makes, and a whole that its parts don't, told or not."""
    everything = Stretch.whole(number, order)
    # Who leaves out the periods may have summed an amount of each all the same.
    count = 1 if order.periods else products(window, everything)
    parts = []
    for (name, key, amount_key), told in zip(_PAIRS, (order.electricity_amount, order.service_amount), strict=True):
        bounds = Worth(0, 0) if order.periods else _tariff(window, everything, key, count)
        by_prices = bool(order.periods)
        for place, period in enumerate(order.periods, 1):
            price, amount = _of(period, key), _of(period, amount_key)
            if price is not None:  # what it makes of the period's own amount is looked at with the products
                worth = worth_of(period.energy_mwh, price)
                known: Worth | None = Worth(worth, worth).widened(_limit(window, price))
            else:
                by_prices = False
                known = _tariff(window, Stretch.of(number, order, period), key)
                if known is not None and amount is not None and not known.has(amount):
                    yield _outside(f"{name} amount of period {place} by the tariff", known, amount)
                if known is None and amount is not None:
                    known = Worth(amount, amount).widened(pay)
            bounds = None if bounds is None or known is None else bounds.plus(known)
        if told is not None and bounds is not None and not by_prices and not bounds.has(told):
            yield _outside(f"{name} amount by the tariff", bounds, told)
        parts.append(bounds if told is None else Worth(told, told).widened(pay))
    electricity, service = parts
    told_both = order.electricity_amount is not None and order.service_amount is not None
    if order.amount is None or told_both or electricity is None or service is None:
        return
    whole = electricity.plus(service)
    if not whole.has(order.amount):
        yield _outside("amount: what electricity and service come to", whole, order.amount)


def _outside(what: str, expected: Worth, found: int) -> dict[str, Any]:
    return {"what": what, "expected": list(expected), "found": found}


def _tariff(window: Window, told: Stretch, key: str, count: int = 1) -> Worth | None:
    """Return what the tariff makes of an energy, with the limit of a product, or of a sum of some."""
    found = by_tariff(window, told, key)
    if found is None:
        return None
    worth, price = found
    return worth.widened(count * _limit(window, price))


def _limit(window: Window, price: int) -> int:
    """Return how far a product may be off."""
    return int(window.settings.minimum_pay * UNITS) + abs(worth_of(window.resolution_mwh, price))


def _period_prices(window: Window, place: int, period: Period) -> Iterator[dict[str, Any]]:
    clock = min(window.clock_ms, max(0, period.end_ms - period.start_ms - 1) // 2)
    station = window.context.station
    certain = in_force(station.tariff, period.start_ms + clock, period.end_ms - clock, station.timezone)
    around = milliseconds(window.settings.clock_s)
    possible = in_force(station.tariff, period.start_ms - around, period.end_ms + around, station.timezone)
    for name, key, _ in _PAIRS:
        told = _of(period, key)
        sure = {price for tariff in certain if (price := price_of(tariff, key)) is not None}
        maybe = {price for tariff in possible if (price := price_of(tariff, key)) is not None}
        if told is None or not maybe:
            continue
        if len(sure) > 1 or told not in maybe or (sure and told not in sure and clock == window.clock_ms):
            expected = sorted(sure or maybe)
            yield {"what": f"{name} price of period {place}", "expected": expected, "found": told}


def in_all(window: Window, order: Order) -> Iterator[tuple[str, int, int, int]]:
    """Yield name, energy, price and amount of each product that an order tells, or the only price of its time gives."""
    clock = window.clock_ms
    station = window.context.station
    possible = in_force(station.tariff, order.first_ms - clock, order.last_ms + clock, station.timezone)
    for name, price_key, amount_key in _PAIRS:
        for period in order.periods:
            price, amount = _of(period, price_key), _of(period, amount_key)
            if price is not None and amount is not None:
                yield name, period.energy_mwh, price, amount
        told = order.electricity_amount if name == "electricity" else order.service_amount
        prices = {price_of(tariff, price_key) for tariff in possible}
        if not order.periods and told is not None and len(prices) == 1 and (price := prices.pop()) is not None:
            yield name, order.energy_mwh, price, told
