"""Candidates for re-verification (失准复检): from the flag of an estimate to the result of a verification.

A candidate is one finding for as long as it lasts. A flag opens it; it closes when an estimate says that the charger is
clear, when a verification finds it within its limit, or when the charger is another one: adjusted, gone, or exchanged
and found clear since. One that a verification has confirmed stays open whatever estimates say, until the charger is
another one.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import BigInteger, Connection, Row, bindparam, insert, select, update

from cloud_receiver import finding_history
from cloud_receiver.checks.model import SLOT_MS, Context, Kind, Severity
from cloud_receiver.estimation.model import limit_percent
from cloud_receiver.estimation.result import ChargerResult, StationResult
from cloud_receiver.estimation.verification import Verification, listed
from cloud_receiver.finding_life import CHANGED, OPENED, REOPENED
from cloud_receiver.findings import CLOSED, OPEN
from cloud_receiver.schema import finding
from diantan_core import day_start_ms

KIND: Final = Kind.CHARGER_SUSPECT.value
CONFIRMED: Final = "confirmed"
"""A verification found the charger beyond its limit (确认超差)."""
REFUTED: Final = "refuted"
"""A verification found it within its limit."""
ADJUSTED: Final = "confirmed_and_adjusted"
CLEARED: Final = "cleared"
"""An estimate says that it is within its limit."""
ANOTHER: Final = "exchanged_or_adjusted"
OUT: Final = "out_of_service"
EARLIER: Final = "not_settled_by_an_earlier_result"

# Every night, of every candidate.
_RENEW: Final = (
    update(finding)
    .where(finding.c.id == bindparam("_id", type_=BigInteger))
    .values(**{name: bindparam(name) for name in ("last_ms", "evidence", "updated_ms")})
)


def update_candidates(
    connection: Connection,
    context: Context,
    found: StationResult,
    now_ms: int,
    *,
    stored: Sequence[Row[Any]] | None = None,
) -> tuple[int, int]:
    """Open, renew and close a station's candidates by an estimate; return (opened, closed).

    `stored`: its findings of estimates in order, if they have been read.
    """
    if not found.windows:
        return 0, 0  # nothing is known of anyone
    rows = connection.execute(_open(context.number)).all() if stored is None else stored
    candidates = {row.meter: row for row in rows if row.kind == KIND and row.state != CLOSED}
    opened = closed = 0
    for one in found.chargers:
        if not context.meters[one.number].in_service(found.end_ms - 1):
            continue  # it is in the windows still, and nobody can verify it any more
        row = candidates.pop(one.number, None)
        evidence = _evidence(found, one)
        if row is None:
            if one.decision == "flag":
                span = found.first_ms if one.changed_ms is None else one.changed_ms, found.end_ms
                evidence |= _known(connection, context, one, evidence["details"][0])
                _begin(connection, context, one.number, evidence, span=span, now_ms=now_ms)
                opened += 1
            continue
        before = json.loads(row.evidence)
        another = one.since_ms is not None and one.since_ms > row.first_ms
        kept = {name: before[name] for name in ("outcome", "verification") if before.get(name) is not None}
        if one.decision != "flag":
            # A later night that knows less takes nothing from what it is accused by.
            kept["flagged"] = before.get("flagged") or before["details"][0]
        kept["words"] = _words(kept.get("flagged") or evidence["details"][0], kept.get("outcome"))
        # That it was exchanged, its own gateway says: it ends nothing before the new one is found to be right.
        if another and one.decision == "clear":
            closed += _close(connection, row, evidence | {"outcome": ANOTHER}, now_ms)
        elif one.decision == "clear" and kept.get("outcome") != CONFIRMED:
            closed += _close(connection, row, evidence | {"outcome": CLEARED}, now_ms)
        else:
            _renew(connection, row, evidence | kept, found, now_ms)
    for row in candidates.values():
        closed += _close(connection, row, json.loads(row.evidence) | {"outcome": OUT}, now_ms)
    return opened, closed


def settle(connection: Connection, context: Context, item: Verification, now_ms: int) -> str | None:
    """Close or confirm a charger's candidate by a verification; return its outcome, None where there is none.

    One from before the windows of the estimate that flagged it says nothing of what became of it since.
    """
    row = connection.execute(_open(context.number).where(finding.c.meter == item.meter)).first()
    if row is None:
        return None
    if item.at_ms < row.first_ms:
        return EARLIER
    evidence = json.loads(row.evidence) | {"verification": _told(item)}
    if not _beyond(context, item):
        _close(connection, row, evidence | {"outcome": REFUTED}, now_ms)
        return REFUTED
    if item.left_percent is not None:
        _close(connection, row, evidence | {"outcome": ADJUSTED}, now_ms)
        return ADJUSTED
    said = _words(evidence.get("flagged") or evidence["details"][0], CONFIRMED)
    values = {"severity": Severity.ALARM.value, "evidence": _json(evidence | {"outcome": CONFIRMED, "words": said})}
    connection.execute(update(finding).where(finding.c.id == row.id).values(updated_ms=now_ms, **values))
    finding_history.note(connection, row.id, CHANGED, row, {"outcome": CONFIRMED}, now_ms=now_ms)
    return CONFIRMED


def _told(item: Verification) -> dict[str, Any]:
    return {
        "id": item.id,
        "error_percent": str(item.error_percent),
        "u_percent": str(item.u_percent),
        "document": item.document,
    }


def _beyond(context: Context, item: Verification) -> bool:
    return abs(item.error_percent) > limit_percent(context.meters[item.meter])


def _known(
    connection: Connection, context: Context, one: ChargerResult, detail: Mapping[str, Any]
) -> Mapping[str, object]:
    """Return what its evidence has besides where the verification that the flag rests on has confirmed it already."""
    found = [item for item in listed(connection, context.number) if item.meter == one.number] if one.verified else []
    if not found or found[-1].left_percent is not None or not _beyond(context, found[-1]):
        return {}
    return {"verification": _told(found[-1]), "outcome": CONFIRMED, "words": _words(detail, CONFIRMED)}


def unsettle(connection: Connection, context: Context, number: int, now_ms: int) -> None:
    """Take back what a verification that was withdrawn had settled: the candidate is open again."""
    rows = connection.execute(select(finding).where(finding.c.station == context.number, finding.c.kind == KIND))
    for row in rows:
        evidence = json.loads(row.evidence)
        if (evidence.get("verification") or {}).get("id") != number:
            continue
        said = _words(evidence.get("flagged") or evidence["details"][0], None)
        evidence |= {"verification": None, "outcome": None, "words": said}
        values: dict[str, Any] = {"severity": Severity.WARNING.value, "evidence": _json(evidence), "updated_ms": now_ms}
        if row.state == CLOSED:
            other = connection.execute(_open(context.number).where(finding.c.meter == row.meter)).first()
            # One is enough: what was found since stands.
            values |= {} if other else {"state": OPEN, "closed_ms": None}
        connection.execute(update(finding).where(finding.c.id == row.id).values(**values))
        change = REOPENED if "state" in values else CHANGED
        cause = {"verification_withdrawn": number}
        finding_history.note(connection, row.id, change, row, cause, now_ms=now_ms)


def _open(station: int) -> Any:  # noqa: ANN401  # a SELECT of all columns
    return (
        select(finding)
        .where(finding.c.station == station, finding.c.kind == KIND, finding.c.state != CLOSED)
        .order_by(finding.c.id)
    )


def _words(detail: Mapping[str, Any], outcome: str | None) -> dict[str, str]:
    """Return what to do about a candidate in English and Chinese, with the estimate that it is accused by."""
    numbers = "{error_percent:+.2f} %, u {u_percent:.2f} %, {limit}: {limit_percent:g} %, P {probability:.3f}"
    english, chinese = (numbers.format(**detail, limit=word) for word in ("class limit", "限值"))
    if outcome == CONFIRMED:
        return {
            "en": f"estimated error {english}; a verification confirmed it: have it adjusted or exchanged",
            "zh": f"估计误差 {chinese}；检定已确认超差：请调整或更换",
        }
    return {
        "en": f"estimated error {english}; have it verified, and enter the result with `verification enter`",
        "zh": f"估计误差 {chinese}；请安排复检，并以 verification enter 录入结果",
    }


def _evidence(found: StationResult, one: ChargerResult) -> dict[str, Any]:
    english, chinese = found.common_mode
    detail = _detail(found, one)
    return {
        "slots": [],
        "count": 1,
        "details": [detail],
        "words": _words(detail, None),
        "station_findings": sorted({item.name for item in found.findings}),
        "common_mode": {"en": english, "zh": chinese},
        "verification": None,
        "outcome": None,
    }


def _detail(found: StationResult, one: ChargerResult) -> dict[str, Any]:
    return {
        "meter": one.meter,
        "error_percent": round(one.error, 4),
        "u_percent": round(one.u, 4),
        "u_common_percent": round(one.u_common, 4),
        "u_own_percent": round(one.u_own, 4),
        "limit_percent": one.limit,
        "probability": round(one.probability, 6),
        "decision": one.decision,
        "reason": one.reason,
        "active_windows": one.active_windows,
        "energy_kwh": round(one.energy_kwh, 3),
        "first_ms": found.first_ms if one.changed_ms is None else one.changed_ms,
        "end_ms": found.end_ms,
    }


def _begin(
    connection: Connection,
    context: Context,
    meter: int,
    evidence: Mapping[str, Any],
    *,
    span: tuple[int, int],
    now_ms: int,
) -> None:
    first_ms, end_ms = span
    key = {
        "station": context.number,
        "day_ms": day_start_ms(end_ms - 1, context.station.timezone),
        "kind": KIND,
        "meter": meter,
    }
    confirmed = evidence["outcome"] == CONFIRMED
    values = {
        "first_ms": first_ms,
        "last_ms": end_ms - SLOT_MS,
        "severity": (Severity.ALARM if confirmed else Severity.WARNING).value,
        "state": OPEN,
        "evidence": _json(evidence),
        "updated_ms": now_ms,
        "closed_ms": None,
    }
    same = [finding.c[name] == value for name, value in key.items()]
    before = connection.execute(select(finding).where(*same)).first()
    if before is None:
        new = insert(finding).values(opened_ms=now_ms, **key, **values).returning(finding.c.id)
        number, change = connection.execute(new).scalar_one(), OPENED
    else:
        connection.execute(update(finding).where(*same).values(**values))
        number, change = before.id, REOPENED
    cause = {"estimate": True} | ({"outcome": CONFIRMED} if confirmed else {})
    finding_history.note(connection, number, change, before, cause, now_ms=now_ms)


def _renew(
    connection: Connection, row: Row[Any], evidence: Mapping[str, Any], found: StationResult, now_ms: int
) -> None:
    values = {"last_ms": max(row.last_ms, found.end_ms - SLOT_MS), "evidence": _json(evidence), "updated_ms": now_ms}
    connection.execute(_RENEW, {"_id": row.id, **values})


def _close(connection: Connection, row: Row[Any], evidence: Mapping[str, Any], now_ms: int) -> int:
    values = {"state": CLOSED, "evidence": _json(evidence), "closed_ms": now_ms, "updated_ms": now_ms}
    connection.execute(update(finding).where(finding.c.id == row.id).values(**values))
    finding_history.note(connection, row.id, CLOSED, row, {"outcome": evidence.get("outcome")}, now_ms=now_ms)
    return 1


def _json(evidence: Mapping[str, Any]) -> str:
    return json.dumps(evidence, ensure_ascii=False, allow_nan=False)
