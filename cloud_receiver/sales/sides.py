"""Orders that count the other side of a charger's conversion (交直流变换) than its meter does (`orders_at`).

With an efficiency η ± a, E at the input is within E·(η ± a) at the output; what is given back (V2G) goes the other way.
"""

from decimal import Decimal
from math import ceil, floor
from typing import Final

from cloud_receiver.checks.conversion import Conversion, of_output
from cloud_receiver.registry import Meter
from cloud_receiver.sales.curve import Bounds

_WHOLE: Final = Decimal(100)


def _efficiency(meter: Meter) -> tuple[Decimal, Decimal]:
    """Return the least and the most that it may be; nobody gains energy by converting it."""
    known, off = meter.dc_efficiency_percent / _WHOLE, meter.dc_efficiency_uncertainty_percent / _WHOLE
    return known - off, min(known + off, Decimal(1))


def as_orders(meter: Meter, metered: Bounds) -> Bounds:
    """Return what a charger's meter says (not below nothing) as its orders would count it."""
    if not meter.orders_convert:
        return metered
    least, most = _efficiency(meter)
    if meter.orders_at_output:
        low, high = metered.low * least, metered.high * most
    else:
        low, high = metered.low / most, metered.high / least
    return Bounds(floor(low), ceil(high), metered.unknown_ms)


def given_back(meter: Meter, energy_mwh: int) -> int:
    """Return the most that energy given back comes to at the side of the orders, or of the meter if that is more."""
    if not meter.orders_convert or not meter.orders_at_output:
        return energy_mwh
    return ceil(energy_mwh / _efficiency(meter)[0])


def between(meter: Meter, sold: Bounds) -> tuple[Bounds, float]:
    """Return what lies between a charger's orders and its meter, mWh, and the limit of how far that may be off."""
    if not meter.orders_convert:
        return Bounds(0, 0), 0.0
    if meter.orders_at_output:
        low, high = of_output(meter, (sold.low, 0)), of_output(meter, (sold.high, 0))
        return Bounds(round(low.mwh), round(high.mwh)), high.limit_mwh
    share = float(1 - meter.dc_efficiency_percent / _WHOLE)
    limit = sold.high * float(meter.dc_efficiency_uncertainty_percent / _WHOLE)
    return Bounds(-round(sold.high * share), -round(sold.low * share)), limit


def before(meter: Meter, sold: int, given_mwh: int) -> Conversion:
    """Return what a charger lost before its orders, of what was sold and given back, mWh."""
    if not meter.orders_at_output:
        return Conversion(0.0, 0.0)
    return of_output(meter, (sold, given_mwh))


def order_class_percent(meter: Meter) -> Decimal | None:
    """Return the class of what orders are counted by, where that is another meter."""
    if meter.order_class_percent is None and meter.orders_convert:
        return meter.accuracy_class
    return meter.order_class_percent
