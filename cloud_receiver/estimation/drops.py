"""Measuring branches (支路) by their voltage drop (电压降).

The voltage at a charger falls with its own power by as much, relatively, as its branch loses of that power. So means of
voltage and power by quarter of an hour say of a branch what no energies say of one whose power hardly changes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from math import isfinite, isnan
from typing import Final
from zoneinfo import ZoneInfo

from cloud_receiver.checks.model import Context
from cloud_receiver.estimation.branches import (
    ABSURD,
    DC,
    FAILED,
    GONE,
    NOTHING,
    OFF,
    PHASE,
    POWER,
    SEVERAL,
    SINGLE_KW,
    Branch,
    Branches,
)
from cloud_receiver.estimation.powers import mismatched
from cloud_receiver.estimation.registers import Registers
from cloud_receiver.estimation.voltages import Voltages
from cloud_receiver.registry import Role
from diantan_core import DropBranch, DropMeter, EstimationError, voltage_drop

MOST_LOSS: Final = 0.1
"""Of the power, at rated power: cables that lose more burn."""
_MEAN = "mean"


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
    return context.meters[number].rated_kw <= SINGLE_KW


def measure(
    context: Context, chargers: Sequence[int], voltages: Voltages, registers: Registers, before: Branches
) -> Iterator[Branches | None]:
    """Measure the branches of chargers, and yield them at the end; None between the pieces of that work.

    `before`: what was said the last time, to compare with.
    """
    found: dict[int, Branch] = {}
    asked: dict[int, DropMeter] = {}
    span = voltages.span_ms
    nothing = NOTHING if voltages.kept_from_ms is None else GONE
    several = SEVERAL if len(_masters(context, span[1])) > 1 else None
    for number in chargers:
        reason, own = _why_not(context, number) or several, voltages.meters.get(number)
        if reason is None and own is not None:
            columns = own.columns()
            quarters = _quarters(columns[0], own.power_kw) if own.known else 0
            reason = None if quarters else nothing
            if reason is None and mismatched(
                own.power_kw, voltages.starts_ms, registers.of(number), context.meters[number]
            ):
                reason = POWER
            found[number] = Branch(quarters=quarters, reason=reason)
            if reason is None:
                asked[number] = DropMeter(columns, own.power_kw)
        else:
            found[number] = Branch(reason=reason or NOTHING)
        yield None
    master = _master(context, voltages) if asked else None
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
    yield Branches(found, span[1], voltages.blocks, left_out, voltages.kept_from_ms)


def _quarters(volts: Sequence[float], kw: Sequence[float]) -> int:
    """Return of how many quarters both are known."""
    return sum(not isnan(one) and not isnan(other) for one, other in zip(volts, kw, strict=True))


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


def _judged(one: DropBranch, rated_kw: float) -> Branch:
    """Return what the core says of a branch. One that is slightly negative stays: it speaks of a small one."""
    if one.loss is None or not isfinite(one.loss) or not isfinite(one.u):
        return Branch(quarters=one.quarters, reason=one.reason or FAILED)
    reason = one.reason or (ABSURD if one.loss * rated_kw > MOST_LOSS else None)
    return Branch(
        one.loss,
        one.u,
        one.quarters,
        one.reference,
        reason,
        even=one.even,
        factor=one.factor,
        uneven_loss=one.uneven_loss,
    )
