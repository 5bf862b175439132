"""Reading from the store what the rules see of a span."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import BigInteger, ColumnElement, Connection, and_, case, func, literal_column, or_, select

from cloud_receiver import event_rows
from cloud_receiver.checks import load as checks_load
from cloud_receiver.checks.freezes import FreezeRow
from cloud_receiver.checks.model import SLOT_MS, Context, IntervalRow, Slot
from cloud_receiver.schema import event, freeze, gateway, gateway_status, interval, journal, message
from cloud_receiver.validation import estimates
from cloud_receiver.validation.model import LONGEST_PERIOD_MS, EventRow, MessageRow, Window
from wire.records import EventCode, FreezeSource, Quality

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
_MOST_RECORDS = 16_384
"""No message has more, so that one whose first sequence lies further back covers none of what is looked for."""
_MOST_MWH = 2**42
"""What an interval counts at most for in the history, 4 GWh: the sum of a slot's must not leave 64 bits."""
_CODES = (
    *(EventCode.ROLLOVER, EventCode.RESET, EventCode.EXCHANGE, EventCode.JUMP, EventCode.GAP, EventCode.TIME_BACK),
    *(EventCode.CLOCK_STEPPED, EventCode.METER_CLOCK_OFF, EventCode.METER_CLOCK_RIGHT),
)


def window(
    connection: Connection,
    context: Context,
    span: tuple[int, int],
    *,
    begin_ms: int,
    deadline_ms: int,
    history_days: int,
    coverage_factor: float,
    now_ms: int | None = None,
) -> Window:
    """Return a station's span [first, end) of whole slots with what the rules need beside it.

    `begin_ms` and `deadline_ms` as for cloud_receiver.checks.load.slots. With `now_ms` the newest statuses of the
    gateways are judged too, where the span reaches to within a day of it: they are of now, and not kept.
    """
    first_ms, end_ms = span
    slots = checks_load.slots(connection, context, range(first_ms, end_ms, SLOT_MS), begin_ms, deadline_ms)
    past_ms = first_ms - max(1, history_days) * DAY_MS
    counted = history(connection, context.number, first_ms - history_days * DAY_MS, first_ms) if history_days else None
    return Window(
        context,
        first_ms,
        end_ms,
        slots,
        {} if counted is None else counted.forward,
        _own_freezes(connection, context.number, past_ms, end_ms),
        [
            *(_clock_events(connection, context.number, past_ms) if history_days else ()),
            *events(connection, context.number, past_ms, end_ms),
        ],
        _messages(connection, slots),
        _offsets(connection, context.number) if now_ms is not None and now_ms < end_ms + DAY_MS else {},
        estimated(connection, context.number, span, history_days),
        coverage_factor,
        _last(connection, context.number, past_ms, first_ms),
        _unmeasured(connection, context.number, past_ms, first_ms),
        {} if counted is None else counted.reverse,
        _first(connection, context.number, end_ms),
        events(connection, context.number, end_ms, end_ms + 2 * HOUR_MS),
    )


def estimated(
    connection: Connection, station: int, span: tuple[int, int], history_days: int
) -> dict[int, frozenset[int]]:
    """Return by meter the slots of a span and of the days before it for which an estimate is in force."""
    return estimates.slots_in_force(connection, station, span[0] - max(1, history_days) * DAY_MS, span[1])


def _slot() -> ColumnElement[int]:
    # No parameter: PostgreSQL takes two of them for different expressions, and rows are grouped by this one.
    return interval.c.start_ms - interval.c.start_ms % literal_column(str(SLOT_MS), BigInteger)


class History(NamedTuple):
    """Energies in mWh by meter and slot, those without energy left out."""

    forward: dict[int, dict[int, int]]
    reverse: dict[int, dict[int, int]]


def history(connection: Connection, station: int, first_ms: int, end_ms: int) -> History:
    """Return what was counted in a span.

    That of an interval of several slots is shared evenly. Energies that can't be are cut: they are compared only.
    """
    start = _slot()
    forward, reverse = (
        func.sum(case((column > _MOST_MWH, _MOST_MWH), else_=column))
        for column in (interval.c.forward_mwh, interval.c.reverse_mwh)
    )
    rows = connection.execute(
        select(
            interval.c.meter,
            start.label("slot"),
            interval.c.journal,
            forward.label("forward"),
            reverse.label("reverse"),
            func.max(interval.c.duration_ms).label("longest"),
        )
        .where(
            interval.c.station == station,
            interval.c.start_ms >= first_ms,
            interval.c.start_ms < end_ms,
            interval.c.quality != int(Quality.PARTIAL),
        )
        .group_by(interval.c.meter, start, interval.c.journal)
        .having(or_(forward > 0, reverse > 0))
    )
    result = History({}, {})
    for row in rows:
        slots = max(1, min(row.longest, LONGEST_PERIOD_MS) // SLOT_MS)
        for side, energy in zip(result, (int(row.forward), int(row.reverse)), strict=True):
            if energy <= 0:
                continue
            found = side.setdefault(row.meter, {})
            for slot in range(row.slot, min(row.slot + slots * SLOT_MS, end_ms), SLOT_MS):
                # Of two journals with the same time one counts.
                found[slot] = max(found.get(slot, 0), energy // slots)
    return result


def _last(connection: Connection, station: int, first_ms: int, end_ms: int) -> list[IntervalRow]:
    """Return the last interval of each meter and journal that begins in [first, end)."""
    last = (
        select(interval.c.meter, interval.c.journal, func.max(interval.c.start_ms).label("start_ms"))
        .where(interval.c.station == station, interval.c.start_ms >= first_ms, interval.c.start_ms < end_ms)
        .group_by(interval.c.meter, interval.c.journal)
        .subquery()
    )
    same = and_(*(interval.c[name] == last.c[name] for name in ("meter", "journal", "start_ms")))
    rows = connection.execute(
        select(*(interval.c[name] for name in IntervalRow._fields))
        .join(last, same)
        .where(interval.c.station == station, interval.c.start_ms >= first_ms, interval.c.start_ms < end_ms)
    )
    found: dict[tuple[int, int], IntervalRow] = {}
    for row in sorted(IntervalRow._make(row) for row in rows):
        found[row.meter, row.journal] = row
    return list(found.values())


def _first(connection: Connection, station: int, end_ms: int) -> dict[int, list[IntervalRow]]:
    """Return each meter's first interval of the hour that follows, of whatever journal."""
    first = (
        select(interval.c.meter, func.min(interval.c.start_ms).label("start_ms"))
        .where(interval.c.station == station, interval.c.start_ms >= end_ms, interval.c.start_ms < end_ms + HOUR_MS)
        .group_by(interval.c.meter)
        .subquery()
    )
    same = and_(*(interval.c[name] == first.c[name] for name in ("meter", "start_ms")))
    rows = connection.execute(
        select(*(interval.c[name] for name in IntervalRow._fields))
        .join(first, same)
        .where(interval.c.station == station, interval.c.start_ms >= end_ms, interval.c.start_ms < end_ms + HOUR_MS)
    )
    return {row.meter: [row] for row in sorted((IntervalRow._make(row) for row in rows), reverse=True)}


def _unmeasured(connection: Connection, station: int, first_ms: int, end_ms: int) -> dict[int, frozenset[int]]:
    """Return by meter the slots of which no interval is measured, but all are interpolated or estimated."""
    start, quality = _slot(), interval.c.quality
    rows = connection.execute(
        select(interval.c.meter, start.label("slot"), func.max(interval.c.duration_ms).label("longest"))
        .where(interval.c.station == station, interval.c.start_ms >= first_ms, interval.c.start_ms < end_ms)
        .group_by(interval.c.meter, start)
        .having(and_(func.min(quality) > int(Quality.MEASURED), func.max(quality) < int(Quality.PARTIAL)))
    )
    found: dict[int, set[int]] = {}
    for row in rows:
        slots = max(1, min(row.longest, LONGEST_PERIOD_MS) // SLOT_MS)
        found.setdefault(row.meter, set()).update(range(row.slot, row.slot + slots * SLOT_MS, SLOT_MS))
    return {meter: frozenset(starts) for meter, starts in found.items()}


def _own_freezes(connection: Connection, station: int, first_ms: int, end_ms: int) -> list[FreezeRow]:
    statement = select(*(freeze.c[name] for name in FreezeRow._fields)).where(
        freeze.c.station == station,
        freeze.c.time_ms > first_ms,
        freeze.c.time_ms <= end_ms,
        freeze.c.source == int(FreezeSource.METER),
    )
    return [FreezeRow._make(row) for row in connection.execute(statement)]


def events(connection: Connection, station: int, first_ms: int, end_ms: int) -> list[EventRow]:
    """Return the events of registers and clocks."""
    return _events(
        connection,
        and_(
            event.c.station == station,
            event.c.time_ms >= first_ms,
            event.c.time_ms < end_ms,
            event.c.code.in_([int(code) for code in _CODES]),
        ),
    )


def _clock_events(connection: Connection, station: int, end_ms: int) -> list[EventRow]:
    """Return the last word on each meter's clock before an instant: it holds however long ago it was."""
    told = and_(
        event.c.station == station,
        event_rows.told([EventCode.METER_CLOCK_OFF, EventCode.METER_CLOCK_RIGHT]),
    )
    last = (
        select(event.c.meter, func.max(event.c.time_ms).label("time_ms"))
        .where(told, event.c.time_ms < end_ms)
        .group_by(event.c.meter)
    )
    times = {(row.meter, row.time_ms) for row in connection.execute(last)}
    if not times:
        return []
    return [
        row
        for row in _events(connection, and_(told, event.c.time_ms.in_(sorted({time for _, time in times}))))
        if (row.meter, row.time_ms) in times
    ]


def _events(connection: Connection, which: ColumnElement[bool]) -> list[EventRow]:
    columns = (event.c.time_ms, event.c.meter, event.c.journal, event.c.code, event.c.details)
    order = (event.c.time_ms, event.c.meter, event.c.journal, event.c.sequence)
    return [
        EventRow(row.time_ms, row.meter, row.journal, row.code, _details(row.details))
        for row in connection.execute(select(*columns).where(which).order_by(*order))
    ]


def _details(text: str) -> Mapping[int, int | str]:
    return {int(key): value for key, value in json.loads(text).items()}


def _messages(connection: Connection, slots: Sequence[Slot]) -> list[MessageRow]:
    """Return the messages that brought the span's intervals."""
    spans: dict[int, tuple[int, int]] = {}
    for slot in slots:
        for row in slot.rows:
            low, high = spans.get(row.journal, (row.sequence, row.sequence))
            spans[row.journal] = min(low, row.sequence), max(high, row.sequence)
    result = []
    for number, (low, high) in sorted(spans.items()):
        rows = connection.execute(
            select(gateway.c.name, message.c.created_ms, message.c.received_ms, message.c.clock_state)
            .join(journal, journal.c.id == message.c.journal)
            .join(gateway, gateway.c.id == journal.c.gateway)
            .where(
                message.c.journal == number,
                message.c.first.between(low - _MOST_RECORDS, high),
                message.c.first + message.c.count > low,
            )
            .order_by(message.c.first)
        )
        result += [MessageRow(*row) for row in rows]
    return result


def _offsets(connection: Connection, station: int) -> dict[str, dict[str, int]]:
    """Return how far off the newest status of each gateway says its clock is."""
    rows = connection.execute(
        select(gateway.c.name, gateway_status.c.facts).join(gateway).where(gateway.c.station == station)
    )
    result = {}
    for row in rows:
        facts = json.loads(row.facts) if row.facts else {}
        # What a status says against the centre has the time on the way in it: only one that is ahead is off for sure.
        told = {"clock_offset_ms": facts.get("clock_offset_ms")}
        result[row.name] = {name: value for name, value in told.items() if isinstance(value, int)}
    return {name: told for name, told in result.items() if told}


def rows_of(connection: Connection, station: int, meter: int, spans: Iterable[tuple[int, int]]) -> list[IntervalRow]:
    """Return a meter's intervals that start in any of the spans [first, end)."""
    result: list[IntervalRow] = []
    for first_ms, end_ms in spans:
        statement = select(*(interval.c[name] for name in IntervalRow._fields)).where(
            interval.c.station == station,
            interval.c.meter == meter,
            interval.c.start_ms >= first_ms,
            interval.c.start_ms < end_ms,
        )
        result += [IntervalRow._make(row) for row in connection.execute(statement)]
    return result
