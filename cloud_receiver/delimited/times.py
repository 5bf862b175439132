"""Times as exports write them: what a clock showed, with its offset from UTC where the text has one."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from cloud_receiver.mistakes import quoted

_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  # what a clock on the wall shows
_MS: Final = timedelta(milliseconds=1)
_MINUTE_MS: Final = 60_000
_HOUR_MINUTES: Final = 60
_DAY_HOURS: Final = 24
_LONGEST: Final = 40
_YEARS: Final = range(1970, 9999)

_TIME: Final = r"(?:[T ]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?)?"
_OFFSET: Final = r"[ ]*(?P<offset>Z|[+-]\d{2}(?::?\d{2})?)?"
_YEAR_FIRST: Final = re.compile(
    r"(?P<year>\d{4})(?:(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})"
    r"|年(?P<month2>\d{1,2})月(?P<day2>\d{1,2})日|(?P<month3>\d{2})(?P<day3>\d{2}))" + _TIME + _OFFSET,
    re.ASCII,
)
_YEAR_LAST: Final = re.compile(
    r"(?P<first>\d{1,2})(?P<mark>[-/.])(?P<second_part>\d{1,2})(?P=mark)(?P<year>\d{4})" + _TIME + _OFFSET, re.ASCII
)
_COMPACT: Final = re.compile(r"(\d{8})(\d{4}(?:\d\d)?)", re.ASCII)
_ISO: Final = re.compile(r"[\dW-]{7,10}(?:[T ]\S+)?", re.ASCII)
_EXPECTED: Final = "expected a time such as 2026-07-01 00:15 or 2026-07-01T00:15+08:00"


class Dates(StrEnum):
    """How dates are written."""

    AUTO = "auto"
    """Year first, or day first with dots (1.7.2026); others are a mistake, since they could be either."""
    DAY_FIRST = "day-first"
    MONTH_FIRST = "month-first"


class TimeTextError(ValueError):
    """A text that is no time, or none that can be; the message says what was expected and what came."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """A time as it is written: what a clock showed, and the offset from UTC where the text has one."""

    shown: datetime
    """Without a zone."""
    offset_ms: int | None = None

    @property
    def shown_ms(self) -> int:
        """Return the clock's reading as a number, as if it were UTC."""
        return (self.shown - _EPOCH) // _MS


def parse(text: str, dates: Dates = Dates.AUTO, form: str | None = None) -> Stamp:
    """Read a time; TimeTextError for what is none. `form`: as strptime has it, in place of the common forms.

    Without a time of day it is midnight; 24:00 is that of the next day. What is finer than 1 µs is left out.
    """
    text = text.strip()
    if len(text) > _LONGEST:
        raise TimeTextError(f"{_EXPECTED}, found a longer text")
    try:
        return _by_form(text, form) if form is not None else _common(text, dates)
    except TimeTextError as error:
        raise TimeTextError(f"{error}, found {quoted(text)}") from None


def _common(text: str, dates: Dates) -> Stamp:
    found = _YEAR_FIRST.fullmatch(text)
    if found is not None:
        month = found["month"] or found["month2"] or found["month3"]
        day = found["day"] or found["day2"] or found["day3"]
    else:
        found = _YEAR_LAST.fullmatch(text)
        if found is None:
            return _other(text)
        if dates is Dates.AUTO and found["mark"] != ".":
            raise TimeTextError("day or month may be first: expected --dates day-first or month-first")
        day, month = found["first"], found["second_part"]
        if dates is Dates.MONTH_FIRST:
            day, month = month, day
    return Stamp(_clock(found, int(month), int(day)), _offset(found["offset"]))


def _other(text: str) -> Stamp:
    """Read digits alone (20260701083000), and the forms of ISO 8601 that are rarer."""
    if (compact := _COMPACT.fullmatch(text)) is not None:
        text = f"{compact[1]}T{compact[2]}"
    try:
        if _ISO.fullmatch(text) is None:
            raise ValueError(text)  # noqa: TRY301 - one message for all
        return _of(datetime.fromisoformat(text))
    except ValueError as error:
        if isinstance(error, TimeTextError):
            raise
        raise TimeTextError(_EXPECTED) from None


def _by_form(text: str, form: str) -> Stamp:
    try:
        moment = datetime.strptime(text, form)  # noqa: DTZ007  # the zone is set where it is known
    except (ValueError, re.error):  # the latter where a directive is there twice
        raise TimeTextError(f"expected a time in the form {quoted(form)}") from None
    return _of(moment)


def _of(moment: datetime) -> Stamp:
    _check_year(moment.year)
    offset = moment.utcoffset()
    return Stamp(moment.replace(tzinfo=None), None if offset is None else offset // _MS)


def _clock(found: re.Match[str], month: int, day: int) -> datetime:
    year, hour = int(found["year"]), int(found["hour"] or 0)
    minute, second = int(found["minute"] or 0), int(found["second"] or 0)
    micros = int((found["fraction"] or "").ljust(6, "0")[:6])
    _check_year(year)
    try:
        if hour == _DAY_HOURS and not (minute or second or micros):
            return datetime(year, month, day) + timedelta(days=1)  # noqa: DTZ001  # what a clock on the wall shows
        return datetime(year, month, day, hour, minute, second, micros)  # noqa: DTZ001
    except ValueError as error:
        raise TimeTextError(f"expected a time that there is: {error}") from None


def _check_year(year: int) -> None:
    if year not in _YEARS:
        raise TimeTextError(f"expected a year from {_YEARS.start} to {_YEARS.stop - 1}")


def _offset(text: str | None) -> int | None:
    if text is None:
        return None
    if text == "Z":
        return 0
    hours, minutes = int(text[1:3]), int(text[3:].removeprefix(":") or 0)
    if hours >= _DAY_HOURS or minutes >= _HOUR_MINUTES:
        raise TimeTextError("expected an offset within a day")
    return (-1 if text[0] == "-" else 1) * (hours * _HOUR_MINUTES + minutes) * _MINUTE_MS
