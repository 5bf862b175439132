"""Times of orders as exports write them: with an offset, or as local times of a zone or of a fixed offset."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_OFFSET: Final = re.compile(r"(?:UTC)?([+-])(\d\d):?(\d\d)", re.ASCII)
_COMPACT: Final = re.compile(r"\d{14}", re.ASCII)
_DAY_FIRST: Final = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})[ T](\d{1,2}):(\d\d)(?::(\d\d))?", re.ASCII)
_YEAR_FIRST: Final = re.compile(r"(\d{4})/(\d{1,2})/(\d{1,2})[ T](\d{1,2}):(\d\d)(?::(\d\d))?", re.ASCII)
_LONGEST: Final = 40
EXPECTED: Final = "a time such as 2026-07-01 08:30:00 or 2026-07-01T08:30:00+08:00"


class OrderTimeError(ValueError):
    """No time, or one that was not on any clock of the zone."""


def zone_of(text: str) -> tzinfo:
    """Return a zone by its name (Asia/Shanghai), or a fixed offset (+08:00); OrderTimeError for neither."""
    if found := _OFFSET.fullmatch(text):
        minutes = int(found[2]) * 60 + int(found[3])
        if minutes < 24 * 60 and int(found[3]) < 60:  # noqa: PLR2004 - hours and minutes of a day
            return timezone(timedelta(minutes=-minutes if found[1] == "-" else minutes))
    elif text == "UTC":
        return UTC
    else:
        try:
            return ZoneInfo(text[:_LONGEST])
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass
    raise OrderTimeError(
        f"expected a time zone such as Asia/Shanghai, or an offset such as +08:00, found {text[:40]!r}"
    )


class Times:
    """Reads times; counts those that a clock put back showed twice."""

    def __init__(self, zone: tzinfo, form: str | None = None) -> None:
        """`form`: as strptime has it, where the common forms don't fit."""
        self._zone = zone
        self._form = form
        self.repeated = 0
        """Times that were there twice: taken as the first, unless the order would end before it began."""

    def start(self, text: str) -> int:
        """Return an instant in ms UTC; OrderTimeError for a text that is none."""
        return self._instant(text, not_before=None)

    def end(self, text: str, start_ms: int) -> int:
        """Return the end of what began at `start_ms`: of an hour that was there twice, the one that fits."""
        return self._instant(text, not_before=start_ms)

    def _instant(self, text: str, not_before: int | None) -> int:
        moment = self._local(text)
        if moment.tzinfo is not None:
            return _ms(moment)
        first = moment.replace(tzinfo=self._zone)
        time_ms = _ms(first)
        if isinstance(self._zone, ZoneInfo):
            second_ms = _ms(first.replace(fold=1))
            if second_ms > time_ms:
                self.repeated += 1
                if not_before is not None and time_ms < not_before <= second_ms:
                    return second_ms
            elif second_ms < time_ms:
                raise OrderTimeError(f"expected a time of {self._zone.key}, whose clocks skipped {text!r}")
        return time_ms

    def _local(self, text: str) -> datetime:
        try:
            if len(text) > _LONGEST:
                raise ValueError(text)  # noqa: TRY301 - one message for all
            return self._reader(text)(text)
        except (ValueError, OverflowError):
            expected = EXPECTED if self._form is None else f"a time in the form {self._form!r}"
            raise OrderTimeError(f"expected {expected}, found {text[:_LONGEST]!r}") from None

    def _reader(self, text: str) -> Callable[[str], datetime]:
        if self._form is not None:
            return self._by_form
        if _COMPACT.fullmatch(text):
            return _compact
        if "." in text[:3]:
            return _day_first
        return _year_first if "/" in text else datetime.fromisoformat

    def _by_form(self, text: str) -> datetime:
        assert self._form is not None
        return datetime.strptime(text, self._form)  # noqa: DTZ007  # the zone is set where it is known


def _compact(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%d%H%M%S")  # noqa: DTZ007  # likewise


def _day_first(text: str) -> datetime:
    found = _DAY_FIRST.fullmatch(text)
    if found is None:
        raise ValueError(text)
    day, month, year, hour, minute, second = (int(part or 0) for part in found.groups())
    return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  # likewise


def _year_first(text: str) -> datetime:
    found = _YEAR_FIRST.fullmatch(text)
    if found is None:
        raise ValueError(text)
    year, month, day, hour, minute, second = (int(part or 0) for part in found.groups())
    return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001  # likewise


def _ms(moment: datetime) -> int:
    try:
        return int(moment.timestamp()) * 1000 + moment.microsecond // 1000
    except (OverflowError, ValueError):
        raise OrderTimeError(f"expected {EXPECTED}, found one out of range") from None
