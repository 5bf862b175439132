"""What was sold against what was metered, over a span: of a charger, and of a station against its grid side.

Energies whose time is not known are bounds; what is measured has an uncertainty budget as in
cloud_receiver.checks.tolerance: independent terms in quadrature, times the coverage factor.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import hypot, sqrt
from typing import Final, TypeAlias

from cloud_receiver.registry import Role
from cloud_receiver.sales import sides
from cloud_receiver.sales.curve import MS_PER_HOUR, Bounds, Curve
from cloud_receiver.sales.order import Order
from cloud_receiver.sales.window import Window, mwh

_SQRT3: Final = sqrt(3)
NOTHING: Final = Bounds(0, 0)
_Terms: TypeAlias = tuple[int, dict[str, float]]
"""How many orders, and the standard uncertainties by term."""


@dataclass(frozen=True, slots=True)
class Total:
    """Sold against metered in [first_ms, end_ms), mWh."""

    first_ms: int
    end_ms: int
    sold: Bounds
    metered: Bounds
    """By the charger's meter, or by the grid side."""
    more: Bounds
    """What is metered and not sold: own consumption and conversion, or loss and auxiliaries."""
    tolerance_mwh: int
    terms_mwh: dict[str, int]
    """Standard uncertainty by term, before the coverage factor."""
    orders: int

    @property
    def difference_mwh(self) -> Bounds:
        """Return sold, and what comes on top, less metered; positive: more was sold than metered."""
        return Bounds(
            self.sold.low + self.more.low - self.metered.high, self.sold.high + self.more.high - self.metered.low
        )

    @property
    def beyond_mwh(self) -> int:
        """Return by how much the difference is certainly beyond the tolerance, with its sign; 0: within."""
        low, high, _ = self.difference_mwh
        if low > self.tolerance_mwh:
            return low - self.tolerance_mwh
        return min(high + self.tolerance_mwh, 0)

    def off(self, ratio: float = 1.0) -> int:
        """Return the certain difference where it is beyond so many tolerances, else 0."""
        low, high, _ = self.difference_mwh
        if low > ratio * self.tolerance_mwh:
            return low
        return high if high < -ratio * self.tolerance_mwh else 0

    @property
    def determined(self) -> bool:
        """Return whether records cover the whole span."""
        return not self.metered.unknown_ms

    def evidence(self) -> dict[str, object]:
        """Return everything as JSON takes it."""
        return {
            "sold_mwh": _pair(self.sold),
            "metered_mwh": _pair(self.metered),
            "besides_mwh": _pair(self.more),
            "difference_mwh": _pair(self.difference_mwh),
            "tolerance_mwh": self.tolerance_mwh,
            "standard_uncertainty_mwh": self.terms_mwh,
            "orders": self.orders,
            "unknown_s": self.metered.unknown_ms // 1000,
        }


def _pair(bounds: Bounds) -> int | list[int]:
    return bounds.low if bounds.low == bounds.high else [bounds.low, bounds.high]


def share(window: Window, number: int, order: Order, first_ms: int, end_ms: int) -> Bounds:
    """Return how much of an order may have been charged in [first_ms, end_ms).

    All of it where it lies within; else what its charger's records allow, or its rated power where there are none.
    """
    clock = window.clock_ms
    begin, last = order.first_ms - clock, order.last_ms + clock
    if begin >= first_ms and last <= end_ms:
        return Bounds(order.energy_mwh, order.energy_mwh)
    if last <= first_ms or begin >= end_ms:
        return NOTHING
    inside = _most(window, number, max(begin, first_ms), min(last, end_ms))
    outside = _most(window, number, begin, min(last, first_ms)) + _most(window, number, max(begin, end_ms), last)
    low = max(0, order.energy_mwh - outside)
    return Bounds(low, max(low, min(order.energy_mwh, inside)))


def _most(window: Window, number: int, first_ms: int, end_ms: int) -> int:
    if end_ms <= first_ms:
        return 0
    curve = window.curves.get(number)
    # The register's step, and that of the order, on top of what the records have.
    step = window.resolution_mwh
    if curve is None:
        return _rated(window, number, end_ms - first_ms) + step
    meter = window.context.meters[number]
    metered = curve.bounds(first_ms, end_ms)
    return sides.as_orders(meter, metered.plus(Bounds(0, mwh(meter.resolution_kwh)))).high + step


def _rated(window: Window, number: int, duration_ms: int) -> int:
    if number in window.context.meters:
        return window.most(number, duration_ms)
    return 1 << 60  # of a charger that is not registered nothing is known


def charger(window: Window, number: int, first_ms: int, end_ms: int) -> Total | None:
    """Return a charger's total, in the part of the time in which it was in service; None of one without records."""
    curve = window.curves.get(number)
    if curve is None:
        return None
    first_ms, end_ms = window.context.meters[number].service(first_ms, end_ms)
    if not curve.within(first_ms, end_ms):
        return None
    sold, count = _sold(window, (number,), first_ms, end_ms)
    for order in window.handed_on.get(number, ()):
        rest = share(window, number, order, first_ms, end_ms).high
        sold, count = sold.plus(Bounds(0, rest)), count + bool(rest)
    meter = window.context.meters[number]
    terms = {
        "order_step": _step(window.resolution_mwh, count),
        "register_step": mwh(meter.resolution_kwh) / _SQRT3,
    }
    order_class = sides.order_class_percent(meter)
    if order_class is not None:
        terms["accuracy_class"] = sold.high * hypot(float(meter.accuracy_class), float(order_class)) / 100 / _SQRT3
    lost, limit_mwh = sides.between(meter, sold)
    if meter.orders_convert:
        terms["conversion"] = limit_mwh / _SQRT3
    metered = curve.bounds(first_ms, end_ms)
    own = int(window.settings.own_consumption_w * 1000 * (end_ms - first_ms) / MS_PER_HOUR)
    # An order may have what was given back (V2G) taken off.
    given = sides.given_back(meter, sides.given_back(meter, window.given_back(number, first_ms, end_ms)))
    more = Bounds(lost.low, lost.high + own + given)
    return _total(window, (first_ms, end_ms), (sold, metered, more), (count, terms))


def station(window: Window, first_ms: int, end_ms: int) -> Total | None:
    """Return all chargers' orders, loss and auxiliaries against the grid side; None without its records."""
    context = window.context
    grids = [window.curves[number] for number in context.numbers(Role.GRID) if number in window.curves]
    if not any(curve.pieces for curve in grids):
        return None
    chargers = list(dict.fromkeys((*context.numbers(Role.CHARGER), *window.orders)))
    metered = _sum(curve.bounds(first_ms, end_ms) for curve in grids)
    parts = {number: _sold(window, (number,), first_ms, end_ms) for number in chargers}
    sold, count = _sum(part for part, _ in parts.values()), sum(number for _, number in parts.values())
    loss, loss_terms = _loss(window, grids, chargers, first_ms, end_ms)
    given = {number: _given(window, number, first_ms, end_ms) for number in chargers}
    lost = [
        sides.before(context.meters[number], part.high, given[number])
        for number, (part, _) in parts.items()
        if number in context.meters
    ]
    auxiliary, auxiliary_term = _auxiliary(window, first_ms, end_ms)
    accuracy = [metered.high * _largest(window, Role.GRID) / 100 / _SQRT3]
    for number, (part, _) in parts.items():
        known = context.meters.get(number)
        if known is not None:
            accuracy.append(part.high * float(known.order_class_percent or known.accuracy_class) / 100 / _SQRT3)
    steps = [mwh(context.meters[number].resolution_kwh) / _SQRT3 for number in context.numbers(Role.GRID)]
    terms = {
        "accuracy_class": hypot(*accuracy),
        "order_step": _step(window.resolution_mwh, count),
        "register_step": hypot(*steps),
        "loss": loss_terms,
        "auxiliary": auxiliary_term,
        # Limits of chargers of one make add up: their efficiency is off alike.
        "conversion": sum(item.limit_mwh for item in lost) / _SQRT3,
    }
    # What was given back stays at the station, or in its grid: the grid side has that much less, unless orders do.
    conversion = round(sum(item.mwh for item in lost))
    more = Bounds(auxiliary.low + loss + conversion - sum(given.values()), auxiliary.high + loss + conversion)
    return _total(window, (first_ms, end_ms), (sold, metered, more), (count, terms))


def _given(window: Window, number: int, first_ms: int, end_ms: int) -> int:
    """Return the most that was given back, as orders would count it."""
    given = window.given_back(number, first_ms, end_ms)
    meter = window.context.meters.get(number)
    return given if meter is None else sides.given_back(meter, given)


def _total(window: Window, span: tuple[int, int], energies: tuple[Bounds, Bounds, Bounds], terms: _Terms) -> Total:
    """`energies`: sold, metered, and what comes between the two."""
    count, uncertainties = terms
    tolerance = round(window.coverage_factor * hypot(*uncertainties.values()))
    rounded = {name: round(value) for name, value in uncertainties.items()}
    return Total(*span, *energies, tolerance, rounded, count)


def _sold(window: Window, numbers: Iterable[int], first_ms: int, end_ms: int) -> tuple[Bounds, int]:
    low = high = count = 0
    for number in numbers:
        for order in window.orders.get(number, ()):
            part = share(window, number, order, first_ms, end_ms)
            if part.high:
                low, high, count = low + part.low, high + part.high, count + 1
    return Bounds(low, high), count


def _sum(parts: Iterable[Bounds]) -> Bounds:
    total = NOTHING
    for part in parts:
        total = total.plus(part)
    return total


def _step(step_mwh: int, count: int) -> float:
    # An order's energy is the difference of two readings that are cut to the step: within one step of the truth.
    return step_mwh / _SQRT3 * sqrt(count)


def _largest(window: Window, role: Role) -> float:
    meters = window.context.meters
    return max(float(meters[number].accuracy_class) for number in window.context.numbers(role))


def _auxiliary(window: Window, first_ms: int, end_ms: int) -> tuple[Bounds, float]:
    """Return what auxiliaries took, and its standard uncertainty where it is modelled."""
    metered = window.context.numbers(Role.AUXILIARY)
    if metered:
        return _sum(
            window.curves[number].bounds(first_ms, end_ms) for number in metered if number in window.curves
        ), 0.0
    auxiliary = window.context.station.auxiliary
    modelled = float(auxiliary.load_w) * 1000 * (end_ms - first_ms) / MS_PER_HOUR
    return Bounds(round(modelled), round(modelled)), modelled * float(auxiliary.uncertainty_percent) / 100 / _SQRT3


def _loss(
    window: Window, grids: Iterable[Curve], chargers: Iterable[int], first_ms: int, end_ms: int
) -> tuple[int, float]:
    """Return the modelled loss and its standard uncertainty, mWh.

    The trunk's from the grid side's records; a charger's cable's from its orders, of which only the mean power is
    known, and that it was no more than the rated one.
    """
    model = window.context.station.loss
    volts = float(model.line_voltage_v) ** 2
    trunk = sum(
        _watt_hours(piece.low, piece.end_ms - piece.start_ms, float(model.trunk_ohm) * float(model.trunk_form) / volts)
        * _part_of(piece.start_ms, piece.end_ms, first_ms, end_ms)
        for curve in grids
        for piece in curve.within(first_ms, end_ms)
    )
    least = most = 0.0
    factor = float(model.branch_ohm) * float(model.branch_form) / volts
    for number in chargers if factor else ():
        meter = window.context.meters.get(number)
        for order in window.orders.get(number, ()):
            part = share(window, number, order, first_ms, end_ms).high
            if part and meter is not None:
                low = _watt_hours(part, max(order.last_ms - order.first_ms, 1000), factor)
                high = part / 1000 * float(meter.rated_kw) * 1000 * factor
                least, most = least + min(low, high), most + high
    hours = (end_ms - first_ms) / MS_PER_HOUR
    loss = trunk + (least + most) / 2 + float(model.fixed_w) * hours
    uncertainty = hypot(loss * float(model.uncertainty_percent) / 100, (most - least) / 2) / _SQRT3
    return round(loss * 1000), uncertainty * 1000


def _watt_hours(energy_mwh: int, duration_ms: int, factor: float) -> float:
    hours = duration_ms / MS_PER_HOUR
    power_w = energy_mwh / 1000 / hours
    return power_w * power_w * factor * hours


def _part_of(start_ms: int, last_ms: int, first_ms: int, end_ms: int) -> float:
    return (min(last_ms, end_ms) - max(start_ms, first_ms)) / (last_ms - start_ms)
