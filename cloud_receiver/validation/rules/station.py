"""What the meters of a station say together: the sum check (总分核对), and zero while the station shows load."""

from cloud_receiver.checks.freezes import energy_mwh
from cloud_receiver.checks.model import SLOT_MS
from cloud_receiver.checks.tolerance import Balance, SlotEnergy, balance
from cloud_receiver.registry import Role
from cloud_receiver.validation.config import Validation
from cloud_receiver.validation.model import Outcome, Verdict, Window, judged, not_applicable, passed

_UNMET, _UNSEEN = "unmet", "unseen"


def sum_check(window: Window, _: int, __: Validation) -> Outcome:
    """Check that chargers, auxiliary and modelled loss add up to the grid side, as the checks of a day do."""
    energies = [energy for _, energy in window.balanced]
    total = balance(window.context, energies, window.coverage_factor)
    if total is None:
        return not_applicable("no slot in which every meter reported, or no grid-side meter or charger")
    if total.within:
        return passed(**total.evidence())
    return judged(Verdict.FAILED, [{"start_ms": slot.start_ms} for slot in energies], **total.evidence())


def zero(window: Window, number: int, settings: Validation) -> Outcome:
    """Check that a meter doesn't count nothing while the balance lacks what it would have counted."""
    if not window.balanced:
        return not_applicable("no slot in which every meter reported")
    meter = window.context.meters[number]
    grid = meter.role is Role.GRID
    floor = 0 if grid else int(energy_mwh(meter, SLOT_MS) * settings.zero.floor_percent / 100)
    found = [
        (slot, result)
        for slot, result in _beyond(window)[_UNSEEN if grid else _UNMET]
        if number in slot.energy
        and abs(result.imbalance_mwh) >= floor
        and (grid or -100 * result.imbalance_mwh > settings.zero.share_percent * abs(result.grid_mwh))
    ]
    silent = [(slot, result) for slot, result in found if not any(slot.of(number))]
    if len(found) < settings.zero.minimum_slots or len(silent) < len(found):
        return passed(beyond_slots=len(found), without_energy=len(silent))
    others = [] if grid else [item for item in _silent(window, found) if item != number]
    used = bool(window.history.get(number))
    details = [
        {"start_ms": slot.start_ms, "imbalance_mwh": result.imbalance_mwh, "tolerance_mwh": result.tolerance_mwh}
        for slot, result in silent
    ]
    certain = grid or (not others and used)
    return judged(
        Verdict.FAILED if certain else Verdict.SUSPECT,
        details,
        counted_in_the_days_before=used,
        also_without_energy=[window.context.name(item) for item in others],
    )


def _silent(window: Window, found: list[tuple[SlotEnergy, Balance]]) -> list[int]:
    """Return the chargers and auxiliary meters that counted nothing in any of the slots, but did in the days before."""
    return [
        number
        for number, meter in window.context.meters.items()
        if meter.role in (Role.CHARGER, Role.AUXILIARY)
        and not any(any(slot.of(number)) for slot, _ in found)
        and (window.history.get(number) or not window.history)
    ]


def _beyond(window: Window) -> dict[str, list[tuple[SlotEnergy, Balance]]]:
    """Return the slots in which the grid side shows more than was counted, and those in which it shows nothing."""
    if "zero" not in window.memo:
        found: dict[str, list[tuple[SlotEnergy, Balance]]] = {_UNMET: [], _UNSEEN: []}
        for context, slot in window.balanced:
            result = balance(context, [slot], window.coverage_factor)
            if result is None or result.within:
                continue
            if result.imbalance_mwh < 0:
                found[_UNMET].append((slot, result))
            elif not any(any(slot.of(number)) for number in context.numbers(Role.GRID)):
                found[_UNSEEN].append((slot, result))
        window.memo["zero"] = found
    result_of: dict[str, list[tuple[SlotEnergy, Balance]]] = window.memo["zero"]
    return result_of
