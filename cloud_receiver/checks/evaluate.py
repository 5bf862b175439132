"""One slot through all checks: what is kept in `slot_check` and from which a day's findings are made."""

from typing import TypedDict

from cloud_receiver.checks import carbon, readings
from cloud_receiver.checks.model import (
    Context,
    IntervalRow,
    Kind,
    Severity,
    Slot,
    Violation,
    measured,
    usable,
    violation,
    without_overlaps,
)
from cloud_receiver.checks.tolerance import SlotEnergy, balance
from cloud_receiver.config import Checks
from cloud_receiver.registry import Role


class SlotResult(TypedDict):
    """The result of a slot. `energy` is there only where every meter of the balance has reported usable energy."""

    violations: list[Violation]
    energy: dict[str, tuple[int, int]] | None
    balanced: bool


def energies(rows: dict[int, list[IntervalRow]], context: Context) -> dict[int, tuple[int, int]]:
    """Return (forward, reverse) in mWh of each meter of the balance."""
    return {
        number: (
            sum(row.forward_mwh for row in rows.get(number, ())),
            sum(row.reverse_mwh for row in rows.get(number, ())),
        )
        for number in context.balanced()
    }


def evaluate(slot: Slot, station: Context, settings: Checks) -> SlotResult:
    """Run every check on a slot."""
    context = station.at(slot.start_ms)
    violations = [
        *carbon.arithmetic(slot, station.numbers(Role.GENERATION)),
        *carbon.factors(slot, context),
        *readings.continuity(slot),
        *readings.overlaps(slot),
        *readings.spans(slot),
        *readings.unknown_meters(slot, context),
        *readings.completeness(slot, context),
    ]
    rows = {number: without_overlaps(found)[0] for number, found in slot.by_meter().items()}
    weighed = context.balanced()
    complete = all(usable(rows.get(number, [])) for number in weighed)
    energy = energies(rows, context) if complete else None
    balanced = energy is not None and all(measured(rows[number]) for number in weighed)
    if energy is not None and balanced:
        result = balance(context, [SlotEnergy(slot.start_ms, energy)], settings.coverage_factor)
        if result is not None and not result.within:
            detail = result.evidence() | {
                "start_ms": slot.start_ms,
                "active": [
                    number
                    for number, meter in context.meters.items()
                    if meter.role == "charger" and any(energy[number])
                ],
            }
            violations.append(violation(Kind.BALANCE_SLOT, 0, Severity.WARNING, **detail))
    return {
        "violations": violations,
        "energy": None if energy is None else {str(number): pair for number, pair in energy.items()},
        "balanced": balanced,
    }
