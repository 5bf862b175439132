"""Findings about the grid (电网发现): one a day, kind and subject, with the life cycle of all findings."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from cloud_receiver import finding_life
from cloud_receiver.finding_life import CLOSED, Key
from cloud_receiver.schema import grid_finding


@dataclass(frozen=True, slots=True)
class Draft:
    """A finding as a day's slots have it; the store knows whether it is new."""

    kind: str
    subject: str
    """Such as `generator G1`, `node N7`, `centre city-1`; at most 96 characters."""
    first_ms: int
    last_ms: int
    """Start of the last slot concerned."""
    severity: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GridFinding:
    """A finding as it is shown."""

    id: int
    day_ms: int
    kind: str
    subject: str
    first_ms: int
    last_ms: int
    severity: str
    state: str
    opened_ms: int
    updated_ms: int
    evidence: Mapping[str, Any]


def synchronise(
    connection: Connection,
    day_ms: int,
    kinds: Collection[str],
    drafts: Iterable[Draft],
    now_ms: int,
    *,
    subject: str | None = None,
) -> tuple[int, int]:
    """Make a day's findings of these kinds those of `drafts`, only about `subject` if given; return (opened, closed).

    One that no longer holds is closed, not deleted; one that a person has acknowledged stays acknowledged.
    """
    statement = select(grid_finding).where(grid_finding.c.day_ms == day_ms, grid_finding.c.kind.in_(kinds))
    if subject is not None:
        statement = statement.where(grid_finding.c.subject == subject)
    stored = {_key(row.day_ms, row.kind, row.subject): row for row in connection.execute(statement)}
    wanted = {}
    for draft in drafts:
        if draft.kind not in kinds:
            raise ValueError(f"finding of kind {draft.kind}: expected one of {', '.join(sorted(kinds))}")
        if subject not in {None, draft.subject}:
            raise ValueError(f"finding about {draft.subject}: expected one about {subject}")
        wanted[_key(day_ms, draft.kind, draft.subject)] = {
            "first_ms": draft.first_ms,
            "last_ms": draft.last_ms,
            "severity": draft.severity,
            "evidence": json.dumps(draft.evidence, ensure_ascii=False, sort_keys=True, allow_nan=False),
        }
    return finding_life.settle(connection, grid_finding, stored, wanted, now_ms)


def _key(day_ms: int, kind: str, subject: str) -> Key:
    return ("day_ms", day_ms), ("kind", kind), ("subject", subject)


def acknowledge(connection: Connection, number: int, now_ms: int) -> bool:
    """Note that a person has seen an open finding; return whether there was one."""
    return finding_life.acknowledge(connection, grid_finding, number, now_ms)


def listed(
    connection: Connection, *, day_ms: int | None = None, kind: str | None = None, closed: bool = False
) -> list[GridFinding]:
    """Return findings by day, kind and subject; closed ones only when asked for."""
    statement = select(grid_finding).order_by(grid_finding.c.day_ms, grid_finding.c.kind, grid_finding.c.subject)
    if day_ms is not None:
        statement = statement.where(grid_finding.c.day_ms == day_ms)
    if kind is not None:
        statement = statement.where(grid_finding.c.kind == kind)
    if not closed:
        statement = statement.where(grid_finding.c.state != CLOSED)
    return [
        GridFinding(
            *(row.id, row.day_ms, row.kind, row.subject, row.first_ms, row.last_ms, row.severity, row.state),
            *(row.opened_ms, row.updated_ms, json.loads(row.evidence)),
        )
        for row in connection.execute(statement)
    ]
