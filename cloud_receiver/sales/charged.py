"""What a charger's records allow an order to tell of a time: the bounds of its meter, as its orders count."""

from typing import Final, NamedTuple

from cloud_receiver.sales import sides
from cloud_receiver.sales.curve import Bounds
from cloud_receiver.sales.order import Order, Period
from cloud_receiver.sales.window import Window, mwh

_HOUR_MS: Final = 3_600_000


class Stretch(NamedTuple):
    """An order of a charger, or a period of it, with the energy that it tells."""

    number: int
    """Of the charger."""
    order: Order
    first_ms: int
    last_ms: int
    energy_mwh: int

    @classmethod
    def whole(cls, number: int, order: Order) -> "Stretch":
        """Return all of an order."""
        return cls(number, order, order.first_ms, order.last_ms, order.energy_mwh)

    @classmethod
    def of(cls, number: int, order: Order, period: Period) -> "Stretch":
        """Return a period of it; one that ends before it begins has no time."""
        end_ms = max(period.start_ms, period.end_ms)
        return cls(number, order, period.start_ms, end_ms, period.energy_mwh)

    @property
    def span(self) -> tuple[int, int]:
        """Return its time."""
        return self.first_ms, self.last_ms


class Allowed(NamedTuple):
    """Energies in mWh: what was charged for certain and at most, and how far an order may be from these."""

    low: int
    high: int
    tolerance: int
    """Steps of register and order, and both classes where orders are counted by another meter."""
    besides: int
    """What was metered and may not be in orders: own consumption, and what was given back."""

    @property
    def least(self) -> int:
        """Return the least that an order may tell."""
        return max(0, self.low - self.tolerance - self.besides)

    @property
    def most(self) -> int:
        """Return the most that an order may tell."""
        return self.high + self.tolerance


def allowed(window: Window, told: Stretch) -> Allowed | None:
    """Return what may be told of a time by the clock of orders; None of a charger without records."""
    curve, meter = window.curves.get(told.number), window.context.meters.get(told.number)
    if curve is None or meter is None:
        return None
    first_ms, last_ms = told.span
    clock = window.clock_ms
    low = curve.bounds(first_ms + clock, last_ms - clock).low
    high = curve.bounds(first_ms - clock, last_ms + clock).high
    low, high, _ = sides.as_orders(meter, Bounds(low, high))
    step = Bounds(0, mwh(meter.resolution_kwh))
    tolerance = sides.as_orders(meter, step).high + window.resolution_mwh
    order_class = sides.order_class_percent(meter)
    if order_class is not None:
        tolerance += int(max(told.energy_mwh, high) * (meter.accuracy_class + order_class) / 100)
    own = int(window.settings.own_consumption_w * 1000 * (last_ms - first_ms + 2 * clock) / _HOUR_MS)
    # An order may have what was given back taken off.
    given = window.given_back(told.number, first_ms - clock, last_ms + clock)
    return Allowed(low, high, tolerance, own + sides.given_back(meter, given))
