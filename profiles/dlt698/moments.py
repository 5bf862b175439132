"""Local dates and times as DL/T 698.45 writes them (`date_time` and `date_time_s`), to instants and back."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from profiles.model import CodecError, NoValueError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_WILD_YEAR: Final = 0xFFFF
_WILD: Final = 0xFF
_DAY_END: Final = [24, 0, 0]


def local(time_ms: int, timezone: str) -> datetime:
    """Return an instant as local time; CodecError beyond the years 1 to 9999."""
    try:
        return (_EPOCH + timedelta(milliseconds=time_ms)).astimezone(ZoneInfo(timezone))
    except OverflowError:
        raise CodecError(f"{time_ms} ms is not a time of the years 1 to 9999") from None


def to_ms(fields: Mapping[str, int], timezone: str) -> int:
    """Return the instant of a date and time in ms UTC; of the two that a clock put back shows, the first.

    24:00:00 is the end of the day, as meters write it that date a freeze with the day that it closes. NoValueError for
    FFH fields ("any", "not known"), CodecError for a date that does not exist. The day of the week is not looked at.
    """
    clock = {key: value for key, value in fields.items() if key not in ("weekday", "milliseconds")}
    if fields["year"] == _WILD_YEAR or _WILD in [value for key, value in clock.items() if key != "year"]:
        raise NoValueError("the meter leaves the date open")
    ends_day = [clock[part] for part in ("hour", "minute", "second")] == _DAY_END
    try:
        moment = datetime(**clock | {"hour": 0 if ends_day else clock["hour"]}, tzinfo=ZoneInfo(timezone))
        moment += timedelta(days=ends_day)
        instant = (moment - _EPOCH) // _MS
    except (ValueError, OverflowError):
        raise CodecError(f"no date and time: {dict(fields)}") from None
    milliseconds = fields.get("milliseconds", 0)
    return instant + (milliseconds if milliseconds < 1000 else 0)  # noqa: PLR2004 - FFFFH: not known


def date_time_s(time_ms: int, timezone: str) -> dict[str, int]:
    """Return the fields of date_time_s, whole seconds."""
    now = local(time_ms, timezone)
    return {
        "year": now.year,
        "month": now.month,
        "day": now.day,
        "hour": now.hour,
        "minute": now.minute,
        "second": now.second,
    }


def date_time(time_ms: int, timezone: str) -> dict[str, int]:
    """Return the fields of date_time; the week begins with Sunday, 0, as LINK frames of real meters have it."""
    now = local(time_ms, timezone)
    fields = {**date_time_s(time_ms, timezone), "weekday": now.isoweekday() % 7}
    return {**fields, "milliseconds": time_ms % 1000}
