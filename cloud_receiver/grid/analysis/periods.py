"""Slots, and the local days and months that they are added up to; all instants in ms UTC."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from diantan_core import day_start_ms, next_day_start_ms, next_month_start_ms

SLOT_MS: Final = 900_000
_NOON: Final = 12
_LONGEST_ZONE: Final = 256
_NAMED: Final = re.compile(r"(\d{4})-(\d\d)(?:-(\d\d))?", re.ASCII)
_FIRST_YEAR, _LAST_YEAR = 1970, 9998
"""Years whose days, in any time zone, are within the range of the store's times."""


class By(StrEnum):
    """What is added up."""

    SLOT = "slot"
    DAY = "day"
    MONTH = "month"


class SpanError(ValueError):
    """No span of time, or one that ends before it begins."""


@dataclass(frozen=True, slots=True)
class Period:
    """A slot, a local day or a local month: the slots that start in [start_ms, end_ms)."""

    start_ms: int
    end_ms: int

    @property
    def expected(self) -> int:
        """How many slots it has: 96 a day, but for days on which clocks are changed."""
        return -(-self.end_ms // SLOT_MS) + (-self.start_ms // SLOT_MS)


@dataclass(frozen=True, slots=True)
class Span:
    """The slots that start in [first_ms, end_ms)."""

    first_ms: int
    end_ms: int

    def __post_init__(self) -> None:
        if self.end_ms <= self.first_ms:
            raise SpanError(
                f"expected a span that ends after it begins, found {utc(self.first_ms)} to {utc(self.end_ms)}"
            )


@lru_cache(maxsize=4096)
def _day(start_ms: int, zone: str) -> Period:
    return Period(start_ms, next_day_start_ms(start_ms, zone))


@lru_cache(maxsize=1024)
def _month(day_ms: int, zone: str) -> Period:
    local = datetime.fromtimestamp(day_ms / 1000, UTC).astimezone(ZoneInfo(zone))
    # By noon, which every day has: midnight falls out where clocks are changed at it.
    noon = local.replace(day=1, hour=_NOON, minute=0, second=0, microsecond=0)
    start_ms = day_start_ms(int(noon.timestamp()) * 1000, zone)
    return Period(start_ms, next_month_start_ms(start_ms, zone))


def period_of(time_ms: int, by: By, zone: str) -> Period:
    """Return the slot, local day or local month that an instant is in."""
    if by is By.SLOT:
        start_ms = time_ms - time_ms % SLOT_MS
        return Period(start_ms, start_ms + SLOT_MS)
    day_ms = day_start_ms(time_ms, zone)
    return _day(day_ms, zone) if by is By.DAY else _month(day_ms, zone)


def periods(span: Span, by: By, zone: str) -> Iterator[Period]:
    """Yield the periods that have slots in a span, in order."""
    time_ms = span.first_ms
    while time_ms < span.end_ms:
        period = period_of(time_ms, by, zone)
        yield period
        time_ms = period.end_ms


def is_zone(name: str) -> bool:
    """Return whether days can be counted in a time zone: the machine's files and the core's both have it."""
    try:
        ZoneInfo(name[:_LONGEST_ZONE])
        day_start_ms(0, name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


def utc(time_ms: int) -> str:
    """Return an instant as ISO 8601 in UTC."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def instant(text: str, zone: str, *, end: bool = False) -> int:
    """Return the instant of a month (2026-07), a local day (2026-07-01) or a time with its zone.

    With `end`, that at which the month or day is over: spans hold what they name. SpanError for anything else.
    """
    try:
        if found := _NAMED.fullmatch(text):
            year, month, day = int(found[1]), int(found[2]), int(found[3] or 1)
            by = By.DAY if found[3] else By.MONTH
            moment = datetime(year, month, day, _NOON, tzinfo=ZoneInfo(zone))
        else:
            moment = datetime.fromisoformat(text)
        if moment.tzinfo is None or not _FIRST_YEAR < moment.year < _LAST_YEAR:
            raise ValueError(text)  # noqa: TRY301 - one message for all
    except (ValueError, OverflowError):
        expected = "a month (2026-07), a day (2026-07-01) or a time with its zone (2026-07-01T08:00+08:00)"
        raise SpanError(f"expected {expected}, found {text[:40]!r}") from None
    time_ms = int(moment.timestamp() * 1000)
    if found is None:
        return time_ms
    period = period_of(time_ms, by, zone)
    return period.end_ms if end else period.start_ms
