"""Findings in the store and their life cycle: open, acknowledged by a person, closed when the cause is gone."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, Select, select

from cloud_receiver import finding_history, finding_life
from cloud_receiver.checks.day import Draft
from cloud_receiver.checks.model import SLOT_MS, Context, Kind
from cloud_receiver.finding_life import ACKNOWLEDGED, CLOSED, OPEN, Key, Row
from cloud_receiver.schema import finding, meter, station

__all__ = ["ACKNOWLEDGED", "CLOSED", "OPEN", "Finding", "acknowledge", "listed", "numbered", "synchronise"]

LASTING = frozenset(
    kind.value
    for kind in (
        *(Kind.CHARGER_SUSPECT, Kind.CHARGER_UNJUDGED, Kind.MAKE_BIASED),
        *(Kind.HOT_BRANCH, Kind.BRANCH_CONTRADICTED),
    )
)
"""Kinds that no check of a day opens or closes: cloud_receiver.estimation.suspects, .overlooked, .fleet.finding and
.branch_life."""
MONTHLY = frozenset(
    kind.value
    for kind in (Kind.BALANCE_MONTH, Kind.CARBON_BALANCE_MONTH, Kind.CARBON_PARTY_MONTH, Kind.COMPLETENESS_MONTH)
)
"""Kinds of a local month (月): their day is its first."""
_AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Finding:
    """A finding as it is shown."""

    id: int
    station: str
    day_ms: int
    kind: str
    meter: str | None
    first_ms: int
    last_ms: int
    severity: str
    state: str
    opened_ms: int
    updated_ms: int
    evidence: dict[str, object]


def synchronise(
    connection: Connection,
    context: Context,
    day_ms: int,
    drafts: Iterable[Draft],
    now_ms: int,
    *,
    monthly: bool = False,
    cause: Callable[[], Mapping[str, Any]] = dict,
    running: bool = False,
) -> tuple[int, int]:
    """Make a day's findings, or the `monthly` ones of the month that begins then, those of `drafts`.

    Returns (opened, closed). One that no longer holds is closed, not deleted; one that a person has acknowledged stays
    acknowledged. Of each change is kept what was before it, and its `cause`, asked for once if there is a change; while
    the day is `running`, changes of evidence in a row are kept as one.
    """
    of_these = finding.c.kind.in_(MONTHLY) if monthly else finding.c.kind.not_in(LASTING | MONTHLY)
    of_day = (finding.c.station == context.number, finding.c.day_ms == day_ms, of_these)
    stored = {
        _key(row.station, row.day_ms, row.kind, row.meter): row
        for row in connection.execute(select(finding).where(*of_day))
    }
    wanted = {
        _key(context.number, day_ms, draft.kind, draft.meter): {
            "first_ms": min(draft.starts),
            "last_ms": max(draft.starts),
            "severity": draft.severity,
            "evidence": json.dumps(draft.evidence(context), ensure_ascii=False),
        }
        for draft in drafts
    }
    known: list[Mapping[str, Any]] = []

    def note(number: int, change: str, before: Row | None) -> None:
        if not known:
            known.append(cause())
        finding_history.note(connection, number, change, before, known[0], now_ms=now_ms, running=running)

    return finding_life.settle(connection, finding, stored, wanted, now_ms, note=note)


def _key(station_number: int, day_ms: int, kind: str, meter_number: int) -> Key:
    return ("station", station_number), ("day_ms", day_ms), ("kind", kind), ("meter", meter_number)


def acknowledge(connection: Connection, number: int, now_ms: int) -> bool:
    """Note that a person has seen an open finding; return whether there was one."""
    before = connection.execute(select(finding).where(finding.c.id == number)).first()
    done = finding_life.acknowledge(connection, finding, number, now_ms)
    if done:
        finding_history.note(connection, number, ACKNOWLEDGED, before, {"person": True}, now_ms=now_ms)
    return done


def listed(
    connection: Connection,
    station_name: str | None = None,
    day_ms: int | None = None,
    *,
    number: int | None = None,
    closed: bool = False,
) -> list[Finding]:
    """Return findings by station, day and kind, or the one with a number; closed ones only when asked for."""
    statement = _named().order_by(station.c.name, finding.c.day_ms, finding.c.kind, meter.c.name)
    if station_name is not None:
        statement = statement.where(station.c.name == station_name)
    if day_ms is not None:
        # Those of a month are no day's: the first of the month is only where they stand.
        statement = statement.where(finding.c.day_ms == day_ms, finding.c.kind.not_in(MONTHLY))
    if number is not None:
        statement = statement.where(finding.c.id == number)
    if not closed:
        statement = statement.where(finding.c.state != CLOSED)
    return [_finding(row) for row in connection.execute(statement)]


def numbered(connection: Connection, numbers: Collection[int]) -> list[Finding]:
    """Return the findings that have these numbers, closed ones too."""
    wanted = sorted(numbers)
    result = []
    for place in range(0, len(wanted), _AT_ONCE):
        some = _named().where(finding.c.id.in_(wanted[place : place + _AT_ONCE]))
        result += [_finding(row) for row in connection.execute(some)]
    return result


def _named() -> Select[Any]:
    return (
        select(finding, station.c.name.label("station_name"), meter.c.name.label("meter_name"))
        .join(station, station.c.id == finding.c.station)
        .outerjoin(meter, meter.c.id == finding.c.meter)
    )


def _finding(row: Row) -> Finding:
    return Finding(
        row.id,
        row.station_name,
        row.day_ms,
        row.kind,
        row.meter_name,
        row.first_ms,
        row.last_ms + SLOT_MS,
        row.severity,
        row.state,
        row.opened_ms,
        row.updated_ms,
        json.loads(row.evidence),
    )
