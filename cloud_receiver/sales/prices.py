"""Which prices (电价) of a station's tariff were in force at any instant of a time."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from cloud_receiver.registry import Tariff

_MINUTE_MS: Final = 60_000
_QUARTER_MS: Final = 900_000
_DAY_MS: Final = 86_400_000
_LONG_MS: Final = 2 * _DAY_MS
"""In so long a time every minute of a day comes at least once, even where clocks skip some."""


def in_force(tariffs: Iterable[Tariff], first_ms: int, end_ms: int, timezone: str) -> list[Tariff]:
    """Return the tariffs that apply at any instant of [first_ms, end_ms), at the first where that is empty."""
    zone = ZoneInfo(timezone)
    return [tariff for tariff in tariffs if _applies(tariff, first_ms, max(end_ms, first_ms + 1), zone)]


def cuts(tariffs: Iterable[Tariff], first_ms: int, end_ms: int, timezone: str) -> list[int]:
    """Return the instants within (first_ms, end_ms) at which one of the tariffs may begin or end, in order of time.

    None where the time is so long that every tariff applies in it.
    """
    if end_ms - first_ms >= _LONG_MS:
        return []
    zone = ZoneInfo(timezone)
    found: set[int] = set()
    for tariff in tariffs:
        for minute in (tariff.begin_minute, tariff.end_minute):
            found.update(_at_minute(minute, first_ms, end_ms, zone))
        found.update(int(time.timestamp() * 1000) for time in (tariff.since, tariff.until) if time is not None)
    return sorted(time_ms for time_ms in found if first_ms < time_ms < end_ms)


def _applies(tariff: Tariff, first_ms: int, end_ms: int, zone: ZoneInfo) -> bool:
    if tariff.since is not None:
        first_ms = max(first_ms, int(tariff.since.timestamp() * 1000))
    if tariff.until is not None:
        end_ms = min(end_ms, int(tariff.until.timestamp() * 1000))
    if first_ms >= end_ms:
        return False
    if end_ms - first_ms >= _LONG_MS:
        return True
    # One that applies at all does so at the beginning of the time, or begins within it.
    instants = _at_minute(tariff.begin_minute, first_ms, end_ms, zone)
    return any(tariff.applies(time_ms, _minute(time_ms, zone)) for time_ms in (first_ms, *instants))


def _at_minute(of_day: int, first_ms: int, end_ms: int, zone: ZoneInfo) -> Iterator[int]:
    """Yield the instants within a time at which a minute of the day may have come, or the clock was changed."""
    first, last = _local(first_ms, zone), _local(end_ms - 1, zone)
    changes = first.utcoffset() != last.utcoffset()
    hour, minute = divmod(of_day, 60)
    date = first.date()
    while date <= last.date():
        begin = datetime(date.year, date.month, date.day, hour, minute, tzinfo=zone)
        # All of the time may lie in the second of two hours that are called the same, where nothing changes.
        for time_ms in sorted({int(begin.replace(fold=fold).timestamp()) * 1000 for fold in (0, 1)}):
            if first_ms <= time_ms < end_ms:
                yield time_ms
        date += timedelta(days=1)
    if changes:  # every zone in use changes its clock at a quarter of an hour of UTC
        yield from range(first_ms - first_ms % _QUARTER_MS + _QUARTER_MS, end_ms, _QUARTER_MS)


def _minute(time_ms: int, zone: ZoneInfo) -> int:
    local = _local(time_ms, zone)
    return local.hour * 60 + local.minute


def _local(time_ms: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(time_ms // 1000, UTC).astimezone(zone)
