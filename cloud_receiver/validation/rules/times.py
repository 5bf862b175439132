"""Gaps (缺数), lengths of intervals (时段长度) and estimation that lasts too long (长时间估算)."""

from collections import Counter

from cloud_receiver.checks.model import SLOT_MS, IntervalRow, Slot, covered_ms, without_overlaps
from cloud_receiver.registry import Meter
from cloud_receiver.validation.config import Validation
from cloud_receiver.validation.model import Outcome, Verdict, Window, judged, not_applicable
from wire.records import Quality

_MINUTE_MS = 60_000
_SHOWN_LENGTHS = 20
_NOT_MEASURED = frozenset({int(Quality.INTERPOLATED), int(Quality.ESTIMATED)})


def gap(window: Window, meter: int, _: Validation) -> Outcome:
    """Check that every slot that is due is covered in full."""
    due = due_slots(window, meter)
    if not due:
        return not_applicable("records are not expected" if _by_orders(window, meter) else "no slot is due")
    details = [
        {"start_ms": slot.start_ms, "missing_s": missing // 1000}
        for slot in due
        if (missing := uncovered_ms(window, meter, slot.start_ms)) > 0
    ]
    return judged(Verdict.FAILED, details, due_slots=len(due))


def _by_orders(window: Window, meter: int) -> bool:
    known = window.context.meters.get(meter)
    return known is not None and known.only_orders


def due_slots(window: Window, meter: int) -> list[Slot]:
    """Return the slots that the meter should have reported by now; those of an hour's interval when it is over."""
    if _by_orders(window, meter):
        return []
    period = window.period_ms(meter)
    passed = max((slot.start_ms for slot in window.slots if slot.past_deadline), default=window.first_ms - 1)
    return [
        slot
        for slot in window.serving(meter)
        if slot.past_deadline
        and slot.expected
        and (
            period == SLOT_MS or min(slot.start_ms - slot.start_ms % period + period, window.end_ms) - SLOT_MS <= passed
        )
    ]


def service_end_ms(window: Window, meter: int) -> int | None:
    """Return when the meter was taken out of service."""
    known = window.context.meters.get(meter)
    until = None if known is None else known.until
    return None if until is None else int(until.timestamp()) * 1000


def uncovered_ms(window: Window, meter: int, start_ms: int) -> int:
    """Return how much of a slot a meter in service has not covered, in ms; 0 or less: nothing."""
    until = service_end_ms(window, meter)
    wanted = SLOT_MS if until is None else min(SLOT_MS, until - start_ms)
    period = window.period_ms(meter)
    if period == SLOT_MS:
        return wanted - covered_ms(window.present(meter, start_ms))
    begin = start_ms - start_ms % period
    rows = [row for row in window.before if row.meter == meter]
    for start in range(max(begin, window.first_ms), start_ms + 1, SLOT_MS):
        rows += window.present(meter, start)
    kept = without_overlaps([row for row in rows if not _leaves(row, period)])[0]
    return wanted - sum(max(0, min(row.end_ms, start_ms + SLOT_MS) - max(row.start_ms, start_ms)) for row in kept)


def _leaves(row: IntervalRow, period_ms: int) -> bool:
    return row.start_ms % period_ms + row.duration_ms > period_ms


def serves(meter: Meter, start_ms: int, duration_ms: int) -> bool:
    """Return whether a meter is in service from the beginning of a time to its end."""
    return meter.in_service(start_ms) and meter.in_service(start_ms + duration_ms - 1)


def interval_length(window: Window, meter: int, settings: Validation) -> Outcome:
    """Check that no interval leaves its slot; an odd length that leaves the slot uncovered is suspect.

    A meter whose intervals are longer by the registry (`interval_s`) has the time of one of these for its slot.
    """
    rows = window.rows(meter)
    if not rows:
        return not_applicable("no intervals")
    period = window.period_ms(meter)
    beyond = [
        {
            "start_ms": row.start_ms,
            "duration_s": row.duration_ms // 1000,
            "journal": row.journal,
            "sequence": row.sequence,
        }
        for row in window.everything.get(meter, ())
        if _leaves(row, period)
    ]
    if beyond:
        return judged(Verdict.FAILED, beyond, intervals=len(rows))
    usual = {minutes * _MINUTE_MS for minutes in settings.interval_length.divisors_minutes}
    known = window.context.meters[meter]
    usual.add(known.interval_s * 1000)
    covered = dict.fromkeys((row.start_ms // period for row in rows), 0)
    for row in rows:
        covered[row.start_ms // period] += row.duration_ms
    odd = [
        {"start_ms": row.start_ms, "duration_s": row.duration_ms // 1000}
        for row in rows
        # What begins or ends a segment is shorter and says so; what pieces fill a slot is no fault.
        if row.duration_ms not in usual
        and row.quality != Quality.PARTIAL
        and covered[row.start_ms // period] != period
        and serves(known, row.start_ms - row.start_ms % period, period)
    ]
    lengths = Counter(row.duration_ms // 1000 for row in rows).most_common(_SHOWN_LENGTHS)
    return judged(Verdict.SUSPECT, odd, lengths_s={str(length): count for length, count in sorted(lengths)})


def prolonged(window: Window, meter: int, settings: Validation) -> Outcome:
    """Check that no long run of slots rests on interpolation by the gateway or on estimates of the centre.

    A run that began before the span counts whole.
    """
    slots = window.serving(meter)
    estimated = window.estimated.get(meter, frozenset())
    poor: dict[int, bool] = {}
    for row in window.rows(meter):
        for start in range(row.start_ms - row.start_ms % SLOT_MS, min(row.end_ms, window.end_ms), SLOT_MS):
            poor[start] = poor.get(start, True) and row.quality in _NOT_MEASURED
    if not poor and estimated.isdisjoint(slot.start_ms for slot in slots):
        return not_applicable("no intervals and no estimates")
    runs: list[list[int]] = [[]]
    for slot in slots:
        if poor.get(slot.start_ms, False) or slot.start_ms in estimated:
            runs[-1].append(slot.start_ms)
        else:
            runs.append([])
    lengths = [len(run) for run in runs]
    if runs[0][:1] == [window.first_ms]:
        lengths[0] += _run_before(window, meter)
    limits = settings.prolonged_estimation
    details = [
        {"start_ms": start, "run_slots": length}
        for run, length in zip(runs, lengths, strict=True)
        if length >= min(limits.suspect_slots, limits.failed_slots)
        for start in run
    ]
    longest = max(lengths)
    verdict = Verdict.FAILED if longest >= limits.failed_slots else Verdict.SUSPECT
    return judged(verdict, details, longest_run_slots=longest)


def _run_before(window: Window, meter: int) -> int:
    """Return how many slots right before the span are not measured, without a break."""
    nothing: frozenset[int] = frozenset()
    present = window.unmeasured.get(meter, nothing) | window.estimated.get(meter, nothing)
    count = 0
    while window.first_ms - (count + 1) * SLOT_MS in present:
        count += 1
    return count
