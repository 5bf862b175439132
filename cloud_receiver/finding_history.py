"""What a finding was before each change, and what brought the change about (发现的变更记录)."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, delete, func, insert, select, update

from cloud_receiver.finding_life import CHANGED, Row
from cloud_receiver.schema import finding_change

MOST: Final = 200
"""Rows of a finding: further changes of any kind are counted in the last one, which is of the newest of them and keeps
what was before all of them. Its number is a new one each time: whoever goes on from the last number is told of it."""
_BEFORE: Final = {
    "state_before": "state",
    "severity_before": "severity",
    "first_before_ms": "first_ms",
    "last_before_ms": "last_ms",
    "evidence_before": "evidence",
}


@dataclass(frozen=True, slots=True)
class Change:
    """A change, or several that followed each other (`times`); what was before it is None of one that was opened."""

    change: str
    changed_ms: int
    times: int
    state: str | None
    severity: str | None
    first_ms: int | None
    last_ms: int | None
    evidence: Mapping[str, Any] | None
    cause: Mapping[str, Any]


def note(
    connection: Connection,
    number: int,
    change: str,
    before: Row | None,
    cause: Mapping[str, Any],
    *,
    now_ms: int,
    running: bool = False,
) -> None:
    """Keep a change of a finding; of evidence alone while the day is `running`, the changes in a row are one."""
    text = json.dumps(cause, ensure_ascii=False)
    table = finding_change.c
    new = {"finding": number, "change": change, "changed_ms": now_ms, "running": int(running), "cause": text}
    if before is not None:
        last = connection.execute(
            select(finding_change).where(table.finding == number).order_by(table.id.desc()).limit(1)
        ).first()
        if last is not None and _goes_on(last, change, before, running=running):
            again = {"changed_ms": now_ms, "times": last.times + 1, "cause": text}
            connection.execute(update(finding_change).where(table.id == last.id).values(**again))
            return
        rows = select(func.count()).select_from(finding_change).where(table.finding == number)
        if last is not None and connection.execute(rows).scalar_one() >= MOST:
            old = {name: getattr(last, name) for name in _BEFORE}
            # Entered before the other goes: a number that was the highest would be given again.
            connection.execute(insert(finding_change).values(new | old | {"times": last.times + 1}))
            connection.execute(delete(finding_change).where(table.id == last.id))
            return
    old = {} if before is None else {name: getattr(before, was) for name, was in _BEFORE.items()}
    connection.execute(insert(finding_change).values(new | old))


def _goes_on(last: Row, change: str, before: Row, *, running: bool) -> bool:
    """Return whether it is one more change of evidence alone, of a day that runs."""
    return (
        running
        and bool(last.running)
        and last.change == change == CHANGED
        and last.severity_before == before.severity
        and last.state_before == before.state
    )


def of(connection: Connection, number: int) -> list[Change]:
    """Return the changes of a finding, the oldest first."""
    rows = connection.execute(
        select(finding_change).where(finding_change.c.finding == number).order_by(finding_change.c.id)
    )
    return [_change(row) for row in rows]


@dataclass(frozen=True, slots=True)
class Numbered:
    """A change with its number, and that of its finding."""

    number: int
    finding: int
    change: Change


def after(connection: Connection, number: int, limit: int) -> list[Numbered]:
    """Return changes of all findings after one's number, in the order in which they were made, at most so many."""
    rows = connection.execute(
        select(finding_change).where(finding_change.c.id > number).order_by(finding_change.c.id).limit(limit)
    )
    return [Numbered(row.id, row.finding, _change(row)) for row in rows]


def latest(connection: Connection, numbers: Collection[int]) -> dict[int, Change]:
    """Return the last change of each finding that has one."""
    newest = select(func.max(finding_change.c.id)).group_by(finding_change.c.finding)
    result: dict[int, Change] = {}
    wanted = sorted(numbers)
    for place in range(0, len(wanted), _AT_ONCE):
        some = newest.where(finding_change.c.finding.in_(wanted[place : place + _AT_ONCE]))
        rows = connection.execute(select(finding_change).where(finding_change.c.id.in_(some.scalar_subquery())))
        result |= {row.finding: _change(row) for row in rows}
    return result


_AT_ONCE: Final = 500


def _change(row: Row) -> Change:
    return Change(
        row.change,
        row.changed_ms,
        row.times,
        row.state_before,
        row.severity_before,
        row.first_before_ms,
        row.last_before_ms,
        None if row.evidence_before is None else json.loads(row.evidence_before),
        json.loads(row.cause),
    )
