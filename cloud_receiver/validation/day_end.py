"""The rules on a day that is over: findings by rule, with what changed since the last time, and estimates."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, select, update

from cloud_receiver.checks.day import Draft
from cloud_receiver.checks.model import Context, Severity
from cloud_receiver.schema import finding
from cloud_receiver.validation import automatic, estimates, load
from cloud_receiver.validation.catalogue import RULES, Judgement, judge
from cloud_receiver.validation.config import Validation
from cloud_receiver.validation.estimates import State
from cloud_receiver.validation.model import Verdict
from cloud_receiver.validation.proposal import Proposer

CHANGED: Final = "changed"
_MOST_CHANGES: Final = 20
_SHOWN_SLOTS: Final = 10
_SHOWN_REASONS: Final = 10
_CLOSED: Final = "closed"
_SEVERITY: Final = {Verdict.SUSPECT: Severity.INFO, Verdict.FAILED: Severity.WARNING}
_AFTER: Final = frozenset({"prolonged_estimation"})
"""Rules that look at the estimates, and so are run when those are made."""
_ALIVE: Final = frozenset({State.IN_FORCE, State.SUPERSEDED})
_KINDS: Final = {rule.kind for rule in RULES}

Evidence = Mapping[str, Any]


def findings(
    connection: Connection,
    context: Context,
    span: tuple[int, int],
    settings: Validation,
    *,
    begin_ms: int,
    deadline_ms: int,
    coverage_factor: float,
    now_ms: int,
) -> list[Draft]:
    """Judge a local day [first, end) and return its findings; estimates are made and ended beside it.

    Without a change nothing is written. What a check of `cloud_receiver.checks` tells of already is not told twice.
    """
    window = load.window(
        connection,
        context,
        span,
        begin_ms=begin_ms,
        deadline_ms=deadline_ms,
        history_days=settings.history_days,
        coverage_factor=coverage_factor,
    )
    rules = [rule for rule in RULES if rule.name not in settings.off]
    judgements = judge(window, settings, [rule for rule in rules if rule.name not in _AFTER])
    refused: Mapping[int, Sequence[str]] = {}
    if settings.estimation.automatic:
        proposer = Proposer(connection, context, settings, coverage_factor)
        refused = automatic.refresh(connection, window, proposer, judgements, now_ms)
    else:
        automatic.heal(connection, window, automatic.failed_slots(judgements), now_ms)
    now_estimated = replace(window, estimated=load.estimated(connection, context.number, span, settings.history_days))
    judgements += judge(now_estimated, settings, [rule for rule in rules if rule.name in _AFTER])
    drafts = [draft for item in judgements if (draft := _draft(item, span[0], refused)) is not None]
    _tell_changes(connection, context, span[0], drafts, now_ms)
    return drafts


def late(
    connection: Connection,
    context: Context,
    span: tuple[int, int],
    *,
    begin_ms: int,
    deadline_ms: int,
    coverage_factor: float,
    now_ms: int,
) -> None:
    """End the estimates of a local day that readings have overtaken, and judge nothing: validation is off."""
    if not any(item.state in _ALIVE for item in estimates.stored(connection, context.number, *span)):
        return
    window = load.window(
        connection,
        context,
        span,
        begin_ms=begin_ms,
        deadline_ms=deadline_ms,
        history_days=0,
        coverage_factor=coverage_factor,
    )
    automatic.heal(connection, window, None, now_ms)


def _draft(item: Judgement, first_ms: int, refused: Mapping[int, Sequence[str]]) -> Draft | None:
    outcome = item.outcome
    severity = _SEVERITY.get(outcome.verdict)
    if severity is None or outcome.verdict in item.rule.told_by:
        return None
    more: dict[str, object] = {"rule": item.rule.name, "verdict": outcome.verdict.value}
    if outcome.numbers:
        more["numbers"] = dict(outcome.numbers)
    if item.rule.name in automatic.FAILING and item.meter in refused:
        more["no_estimate"] = list(refused[item.meter][:_SHOWN_REASONS])
    return Draft(
        item.rule.kind,
        item.meter,
        severity.value,
        list(outcome.starts) or [first_ms],
        [dict(detail) for detail in outcome.details],
        more,
    )


def _tell_changes(connection: Connection, context: Context, day_ms: int, drafts: Iterable[Draft], now_ms: int) -> None:
    """Add to the drafts, and to the findings that will be closed, what is not as it was the last time."""
    stored = {
        (row.kind, row.meter): row
        for row in connection.execute(
            select(finding).where(
                finding.c.station == context.number, finding.c.day_ms == day_ms, finding.c.kind.in_(_KINDS)
            )
        )
    }
    for draft in drafts:
        row = stored.pop((draft.kind, draft.meter), None)
        if row is not None:
            changes = _changes(row, draft.evidence(context), now_ms)
            if changes:
                draft.more[CHANGED] = changes
    for row in stored.values():
        if row.state != _CLOSED:
            evidence = json.loads(row.evidence)
            evidence[CHANGED] = _changes(row, {"slots": [], "verdict": Verdict.PASSED.value}, now_ms)
            text = json.dumps(evidence, ensure_ascii=False)
            connection.execute(update(finding).where(finding.c.id == row.id).values(evidence=text))


def _changes(row: Row[Any], after: Evidence, now_ms: int) -> list[object]:
    """Return the changes told so far, and the one from the stored evidence to that of now if there is one."""
    before: dict[str, Any] = json.loads(row.evidence)
    told: list[object] = before.pop(CHANGED, [])
    closed = row.state == _CLOSED
    # As it is stored: what JSON makes of the numbers must not count as a change.
    if not closed and before == json.loads(json.dumps(after, ensure_ascii=False)):
        return told
    old, new = ([] if closed else before["slots"]), after["slots"]
    change = {
        "at": datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="seconds"),
        "verdict": [Verdict.PASSED.value if closed else before.get("verdict"), after["verdict"]],
        "slots": [len(old), len(new)],
        "added": [slot for slot in new if slot not in set(old)][:_SHOWN_SLOTS],
        "gone": [slot for slot in old if slot not in set(new)][:_SHOWN_SLOTS],
    }
    return [*told, change][-_MOST_CHANGES:]
