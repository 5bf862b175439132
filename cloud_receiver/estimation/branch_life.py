"""Findings about branches (支路): a loose connection (接触不良), and voltages that the energies contradict.

Each is one finding for as long as it lasts. Only runs over all windows measure, so only they open, renew and close.
One closes when such runs have found the branch well for a week: one that is hot in some weeks only must not come and
go. A branch that is no longer measured is not well; nor is one that goes on losing what it had risen to, though after
some months that is no longer more than before.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, or_, select

from cloud_receiver import finding_history, finding_life
from cloud_receiver.checks.model import SLOT_MS, Context, Kind, Severity
from cloud_receiver.estimation.branch_findings import AGAINST, HOT, RISE
from cloud_receiver.estimation.branches import DC, OFF
from cloud_receiver.estimation.result import ChargerResult, StationResult
from cloud_receiver.estimation.words import ADVICE, FINDINGS
from cloud_receiver.finding_life import CLOSED, Key, Row
from cloud_receiver.schema import finding
from diantan_core import day_start_ms

KINDS: Final = {HOT: Kind.HOT_BRANCH.value, AGAINST: Kind.BRANCH_CONTRADICTED.value}
SEVERITIES: Final = {HOT: Severity.ALARM.value, AGAINST: Severity.WARNING.value}
WELL_MS: Final = 7 * 86_400_000
"""From the first run that finds a branch well to the one that closes the finding."""
WELL: Final = "well_again"
OFF_NOW: Final = "switched_off"
"""The registry or the settings no longer ask for its voltage drop."""
OUT: Final = "out_of_service"


def update_branches(
    connection: Connection, context: Context, found: StationResult, now_ms: int, *, stored: Sequence[Row] | None = None
) -> tuple[int, int]:
    """Open, renew and close a station's findings by a night's result; return (opened, closed).

    `stored`: its findings of estimates that are open or of the last day, if they have been read.
    """
    if not found.full:
        return 0, 0
    day_ms = day_start_ms(found.end_ms - 1, context.station.timezone)
    rows = [row for row in stored or () if row.kind in KINDS.values()]
    if stored is None:
        ours = select(finding).where(finding.c.station == context.number, finding.c.kind.in_(KINDS.values()))
        rows = list(connection.execute(ours.where(or_(finding.c.state != CLOSED, finding.c.day_ms == day_ms))))
    known = {_key(context, row.kind, row.meter, row.day_ms): row for row in rows}
    begun = {(row.kind, row.meter): row for row in rows if row.state != CLOSED}
    chargers = {one.meter: one for one in found.chargers if context.meters[one.number].in_service(found.end_ms - 1)}
    wanted: dict[Key, dict[str, Any]] = {}
    named = set()
    for item in found.findings:
        for one in (chargers[name] for name in item.meters if item.name in KINDS and name in chargers):
            kind = KINDS[item.name]
            row = begun.get((kind, one.number))
            named.add((kind, one.number))
            key = _key(context, kind, one.number, day_ms if row is None else row.day_ms)
            first_ms = found.first_ms if row is None else row.first_ms
            numbers = _rise(row) | dict(item.numbers) if item.name == HOT else item.numbers
            wanted[key] = _values(item.name, first_ms, found.end_ms, _evidence(item.name, one, numbers, found))
    outcomes: dict[int, str] = {}
    by_number = {one.number: one for one in chargers.values()}
    for (kind, number), row in begun.items():
        if (kind, number) in named:
            continue
        evidence, outcome = _without(json.loads(row.evidence), by_number.get(number), found)
        if outcome is None:
            wanted[_key(context, kind, number, row.day_ms)] = {
                "first_ms": row.first_ms,
                "last_ms": row.last_ms,
                "severity": row.severity,
                "evidence": _json(evidence),
            }
        else:
            outcomes[row.id] = outcome

    def note(number: int, change: str, before: Row | None) -> None:
        cause = {"estimate": True} | ({"outcome": outcomes[number]} if change == CLOSED else {})
        finding_history.note(connection, number, change, before, cause, now_ms=now_ms, running=True)

    return finding_life.settle(connection, finding, known, wanted, now_ms, note=note)


def _key(context: Context, kind: str, meter: int, day_ms: int) -> Key:
    return ("station", context.number), ("day_ms", day_ms), ("kind", kind), ("meter", meter)


def _rise(row: Row | None) -> dict[str, float | str]:
    """Return what a branch lost before it rose, as its open finding has it."""
    before = None if row is None else json.loads(row.evidence)["details"][0].get("before_percent")
    return {} if before is None else {"before_percent": before}


def _values(name: str, first_ms: int, end_ms: int, evidence: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "first_ms": first_ms,
        "last_ms": max(first_ms, end_ms - SLOT_MS),
        "severity": SEVERITIES[name],
        "evidence": _json(evidence),
    }


def _without(
    evidence: dict[str, Any], one: ChargerResult | None, found: StationResult
) -> tuple[dict[str, Any], str | None]:
    """Return the evidence where a run names a branch no longer, and the outcome where that ends its finding."""
    if one is None:
        return evidence, OUT
    if one.branch is None or one.branch.reason in {OFF, DC}:
        return evidence, OFF_NOW
    before = evidence["details"][0].get("before_percent")
    if (
        one.branch.reason is not None
        or one.branch.percent is None
        or (before is not None and one.branch.percent > RISE * before)
    ):
        return evidence | {"well": None}, None
    well = evidence["well"] or {"since_ms": found.end_ms}
    well |= {"percent": round(one.branch.percent, 4), "u_percent": round(one.branch.u or 0.0, 4)}
    return evidence | {"well": well}, WELL if found.end_ms - well["since_ms"] >= WELL_MS else None


def _evidence(
    name: str, one: ChargerResult, numbers: Mapping[str, float | str], found: StationResult
) -> dict[str, Any]:
    branch = one.branch
    detail: dict[str, Any] = {"meter": one.meter}
    detail |= {key: round(value, 4) if isinstance(value, float) else value for key, value in numbers.items()}
    if branch is not None:
        detail |= {
            "u_percent": None if branch.u is None else round(branch.u, 4),
            "milliohm": None if branch.milliohm is None else round(branch.milliohm, 2),
            "quarters": branch.quarters,
            "reference": branch.reference,
        }
    detail |= {"first_ms": found.first_ms, "end_ms": found.end_ms}
    return {"slots": [], "count": 1, "details": [detail], "words": _words(name, detail), "well": None}


def _words(name: str, detail: Mapping[str, Any]) -> dict[str, str]:
    """Return in English and Chinese what is found, with its numbers, and what to do."""
    percent, usual, before = (detail.get(key) for key in ("percent", "usual_percent", "before_percent"))
    english = [f"loses {percent:.2f} % at rated power"]
    chinese = [f"额定功率下损耗 {percent:.2f} %"]
    if usual is not None:
        english.append(f"branches like it {usual:.2f} %")
        chinese.append(f"同类支路 {usual:.2f} %")
    if before is not None:
        english.append(f"before {before:.2f} %")
        chinese.append(f"此前 {before:.2f} %")
    return {
        language: f"{FINDINGS[name][place]}{stop}{comma.join(parts)}{end}{ADVICE[name][place]}"
        for place, (language, parts, stop, comma, end) in enumerate(
            (("en", english, " It ", ", ", ": "), ("zh", chinese, "", "，", "。"))
        )
    }


def _json(evidence: Mapping[str, Any]) -> str:
    return json.dumps(evidence, ensure_ascii=False, allow_nan=False)
