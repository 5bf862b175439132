"""Days that are checked anew (重新核查): those a person asked for, and those that another registry judged."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, delete, func, insert, select

from cloud_receiver.checks import causes, load, month
from cloud_receiver.checks.model import SLOT_MS, Context
from cloud_receiver.schema import day_check, recheck, slot_check
from diantan_core import day_start_ms, next_day_start_ms

DAY_MS: Final = 86_400_000
DAYS_AT_ONCE: Final = 4
"""Days of a station that are checked anew between two rounds of what is fresh; with 20 chargers some 0.2 s each."""
STATIONS_AT_ONCE: Final = 100
"""Stations that are looked at for such days between two rounds."""


@dataclass(frozen=True, slots=True)
class Portion:
    """Days of a station that are checked anew together."""

    station: int
    days: Mapping[int, str | None]
    """By local midnight: who asked for it; None: nobody had to."""
    unfinished: frozenset[int]
    """Months of which more days wait: they are judged with the last of them."""


def days_of(context: Context, first_ms: int, end_ms: int) -> Iterator[int]:
    """Return the local midnights of the days that have an instant of [first, end)."""
    day_ms = day_start_ms(first_ms, context.station.timezone)
    while day_ms < end_ms:
        yield day_ms
        day_ms = next_day_start_ms(day_ms, context.station.timezone)


def ask(connection: Connection, station: int, days: Iterable[int], who: str, now_ms: int) -> int:
    """Note that days are to be checked anew; return how many were not noted before."""
    known = set(connection.execute(select(recheck.c.day_ms).where(recheck.c.station == station)).scalars())
    new = sorted(set(days) - known)
    if new:
        rows = [{"station": station, "day_ms": day, "asked_by": who, "asked_ms": now_ms} for day in new]
        connection.execute(insert(recheck), rows)
    return len(new)


def waiting(connection: Connection) -> int:
    """Return how many days a person asked for that have not been checked anew."""
    return connection.execute(select(func.count()).select_from(recheck)).scalar_one()


def done(connection: Connection, portion: Portion) -> None:
    """Take note that a portion has been checked."""
    mine = recheck.c.station == portion.station
    connection.execute(delete(recheck).where(mine, recheck.c.day_ms.in_(list(portion.days))))


def outdated(connection: Connection, context: Context, days: Iterable[int], settings: str) -> set[int]:
    """Return those of the days that another entry of the registry judged, or other settings than of this digest."""
    wanted = sorted(days)
    if not wanted:
        return set()
    present = (causes.digest(context.station), settings)
    rows = connection.execute(
        select(day_check.c.day_ms, day_check.c.registry, day_check.c.settings).where(
            day_check.c.station == context.number, day_check.c.day_ms.between(wanted[0], wanted[-1])
        )
    )
    return {row.day_ms for row in rows if (row.registry, row.settings) != present}.intersection(wanted)


def changed(
    connection: Connection, context: Context, days: Iterable[int], begin_ms: int | None, settings: str
) -> set[int]:
    """Return those of the days that are outdated, or were never judged though the station reports since `begin_ms`."""
    wanted = set(days)
    return outdated(connection, context, wanted, settings) | (
        reported(context, wanted, begin_ms) - _judged(connection, context, wanted)
    )


def known(connection: Connection, context: Context, days: Iterable[int], begin_ms: int | None) -> set[int]:
    """Return those of the days that there is something to check of."""
    wanted = set(days)
    return reported(context, wanted, begin_ms) | _judged(connection, context, wanted)


def reported(context: Context, days: Iterable[int], begin_ms: int | None) -> set[int]:
    """Return those of the days in which the station reports, which it does since `begin_ms`."""
    if begin_ms is None:
        return set()
    return {day for day in days if next_day_start_ms(day, context.station.timezone) > begin_ms}


def _judged(connection: Connection, context: Context, days: set[int]) -> set[int]:
    if not days:
        return set()
    statement = select(day_check.c.day_ms).where(
        day_check.c.station == context.number, day_check.c.day_ms.between(min(days), max(days))
    )
    return days.intersection(connection.execute(statement).scalars())


def slots(
    connection: Connection, context: Context, day_ms: int, begin_ms: int | None, deadline_ms: int
) -> Iterator[int]:
    """Return the slots of a day that have records, have been checked, or whose deadline has passed."""
    end_ms = next_day_start_ms(day_ms, context.station.timezone)
    first_ms = day_ms - day_ms % SLOT_MS
    found = set(load.slot_starts(connection, context, day_ms, end_ms - 1))
    found.update(
        connection.execute(
            select(slot_check.c.start_ms).where(
                slot_check.c.station == context.number, slot_check.c.start_ms >= day_ms, slot_check.c.start_ms < end_ms
            )
        ).scalars()
    )
    if begin_ms is not None:
        found.update(range(max(first_ms, begin_ms), min(end_ms, deadline_ms + 1), SLOT_MS))
    return (start for start in found if first_ms <= start < end_ms)


class Again:
    """Finds the days that wait, the newest of a station first; of its own accord those of the last `days`."""

    def __init__(self, days: int) -> None:
        self._days = days
        self._seen: set[int] = set()
        """Stations of which no such day is left: the registry of a process doesn't change."""
        self._tried: dict[int, set[int]] = {}
        """By station that is not seen yet, days that were checked anew: one whose check fails stays as it was."""

    def next(
        self,
        connection: Connection,
        contexts: Mapping[int, Context],
        begin: Mapping[int, int],
        settings: str,
        now_ms: int,
    ) -> Portion | None:
        """Return what to check next, None where nothing waits (of the stations looked at)."""
        return self._asked(connection, contexts) or self._changed(connection, contexts, begin, settings, now_ms)

    def done(self, connection: Connection, portion: Portion) -> None:
        """Take note that a portion has been checked."""
        if portion.station not in self._seen:
            self._tried.setdefault(portion.station, set()).update(portion.days)
        done(connection, portion)

    @staticmethod
    def _asked(connection: Connection, contexts: Mapping[int, Context]) -> Portion | None:
        station = _following(connection, -1)
        while station is not None and station not in contexts:
            station = _following(connection, station)  # one that the registry no longer has is nobody's to check
        if station is None:
            return None
        rows = connection.execute(select(recheck.c.day_ms, recheck.c.asked_by).where(recheck.c.station == station))
        return _portion(contexts[station], {row.day_ms: row.asked_by for row in rows})

    def _changed(
        self,
        connection: Connection,
        contexts: Mapping[int, Context],
        begin: Mapping[int, int],
        settings: str,
        now_ms: int,
    ) -> Portion | None:
        unseen = [number for number in contexts if number not in self._seen][:STATIONS_AT_ONCE] if self._days else []
        for number in unseen:
            context = contexts[number]
            today_ms = day_start_ms(now_ms, context.station.timezone)
            days = days_of(context, now_ms - self._days * DAY_MS, today_ms)
            found = changed(connection, context, days, begin.get(number), settings)
            left = dict.fromkeys(found - self._tried.get(number, set()))
            if left:
                return _portion(context, left)
            self._seen.add(number)
            self._tried.pop(number, None)
        return None


def _following(connection: Connection, station: int) -> int | None:
    statement = select(func.min(recheck.c.station)).where(recheck.c.station > station)
    return connection.execute(statement).scalar()


def _portion(context: Context, days: Mapping[int, str | None]) -> Portion:
    newest = sorted(days, reverse=True)
    zone = context.station.timezone
    unfinished = frozenset(month.start_ms(day, zone) for day in newest[DAYS_AT_ONCE:])
    return Portion(context.number, {day: days[day] for day in newest[:DAYS_AT_ONCE]}, unfinished)
