"""Intervals that lack part of their energy (缺量): a balance leaves them out, so what they hide nobody looks for."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from cloud_receiver.checks.freezes import BROKEN
from cloud_receiver.checks.model import SLOT_MS, IntervalRow
from cloud_receiver.validation.config import Validation
from cloud_receiver.validation.model import EventRow, Outcome, Verdict, Window, judged, not_applicable
from wire.records import DetailKey, EventCode, Quality

_CLOCKS = (EventCode.TIME_BACK, EventCode.CLOCK_STEPPED)
_GATEWAY = 0


def partial(window: Window, number: int, settings: Validation) -> Outcome:
    """Check that few intervals are partial, and none without a reason: an event, or a journal that began with it.

    Those that no whole interval parts have one reason together: an exchange of hours has one event, at its end. Where
    nothing has come since the last one, its reason may be yet to come.
    """
    rows = window.rows(number)
    if not rows:
        return not_applicable("no intervals")
    reasons = _reasons(window, number)
    details: list[dict[str, object]] = []
    silent = 0
    after = window.after.get(number, ())
    for whole in _runs([*rows, *after]):
        run = [row for row in whole if row.start_ms < window.end_ms]
        first_ms, end_ms = whole[0].start_ms - SLOT_MS, whole[-1].end_ms + SLOT_MS
        explained = any(begin <= end_ms and first_ms <= end for begin, end in reasons)
        ended = bool(after) or run[-1:] != rows[-1:]
        silent += len(run) if ended and not explained else 0
        details += [
            {
                "start_ms": row.start_ms,
                "duration_s": row.duration_ms // 1000,
                "forward_mwh": row.forward_mwh,
                "reverse_mwh": row.reverse_mwh,
                "explained": explained,
            }
            for row in run
        ]
    slots = len({row.start_ms // SLOT_MS for row in rows if row.quality == Quality.PARTIAL})
    limits = settings.partial
    numbers = {"slots": slots, "unexplained_intervals": silent}
    if not silent and slots < min(limits.suspect_slots, limits.failed_slots):
        return judged(Verdict.SUSPECT, (), **numbers)
    return judged(Verdict.FAILED if slots >= limits.failed_slots else Verdict.SUSPECT, details, **numbers)


def _runs(rows: Sequence[IntervalRow]) -> Iterator[list[IntervalRow]]:
    """Yield the partial intervals, those together between which there is no other."""
    for lacking, run in groupby(rows, key=lambda row: row.quality == Quality.PARTIAL):
        if lacking:
            yield list(run)


def _reasons(window: Window, number: int) -> list[tuple[int, int]]:
    """Return from when to when the meter's registers began anew, a clock was set, or a journal of it began."""
    events = [item for meter in (number, _GATEWAY) for item in window.of_meter(meter, _CLOCKS)]
    # A journal that was there before the span has its last interval from then at the beginning of its chain.
    begun = [chain[0].start_ms for chain in window.chains(number) if chain[0].start_ms >= window.first_ms]
    later = [item for item in window.later if item.meter in {number, _GATEWAY} and item.code in (*BROKEN, *_CLOCKS)]
    return [*((time, time) for time in (*window.breaks(number), *begun)), *map(_span, (*events, *later))]


def _span(item: EventRow) -> tuple[int, int]:
    """Return what an event speaks of: of a clock, from the time that it had to the one that it has."""
    step = item.details.get(DetailKey.STEP) if item.code == EventCode.CLOCK_STEPPED else None
    before = item.time_ms - step if isinstance(step, int) else item.time_ms
    return min(before, item.time_ms), max(before, item.time_ms)
