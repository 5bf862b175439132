"""Gaps (缺数), lengths of intervals (时段长度) and estimation that lasts too long (长时间估算)."""

from collections import Counter

from cloud_receiver.checks.model import SLOT_MS, Kind, covered_ms
from cloud_receiver.validation.config import Validation
from cloud_receiver.validation.model import Outcome, Verdict, Window, judged, not_applicable
from wire.records import Quality

_MINUTE_MS = 60_000
_NOT_MEASURED = frozenset({int(Quality.INTERPOLATED), int(Quality.ESTIMATED)})


def gap(window: Window, meter: int, _: Validation) -> Outcome:
    """Check that every slot that is due is covered in full (cloud_receiver.checks.readings)."""
    due = [slot for slot in window.serving(meter) if slot.past_deadline and slot.expected]
    if not due:
        return not_applicable("no slot is due")
    return judged(Verdict.FAILED, window.violations.get((Kind.MISSING.value, meter), []), due_slots=len(due))


def interval_length(window: Window, meter: int, settings: Validation) -> Outcome:
    """Check that no interval leaves its slot; an odd length that leaves the slot uncovered is suspect."""
    rows = window.rows(meter)
    if not rows:
        return not_applicable("no intervals")
    beyond = window.violations.get((Kind.SPAN.value, meter), [])
    if beyond:
        return judged(Verdict.FAILED, beyond, intervals=len(rows))
    usual = {minutes * _MINUTE_MS for minutes in settings.interval_length.divisors_minutes}
    odd = [
        {"start_ms": row.start_ms, "duration_s": row.duration_ms // 1000}
        for slot in window.slots
        for found in [window.kept[slot.start_ms].get(meter, [])]
        for row in found
        # What begins or ends a segment is shorter and says so; what pieces fill a slot is no fault.
        if row.duration_ms not in usual and row.quality != Quality.PARTIAL and covered_ms(found) != SLOT_MS
    ]
    lengths = Counter(row.duration_ms // 1000 for row in rows)
    return judged(Verdict.SUSPECT, odd, lengths_s={str(length): count for length, count in sorted(lengths.items())})


def prolonged(window: Window, meter: int, settings: Validation) -> Outcome:
    """Check that no long run of slots rests on interpolation by the gateway or on estimates of the centre."""
    slots = window.serving(meter)
    estimated = window.estimated.get(meter, frozenset())
    if not any(meter in window.kept[slot.start_ms] for slot in slots) and not estimated:
        return not_applicable("no intervals and no estimates")
    runs: list[list[int]] = [[]]
    for slot in slots:
        rows = window.kept[slot.start_ms].get(meter, [])
        whole = bool(rows) and all(row.quality in _NOT_MEASURED for row in rows)
        if whole or slot.start_ms in estimated:
            runs[-1].append(slot.start_ms)
        else:
            runs.append([])
    longest = max(len(run) for run in runs)
    limits = settings.prolonged_estimation
    details = [
        {"start_ms": start, "run_slots": len(run)}
        for run in runs
        if len(run) >= min(limits.suspect_slots, limits.failed_slots)
        for start in run
    ]
    verdict = Verdict.FAILED if longest >= limits.failed_slots else Verdict.SUSPECT
    return judged(verdict, details, longest_run_slots=longest)
