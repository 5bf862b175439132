"""Completeness (完整性), register continuity (示数连续性), overlaps and meters nobody registered."""

from collections.abc import Iterator

from cloud_receiver.checks.model import (
    SLOT_MS,
    Context,
    IntervalRow,
    Kind,
    Severity,
    Slot,
    Violation,
    covered_ms,
    violation,
    without_overlaps,
)
from wire.domain import EMISSION_END_UG
from wire.records import Quality


def completeness(slot: Slot, station: Context) -> Iterator[Violation]:
    """Find registered meters that have not reported the slot although its deadline has passed.

    Of a meter that came or went within it (`since`, `until`), the part in which it was in service.
    """
    if not (slot.past_deadline and slot.expected):
        return
    rows = slot.by_meter()
    for number, meter in station.meters.items():
        first_ms, end_ms = meter.service(slot.start_ms, slot.start_ms + SLOT_MS)
        if meter.only_orders or first_ms == end_ms:
            continue
        span_ms, found = station.span_ms(number), rows.get(number, [])
        if span_ms > SLOT_MS:
            found = sorted(row for row in (*slot.previous, *slot.rows) if row.meter == number)
        missing = end_ms - first_ms - covered_ms(found, span_ms, (first_ms, end_ms))
        if missing:
            yield violation(Kind.MISSING, number, Severity.WARNING, start_ms=slot.start_ms, missing_s=missing // 1000)


def unknown_meters(slot: Slot, station: Context) -> Iterator[Violation]:
    """Find meters that send but are not in the registry, or not in service at any time of what they send.

    Their records are kept and count in no balance.
    """
    unknown = {row.meter for row in slot.rows if not _serves(station, row)}
    for number in sorted(unknown):
        yield violation(Kind.UNKNOWN_METER, number, Severity.WARNING, start_ms=slot.start_ms, name=station.name(number))


def _serves(station: Context, row: IntervalRow) -> bool:
    meter = station.meters.get(row.meter)
    if meter is None:
        return False
    first_ms, end_ms = meter.service(row.start_ms, row.end_ms)
    return first_ms < end_ms


def spans(slot: Slot, context: Context) -> Iterator[Violation]:
    """Find intervals that reach into the next slot: their energy belongs to no slot, and their factor to neither.

    Those of a meter whose intervals are longer than a slot must not reach into its next one.
    """
    for row in sorted(slot.rows):
        if not row.within(context.span_ms(row.meter)):
            yield violation(
                Kind.SPAN,
                row.meter,
                Severity.ALARM,
                start_ms=row.start_ms,
                duration_s=row.duration_ms // 1000,
                journal=row.journal,
                sequence=row.sequence,
            )


def overlaps(slot: Slot, context: Context) -> Iterator[Violation]:
    """Find intervals of one meter that cover the same time twice, as after the loss of a journal."""
    for number, found in slot.by_meter().items():
        rows = found
        if context.span_ms(number) > SLOT_MS:
            rows = found + [row for row in slot.previous if row.meter == number and row.end_ms > slot.start_ms]
        for row in without_overlaps(rows)[1]:
            yield violation(
                Kind.OVERLAP,
                number,
                Severity.WARNING,
                start_ms=row.start_ms,
                duration_s=row.duration_ms // 1000,
                journal=row.journal,
                sequence=row.sequence,
            )


_REGISTERS = (
    ("energy_forward_mwh", "forward_total_mwh", "forward_mwh"),
    ("energy_reverse_mwh", "reverse_total_mwh", "reverse_mwh"),
    ("carbon_forward_ug", "carbon_forward_total_ug", "carbon_forward_ug"),
    ("carbon_reverse_ug", "carbon_reverse_total_ug", "carbon_reverse_ug"),
)


def continuity(slot: Slot) -> Iterator[Violation]:
    """Find registers that are not their value before plus what the interval counted, within one journal.

    An interval that lacks part of its time (reset, exchange, jump) begins a new segment and is not compared.
    """
    before: dict[tuple[int, int], IntervalRow] = {}
    for row in sorted(slot.previous):
        before[row.meter, row.journal] = row
    for row in sorted(slot.rows):
        last = before.get((row.meter, row.journal))
        before[row.meter, row.journal] = row
        if last is None or last.end_ms != row.start_ms or Quality.PARTIAL in (row.quality, last.quality):
            continue
        for name, total, amount in _REGISTERS:
            expected = getattr(last, total) + getattr(row, amount)
            if expected >= EMISSION_END_UG and total.startswith("carbon"):
                expected -= EMISSION_END_UG  # as a generating unit's emission does
            found = getattr(row, total)
            if found != expected:
                yield violation(
                    Kind.CONTINUITY,
                    row.meter,
                    Severity.ALARM,
                    start_ms=row.start_ms,
                    register=name,
                    expected=expected,
                    found=found,
                )
