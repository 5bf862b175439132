"""Reading from the store what the rules see of a span."""

import json
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import BigInteger, Connection, func, literal_column, select

from cloud_receiver.checks import load as checks_load
from cloud_receiver.checks.freezes import FreezeRow
from cloud_receiver.checks.model import SLOT_MS, Context, IntervalRow, Slot
from cloud_receiver.schema import event, freeze, gateway, gateway_status, interval, journal, message
from cloud_receiver.validation import estimates
from cloud_receiver.validation.model import EventRow, MessageRow, Window
from wire.records import EventCode, FreezeSource, Quality

DAY_MS = 86_400_000
_MOST_RECORDS = 16_384
"""No message has more, so that one whose first sequence lies further back covers none of what is looked for."""
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
    past_ms = first_ms - history_days * DAY_MS
    return Window(
        context,
        first_ms,
        end_ms,
        slots,
        history(connection, context.number, past_ms, first_ms) if history_days else {},
        _own_freezes(connection, context.number, past_ms, end_ms),
        events(connection, context.number, past_ms, end_ms),
        _messages(connection, slots),
        _offsets(connection, context.number) if now_ms is not None and now_ms < end_ms + DAY_MS else {},
        estimates.slots_in_force(connection, context.number, first_ms, end_ms),
        coverage_factor,
    )


def history(connection: Connection, station: int, first_ms: int, end_ms: int) -> dict[int, dict[int, int]]:
    """Return forward energies in mWh by meter and slot, those without energy left out."""
    # No parameter: PostgreSQL takes two of them for different expressions, and the rows are grouped by this one.
    start = interval.c.start_ms - interval.c.start_ms % literal_column(str(SLOT_MS), BigInteger)
    energy = func.sum(interval.c.forward_mwh)
    rows = connection.execute(
        select(interval.c.meter, start.label("slot"), interval.c.journal, energy.label("energy"))
        .where(
            interval.c.station == station,
            interval.c.start_ms >= first_ms,
            interval.c.start_ms < end_ms,
            interval.c.quality != int(Quality.PARTIAL),
        )
        .group_by(interval.c.meter, start, interval.c.journal)
        .having(energy > 0)
    )
    result: dict[int, dict[int, int]] = {}
    for row in rows:
        found = result.setdefault(row.meter, {})
        # Of two journals with the same time one counts.
        found[row.slot] = max(found.get(row.slot, 0), int(row.energy))
    return result


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
    statement = select(event.c.time_ms, event.c.meter, event.c.journal, event.c.code, event.c.details).where(
        event.c.station == station,
        event.c.time_ms >= first_ms,
        event.c.time_ms < end_ms,
        event.c.code.in_([int(code) for code in _CODES]),
    )
    return [
        EventRow(row.time_ms, row.meter, row.journal, row.code, _details(row.details))
        for row in connection.execute(statement)
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
