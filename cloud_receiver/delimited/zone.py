"""Local times: which instants they can be. Clocks that are put back show an hour twice, put forward none of it."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cloud_receiver.delimited.times import Stamp, TimeTextError
from cloud_receiver.mistakes import quoted
from wire.domain import MAX_TIME_MS

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MS: Final = timedelta(milliseconds=1)
_LONGEST: Final = 64
_DAY_MINUTES: Final = 24 * 60
_FIXED: Final = re.compile(r"(?:UTC)?(?P<sign>[+-])(?P<hours>\d{2}):?(?P<minutes>[0-5]\d)", re.ASCII)


def zone_of(text: str) -> tzinfo:
    """Return a zone by its name (Asia/Shanghai), or a fixed offset (+08:00); TimeTextError for neither."""
    if (found := _FIXED.fullmatch(text)) is not None:
        minutes = int(found["hours"]) * 60 + int(found["minutes"])
        if minutes < _DAY_MINUTES:
            return timezone(timedelta(minutes=-minutes if found["sign"] == "-" else minutes))
    elif text == "UTC":
        return UTC
    elif len(text) <= _LONGEST:
        try:
            return ZoneInfo(text)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            pass
    expected = "expected a time zone such as Asia/Shanghai, or an offset such as +08:00"
    raise TimeTextError(f"{expected}, found {quoted(text)}")


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

    def __str__(self) -> str:
        return str(self._zone)

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
        raise TimeTextError("expected a time since 1970")
    return times
