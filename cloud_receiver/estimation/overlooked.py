"""The finding about a charger of which nothing could be decided for many nights: it lasts until something is."""

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Connection, or_, select

from cloud_receiver import finding_history, finding_life
from cloud_receiver.checks.model import SLOT_MS, Context, Kind, Severity
from cloud_receiver.estimation.result import ChargerResult, StationResult
from cloud_receiver.estimation.unjudged import NIGHTS
from cloud_receiver.finding_life import CLOSED, Key, Row
from cloud_receiver.schema import finding
from diantan_core import day_start_ms

KIND: Final = Kind.CHARGER_UNJUDGED.value


def update_unjudged(
    connection: Connection, context: Context, found: StationResult, now_ms: int, *, stored: Sequence[Row] | None = None
) -> tuple[int, int]:
    """Open, renew and close a station's findings by a night's result; return (opened, closed).

    `stored`: its findings of estimates that are open or of the last day, if they have been read.
    """
    day_ms = day_start_ms(found.end_ms - 1, context.station.timezone)
    rows = [row for row in stored or () if row.kind == KIND]
    if stored is None:
        ours = select(finding).where(finding.c.station == context.number, finding.c.kind == KIND)
        rows = list(connection.execute(ours.where(or_(finding.c.state != CLOSED, finding.c.day_ms == day_ms))))
    known = {_key(context, row.meter, row.day_ms): row for row in rows}
    begun = {row.meter: row for row in rows if row.state != CLOSED}
    wanted = {}
    for one in found.chargers:
        if one.nights < NIGHTS or not context.meters[one.number].in_service(found.end_ms - 1):
            continue
        row = begun.get(one.number)
        key = _key(context, one.number, day_ms if row is None else row.day_ms)
        wanted[key] = _values(one, found, found.first_ms if row is None else row.first_ms)

    def note(number: int, change: str, before: Row | None) -> None:
        cause = {"estimate": True}
        finding_history.note(connection, number, change, before, cause, now_ms=now_ms, running=True)

    return finding_life.settle(connection, finding, known, wanted, now_ms, note=note)


def _key(context: Context, meter: int, day_ms: int) -> Key:
    return ("station", context.number), ("day_ms", day_ms), ("kind", KIND), ("meter", meter)


def _values(one: ChargerResult, found: StationResult, first_ms: int) -> dict[str, Any]:
    detail = {
        "meter": one.meter,
        "nights": one.nights,
        "reason": one.reason,
        "active_windows": one.active_windows,
        "first_ms": found.first_ms,
        "end_ms": found.end_ms,
    }
    return {
        "first_ms": first_ms,
        "last_ms": max(first_ms, found.end_ms - SLOT_MS),
        "severity": Severity.WARNING.value,
        "evidence": json.dumps({"slots": [], "count": 1, "details": [detail]}, ensure_ascii=False, allow_nan=False),
    }
