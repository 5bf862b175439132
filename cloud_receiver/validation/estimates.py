"""Estimates (估补值) in the store: versioned, each with who or what made it and why, and none ever deleted.

Of a slot the highest version that has not ended is in force; the ones before it are superseded, and come back into
force when it is withdrawn. Whole slots are superseded, never parts of one.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, func, insert, select, update

from cloud_receiver.checks.model import SLOT_MS
from cloud_receiver.schema import estimate

LONGEST_AUTHOR: Final = 64
LONGEST_REASON: Final = 1000
_ID_DIGITS: Final = 16


class EstimateError(ValueError):
    """An estimate can't be made or withdrawn as asked."""


class State(StrEnum):
    """What became of an estimate."""

    IN_FORCE = "in_force"  # 有效
    SUPERSEDED = "superseded"  # 已被新版本取代
    WITHDRAWN = "withdrawn"  # 已撤回
    MEASURED = "measured"  # 实测值已到: readings came late


@dataclass(frozen=True, slots=True)
class Part:
    """What is estimated of one slot or a part of it, in mWh."""

    start_ms: int
    duration_ms: int
    forward_mwh: int
    reverse_mwh: int

    @property
    def slot_ms(self) -> int:
        """Return the start of its slot."""
        return self.start_ms - self.start_ms % SLOT_MS


@dataclass(frozen=True, slots=True)
class Edit:
    """Parts that are estimated at once, in one way."""

    meter: int
    method: str
    parts: tuple[Part, ...]
    basis: Mapping[str, object]
    replaces: bool = False
    """Whether readings of these slots are there and failed."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A part as it is stored."""

    edit: str
    meter: int
    version: int
    part: Part
    method: str
    replaces: bool
    basis: Mapping[str, Any]
    made_by: str
    made_ms: int
    reason: str
    state: State
    ended_by: str | None = None
    ended_ms: int | None = None
    ended_reason: str | None = None


def stored(connection: Connection, station: int, first_ms: int, end_ms: int) -> list[Estimate]:
    """Return every estimate of a station that is of a slot in [first_ms, end_ms), by time, meter and version."""
    rows = connection.execute(
        select(estimate)
        .where(
            estimate.c.station == station,
            estimate.c.start_ms >= first_ms - first_ms % SLOT_MS,
            estimate.c.start_ms < end_ms,
        )
        .order_by(estimate.c.start_ms, estimate.c.meter, estimate.c.version)
    ).all()
    newest: dict[tuple[int, int], int] = {}
    for row in rows:
        if row.ended is None:
            key = row.meter, row.start_ms // SLOT_MS
            newest[key] = max(newest.get(key, 0), row.version)
    return [_estimate(row, newest.get((row.meter, row.start_ms // SLOT_MS))) for row in rows]


def _estimate(row: Row[Any], newest: int | None) -> Estimate:
    current = State.IN_FORCE if row.version == newest else State.SUPERSEDED
    state = current if row.ended is None else State(row.ended)
    return Estimate(
        row.edit,
        row.meter,
        row.version,
        Part(row.start_ms, row.duration_ms, row.forward_mwh, row.reverse_mwh),
        row.method,
        bool(row.replaces),
        json.loads(row.basis),
        row.made_by,
        row.made_ms,
        row.reason,
        state,
        row.ended_by,
        row.ended_ms,
        row.ended_reason,
    )


def in_force(connection: Connection, station: int, first_ms: int, end_ms: int) -> list[Estimate]:
    """Return the estimates in force, by time and meter."""
    return [item for item in stored(connection, station, first_ms, end_ms) if item.state is State.IN_FORCE]


def slots_in_force(connection: Connection, station: int, first_ms: int, end_ms: int) -> dict[int, frozenset[int]]:
    """Return by meter the starts of the slots for which an estimate is in force."""
    found: dict[int, set[int]] = {}
    for item in in_force(connection, station, first_ms, end_ms):
        found.setdefault(item.meter, set()).add(item.part.slot_ms)
    return {meter: frozenset(starts) for meter, starts in found.items()}


def enter(connection: Connection, station: int, edit: Edit, *, made_by: str, reason: str, now_ms: int) -> str:
    """Store an edit as the next version of its slots; return its id. EstimateError for one that can't be."""
    [number] = enter_together(connection, station, [edit], made_by=made_by, reason=reason, now_ms=now_ms)
    return number


def enter_together(
    connection: Connection, station: int, edits: Sequence[Edit], *, made_by: str, reason: str, now_ms: int
) -> list[str]:
    """Store edits of a meter as one version of their slots: of a slot with several gaps all parts are in force."""
    _checked(made_by, reason)
    if not all(edit.parts for edit in edits):
        raise EstimateError("nothing to estimate: expected at least one slot")
    versions = _versions(connection, station, edits)
    return [
        _enter(connection, station, edit, versions, made_by=made_by, reason=reason, now_ms=now_ms) for edit in edits
    ]


def _enter(
    connection: Connection,
    station: int,
    edit: Edit,
    versions: Mapping[int, int],
    *,
    made_by: str,
    reason: str,
    now_ms: int,
) -> str:
    number = _edit_id(station, edit, versions, now_ms)
    connection.execute(
        insert(estimate),
        [
            {
                "station": station,
                "start_ms": part.start_ms,
                "meter": edit.meter,
                "version": versions[part.slot_ms],
                "edit": number,
                "duration_ms": part.duration_ms,
                "forward_mwh": part.forward_mwh,
                "reverse_mwh": part.reverse_mwh,
                "method": edit.method,
                "replaces": int(edit.replaces),
                "basis": json.dumps(edit.basis, ensure_ascii=False, sort_keys=True),
                "made_by": made_by,
                "made_ms": now_ms,
                "reason": reason,
            }
            for part in edit.parts
        ],
    )
    return number


def _checked(author: str, reason: str) -> None:
    for text, what, longest in ((author, "who makes it", LONGEST_AUTHOR), (reason, "the reason", LONGEST_REASON)):
        if not 0 < len(text) <= longest or not text.isprintable() or text != text.strip():
            expected = f"1 to {longest} printable characters, no blank first or last"
            raise EstimateError(f"{what}: expected {expected}, found {text[:80]!r}")


def _versions(connection: Connection, station: int, edits: Sequence[Edit]) -> dict[int, int]:
    """Return the next version of each slot."""
    starts = {part.slot_ms for edit in edits for part in edit.parts}
    rows = connection.execute(
        select(estimate.c.start_ms, func.max(estimate.c.version).label("version"))
        .where(
            estimate.c.station == station,
            estimate.c.meter.in_({edit.meter for edit in edits}),
            estimate.c.start_ms >= min(starts),
            estimate.c.start_ms < max(starts) + SLOT_MS,
        )
        .group_by(estimate.c.start_ms)
    )
    last = dict.fromkeys(starts, 0)
    for row in rows:
        slot = row.start_ms - row.start_ms % SLOT_MS
        if slot in last:
            last[slot] = max(last[slot], row.version)
    return {slot: version + 1 for slot, version in last.items()}


def _edit_id(station: int, edit: Edit, versions: Mapping[int, int], now_ms: int) -> str:
    # A version of a slot's part is there once, so that the digest is.
    content = [station, edit.meter, now_ms, edit.parts[0].start_ms, sorted(versions.items())]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:_ID_DIGITS]


def withdraw(connection: Connection, edit: str, *, by: str, reason: str, now_ms: int) -> int:
    """Withdraw what is left of an edit; the rows stay and say who and why. Return how many parts were ended."""
    _checked(by, reason)
    if connection.execute(select(estimate.c.edit).where(estimate.c.edit == edit).limit(1)).first() is None:
        raise EstimateError(f"there is no edit {edit[:40]!r}")
    ended = _end(connection, estimate.c.edit == edit, State.WITHDRAWN, by=by, reason=reason, now_ms=now_ms)
    if not ended:
        raise EstimateError(f"nothing of edit {edit} is left: it was withdrawn, or readings came")
    return ended


def heal(connection: Connection, station: int, items: Iterable[Estimate], *, by: str, now_ms: int) -> int:
    """End estimates of slots whose readings came after all; return how many parts."""
    count = 0
    for item in items:
        place = (
            (estimate.c.station == station)
            & (estimate.c.meter == item.meter)
            & (estimate.c.start_ms == item.part.start_ms)
            & (estimate.c.version == item.version)
        )
        count += _end(connection, place, State.MEASURED, by=by, reason="the readings came", now_ms=now_ms)
    return count


def _end(connection: Connection, which: ColumnElement[bool], state: State, *, by: str, reason: str, now_ms: int) -> int:
    values = {"ended": state.value, "ended_by": by, "ended_ms": now_ms, "ended_reason": reason}
    return connection.execute(update(estimate).where(which, estimate.c.ended.is_(None)).values(**values)).rowcount
