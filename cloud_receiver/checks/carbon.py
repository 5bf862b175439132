"""Carbon recomputed exactly, and the factor used against the factor dispatched."""

from array import array
from collections.abc import Collection, Iterator, Sequence

from cloud_receiver.checks.model import (
    SLOT_MS,
    AdjustmentRow,
    Context,
    IntervalRow,
    Kind,
    Severity,
    Slot,
    Violation,
    violation,
)
from cloud_receiver.registry import Role
from diantan_core import carbon_residuals_ng
from wire.records import FactorQuality
from wire.residual import DIRECTIONS, HONEST_RESIDUAL_NG, dishonest


def arithmetic(slot: Slot, units: Collection[int] = ()) -> Iterator[Violation]:
    """Find intervals and adjustments whose carbon is not their energy times their factor.

    `units` are the meters of generating units (发电侧): without a factor, their carbon is what was measured.
    """
    if rows := [row for row in slot.rows if row.factor is not None or row.meter not in units]:
        yield from _intervals(rows)
    yield from _adjustments([row for row in slot.adjustments if not _is_late_emission(row, units)])


def _is_late_emission(row: AdjustmentRow, units: Collection[int]) -> bool:
    return row.meter in units and row.factor_used is None and row.factor_now is None


def _intervals(rows: Sequence[IntervalRow]) -> Iterator[Violation]:
    factors = array("q", [-1 if row.factor is None else row.factor for row in rows])
    for direction, energies, carbons in (
        (DIRECTIONS[0], [row.forward_mwh for row in rows], [row.carbon_forward_ug for row in rows]),
        (DIRECTIONS[1], [row.reverse_mwh for row in rows], [row.carbon_reverse_ug for row in rows]),
    ):
        residuals = carbon_residuals_ng(array("q", energies), factors, array("q", carbons))
        for row, energy, carbon, residual in zip(rows, energies, carbons, residuals, strict=True):
            if abs(residual) > HONEST_RESIDUAL_NG:
                yield violation(
                    Kind.CARBON,
                    row.meter,
                    Severity.ALARM,
                    start_ms=row.start_ms,
                    direction=direction,
                    energy_mwh=energy,
                    factor=row.factor,
                    carbon_ug=carbon,
                    difference_ng=residual,
                )


def _adjustments(rows: Sequence[AdjustmentRow]) -> Iterator[Violation]:
    for row in rows:
        change = (row.factor_now or 0) - (row.factor_used or 0)
        for wrong in dishonest(row, change):
            yield violation(
                Kind.CARBON,
                row.meter,
                Severity.ALARM,
                start_ms=row.start_ms,
                direction=wrong.direction,
                adjustment=True,
                energy_mwh=wrong.energy_mwh,
                factor_used=row.factor_used,
                factor_now=row.factor_now,
                carbon_ug=wrong.carbon_ug,
                difference_ng=wrong.difference_ng,
            )


def factors(slot: Slot, context: Context) -> Iterator[Violation]:
    """Find intervals whose factor, after their adjustments, is not the one dispatched for their slot.

    A held (沿用) or default (缺省) factor is named until an adjustment settles it; a factor that claims to be the
    dispatched one and isn't is an alarm. Where nothing was dispatched there is nothing to settle. The factor of a
    generating unit is its own, and nothing to dispatch.
    """
    settled: dict[tuple[int, int, int], AdjustmentRow] = {}
    for row in sorted(slot.adjustments, key=lambda row: row.sequence):
        settled[row.meter, row.journal, row.start_ms] = row
    for interval in slot.rows:
        known = context.meters.get(interval.meter)
        if known is None or known.role is Role.GENERATION:
            continue
        slot_start = interval.start_ms - interval.start_ms % SLOT_MS
        claimed = interval.factor_quality == FactorQuality.DISPATCHED
        adjustment = settled.get((interval.meter, interval.journal, interval.start_ms))
        now = interval.factor if adjustment is None else adjustment.factor_now
        if slot_start in slot.dispatched:
            expected = slot.dispatched[slot_start]
            if now == expected:
                continue
            # What was dispatched once and corrected since is no false claim: like a held factor it is to be settled.
            claimed = claimed and now not in slot.issued.get(slot_start, ())
            # A gateway learns of a late factor a moment later than the centre, and has the time of grace to settle it.
            if not claimed and not (slot.past_deadline and slot_start in slot.settled):
                continue
        elif claimed:
            expected = None
        else:
            continue
        yield violation(
            Kind.FACTOR if claimed else Kind.FACTOR_UNSETTLED,
            interval.meter,
            Severity.ALARM if claimed else Severity.WARNING,
            start_ms=interval.start_ms,
            factor_used=interval.factor,
            factor_now=now,
            dispatched=expected,
            was_dispatched=slot_start in slot.dispatched,
            quality=FactorQuality(interval.factor_quality).name.lower(),
        )
