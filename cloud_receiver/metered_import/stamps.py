"""Times as files have them, and which instants they can be: clocks that are put back show an hour twice."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from cloud_receiver.metered_import.form import Dates
from wire.domain import MAX_TIME_MS

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NAIVE_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  # what a clock on the wall shows
_MS: Final = timedelta(milliseconds=1)
_MINUTE_MS: Final = 60_000
_LONGEST: Final = 40
_YEARS: Final = range(1970, 9999)
_MIDNIGHT_HOUR: Final = 24

_TIME: Final = r"(?:[T ]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]0{1,9})?)?)?"
_OFFSET: Final = r"[ ]*(?P<offset>Z|[+-]\d{2}:?\d{2})?"
_YEAR_FIRST: Final = re.compile(
    r"(?P<year>\d{4})(?:(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})"
    r"|年(?P<month2>\d{1,2})月(?P<day2>\d{1,2})日|(?P<month3>\d{2})(?P<day3>\d{2}))" + _TIME + _OFFSET,
    re.ASCII,
)
_YEAR_LAST: Final = re.compile(
    r"(?P<first>\d{1,2})(?P<mark>[-/.])(?P<second_part>\d{1,2})(?P=mark)(?P<year>\d{4})" + _TIME + _OFFSET, re.ASCII
)
_FIXED: Final = re.compile(r"(?:UTC)?(?P<sign>[+-])(?P<hours>\d{2}):?(?P<minutes>\d{2})", re.ASCII)


class StampError(ValueError):
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
        return (self.shown - _NAIVE_EPOCH) // _MS


def parse(text: str, dates: Dates) -> Stamp:
    """Read a time; StampError for what is none. Without a time of day it is midnight; 24:00 is that of the next day."""
    text = text.strip()
    if len(text) > _LONGEST:
        raise StampError("expected a time, found a longer text")
    found = _YEAR_FIRST.fullmatch(text)
    if found is not None:
        month = found["month"] or found["month2"] or found["month3"]
        day = found["day"] or found["day2"] or found["day3"]
    else:
        found = _YEAR_LAST.fullmatch(text)
        if found is None:
            raise StampError("expected a time such as 2026-07-01 00:15 or 1.7.2026 00:15")
        if dates is Dates.AUTO and found["mark"] != ".":
            raise StampError("day or month may be first: expected --dates day-first or month-first")
        day, month = found["first"], found["second_part"]
        if dates is Dates.MONTH_FIRST:
            day, month = month, day
    return Stamp(_clock(found, int(month), int(day)), _offset(found["offset"]))


def _clock(found: re.Match[str], month: int, day: int) -> datetime:
    year, hour = int(found["year"]), int(found["hour"] or 0)
    minute, second = int(found["minute"] or 0), int(found["second"] or 0)
    if year not in _YEARS:
        raise StampError(f"expected a year from {_YEARS.start} to {_YEARS.stop - 1}")
    try:
        if hour == _MIDNIGHT_HOUR and not (minute or second):
            return datetime(year, month, day) + timedelta(days=1)  # noqa: DTZ001  # what a clock on the wall shows
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001
    except ValueError as error:
        raise StampError(f"expected a time that there is: {error}") from None


def _offset(text: str | None) -> int | None:
    if text is None:
        return None
    if text == "Z":
        return 0
    return _minutes(text[0], text[1:3], text[-2:]) * _MINUTE_MS


def _minutes(sign: str, hours: str, minutes: str) -> int:
    total = int(hours) * 60 + int(minutes)
    if total >= 24 * 60 or int(minutes) >= 60:  # noqa: PLR2004  # minutes of a day and of an hour
        raise StampError(f"expected an offset within a day, found {sign}{hours}:{minutes}")
    return -total if sign == "-" else total


def fixed_offset(text: str) -> timedelta | None:
    """Return the offset of a zone such as +08:00 or UTC+08:00; None of what is no offset."""
    found = _FIXED.fullmatch(text)
    if found is None:
        return None
    return timedelta(minutes=_minutes(found["sign"], found["hours"], found["minutes"]))


@dataclass(frozen=True, slots=True)
class Instants:
    """Which instants (ms UTC) a reading of a clock can be."""

    all: tuple[int, ...]
    """In order; two where the clock showed it twice, none where it never did."""
    skipped: bool = False
    """Whether it lies in an hour that was left out (clocks put forward)."""


class Zone:
    """The clock of a time zone."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone

    def instants(self, stamp: Stamp, *, end: bool = False) -> Instants:
        """Return what a time can be; `end`: as the end of an interval.

        The end of an hour that was left out is its beginning: 02:00 is 03:00 where nothing lies between.
        """
        shown_ms = stamp.shown_ms
        if stamp.offset_ms is not None:
            return Instants(_possible((shown_ms - stamp.offset_ms,)))
        first, second = self._offset_ms(stamp.shown, 0), self._offset_ms(stamp.shown, 1)
        if first == second:
            return Instants(_possible((shown_ms - first,)))
        if first > second:
            return Instants(_possible((shown_ms - first, shown_ms - second)))
        if end and self._at(shown_ms - first - 1) == first and self._at(shown_ms - first) == second:
            return Instants(_possible((shown_ms - first,)), skipped=True)
        return Instants((), skipped=True)

    def folded_end(self, stamp: Stamp) -> tuple[int, ...]:
        """Return the two instants of the end of the hour that came twice; empty for any other time.

        Some call the end of the first of the two hours 03:00, as the end of the second, and not 02:00.
        """
        if stamp.offset_ms is not None:
            return ()
        before = Stamp(stamp.shown - _MS)
        found = self.instants(before).all
        return tuple(time_ms + 1 for time_ms in found) if len(found) > 1 else ()

    def repeated_ms(self, stamp: Stamp) -> int:
        """Return by how much the clock was put back around a time that it showed twice."""
        return self._offset_ms(stamp.shown, 0) - self._offset_ms(stamp.shown, 1)

    def shown_ms(self, time_ms: int) -> int:
        """Return what the clock shows at an instant, as a number."""
        return time_ms + self._at(time_ms)

    def _offset_ms(self, shown: datetime, fold: int) -> int:
        offset = shown.replace(tzinfo=self._zone, fold=fold).utcoffset()
        assert offset is not None
        return offset // _MS

    def _at(self, time_ms: int) -> int:
        offset = (_EPOCH + time_ms * _MS).astimezone(self._zone).utcoffset()
        assert offset is not None
        return offset // _MS


def _possible(times: tuple[int, ...]) -> tuple[int, ...]:
    if any(not 0 <= time_ms <= MAX_TIME_MS for time_ms in times):
        raise StampError("expected a time since 1970")
    return times
