"""A station's local day: its figures by gateway, from its intervals and the messages that brought them."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Final

from sqlalchemy import Connection, delete, insert, select

from cloud_receiver.checks.model import Context
from cloud_receiver.completeness.figures import Figures
from cloud_receiver.registry import Meter
from cloud_receiver.schema import completeness_day, estimate, interval, message
from wire.records import Quality

_MINUTE_MS: Final = 60_000
_MOST_RECORDS: Final = 16_384
"""No message has more, so that one whose first sequence lies further back covers none of what is looked for."""
_DOUBTFUL: Final = {
    int(Quality.INTERPOLATED): "interpolated_ms",
    int(Quality.ESTIMATED): "estimated_ms",
    int(Quality.PARTIAL): "partial_ms",
}


def figures(
    connection: Connection, context: Context, span: tuple[int, int], *, begin_ms: int, grace_ms: int
) -> dict[str, Figures]:
    """Return the figures of a local day [first, end) by gateway.

    Nothing is expected before `begin_ms`, of a meter that is not in service, and of a charger that is known by its
    orders only. Of a time that came twice the first counts.
    """
    found: dict[str, Figures] = {}
    for meter in context.meters.values():
        amount = expected_ms(meter, max(span[0], begin_ms), span[1])
        if amount:
            found.setdefault(meter.gateway, Figures()).expected_ms += amount
    by_meter: dict[int, list[tuple[int, int, int, int]]] = {}
    for journal, rows in _rows(connection, context, span).items():
        rows.sort()
        arrived = _arrivals(connection, journal, [row[0] for row in rows])
        for (_, number, start_ms, end_ms, quality), received_ms in zip(rows, arrived, strict=True):
            by_meter.setdefault(number, []).append((start_ms, received_ms, end_ms, quality))
    for number, intervals in by_meter.items():
        meter = context.meters[number]
        expected = meter.service(max(span[0], begin_ms), span[1])
        found.setdefault(meter.gateway, Figures()).add(_counted(sorted(intervals), expected, span[1] + grace_ms))
    for number, amount in _substituted(connection, context.number, span).items():
        if (known := context.meters.get(number)) is not None and known.gateway in found:
            found[known.gateway].substituted_ms += amount
    return found


def _counted(intervals: Iterable[tuple[int, int, int, int]], span: tuple[int, int], late_ms: int) -> Figures:
    """Return the figures of a meter's intervals in order of (start, received, end, quality)."""
    found = Figures()
    covered_ms = span[0]
    for start_ms, received_ms, end_ms, quality in intervals:
        amount = min(end_ms, span[1]) - max(start_ms, covered_ms)
        if amount <= 0:
            continue
        covered_ms = min(end_ms, span[1])
        found.present_ms += amount
        delay_ms = received_ms - end_ms
        found.in_15_min_ms += amount if delay_ms <= 15 * _MINUTE_MS else 0
        found.in_60_min_ms += amount if delay_ms <= 60 * _MINUTE_MS else 0
        found.by_day_end_ms += amount if received_ms <= late_ms else 0
        if (name := _DOUBTFUL.get(quality)) is not None:
            setattr(found, name, getattr(found, name) + amount)
    return found


def expected_ms(meter: Meter, first_ms: int, end_ms: int) -> int:
    """Return for how long of [first, end) a meter's intervals are expected."""
    if meter.only_orders:
        return 0
    first, last = meter.service(first_ms, end_ms)
    return last - first


_Row = tuple[int, int, int, int, int]
"""Sequence, meter, start, end, quality."""


def _rows(connection: Connection, context: Context, span: tuple[int, int]) -> dict[int, list[_Row]]:
    statement = select(
        *(interval.c.journal, interval.c.sequence, interval.c.meter),
        *(interval.c.start_ms, interval.c.duration_ms, interval.c.quality),
    ).where(interval.c.station == context.number, interval.c.start_ms >= span[0], interval.c.start_ms < span[1])
    known, result = context.meters, dict[int, list[_Row]]()
    for journal, sequence, meter, start_ms, duration_ms, quality in connection.execute(statement):
        if meter in known:
            result.setdefault(journal, []).append((sequence, meter, start_ms, start_ms + duration_ms, quality))
    return result


_NEVER: Final = 1 << 62
"""When what no message covers came: in no time that is told."""


def _arrivals(connection: Connection, journal: int, sequences: list[int]) -> list[int]:
    """Return when each of a journal's records came: with the first message stored that has it (ms UTC)."""
    arrived = [_NEVER] * len(sequences)
    rows = connection.execute(
        select(message.c.first, message.c.count, message.c.received_ms)
        .where(message.c.journal == journal, message.c.first.between(sequences[0] - _MOST_RECORDS, sequences[-1]))
        .order_by(message.c.id)
    )
    for first, count, received_ms in rows:
        for place in range(bisect_left(sequences, first), bisect_right(sequences, first + count - 1)):
            if arrived[place] == _NEVER:
                arrived[place] = received_ms
    return arrived


def _substituted(connection: Connection, station: int, span: tuple[int, int]) -> dict[int, int]:
    rows = connection.execute(
        select(estimate.c.meter, estimate.c.duration_ms).where(
            estimate.c.station == station,
            estimate.c.start_ms >= span[0],
            estimate.c.start_ms < span[1],
            estimate.c.ended.is_(None),
            estimate.c.replaces == 0,
        )
    )
    result: dict[int, int] = {}
    for number, duration_ms in rows:
        result[number] = result.get(number, 0) + duration_ms
    return result


def enter(connection: Connection, station: int, day_ms: int, found: Mapping[str, Figures], now_ms: int) -> None:
    """Keep the figures of a day that is over, in the place of former ones."""
    key = (completeness_day.c.station == station, completeness_day.c.day_ms == day_ms)
    connection.execute(delete(completeness_day).where(*key))
    if found:
        connection.execute(
            insert(completeness_day),
            [
                {"station": station, "day_ms": day_ms, "gateway": gateway, "made_ms": now_ms, **asdict(item)}
                for gateway, item in found.items()
            ],
        )
