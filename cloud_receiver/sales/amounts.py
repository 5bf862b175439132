"""Rules about money: amounts are energies times prices, totals are their parts, prices those of the tariff (电价).

Limit of each product: the minimum pay variable (JJG 1148-2018, one source), and what the step of the energy is worth.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

from cloud_receiver.checks.model import Kind
from cloud_receiver.registry import Tariff
from cloud_receiver.sales.finding import Found, of_order
from cloud_receiver.sales.order import Order, Period
from cloud_receiver.sales.prices import in_force
from cloud_receiver.sales.window import Window, milliseconds

UNITS: Final = 10_000
"""Of an amount, in the currency's unit."""
_PRICE_UNITS: Final = 1_000_000
_WORTH: Final = 100_000_000
"""mWh times 10^-6 of the unit per kWh, in an amount's 10^-4 of the unit."""
_PAIRS: Final = (("electricity", "price", "amount"), ("service", "service_price", "service_amount"))


def amounts(window: Window) -> Iterator[Found]:
    """Find orders whose amounts, periods or prices don't agree."""
    pay = int(window.settings.minimum_pay * UNITS)
    for number, order in window.ended():
        for detail in (*_sums(order, pay, window.resolution_mwh), *_products(order, pay, window.resolution_mwh)):
            yield of_order(Kind.ORDER_AMOUNT, number, order, detail)
        for detail in (*_tariff(window, order, pay), *_negative(window, order)):
            yield of_order(Kind.ORDER_AMOUNT, number, order, detail)


def _differs(what: str, expected: int, found: int, limit: int) -> dict[str, Any]:
    return {"what": what, "expected": expected, "found": found, "limit": limit}


def _negative(window: Window, order: Order) -> Iterator[dict[str, Any]]:
    """Find amounts below nothing where no price is."""
    below = [
        any((_of(period, key) or 0) < 0 for period in order.periods)
        or any((_price(tariff, key) or 0) < 0 for tariff in window.context.station.tariff)
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
    step_ms = 1000
    for earlier, period in zip((None, *order.periods), order.periods, strict=False):
        outside = period.start_ms < order.first_ms - step_ms or period.end_ms > order.last_ms + step_ms
        if (
            outside
            or period.end_ms < period.start_ms
            or (earlier is not None and period.start_ms < earlier.end_ms - step_ms)
        ):
            yield {"what": "a period outside the order, or over another", "period": order.periods.index(period) + 1}


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


def worth_of(energy_mwh: int, price: int) -> int:
    """Return energy times price in 10^-4 of the unit, to the nearest."""
    return (2 * energy_mwh * price + _WORTH) // (2 * _WORTH)


def _tariff(window: Window, order: Order, pay: int) -> Iterator[dict[str, Any]]:
    tariffs = window.context.station.tariff
    if not tariffs:
        return
    clock = window.clock_ms
    if order.periods:
        for place, period in enumerate(order.periods, 1):
            yield from _period_prices(window, place, period)
        return
    timezone = window.context.station.timezone
    possible = in_force(tariffs, order.first_ms - clock, order.last_ms + clock, timezone)
    for (name, key, _), told in zip(_PAIRS, (order.electricity_amount, order.service_amount), strict=True):
        prices = [price for tariff in possible if (price := _price(tariff, key)) is not None]
        if told is None or not prices or len(prices) < len(possible):
            continue
        step = window.resolution_mwh
        low = worth_of(order.energy_mwh, min(prices)) - pay - abs(worth_of(step, min(prices)))
        high = worth_of(order.energy_mwh, max(prices)) + pay + abs(worth_of(step, max(prices)))
        if not low <= told <= high:
            yield {"what": f"{name} amount by the tariff", "expected": [low, high], "found": told}


def _period_prices(window: Window, place: int, period: Period) -> Iterator[dict[str, Any]]:
    clock = min(window.clock_ms, max(0, period.end_ms - period.start_ms - 1) // 2)
    station = window.context.station
    certain = in_force(station.tariff, period.start_ms + clock, period.end_ms - clock, station.timezone)
    around = milliseconds(window.settings.clock_s)
    possible = in_force(station.tariff, period.start_ms - around, period.end_ms + around, station.timezone)
    for name, key, _ in _PAIRS:
        told = _of(period, key)
        sure = {price for tariff in certain if (price := _price(tariff, key)) is not None}
        maybe = {price for tariff in possible if (price := _price(tariff, key)) is not None}
        if told is None or not maybe:
            continue
        if len(sure) > 1 or told not in maybe or (sure and told not in sure and clock == window.clock_ms):
            expected = sorted(sure or maybe)
            yield {"what": f"{name} price of period {place}", "expected": expected, "found": told}


def _price(tariff: Tariff, key: str) -> int | None:
    value: Decimal | None = getattr(tariff, key)
    return None if value is None else int(value * _PRICE_UNITS)


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
        prices = {_price(tariff, price_key) for tariff in possible}
        if not order.periods and told is not None and len(prices) == 1 and (price := prices.pop()) is not None:
            yield name, order.energy_mwh, price, told
