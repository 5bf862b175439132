"""Values of points as people read them: exact decimals in the usual unit, times in the station's zone."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from profiles.points import POINTS, UNITS, USUAL_UNITS, Quantity

_POWER_FACTOR_DIGITS: Final = 6
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def point_text(name: str, value: int, zone: ZoneInfo) -> tuple[str, str]:
    """Return a point's canonical integer as text, and its unit; the integer itself for a name that is no standard."""
    point = POINTS.get(name)
    if point is None:
        return str(value), ""
    if point.quantity is Quantity.TIME:
        return local(value, zone), ""
    if point.quantity is Quantity.POWER_FACTOR:
        return exact(value, _POWER_FACTOR_DIGITS), ""
    unit = USUAL_UNITS.get(point.quantity)
    if unit is None:
        return str(value), "" if point.quantity is Quantity.NUMBER else point.quantity.value
    return exact(value, len(str(int(UNITS[point.quantity][unit]))) - 1), unit


def exact(value: int, digits: int) -> str:
    """Return value / 10^digits in full, without zeros at the end."""
    text = f"{Decimal(value).scaleb(-digits):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def local(time_ms: int, zone: ZoneInfo) -> str:
    """Return an instant as ISO 8601 with its offset; the bare number where no calendar has it."""
    try:
        time = (_EPOCH + timedelta(milliseconds=time_ms)).astimezone(zone)
    except OverflowError:
        return f"{time_ms} ms"
    return time.isoformat(timespec="milliseconds" if time_ms % 1000 else "seconds")
