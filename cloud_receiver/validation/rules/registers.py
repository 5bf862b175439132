"""Continuity (示数连续), duplicates (重复) and decreasing registers (示数倒走)."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence

from cloud_receiver.checks.model import SLOT_MS, IntervalRow
from cloud_receiver.validation.config import Validation
from cloud_receiver.validation.model import Outcome, Verdict, Window, judged, not_applicable
from cloud_receiver.validation.rules.direction import reversed_slots


def continuity(window: Window, meter: int, _: Validation) -> Outcome:
    """Check that each register is its value before plus what the interval counted (cloud_receiver.checks.readings)."""
    rows = window.rows(meter)
    if not rows:
        return not_applicable("no intervals")
    return judged(Verdict.FAILED, window.discontinuities.get(meter, []), intervals=len(rows))


def duplicate(window: Window, meter: int, _: Validation) -> Outcome:
    """Check that the same time is there once: twice with the same energies is suspect, with others failed."""
    kept, left = window.repeated(meter)
    if not kept:
        return not_applicable("no intervals")
    known = {_energies(row) for row in kept}
    details = [
        {
            "start_ms": row.start_ms,
            "journal": row.journal,
            "sequence": row.sequence,
            "same_energies": _energies(row) in known,
        }
        for row in left
    ]
    differ = any(not detail["same_energies"] for detail in details)
    return judged(Verdict.FAILED if differ else Verdict.SUSPECT, details)


def _energies(row: IntervalRow) -> tuple[int, int, int, int]:
    return row.start_ms, row.duration_ms, row.forward_mwh, row.reverse_mwh


def decreasing(window: Window, meter: int, settings: Validation) -> Outcome:
    """Check that no energy is negative, and no register falls without an event that explains it, gaps or not.

    Nor may one count what the other one should: a meter whose current runs the wrong way round (反向).
    """
    breaks = window.breaks(meter)
    frozen = sorted(row for row in window.freezes if row.meter == meter and row.time_ms <= window.end_ms)
    details: list[dict[str, object]] = []
    count = 0
    for rows in window.chains(meter):
        inside = [row for row in rows if row.start_ms >= window.first_ms]
        count += len(inside)
        details += [
            {"start_ms": row.start_ms, "forward_mwh": row.forward_mwh, "reverse_mwh": row.reverse_mwh}
            for row in inside
            if row.forward_mwh < 0 or row.reverse_mwh < 0
        ]
        series = ((row.start_ms, row.end_ms, row.forward_total_mwh, row.reverse_total_mwh) for row in rows)
        details += _falls(series, breaks, "interval")
    if not count and not frozen:
        return not_applicable("no intervals")
    own = _falls(
        ((row.time_ms - SLOT_MS, row.time_ms, row.forward_total_mwh, row.reverse_total_mwh) for row in frozen),
        breaks,
        "own_freeze",
    )
    details += [item for item in own if _within(window, item)]
    if details:
        return judged(Verdict.FAILED, details, intervals=count, own_freezes=len(frozen))
    backwards, certain = reversed_slots(window, meter, settings)
    return judged(Verdict.FAILED if certain else Verdict.SUSPECT, backwards, intervals=count, own_freezes=len(frozen))


def _within(window: Window, item: dict[str, object]) -> bool:
    start = item["start_ms"]
    return isinstance(start, int) and window.first_ms <= start < window.end_ms


def _falls(
    series: Iterable[tuple[int, int, int, int]], breaks: Sequence[int], what: str
) -> Iterator[dict[str, object]]:
    """Yield where a register, at the end of the time [start, end), is lower than before; `breaks` in order of time."""
    last: tuple[int, int, int, int] | None = None
    for item in series:
        start_ms, end_ms, *totals = item
        if last is not None:
            place = bisect_right(breaks, last[0])
            if place < len(breaks) and breaks[place] <= max(end_ms, start_ms + SLOT_MS):
                last = None
        if last is not None:
            for direction, before, after in zip(("forward", "reverse"), last[2:], totals, strict=True):
                if after < before:
                    yield {
                        "start_ms": start_ms,
                        "register": what,
                        "direction": direction,
                        "before_mwh": before,
                        "after_mwh": after,
                    }
        last = item
