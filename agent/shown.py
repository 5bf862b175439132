"""Values as people read them: exact decimal text in the unit of the profile, with the decimals that a meter has."""

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from profiles import Point
from profiles.points import UNITS, USUAL_UNITS, Quantity

_CANONICAL: Final = {Quantity.POWER_FACTOR: 6}  # decimals of quantities without a unit


def unit_of(point: Point) -> str:
    """Return the unit in which a point is shown: the profile's own, else the usual one; empty for a plain number."""
    if point.own_unit is not None and point.quantity is not Quantity.TIME:
        return "" if point.own_unit == "1" else point.own_unit
    return USUAL_UNITS.get(point.quantity, "" if point.quantity in _CANONICAL else _named(point.quantity))


def _named(quantity: Quantity) -> str:
    return "" if quantity in (Quantity.NUMBER, Quantity.TIME) else quantity.value


def text_of(point: Point, value: int, timezone: str) -> str:
    """Return a canonical integer as text in `unit_of`; a time as local time with its offset."""
    if point.quantity is Quantity.TIME:
        return datetime.fromtimestamp(value / 1000, ZoneInfo(timezone)).isoformat(sep=" ", timespec="milliseconds")
    digits = _digits(point)
    shown = f"{abs(value):0{digits + 1}d}"
    whole, fraction = (shown[:-digits], shown[-digits:]) if digits else (shown, "")
    kept = max(_decimals(point, digits), len(fraction.rstrip("0")))
    sign = "-" if value < 0 else ""
    return f"{sign}{whole}.{fraction[:kept]}" if kept else f"{sign}{whole}"


def _digits(point: Point) -> int:
    """Return how many decimal places the canonical unit is below the one that is shown."""
    unit = point.own_unit or USUAL_UNITS.get(point.quantity)
    if unit is None:
        return _CANONICAL.get(point.quantity, 0)
    return len(str(int(UNITS[point.quantity][unit]))) - 1


def _decimals(point: Point, digits: int) -> int:
    """Return how many decimals the meter's own steps have."""
    worth, decimals = 10**digits, 0
    while decimals < digits and point.resolution % worth:
        worth //= 10
        decimals += 1
    return decimals
