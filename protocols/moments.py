"""Dates and times in frames, as text; what a frame leaves open or says it does not know is a star."""

from collections.abc import Mapping
from typing import Final

_DATE: Final = ("year", "month", "day")
_TIME: Final = ("hour", "minute", "second")
_WEEKDAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
_UNKNOWN_YEAR: Final = 0xFFFF
_UNKNOWN: Final = 0xFF


def moment(parts: Mapping[str, int], *, anything: int = _UNKNOWN) -> str:
    """Return date and time of the parts that are there: `2017-06-05 10:40:25`, `*-*-01 00:00`, `10:40`.

    `anything` is the number that stands for any. A year below 100 is one of this century.
    """
    date = [_part(parts, name, anything) for name in _DATE if name in parts]
    time = [_part(parts, name, anything) for name in _TIME if name in parts]
    text = " ".join(part for part in ("-".join(date), ":".join(time)) if part)
    if parts.get("milliseconds"):
        text += f".{parts['milliseconds']:03}"
    weekday = parts.get("weekday", anything)
    return f"{text} {_WEEKDAYS[weekday]}" if weekday < len(_WEEKDAYS) else text


def _part(parts: Mapping[str, int], name: str, anything: int) -> str:
    number = parts[name]
    if number in (anything, _UNKNOWN_YEAR if name == "year" else _UNKNOWN):
        return "*"
    if name == "year":
        return str(2000 + number if number < 100 else number)  # noqa: PLR2004 - two digits in DL/T 645
    return f"{number:02}"
