"""Unit and multiplier (量纲与倍率): energies a power of ten or a transformer's ratio off.

Three witnesses: the rated power, the days before, and the balance, which is believed only where the meter's energies
divided by the ratio close it. Ratios are estimates, floats by nature; no energy is changed.
"""

from collections.abc import Iterable
from dataclasses import replace
from itertools import chain
from statistics import median

from cloud_receiver.checks.freezes import energy_mwh
from cloud_receiver.checks.model import SLOT_MS
from cloud_receiver.checks.tolerance import MWH_PER_KWH, SlotEnergy, balance
from cloud_receiver.registry import Role
from cloud_receiver.validation.config import Validation
from cloud_receiver.validation.model import Outcome, Verdict, Window, judged, not_applicable, passed
from cloud_receiver.validation.rules.amounts import charging_mwh, limit_mwh

_TENS = (10, 100, 1000)
_SAMPLE = 96
"""Slots of a long span that are looked at, evenly over it."""
_CLOSED_SHARE = 0.8
"""Of the slots must balance with the energies divided by the ratio."""


def multiplier(window: Window, number: int, settings: Validation) -> Outcome:
    """Check that the meter's energies are of the size that its rated power, its past and the balance expect."""
    counted = {start: energy for start, energy in window.forward(number).items() if energy > 0}
    if len(counted) < settings.multiplier.minimum_slots:
        return not_applicable(f"energy in {len(counted)} slots, expected {settings.multiplier.minimum_slots}")
    meter = window.context.meters[number]
    level = _level(counted.values())
    limit = limit_mwh(window, meter, SLOT_MS, settings)
    past = _past(window, number, level, settings)
    explained = _explanations(window, settings)
    by_balance = explained.get(number)
    numbers: dict[str, object] = {
        "level_mwh": level,
        "limit_mwh": limit,
        "times_rated": round(level / energy_mwh(meter, SLOT_MS), 3),
        "times_history": None if past is None else round(past, 3),
        "times_balance": None if by_balance is None else round(by_balance, 3),
        "others_that_explain_it": [window.context.name(item) for item in explained if item != number],
    }
    beyond_rated = sum(energy > limit for energy in counted.values()) >= settings.multiplier.minimum_slots
    named = _named(by_balance if by_balance is not None else past, settings)
    if by_balance is not None:
        # Several meters may explain one imbalance: then a second witness is needed.
        alone = len(explained) == 1 or beyond_rated or _named(past, settings) is not None
        verdict = Verdict.FAILED if alone else Verdict.SUSPECT
    elif beyond_rated and (named is not None or past is None):
        verdict = Verdict.FAILED if named is not None else Verdict.SUSPECT
    elif named is not None and not _balances(window):
        verdict = Verdict.SUSPECT
    else:
        return passed(**numbers)
    details = [{"start_ms": start, "forward_mwh": energy} for start, energy in sorted(counted.items())]
    return judged(verdict, details, named_ratio=named, **numbers)


def _level(energies: Iterable[int]) -> int:
    """Return the second highest energy: one slot that is wrong is no matter of a multiplier."""
    return sorted(energies, reverse=True)[1]


def _past(window: Window, number: int, level: int, settings: Validation) -> float | None:
    """Return the level over that of the days before, None where too little is known of either.

    Slots in which nothing charges don't tell, nor those of days with energies that can't be.
    """
    meter = window.context.meters[number]
    least, limit = charging_mwh(meter, settings), limit_mwh(window, meter, SLOT_MS, settings)
    known = [energy for energy in window.history.get(number, {}).values() if least < energy <= limit]
    if level <= least or len(known) < settings.multiplier.minimum_slots:
        return None
    return level / _level(known)


def _named(ratio: float | None, settings: Validation) -> str | None:
    """Return the power of ten or transformer ratio that a ratio is near to, as "10" or "1/40"."""
    if ratio is None or ratio <= 0:
        return None
    size, inverse = (ratio, False) if ratio >= 1 else (1 / ratio, True)
    nearest = min(chain(_TENS, settings.multiplier.ct_ratios), key=lambda item: (abs(size / item - 1), item))
    if abs(size / nearest - 1) * 100 > settings.multiplier.match_percent:
        return None
    return f"1/{nearest}" if inverse else str(nearest)


def _balances(window: Window) -> bool:
    """Return whether the span's energies balance: then none of them is a multiple off."""
    total = balance(window.context, window.whole, window.coverage_factor)
    return total is not None and total.within


def _explanations(window: Window, settings: Validation) -> dict[int, float]:
    """Return by meter the ratio that, if its energies are divided by it, closes the balance; empty where it closes."""
    if "multiplier" not in window.memo:
        found: dict[int, float] = {}
        if window.balanced and not _balances(window):
            for number, meter in window.context.meters.items():
                ratio = _ratio(window, number, meter.role, settings)
                if ratio is not None:
                    found[number] = ratio
        window.memo["multiplier"] = found
    result: dict[int, float] = window.memo["multiplier"]
    return result


def _ratio(window: Window, number: int, role: Role, settings: Validation) -> float | None:
    active = [(context, slot) for context, slot in window.balanced if slot.net(number) > 0]
    if len(active) < settings.multiplier.minimum_slots or role not in (Role.CHARGER, Role.GRID, Role.AUXILIARY):
        return None
    active = active[:: -(-len(active) // _SAMPLE)]
    ratios = []
    for context, slot in active:
        without = balance(context, [_scaled(slot, number, 0.0)], window.coverage_factor)
        if without is None:
            continue
        rest = without.imbalance_mwh if role is Role.GRID else -without.imbalance_mwh
        if rest > 0:
            ratios.append(slot.net(number) / rest)
    if len(ratios) < settings.multiplier.minimum_slots:
        return None
    ratio = median(ratios)
    if 1 / float(settings.multiplier.beyond) < ratio < float(settings.multiplier.beyond):
        return None
    closed = 0
    for context, slot in active:
        result = balance(context, [_scaled(slot, number, 1 / ratio)], window.coverage_factor)
        # The meter's step is scaled with its energies.
        step = float(context.meters[number].resolution_kwh) * MWH_PER_KWH / min(ratio, 1.0)
        closed += result is not None and abs(result.imbalance_mwh) <= result.tolerance_mwh + step
    return ratio if closed >= _CLOSED_SHARE * len(active) else None


def _scaled(slot: SlotEnergy, number: int, share: float) -> SlotEnergy:
    forward, reverse = slot.of(number)
    return replace(slot, energy=slot.energy | {number: (round(forward * share), round(reverse * share))})
