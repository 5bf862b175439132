"""Days that are checked anew (重新核查): those a person asked for, and those that another registry judged."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection, Engine, select

from cloud_receiver.checks import causes, load, month, notes
from cloud_receiver.checks.model import SLOT_MS, Context
from cloud_receiver.checks.notes import Failed
from cloud_receiver.database import reading, writing
from cloud_receiver.schema import day_check, slot_check
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
        """By station that is not seen yet, days that were checked anew, whatever is said of them since."""
        self._taken: Portion | None = None
        """What was taken, and is neither done nor failed: the store did not answer."""

    def next(
        self,
        engine: Engine,
        contexts: Mapping[int, Context],
        begin: Mapping[int, int],
        settings: str,
        now_ms: int,
    ) -> Portion | None:
        """Take what to check next, None where nothing waits (of the stations looked at)."""
        while self._taken is None:
            with reading(engine) as connection:
                portion = self._noted(connection, contexts, now_ms)
                portion = portion or self._changed(connection, contexts, begin, settings, now_ms)
            if portion is None:
                return None
            with writing(engine) as connection:
                days = notes.take(connection, portion.station, portion.days, now_ms)
            # What another process has taken meanwhile is put off, and not found again.
            self._tried.setdefault(portion.station, set()).update(portion.days.keys() - days)
            if days:
                mine = {day: who for day, who in portion.days.items() if day in days}
                self._taken = replace(portion, days=mine)
        return self._taken

    def done(self, connection: Connection, portion: Portion, failed: Collection[int], now_ms: int) -> dict[int, Failed]:
        """Take note that a portion has been checked, but for the days that failed; return what becomes of these."""
        notes.done(connection, portion.station, portion.days.keys() - set(failed))
        told = {day: notes.failed(connection, portion.station, day, now_ms) for day in sorted(failed)}
        if portion.station not in self._seen:
            self._tried.setdefault(portion.station, set()).update(portion.days)
        self._taken = None
        return told

    @staticmethod
    def _noted(connection: Connection, contexts: Mapping[int, Context], now_ms: int) -> Portion | None:
        station = notes.following(connection, -1, now_ms)
        while station is not None and station not in contexts:
            # One that the registry no longer has is nobody's to check.
            station = notes.following(connection, station, now_ms)
        if station is None:
            return None
        return _portion(contexts[station], notes.due(connection, station, now_ms))

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
            # Those that are noted have their time.
            left = found - self._tried.get(number, set()) - notes.noted(connection, number)
            if left:
                return _portion(context, dict.fromkeys(left))
            self._seen.add(number)
            self._tried.pop(number, None)
        return None


def _portion(context: Context, days: Mapping[int, str | None]) -> Portion:
    newest = sorted(days, reverse=True)
    zone = context.station.timezone
    unfinished = frozenset(month.start_ms(day, zone) for day in newest[DAYS_AT_ONCE:])
    return Portion(context.number, {day: days[day] for day in newest[:DAYS_AT_ONCE]}, unfinished)
