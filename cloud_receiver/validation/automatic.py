"""Estimates that the program makes when a day is over, and ends when readings come after all."""

from collections.abc import Collection, Iterable, Sequence
from importlib.metadata import version
from typing import Final

from sqlalchemy import Connection

from cloud_receiver.checks.model import SLOT_MS
from cloud_receiver.validation import estimates, methods
from cloud_receiver.validation.catalogue import Judgement
from cloud_receiver.validation.estimates import Edit, Estimate, EstimateError, State
from cloud_receiver.validation.model import LONGEST_PERIOD_MS, Verdict, Window
from cloud_receiver.validation.proposal import Proposer
from cloud_receiver.validation.rules import amounts, times

PROGRAM: Final = "diantan "
"""What the author of the program's own estimates begins with; no person's name may."""
MOST_GAPS: Final = 240
"""Of a meter in a day: a gateway that sends crumbs must not keep the store from everybody else."""
FAILING: Final = ("high",)
"""Rules of which a failed slot is estimated without being asked; of the others a person decides."""


def author() -> str:
    """Return the program and its version."""
    return f"{PROGRAM}{version('diantan')}"


def refresh(
    connection: Connection, window: Window, proposer: Proposer, judgements: Iterable[Judgement], now_ms: int
) -> dict[int, list[str]]:
    """End estimates that readings have overtaken and make those that are missing; return by meter why one can't be."""
    failed = failed_slots(judgements)
    heal(connection, window, failed, now_ms)
    present = estimates.stored(connection, window.context.number, window.first_ms, window.end_ms)
    refused: dict[int, list[str]] = {}
    for meter in window.context.meters:
        mine = [item for item in present if item.meter == meter]
        asked = _asked(window, proposer, meter, mine, failed.get(meter, ()))
        if why := [make for make in asked if isinstance(make, str)]:
            refused[meter] = why
        edits = [make for make in asked if not isinstance(make, str)]
        # What replaces whole slots is in force there, whatever is missing of them.
        whole = {part.slot_ms for edit in edits if edit.replaces for part in edit.parts}
        for group in _together(edits):
            if not _there(connection, window, group, frozenset() if group[0].replaces else whole):
                told = {"made_by": author(), "reason": _reason(group[0])}
                estimates.enter_together(connection, window.context.number, group, **told, now_ms=now_ms)
    return refused


def _together(edits: Iterable[Edit]) -> list[list[Edit]]:
    """Return edits of a meter, in order of time, by what must be of one version: gaps of which a slot has several."""
    result: list[list[Edit]] = []
    for edit in edits:
        last = result[-1][-1] if result else None
        if last is None or edit.replaces or last.parts[-1].slot_ms < edit.parts[0].slot_ms:
            result.append([edit])
        elif last.parts[-1].start_ms < edit.parts[0].start_ms:
            result[-1].append(edit)
        # Else it is the same: a gap that was cut where somebody has decided.
    return result


def _reason(edit: Edit) -> str:
    return f"validation failed: {edit.basis.get('failed')}" if edit.replaces else "intervals are missing"


def failed_slots(judgements: Iterable[Judgement]) -> dict[int, list[int]]:
    """Return by meter the slots whose readings one of the rules in FAILING has failed."""
    result: dict[int, list[int]] = {}
    for item in judgements:
        if item.rule.name in FAILING and item.outcome.verdict is Verdict.FAILED:
            for detail in item.outcome.details:
                start, duration_s = detail.get("start_ms"), detail.get("duration_s")
                if amounts.GAP in detail or not isinstance(start, int) or not isinstance(duration_s, int):
                    continue
                end = start + min(max(duration_s, 1) * 1000, LONGEST_PERIOD_MS)
                result.setdefault(item.meter, []).extend(range(start - start % SLOT_MS, end, SLOT_MS))
    return {meter: sorted(set(starts)) for meter, starts in result.items()}


def heal(connection: Connection, window: Window, failed: dict[int, list[int]] | None, now_ms: int) -> int:
    """End estimates of slots that are measured now, and the program's own of readings that don't fail any more.

    `failed` is None where no rule was run: nobody knows then which readings fail.
    """
    over = []
    for item in estimates.stored(connection, window.context.number, window.first_ms, window.end_ms):
        # Superseded ones too: they would come back into force.
        if item.state not in {State.IN_FORCE, State.SUPERSEDED}:
            continue
        if item.replaces:
            made = failed is not None and item.made_by.startswith(PROGRAM)
            done = made and item.part.slot_ms not in (failed or {}).get(item.meter, ())
        else:
            done = times.uncovered_ms(window, item.meter, item.part.slot_ms) <= 0
        if done:
            over.append(item)
    return estimates.heal(connection, window.context.number, over, by=author(), now_ms=now_ms)


def _asked(
    window: Window, proposer: Proposer, meter: int, mine: Sequence[Estimate], failed: Sequence[int]
) -> list[Edit | str]:
    """Return what is to be estimated of a meter, or why it can't be; what a person has estimated stays as it is."""
    decided = _decided(mine)
    due = [slot.start_ms for slot in times.due_slots(window, meter) if slot.start_ms not in decided]
    until = times.service_end_ms(window, meter)
    rows = [*(row for row in window.before if row.meter == meter), *window.rows(meter)]
    result: list[Edit | str] = []
    gaps = methods.gaps(methods.covered(rows, window.period_ms(meter)), due)
    if len(gaps) > MOST_GAPS:
        name = window.context.name(meter)
        result.append(f"meter {name}: {len(gaps)} gaps, expected at most {MOST_GAPS} to be estimated")
        gaps = []
    for first_ms, end_ms in gaps:
        last_ms = end_ms if until is None else min(end_ms, until)
        if first_ms >= last_ms:
            continue
        try:
            result.append(proposer.gap(meter, first_ms, last_ms))
        except EstimateError as error:
            result.append(str(error))
    waiting = [start for start in failed if start not in decided]
    if waiting:
        try:
            result.append(proposer.slots(meter, waiting, ", ".join(FAILING)))
        except EstimateError as error:
            result.append(str(error))
    return result


def _there(connection: Connection, window: Window, edits: Sequence[Edit], aside: Collection[int]) -> bool:
    """Return whether the estimates in force say the same, or a person's would be superseded.

    Nothing is asked of the slots `aside`. In those beside the window there may be more: of other gaps.
    """
    made = {(part, edit.method, edit.replaces) for edit in edits for part in edit.parts if part.slot_ms not in aside}
    slots = {part.slot_ms for edit in edits for part in edit.parts}
    known = [
        item
        for item in estimates.stored(connection, window.context.number, min(slots), max(slots) + SLOT_MS)
        if item.meter == edits[0].meter and item.part.slot_ms in slots
    ]
    if _decided(known):
        return True
    present = {(item.part, item.method, item.replaces) for item in known if item.state is State.IN_FORCE}
    inside = {one for one in present if window.first_ms <= one[0].slot_ms < window.end_ms}
    return made <= present and {one for one in inside if one[0].slot_ms not in aside} <= made


def _decided(items: Iterable[Estimate]) -> set[int]:
    """Return the slots of a meter that a person has decided on: by an estimate, or by withdrawing the newest."""
    newest: dict[int, int] = {}
    result, withdrawn = set(), set()
    for item in items:
        slot = item.part.slot_ms
        newest[slot] = max(newest.get(slot, 0), item.version)
        if item.state is State.IN_FORCE and not item.made_by.startswith(PROGRAM):
            result.add(slot)
        if item.state is State.WITHDRAWN:
            withdrawn.add((slot, item.version))
    # Of a slot with several gaps one may be withdrawn and the others stand.
    result.update(slot for slot, version in withdrawn if newest[slot] == version)
    return result
