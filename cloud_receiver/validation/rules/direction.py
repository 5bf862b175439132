"""A meter that counts in the wrong direction (反向接线): its energies close the balance with the other sign only."""

from dataclasses import replace

from cloud_receiver.checks.tolerance import balance
from cloud_receiver.validation.config import Validation
from cloud_receiver.validation.model import Window


def reversed_slots(window: Window, number: int, settings: Validation) -> tuple[list[dict[str, object]], bool]:
    """Return the slots that a meter seems to have counted the wrong way round, and whether the balance proves it.

    Without the balance only a meter tells that has always counted forward, and all at once counts nothing but reverse.
    A charger that feeds back (V2G) closes the balance as it is.
    """
    meter = window.context.meters[number]
    if meter.inverted:
        return [], False
    rows = window.rows(number)
    reverse = {row.start_ms: row.reverse_mwh for row in rows if row.reverse_mwh > 0}
    if len(reverse) < settings.decreasing.minimum_slots:
        return [], False
    proved = _by_balance(window, number, settings)
    if proved:
        return proved, True
    balanced = any(slot.net(number) < 0 for _, slot in window.balanced)
    past = len(window.history.get(number, {})) >= settings.decreasing.minimum_slots
    fed_back = any(row.reverse_total_mwh > row.reverse_mwh for row in rows[:1])
    if balanced or fed_back or not past or any(window.forward(number).values()):
        return [], False
    return [{"start_ms": start, "reverse_mwh": energy, "reversed": True} for start, energy in reverse.items()], False


def _by_balance(window: Window, number: int, settings: Validation) -> list[dict[str, object]]:
    """Return the slots that close with the other sign only, if nearly all do in which the meter counted reverse."""
    seen = 0
    found: list[dict[str, object]] = []
    for context, slot in window.balanced:
        if number not in context.meters or slot.net(number) >= 0 or window.closing[slot.start_ms]:
            continue
        seen += 1
        forward, reverse = slot.of(number)
        turned = replace(slot, energy=slot.energy | {number: (reverse, forward)})
        result = balance(context, [turned], window.coverage_factor)
        if result is not None and result.within:
            found.append({"start_ms": slot.start_ms, "reverse_mwh": reverse, "reversed": True})
    enough = len(found) >= settings.decreasing.minimum_slots
    return found if enough and 100 * len(found) >= settings.decreasing.closed_percent * seen else []
