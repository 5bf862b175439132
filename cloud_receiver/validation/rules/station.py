"""What the meters of a station say together: the sum check (总分核对), and zero while the station shows load."""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from cloud_receiver.checks.freezes import energy_mwh
from cloud_receiver.checks.model import SLOT_MS
from cloud_receiver.checks.tolerance import Balance, SlotEnergy, balance
from cloud_receiver.registry import Role
from cloud_receiver.validation.config import Validation
from cloud_receiver.validation.model import Outcome, Verdict, Window, judged, not_applicable, passed

_UNMET, _TOO_MUCH = "unmet", "too_much"
_FEWEST_DAYS = 3
"""On fewer days a load may have come by chance at the same time."""


def sum_check(window: Window, _: int, __: Validation) -> Outcome:
    """Check that chargers, auxiliary and modelled loss add up to the grid side, as the checks of a day do."""
    energies = window.whole
    total = balance(window.context, energies, window.coverage_factor)
    if total is None:
        return not_applicable("no slot in which every meter reported, or no grid-side meter or charger")
    if total.within:
        return passed(**total.evidence())
    return judged(
        Verdict.FAILED,
        [{"start_ms": start} for slot in energies for start in range(slot.start_ms, slot.end_ms, SLOT_MS)],
        **total.evidence(),
    )


def zero(window: Window, number: int, settings: Validation) -> Outcome:
    """Check that a meter doesn't count nothing while the balance lacks what it would have counted.

    What the station takes at the same time of other days too, and what the meter counts a little earlier or later, as
    one does whose times are off, is nothing that it lacks.
    """
    if not window.balanced:
        return not_applicable("no slot in which every meter reported")
    meter = window.context.meters[number]
    grid = meter.role is Role.GRID
    found = _unseen(window, number) if grid else _unmet(window, number, settings)
    silent = [(slot, result) for slot, result in found if not any(slot.of(number))]
    if len(found) < settings.zero.minimum_slots or len(silent) < len(found):
        return passed(beyond_slots=len(found), without_energy=len(silent))
    elsewhere = 0 if grid else _counted_elsewhere(window, number)
    if 2 * elsewhere >= len(silent):
        return passed(beyond_slots=len(found), without_energy=len(silent), counted_too_much_slots=elsewhere)
    others = [] if grid else [item for item in _silent(window, found) if item != number]
    used = bool(_before(window, number))
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


def _unmet(window: Window, number: int, settings: Validation) -> list[tuple[SlotEnergy, Balance]]:
    """Return the slots in which the grid side shows a load of a meter's kind that nobody counted."""
    meter, share = window.context.meters[number], settings.zero.floor_percent / 100
    return [
        (slot, result)
        for slot, result in _beyond(window)[_UNMET]
        if number in slot.energy
        and -result.imbalance_mwh >= int(energy_mwh(meter, slot.duration_ms) * share)
        and -100 * result.imbalance_mwh > settings.zero.share_percent * abs(result.grid_mwh)
        and not _usual(window, number, slot, settings)
    ]


def _usual(window: Window, number: int, slot: SlotEnergy, settings: Validation) -> bool:
    """Return whether the station took about as much that nobody counted at this time of most days before.

    Of days on which the meter counted something: on others it may have stood already. Of one that never counts, all.
    """
    grids, others = window.context.numbers(Role.GRID), _counting(window)
    load = sum(slot.net(item) for item in grids) - sum(slot.net(item) for item in others)
    counted = _days_counted(window, number)
    local = _local(window, slot.start_ms)
    days, usual = 0, 0
    for back in range(1, settings.history_days + 1):
        then = local - timedelta(days=back)  # by the clock on the wall: where that is changed, habits change with it
        start = int(then.timestamp()) * 1000
        span = range(start, start + slot.duration_ms, SLOT_MS)
        taken = _past(window, grids, span)
        if not taken or (counted and then.date() not in counted):
            continue
        days += 1
        if not _past(window, [number], span):
            rest = taken - _past(window, others, span)
            usual += 100 * rest >= settings.zero.usual_percent * load
    return days >= _FEWEST_DAYS and 2 * usual > days


def _local(window: Window, time_ms: int) -> datetime:
    return datetime.fromtimestamp(time_ms // 1000, UTC).astimezone(ZoneInfo(window.context.station.timezone))


def _days_counted(window: Window, number: int) -> set[date]:
    """Return the local days before on which a meter counted something."""
    key = f"days {number}"
    if key not in window.memo:
        window.memo[key] = {_local(window, start).date() for start in _before(window, number)}
    found: set[date] = window.memo[key]
    return found


def _before(window: Window, number: int) -> Mapping[int, int]:
    """Return what a meter counted of what was taken in the days before, in mWh by slot."""
    inverted = window.context.meters[number].inverted
    return (window.given_back if inverted else window.history).get(number, {})


def _past(window: Window, numbers: Iterable[int], span: Iterable[int]) -> int:
    """Return the energy taken in slots of the days before, in mWh."""
    return sum(_before(window, number).get(start, 0) for start in span for number in numbers)


def _counting(window: Window) -> list[int]:
    """Return the meters behind the grid side."""
    return [*window.context.numbers(Role.CHARGER), *window.context.numbers(Role.AUXILIARY)]


def _counted_elsewhere(window: Window, number: int) -> int:
    """Return in how many slots the meter counted, and all together more than the grid side shows."""
    return sum(any(slot.of(number)) for slot, _ in _beyond(window)[_TOO_MUCH])


def _unseen(window: Window, number: int) -> list[tuple[SlotEnergy, Balance]]:
    """Return the slots in which no grid-side meter shows what others counted, where it doesn't count in between."""
    grids = window.context.numbers(Role.GRID)
    found = [
        (slot, result)
        for slot, result in _beyond(window)[_TOO_MUCH]
        if number in slot.energy
        and not any(any(slot.of(item)) for item in grids)
        # What is modelled alone may as well have been less.
        and sum(slot.net(item) for item in _counting(window)) > result.tolerance_mwh
    ]
    if not found:
        return []
    first, last = found[0][0].start_ms, found[-1][0].start_ms
    between = [slot for _, slot in window.balanced if first < slot.start_ms < last and any(slot.of(number))]
    # A register of large steps counts now and then: that is no register which stands.
    return [] if between else found


def _silent(window: Window, found: list[tuple[SlotEnergy, Balance]]) -> list[int]:
    """Return the chargers and auxiliary meters that counted nothing in any of the slots, but did in the days before."""
    return [
        number
        for number in _counting(window)
        if not any(any(slot.of(number)) for slot, _ in found)
        and any(number in slot.energy for slot, _ in found)
        and (_before(window, number) or not (window.history or window.given_back))
    ]


def _beyond(window: Window) -> dict[str, list[tuple[SlotEnergy, Balance]]]:
    """Return the slots in which the grid side shows more than was counted, and those in which it shows less."""
    if "zero" not in window.memo:
        found: dict[str, list[tuple[SlotEnergy, Balance]]] = {_UNMET: [], _TOO_MUCH: []}
        for context, slot in window.balanced:
            result = balance(context, [slot], window.coverage_factor)
            if result is not None and not result.within:
                found[_UNMET if result.imbalance_mwh < 0 else _TOO_MUCH].append((slot, result))
        window.memo["zero"] = found
    result_of: dict[str, list[tuple[SlotEnergy, Balance]]] = window.memo["zero"]
    return result_of
