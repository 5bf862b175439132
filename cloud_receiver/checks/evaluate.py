"""One slot through all checks: what is kept in `slot_check` and from which a day's findings are made."""

from collections.abc import Iterable
from typing import NotRequired, TypedDict

from cloud_receiver.checks import carbon as carbon_checks
from cloud_receiver.checks import carbon_balance, readings
from cloud_receiver.checks.carbon_balance import SlotCarbon
from cloud_receiver.checks.model import (
    SLOT_MS,
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
    """The result of a slot. `energy` is there only where every meter of the balance has reported usable energy.

    It is that of `duration_ms` from the slot's start: of more than the slot where a meter's intervals are longer.
    """

    violations: list[Violation]
    energy: dict[str, tuple[int, int]] | None
    balanced: bool
    duration_ms: NotRequired[int]
    inverted: NotRequired[list[int]]
    """Meters of the balance whose energies were turned, where there are any."""
    carbon: NotRequired[SlotCarbon]
    """There where there is energy, and one factor that is everybody's."""


MOST_VIOLATIONS = 100
"""Of one kind and meter in a slot that are kept: a gateway that sends crumbs must not fill the store with them."""


def bounded(violations: Iterable[Violation]) -> list[Violation]:
    """Return the first violations of each kind and meter; how many more there are stands in the last (`further`)."""
    kept: list[Violation] = []
    groups: dict[tuple[str, int], tuple[int, Violation]] = {}
    for item in violations:
        key = item["kind"], item["meter"]
        count, last = groups.get(key, (0, item))
        if count < MOST_VIOLATIONS:
            kept.append(item)
            groups[key] = count + 1, item
        else:
            groups[key] = count + 1, last
    for count, last in groups.values():
        if count > MOST_VIOLATIONS:
            last["detail"]["further"] = count - MOST_VIOLATIONS
    return kept


def energies(rows: dict[int, list[IntervalRow]], context: Context) -> dict[int, tuple[int, int]]:
    """Return (forward, reverse) in mWh of each meter of the balance; of one that counts the other way round, turned."""
    return {
        number: meter.turned(
            sum(row.forward_mwh for row in rows.get(number, ())),
            sum(row.reverse_mwh for row in rows.get(number, ())),
        )
        for number, meter in context.balanced().items()
    }


def evaluate(slot: Slot, station: Context, settings: Checks) -> SlotResult:
    """Run every check on a slot."""
    context = station.at(slot.start_ms)
    violations = [
        *carbon_checks.arithmetic(slot, station.numbers(Role.GENERATION)),
        *carbon_checks.factors(slot, context),
        *readings.continuity(slot),
        *readings.overlaps(slot, station),
        *readings.spans(slot, station),
        *readings.unknown_meters(slot, station),
        *readings.completeness(slot, station),
    ]
    block_ms = station.block_ms
    rows = _together(slot, station, block_ms)
    weighed = context.balanced()
    complete = rows is not None and all(
        usable(rows.get(number, []), context.span_ms(number), block_ms) for number in weighed
    )
    energy = energies(rows, context) if rows is not None and complete else None
    balanced = (
        rows is not None
        and complete
        and all(measured(rows[number], context.span_ms(number), block_ms) for number in weighed)
    )
    if energy is not None and balanced:
        result = balance(context, [SlotEnergy(slot.start_ms, energy, block_ms)], settings.coverage_factor)
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
    carbon = None
    if rows is not None and energy is not None:
        carbon = carbon_balance.of_slot(slot, context, rows, block_ms)
    if energy is not None and carbon is not None and balanced:
        violations += _carbon(context, SlotEnergy(slot.start_ms, energy, block_ms), carbon, settings)
    found: SlotResult = {
        "violations": bounded(violations),
        "energy": None if energy is None else {str(number): pair for number, pair in energy.items()},
        "balanced": balanced,
    }
    if energy is not None and (turned := [number for number, meter in weighed.items() if meter.inverted]):
        found["inverted"] = turned
    if energy is not None and block_ms != SLOT_MS:
        found["duration_ms"] = block_ms
    if carbon is not None:
        found["carbon"] = carbon
    return found


def _carbon(context: Context, slot: SlotEnergy, carbon: SlotCarbon, settings: Checks) -> list[Violation]:
    tally = carbon_balance.of(context, [(slot, carbon)])
    result = carbon_balance.judge(context, tally, settings.coverage_factor)
    if result is None or result.within or result.by_energy:
        return []
    detail = result.evidence() | {"start_ms": slot.start_ms, "factor": carbon["factor"]}
    return [violation(Kind.CARBON_BALANCE_SLOT, 0, Severity.WARNING, **detail)]


def _together(slot: Slot, station: Context, block_ms: int) -> dict[int, list[IntervalRow]] | None:
    """Return what is balanced together with a slot, by meter; None where that is another slot's.

    Neither are the slots during which a meter came or went, since what it counted is not that of their whole time.
    """
    if station.changes(slot.start_ms, slot.start_ms + block_ms):
        return None
    if block_ms == SLOT_MS:
        return {number: without_overlaps(found)[0] for number, found in slot.by_meter().items()}
    if slot.block is None:
        return None
    found: dict[int, list[IntervalRow]] = {}
    for row in sorted(slot.block):
        found.setdefault(row.meter, []).append(row)
    return {number: without_overlaps(rows)[0] for number, rows in found.items()}
