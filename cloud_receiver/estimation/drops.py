"""Measuring branches (支路) by their voltage drop (电压降).

The voltage at a charger falls with its own power by as much, relatively, as its branch loses of that power. So means of
voltage and power by quarter of an hour say of a branch what no energies say of one whose power hardly changes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from math import isfinite, isnan
from typing import Final
from zoneinfo import ZoneInfo

from cloud_receiver.checks.model import Context
from cloud_receiver.estimation.branches import (
    ABSURD,
    DC,
    FAILED,
    NOTHING,
    OFF,
    PHASE,
    POWER,
    SEVERAL,
    Branch,
    Branches,
)
from cloud_receiver.estimation.registers import History, Registers
from cloud_receiver.estimation.voltages import Voltages
from cloud_receiver.registry import Role
from diantan_core import DropBranch, DropMeter, EstimationError, voltage_drop
from wire.voltage_means import QUARTER_MS

MOST_LOSS: Final = 0.1
"""Of the power, at rated power: cables that lose more burn."""
_POWER = 0.1
"""How far the means of power may differ from the energies that the same meter counted."""
_LEAST_KWH = 5.0
_SINGLE_KW = 8
"""Up to which a charger is taken to be on one phase (单相): 32 A at 250 V. What its phase loses before its branch, the
mean of the phases doesn't show; neither do the phases of a master before a transformer."""
_MEAN = "mean"
_HOUR_MS = 3_600_000
_MWH_PER_KWH = 1_000_000


def measured_meters(context: Context, chargers: Sequence[int], end_ms: int) -> list[int]:
    """Return the meters whose voltages are asked for: of chargers, and of the master; none where there are several.

    Each may have a transformer of its own: beside chargers of another one, what that drops passes for a branch.
    """
    masters = _masters(context, end_ms)
    asked = [number for number in chargers if _why_not(context, number) is None]
    return [*asked, *masters] if asked and len(masters) <= 1 else []


def _masters(context: Context, end_ms: int) -> list[int]:
    return [number for number in context.numbers(Role.GRID) if context.meters[number].in_service(end_ms - 1)]


def _why_not(context: Context, number: int) -> str | None:
    meter = context.meters[number]
    return OFF if not meter.voltage_drop else DC if meter.dc_output else None


def _is_single(context: Context, number: int) -> bool:
    return context.meters[number].rated_kw <= _SINGLE_KW


def measure(
    context: Context, chargers: Sequence[int], voltages: Voltages, registers: Registers, before: Branches
) -> Iterator[Branches | None]:
    """Measure the branches of chargers, and yield them at the end; None between the pieces of that work.

    `before`: what was said the last time, to compare with.
    """
    found: dict[int, Branch] = {}
    asked: dict[int, DropMeter] = {}
    span = voltages.span_ms
    several = SEVERAL if len(_masters(context, span[1])) > 1 else None
    master = _master(context, voltages)
    for number in chargers:
        reason, own = _why_not(context, number) or several, voltages.meters.get(number)
        if reason is None and own is not None:
            [column] = own.columns()
            quarters = sum(not isnan(one) and not isnan(other) for one, other in zip(column, own.power_kw, strict=True))
            reason = (None if quarters else NOTHING) or _other_power(
                own.power_kw, voltages.starts_ms, registers.of(number), inverted=context.meters[number].inverted
            )
            found[number] = Branch(quarters=quarters, reason=reason)
            if reason is None:
                asked[number] = DropMeter([column], own.power_kw)
        else:
            found[number] = Branch(reason=reason or NOTHING)
        yield None
    said = _said(context, asked, master, voltages)
    odd = [number for number in said if _is_single(context, number) and said[number].reference == _MEAN]
    if odd:
        for number in odd:
            found[number] = Branch(quarters=said[number].quarters, reason=said[number].reason or PHASE)
            del asked[number]
        yield None
        # Nor may others take them for the bus.
        said = _said(context, asked, master, voltages)
    for number in asked:
        if number in said:
            found[number] = _judged(said[number], float(context.meters[number].rated_kw))
        else:
            found[number] = replace(found[number], reason=FAILED)
    for number, one in found.items():
        last, earlier = before.past(number, *span)
        found[number] = replace(one, last=last, earlier=earlier)
    left_out = {name: count for name, count in sorted(voltages.left_out.items()) if count}
    yield Branches(found, span[1], voltages.blocks, left_out)


def _master(context: Context, voltages: Voltages) -> DropMeter | None:
    for number, own in voltages.meters.items():
        if context.meters[number].role is Role.GRID:
            return DropMeter(own.columns(), own.power_kw)
    return None


def _said(
    context: Context, asked: Mapping[int, DropMeter], master: DropMeter | None, voltages: Voltages
) -> dict[int, DropBranch]:
    """Return what voltages say of each charger; of none where the core takes nothing of it."""
    if not asked:
        return {}
    end = datetime.fromtimestamp(voltages.starts_ms[-1] / 1000, UTC)
    offset = end.astimezone(ZoneInfo(context.station.timezone)).utcoffset()
    try:
        found = voltage_drop(
            voltages.starts_ms,
            list(asked.values()),
            master,
            utc_offset_minutes=int(offset.total_seconds() // 60) if offset else 0,
        )
    except EstimationError:
        return {}
    return dict(zip(asked, found.branches, strict=True))


def _other_power(power_kw: Sequence[float], starts_ms: range, history: History, *, inverted: bool) -> str | None:
    """Return whether means of power and energies of the same quarters are of another size: a wrong multiplier, or lies.

    A loss by voltage drop is that by the power that is told: it is worth no more.
    """
    told = counted = 0.0
    for one, after in pairwise(history.known):
        if one.segment != after.segment or one.time_ms < starts_ms.start or after.time_ms - one.time_ms > _HOUR_MS:
            continue
        first, last = ((time_ms - starts_ms.start) // QUARTER_MS for time_ms in (one.time_ms, after.time_ms))
        part = power_kw[first:last]
        if len(part) < last - first or any(map(isnan, part)):
            continue
        told += sum(part) * QUARTER_MS / _HOUR_MS
        counted += (after.net_mwh - one.net_mwh) / _MWH_PER_KWH * (-1 if inverted else 1)
    if abs(counted) < _LEAST_KWH:
        return None
    return None if abs(told - counted) <= _POWER * abs(counted) else POWER


def _judged(one: DropBranch, rated_kw: float) -> Branch:
    """Return what the core says of a branch. One that is slightly negative stays: it speaks of a small one."""
    if one.loss is None or not isfinite(one.loss) or not isfinite(one.u):
        return Branch(quarters=one.quarters, reason=one.reason or FAILED)
    reason = one.reason or (ABSURD if one.loss * rated_kw > MOST_LOSS else None)
    return Branch(one.loss, one.u, one.quarters, one.reference, reason)
