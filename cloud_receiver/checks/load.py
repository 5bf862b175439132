"""Reading from the store what the checks of a span of slots need."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select

from cloud_receiver.checks.evaluate import SlotResult
from cloud_receiver.checks.model import SLOT_MS, AdjustmentRow, Context, IntervalRow, Slot
from cloud_receiver.factor_messages import issued
from cloud_receiver.registry import Registry, Station
from cloud_receiver.schema import adjustment, gateway, interval, meter, slot_check, station

RETENTION_MS: Final = 400 * 86_400_000
"""How long a gateway keeps records: what is older than this before its enrolment can't be a reading."""


def contexts(connection: Connection, registry: Registry) -> list[Context]:
    """Return every registered station with the numbers of its meters."""
    numbers = {row.name: row.id for row in connection.execute(select(station))}
    entered = _by_station(connection.execute(select(meter).order_by(meter.c.id)))
    return [_context(numbers[item.id], item, entered) for item in registry.station]


def contexts_of(connection: Connection, stations: Mapping[int, Station]) -> list[Context]:
    """Return some of the registered stations, given by number, likewise."""
    asked = select(meter).where(meter.c.station.in_(list(stations))).order_by(meter.c.id)
    entered = _by_station(connection.execute(asked))
    return [_context(number, item, entered) for number, item in stations.items()]


def _by_station(meters: Iterable[Row[Any]]) -> dict[int, list[Row[Any]]]:
    entered: dict[int, list[Row[Any]]] = {}
    for row in meters:
        entered.setdefault(row.station, []).append(row)
    return entered


def _context(number: int, item: Station, entered: Mapping[int, list[Row[Any]]]) -> Context:
    registered = {(each.gateway, each.id): each for each in item.meter}
    known, unknown = {}, {}
    for row in entered.get(number, ()):
        if (found := registered.get((row.gateway, row.name))) is not None:
            known[row.id] = found
        else:
            unknown[row.id] = row.name
    return Context(number, item, known, unknown)


def slot_starts(connection: Connection, context: Context, first_ms: int, last_ms: int) -> list[int]:
    """Return the starts of the slots within [first_ms, last_ms] that have records, and of the slots right after them.

    A record that comes late changes the continuity of the slot after it. Where a meter has longer intervals than a
    slot, they are all that one may cover, and those that are balanced together with it.
    """
    if (block_ms := context.block_ms) > SLOT_MS:
        return list(range(first_ms - first_ms % block_ms, last_ms - last_ms % block_ms + 2 * block_ms, SLOT_MS))
    station_number = context.number
    starts = connection.execute(
        select(interval.c.start_ms)
        .where(
            interval.c.station == station_number,
            interval.c.start_ms.between(first_ms - first_ms % SLOT_MS, last_ms + 2 * SLOT_MS),
        )
        .distinct()
    ).scalars()
    present = {start - start % SLOT_MS for start in starts}
    end = last_ms - last_ms % SLOT_MS + SLOT_MS
    return sorted(start for start in present if start <= end)


def stations_by_node(connection: Connection, registry: Registry) -> dict[str, list[int]]:
    """Return the numbers of the stations at each carbon node."""
    numbers = {row.name: row.id for row in connection.execute(select(station))}
    result: dict[str, list[int]] = {}
    for item in registry.station:
        result.setdefault(item.node, []).append(numbers[item.id])
    return result


def enrolments(connection: Connection) -> dict[int, int]:
    """Return when the first gateway of each station was enrolled, by station."""
    rows = connection.execute(select(gateway.c.station, func.min(gateway.c.added_ms)).group_by(gateway.c.station))
    return {row[0]: int(row[1]) for row in rows}


def first_record_ms(connection: Connection, station_number: int, floor_ms: int) -> int | None:
    """Return the start of the station's first interval at or after `floor_ms`."""
    return connection.execute(
        select(func.min(interval.c.start_ms)).where(
            interval.c.station == station_number, interval.c.start_ms >= floor_ms
        )
    ).scalar()


def begin_ms(connection: Connection, context: Context, enrolled_ms: int, now_ms: int) -> int | None:
    """Return from when the station's meters are expected to report; None before its first record."""
    begin = context.station.since_ms
    if begin is None:
        # A gateway whose clock began at 1970 must not make decades of slots that everything is missing from.
        begin = first_record_ms(connection, context.number, min(enrolled_ms, now_ms) - RETENTION_MS)
    return None if begin is None else begin - begin % SLOT_MS


def slots(connection: Connection, context: Context, starts: Iterable[int], begin: int, deadline_ms: int) -> list[Slot]:
    """Return the slots with their records.

    Those that began at or before `deadline_ms` are past their deadline, or all of one hour once its last one did where
    a meter's intervals are as long; nothing is expected before `begin` (ms).
    """
    block_ms = context.block_ms
    wanted = sorted(starts)
    if not wanted:
        return []
    low, high = wanted[0] - block_ms, wanted[-1] + block_ms
    columns = IntervalRow._fields
    rows: dict[int, list[IntervalRow]] = {}
    statement = select(*(interval.c[name] for name in columns)).where(
        interval.c.station == context.number, interval.c.start_ms >= low, interval.c.start_ms < high
    )
    for row in connection.execute(statement):
        rows.setdefault(row[0] - row[0] % SLOT_MS, []).append(IntervalRow._make(row))
    adjustments: dict[int, list[AdjustmentRow]] = {}
    statement = select(*(adjustment.c[name] for name in AdjustmentRow._fields)).where(
        adjustment.c.station == context.number, adjustment.c.start_ms >= low, adjustment.c.start_ms < high
    )
    for row in connection.execute(statement):
        adjustments.setdefault(row[0] - row[0] % SLOT_MS, []).append(AdjustmentRow._make(row))
    issues = issued(connection, context.station.node, low, high)
    settled = {start for start, found in issues.items() if max(found) <= deadline_ms + SLOT_MS}

    def within(first_ms: int) -> list[IntervalRow]:
        starts = range(first_ms, first_ms + block_ms, SLOT_MS)
        return rows.get(first_ms, []) if len(starts) == 1 else [row for start in starts for row in rows.get(start, ())]

    return [
        Slot(
            start,
            rows.get(start, []),
            within(start - block_ms),
            adjustments.get(start, []),
            {start: found[max(found)] for start, found in issues.items()},
            {start: frozenset(found.values()) for start, found in issues.items()},
            settled,
            past_deadline=start - start % block_ms + block_ms - SLOT_MS <= deadline_ms,
            expected=start >= begin,
            block=within(start) if block_ms > SLOT_MS and start % block_ms == 0 else None,
            block_adjustments=[
                row for each in range(start, start + block_ms, SLOT_MS) for row in adjustments.get(each, ())
            ]
            if block_ms > SLOT_MS
            else [],
        )
        for start in wanted
    ]


def results_of_day(connection: Connection, station: int, day_ms: int, end_ms: int) -> dict[int, SlotResult]:
    """Return the stored results of a day's slots by their start."""
    rows = connection.execute(
        select(slot_check.c.start_ms, slot_check.c.result).where(
            slot_check.c.station == station, slot_check.c.start_ms >= day_ms, slot_check.c.start_ms < end_ms
        )
    )
    return {row.start_ms: json.loads(row.result) for row in rows}
