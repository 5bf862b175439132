"""Figures of many days and stations, as the store keeps them, added up by what is asked for."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from cloud_receiver.checks import load
from cloud_receiver.checks.model import SLOT_MS, Context
from cloud_receiver.completeness import day
from cloud_receiver.completeness.figures import Figures
from cloud_receiver.schema import completeness_day
from diantan_core import day_start_ms, next_day_start_ms

_AT_ONCE: Final = 500
_NAMES: Final = tuple(Figures.__dataclass_fields__)
RETENTION_MS: Final = 400 * 86_400_000
"""How long a gateway keeps records: no station began to report so long before its enrolment."""


@dataclass(frozen=True, slots=True)
class Query:
    """Which stations, which gateway if one alone, and the first and last local day."""

    contexts: Collection[Context]
    gateway: str | None
    first: date
    last: date

    def span(self, context: Context) -> tuple[int, int]:
        """Return the days of a station as [first, end) in ms UTC."""
        zone = ZoneInfo(context.station.timezone)
        return midnight_ms(self.first, zone), midnight_ms(self.last + timedelta(days=1), zone)


def midnight_ms(local: date, zone: ZoneInfo) -> int:
    """Return the midnight that begins a local day (ms UTC)."""
    return int(datetime(local.year, local.month, local.day, tzinfo=zone).timestamp()) * 1000


Row = tuple[Context, int, str, Figures]
"""Station, day, gateway and its figures."""


def days(
    connection: Connection,
    query: Query,
    now_ms: int,
    grace_ms: int,
    told: Callable[[int, int], None] = lambda _done, _of: None,
) -> Iterator[Row]:
    """Yield the figures of the days that are over; those that are not stored are worked out, and `told` how far."""
    by_number = {context.number: context for context in query.contexts}
    spans = {number: query.span(context) for number, context in by_number.items()}
    known: dict[int, set[int]] = {number: set() for number in by_number}
    numbers = sorted(by_number)
    for place in range(0, len(numbers), _AT_ONCE):
        some = numbers[place : place + _AT_ONCE]
        statement = select(
            *(completeness_day.c.station, completeness_day.c.day_ms, completeness_day.c.gateway),
            *(completeness_day.c[name] for name in _NAMES),
        ).where(
            completeness_day.c.station.in_(some),
            completeness_day.c.day_ms >= min(spans[number][0] for number in some),
            completeness_day.c.day_ms < max(spans[number][1] for number in some),
        )
        for number, day_ms, gateway, *amounts in connection.execute(statement):
            if spans[number][0] <= day_ms < spans[number][1]:
                known[number].add(day_ms)
                if query.gateway in {None, gateway}:
                    yield by_number[number], day_ms, gateway, Figures(*amounts)
    yield from _worked_out(connection, query, known, (now_ms, grace_ms), told)


def _worked_out(
    connection: Connection,
    query: Query,
    known: dict[int, set[int]],
    clock: tuple[int, int],
    told: Callable[[int, int], None],
) -> Iterator[Row]:
    now_ms, grace_ms = clock
    enrolled = load.enrolments(connection)
    missing: list[tuple[Context, int, int, int]] = []
    for context in query.contexts:
        first_ms, end_ms = query.span(context)
        begin_ms = context.station.since_ms
        if begin_ms is None:
            floor_ms = min(enrolled.get(context.number, now_ms), now_ms) - RETENTION_MS
            begin_ms = load.first_record_ms(connection, context.number, floor_ms)
        if begin_ms is None:
            continue
        begin_ms -= begin_ms % SLOT_MS
        # Who asks for centuries must not wait for each of their days.
        first_ms = max(first_ms, day_start_ms(begin_ms, context.station.timezone))
        while first_ms < end_ms:
            next_ms = next_day_start_ms(first_ms, context.station.timezone)
            if first_ms not in known[context.number] and next_ms > begin_ms and next_ms + grace_ms <= now_ms:
                missing.append((context, first_ms, next_ms, begin_ms))
            first_ms = next_ms
    for place, (context, first_ms, next_ms, begin_ms) in enumerate(missing):
        found = day.figures(connection, context, (first_ms, next_ms), begin_ms=begin_ms, grace_ms=grace_ms)
        for gateway, figures in found.items():
            if query.gateway in {None, gateway}:
                yield context, first_ms, gateway, figures
        told(place + 1, len(missing))


def local_day(context: Context, day_ms: int) -> date:
    """Return the local day that begins then."""
    return datetime.fromtimestamp(day_ms // 1000, UTC).astimezone(ZoneInfo(context.station.timezone)).date()
