"""Meter times: the digits of a date and time in the meter's own zone, and instants in ms UTC."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from profiles.model import CodecError, NoValueError

_CENTURY: Final = 2000  # the meter says two digits; DL/T 645-2007 meters are younger
_LAST_YEAR: Final = _CENTURY + 99
_SATURDAY: Final = 6
_DAY_END: Final = (24, 0, 0)


@lru_cache(maxsize=16)
def zone(name: str) -> ZoneInfo:
    """Return a time zone; ZoneInfoNotFoundError for an unknown one."""
    return ZoneInfo(name)


def to_instant(moment: Mapping[str, int], timezone: str) -> int:
    """Return the instant of a meter's date and time, ms UTC; parts below the day that are not there count as 0.

    NoValueError where all digits are 0, as a meter writes what never happened; CodecError for what is no date.
    24:00 is the end of the day, as meters write it that date a freeze with the day that it closes. An hour that comes
    twice, when a summer time ends, is the first of the two.
    """
    if not any(moment.values()):
        raise NoValueError("the meter has no time there")
    hour, minute, second = (moment.get(part, 0) for part in ("hour", "minute", "second"))
    ends_day = (hour, minute, second) == _DAY_END
    try:
        local = datetime(
            _CENTURY + moment["year"],
            moment["month"],
            moment["day"],
            0 if ends_day else hour,
            minute,
            second,
            tzinfo=zone(timezone),
        ) + timedelta(days=ends_day)
    except (ValueError, KeyError):
        raise CodecError(f"expected a date and time, got {dict(moment)}") from None
    return int(local.timestamp()) * 1000


def to_moment(time_ms: int, timezone: str) -> dict[str, int]:
    """Return all parts of an instant, whole seconds; the weekday 0 is Sunday. CodecError outside 2000..2099."""
    try:
        local = datetime.fromtimestamp(time_ms // 1000, UTC).astimezone(zone(timezone))
    except (ValueError, OverflowError, OSError):
        raise CodecError(f"{time_ms} ms is no time of a meter") from None
    if not _CENTURY <= local.year <= _LAST_YEAR:
        raise CodecError(f"a meter's years are {_CENTURY}..{_LAST_YEAR}, not {local.year}")
    return {
        "year": local.year - _CENTURY,
        "month": local.month,
        "day": local.day,
        "weekday": local.isoweekday() % (_SATURDAY + 1),
        "hour": local.hour,
        "minute": local.minute,
        "second": local.second,
    }


def month_start(year: int, month: int, months_back: int, timezone: str) -> int:
    """Return the first midnight of a month, `months_back` months before the given one, ms UTC."""
    count = (_CENTURY + year) * 12 + month - 1 - months_back
    return int(datetime(count // 12, count % 12 + 1, 1, tzinfo=zone(timezone)).timestamp()) * 1000
