"""Continuity (示数连续), duplicates (重复) and decreasing registers (示数倒走)."""

from collections.abc import Iterator

from cloud_receiver.checks.freezes import BROKEN
from cloud_receiver.checks.model import SLOT_MS, IntervalRow, Kind, without_overlaps
from cloud_receiver.validation.config import Validation
from cloud_receiver.validation.model import EventRow, Outcome, Verdict, Window, judged, not_applicable


def continuity(window: Window, meter: int, _: Validation) -> Outcome:
    """Check that each register is its value before plus what the interval counted (cloud_receiver.checks.readings)."""
    rows = window.rows(meter)
    if not rows:
        return not_applicable("no intervals")
    return judged(Verdict.FAILED, window.violations.get((Kind.CONTINUITY.value, meter), []), intervals=len(rows))


def duplicate(window: Window, meter: int, _: Validation) -> Outcome:
    """Check that the same time is there once: twice with the same energies is suspect, with others failed."""
    details = []
    differ = False
    for slot in window.slots:
        kept, left = without_overlaps(slot.by_meter().get(meter, []))
        for row in left:
            same = any(_energies(row) == _energies(other) for other in kept)
            differ = differ or not same
            details.append(
                {"start_ms": row.start_ms, "journal": row.journal, "sequence": row.sequence, "same_energies": same}
            )
    return judged(Verdict.FAILED if differ else Verdict.SUSPECT, details)


def _energies(row: IntervalRow) -> tuple[int, int, int, int]:
    return row.start_ms, row.duration_ms, row.forward_mwh, row.reverse_mwh


def decreasing(window: Window, meter: int, _: Validation) -> Outcome:
    """Check that no energy is negative, and no register falls without an event that explains it, gaps or not."""
    breaks = window.of_meter(meter, BROKEN)
    frozen = sorted(row for row in window.freezes if row.meter == meter and row.time_ms <= window.end_ms)
    series: dict[int, list[tuple[int, int, int]]] = {}
    details: list[dict[str, object]] = []
    count = 0
    for slot in window.slots:
        for row in sorted(row for row in slot.rows if row.meter == meter):
            count += 1
            totals = row.start_ms, row.forward_total_mwh, row.reverse_total_mwh
            series.setdefault(row.journal, []).append(totals)
            if row.forward_mwh < 0 or row.reverse_mwh < 0:
                details.append(
                    {"start_ms": row.start_ms, "forward_mwh": row.forward_mwh, "reverse_mwh": row.reverse_mwh}
                )
    if not count and not frozen:
        return not_applicable("no intervals")
    for totals_of in series.values():
        details += _falls(totals_of, breaks, "interval")
    own = _falls(
        [(row.time_ms - SLOT_MS, row.forward_total_mwh, row.reverse_total_mwh) for row in frozen], breaks, "own_freeze"
    )
    details += [item for item in own if _within(window, item)]
    return judged(Verdict.FAILED, details, intervals=count, own_freezes=len(frozen))


def _within(window: Window, item: dict[str, object]) -> bool:
    start = item["start_ms"]
    return isinstance(start, int) and window.first_ms <= start < window.end_ms


def _falls(series: list[tuple[int, int, int]], breaks: list[EventRow], what: str) -> Iterator[dict[str, object]]:
    """Yield where a register, at the end of the slot that begins at its time, is lower than before."""
    highest: tuple[int, int, int] | None = None
    for time_ms, *totals in sorted(series):
        if highest is not None and any(highest[0] < item.time_ms <= time_ms + SLOT_MS for item in breaks):
            highest = None
        if highest is not None:
            for direction, before, after in zip(("forward", "reverse"), highest[1:], totals, strict=True):
                if after < before:
                    yield {
                        "start_ms": time_ms,
                        "register": what,
                        "direction": direction,
                        "before_mwh": before,
                        "after_mwh": after,
                    }
        highest = time_ms, totals[0], totals[1]
