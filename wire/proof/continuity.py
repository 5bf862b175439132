"""Continuity: of sequences within a journal, and of the cumulative registers (累计示数) of the meter."""

from itertools import pairwise

from wire.domain import EMISSION_END_UG
from wire.proof.contents import Contents, Interval
from wire.proof.times import shown
from wire.proof.verdict import Check, failed, passed
from wire.records import FreezeSource, Quality

_SHOWN = 10
"""How many single faults are named."""

REGISTERS = (
    ("energy forward, mWh", "forward_total_mwh", "forward_mwh"),
    ("energy reverse, mWh", "reverse_total_mwh", "reverse_mwh"),
    ("carbon forward, µg", "carbon_forward_total_ug", "carbon_forward_ug"),
    ("carbon reverse, µg", "carbon_reverse_total_ug", "carbon_reverse_ug"),
)


def claimed(contents: Contents, from_ms: int, to_ms: int) -> list[Interval]:
    """Return the intervals that overlap the claimed range, by time."""
    found = [item for item in contents.intervals if item.start_ms < to_ms and item.end_ms > from_ms]
    return sorted(found, key=lambda item: item.start_ms)


def sequences(contents: Contents, from_ms: int, to_ms: int) -> Check:
    """Check that no record is missing between the first and the last interval of the claim, neighbours included."""
    name = "sequence continuity"
    faults = list(contents.conflicts)
    notes: list[str] = []
    steps = 0
    for context, journal in sorted(contents.journals.items()):
        if journal.disordered:
            faults.append(f"the batches of journal {context.hex()} are not in the order of their sequences")
        own = [item for item in contents.intervals if item.context == context]
        wanted = [item for item in own if item.start_ms <= to_ms and item.end_ms >= from_ms]
        if not wanted:
            continue
        first, last = wanted[0].sequence, wanted[-1].sequence
        steps += last - first + 1
        given_up = [
            (max(low, first), min(high, last)) for low, high in journal.dropped if low <= last and high >= first
        ]
        notes += [
            f"journal {context.hex()}: the gateway gave up {low} to {high}, as it says itself" for low, high in given_up
        ]
        faults += [f"journal {context.hex()}: {low} to {high} are missing" for low, high in journal.holes(first, last)]
    if faults:
        return failed(name, "records are missing, doubled or out of order", tuple(faults[:_SHOWN]))
    return passed(name, f"{steps} sequences of {len(contents.journals)} journal(s), none missing", tuple(notes))


def registers(contents: Contents) -> Check:
    """Check that each cumulative register is the one before plus what the interval counted.

    An interval that lacks part of its time (reset, exchange, jump) begins a new segment and is not compared; the
    gateway's own freezes are compared with the interval that ends there. Each journal is compared within itself.
    """
    name = "register continuity"
    faults: list[str] = []
    notes = _journals(contents)
    compared = 0
    for before, after in pairwise(contents.intervals):
        if before.context != after.context:
            continue
        if before.end_ms != after.start_ms or Quality.PARTIAL in (before.quality, after.quality):
            # Batches that are here for an adjustment or a freeze can lie anywhere in the journal.
            if not contents.journals[after.context].holes(before.sequence, after.sequence):
                notes.append(f"begins anew at {shown(after.start_ms)}: a gap, or an interval marked partial")
            continue
        compared += 1
        for register, total, amount in REGISTERS:
            expected = getattr(before, total) + getattr(after, amount)
            if after.factor is None and total == "carbon_forward_total_ug":
                # A generating unit's emission starts again from 0 (docs/wire.md, Intervals).
                expected %= EMISSION_END_UG
            if getattr(after, total) != expected:
                faults.append(
                    f"sequence {after.sequence}, {shown(after.start_ms)}, {register}: "
                    f"expected {expected}, found {getattr(after, total)}"
                )
    frozen, wrong = _freezes(contents)
    faults += wrong
    if faults:
        return failed(name, "a register is not the one before plus the interval's amount", tuple(faults[:_SHOWN]))
    text = f"{compared} step(s): register = register before + increment, energy and carbon"
    return passed(name, text + (f"; {frozen} freeze(s) equal the register" if frozen else ""), tuple(notes[:_SHOWN]))


def _journals(contents: Contents) -> list[str]:
    """Return where a journal's intervals begin, of each but the first."""
    firsts: dict[bytes, int] = {}
    for item in contents.intervals:
        firsts[item.context] = min(item.start_ms, firsts.get(item.context, item.start_ms))
    later = sorted((start_ms, context) for context, start_ms in firsts.items())[1:]
    return [f"begins anew at {shown(start_ms)}: in journal {context.hex()}" for start_ms, context in later]


def _freezes(contents: Contents) -> tuple[int, list[str]]:
    ends = {(item.context, item.end_ms): item for item in contents.intervals}
    compared, faults = 0, []
    for freeze in contents.freezes:
        interval = ends.get((freeze.context, freeze.time_ms))
        # The meter's own freeze is its own register, which a rollover or exchange sets apart from the gateway's.
        if interval is None or freeze.source in (FreezeSource.METER, FreezeSource.GATEWAY_PARTIAL):
            continue
        if interval.quality == Quality.PARTIAL:
            continue
        compared += 1
        for register, total, _ in REGISTERS:
            if getattr(freeze, total) != getattr(interval, total):
                faults.append(
                    f"freeze of {shown(freeze.time_ms)}, {register}: expected {getattr(interval, total)}, "
                    f"found {getattr(freeze, total)}"
                )
    return compared, faults


def coverage(intervals: list[Interval], from_ms: int, to_ms: int) -> tuple[int, int]:
    """Return how many ms of the range the intervals cover, and how many of these more than one of them does."""
    once = twice = 0
    edge = twice_edge = from_ms
    for item in sorted(intervals, key=lambda item: item.start_ms):
        start, end = max(item.start_ms, from_ms), min(item.end_ms, to_ms)
        # What lies before the edge is covered already.
        twice += max(min(end, edge) - max(start, twice_edge), 0)
        twice_edge = max(twice_edge, min(end, edge))
        once += max(end - max(start, edge), 0)
        edge = max(edge, end)
    return once, twice
