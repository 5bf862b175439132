"""Carbon balance (碳量平衡) of a station against its grid side: as recorded, and the same factor for all in each slot.

Carbon of the chargers and auxiliary meters as their records have it, adjustments included, with that of modelled loss
and load by the slot's factor, less carbon of the grid-side meter. Where every meter used the slot's factor it is the
energy balance, slot by slot times the factor; what it shows beyond that is of factors and carbon registers.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import fsum, hypot, sqrt
from typing import TypedDict

from cloud_receiver.checks.conversion import of_meters
from cloud_receiver.checks.model import SLOT_MS, AdjustmentRow, Context, IntervalRow, Slot
from cloud_receiver.checks.tolerance import Run, SlotEnergy, auxiliary_mwh, joined, loss_bounds, meter_terms
from cloud_receiver.registry import Role

NG_PER_UG = 1000
_SQRT3 = sqrt(3)


class SlotCarbon(TypedDict):
    """Recorded carbon of a slot in µg, forward less reverse, adjustments included; its factor in mg/kWh."""

    factor: int
    chargers_ug: int
    auxiliary_ug: int
    grid_ug: int
    records: int


def of_slot(
    slot: Slot, context: Context, rows: Mapping[int, Sequence[IntervalRow]], block_ms: int
) -> SlotCarbon | None:
    """Return the carbon of a slot in which every meter reported; None where no factor is everybody's, or not yet.

    That is the one dispatched, or where none was, the one that the grid-side meter used; over a time of several slots
    it must be the same throughout. Until gateways have had the time of grace to settle a late one, there is no balance.
    """
    weighed = [row for number in context.balanced() for row in rows.get(number, ())]
    settled = _settled(slot.adjustments if slot.block is None else slot.block_adjustments)
    starts = range(slot.start_ms, slot.start_ms + block_ms, SLOT_MS)
    dispatched = {slot.dispatched[start] for start in starts if start in slot.dispatched}
    used = {_now(row, settled) for row in weighed if context.meters[row.meter].role is Role.GRID}
    known = dispatched or used
    if len(known) != 1 or (factor := next(iter(known))) is None:
        return None
    late = slot.past_deadline and all(start in slot.settled for start in starts if start in slot.dispatched)
    if dispatched and not late and any(_now(row, settled) != factor for row in weighed):
        return None
    sums = dict.fromkeys((Role.CHARGER, Role.AUXILIARY, Role.GRID), 0)
    for row in weighed:
        more = sum(
            each.carbon_forward_ug - each.carbon_reverse_ug
            for each in settled.get((row.meter, row.journal, row.start_ms), ())
        )
        meter = context.meters[row.meter]
        sums[meter.role] += (-1 if meter.inverted else 1) * (row.carbon_forward_ug - row.carbon_reverse_ug + more)
    return {
        "factor": factor,
        "chargers_ug": sums[Role.CHARGER],
        "auxiliary_ug": sums[Role.AUXILIARY],
        "grid_ug": sums[Role.GRID],
        "records": len(weighed) + sum(len(each) for each in settled.values()),
    }


_Settled = Mapping[tuple[int, int, int], Sequence[AdjustmentRow]]


def _settled(rows: Iterable[AdjustmentRow]) -> _Settled:
    found: dict[tuple[int, int, int], list[AdjustmentRow]] = {}
    for row in sorted(rows, key=lambda row: row.sequence):
        found.setdefault((row.meter, row.journal, row.start_ms), []).append(row)
    return found


def _now(row: IntervalRow, settled: _Settled) -> int | None:
    found = settled.get((row.meter, row.journal, row.start_ms))
    return found[-1].factor_now if found else row.factor


@dataclass(slots=True)
class CarbonTally:
    """What a carbon balance needs of its slots; those of several days add up. ng = mWh × mg/kWh."""

    chargers_ug: int = 0
    auxiliary_ug: int = 0
    grid_ug: int = 0
    loss_ng: float = 0.0
    spread_ng: float = 0.0
    modelled_ng: float = 0.0
    """Of the auxiliaries' modelled load, where no meter measures it."""
    conversion_ng: float = 0.0
    """Of what chargers that meter their output lose before their meter."""
    conversion_limit_ng: float = 0.0
    """How far that may be off."""
    throughput_ng: dict[int, int] = field(default_factory=dict)
    """Energy in both directions times factor, by meter."""
    rest_ng: int = 0
    """Imbalance that is not the imbalance of energy times the factor."""
    rounding_ng: int = 0
    """How much of `rest_ng` the rounding of records to µg explains."""
    unexplained_ng: int = 0
    """And how much factors that changed within a time that a register bridges."""
    runs: list[Run] = field(default_factory=list)
    """With the factor of their first and last slot as weights."""

    @property
    def duration_ms(self) -> int:
        """Return the time that is balanced."""
        return sum(run.end_ms - run.first_ms for run in self.runs)


def of(context: Context, pairs: Sequence[tuple[SlotEnergy, SlotCarbon]]) -> CarbonTally:
    """Return the tally of slots."""
    return total([_one(context, slot, carbon) for slot, carbon in pairs])


def _one(context: Context, slot: SlotEnergy, carbon: SlotCarbon) -> CarbonTally:
    factor = carbon["factor"]
    metered = context.numbers(Role.AUXILIARY)
    loss, spread = loss_bounds(context, slot, context.numbers(Role.CHARGER))
    net_mwh = sum(slot.net(number) for number in (*context.numbers(Role.CHARGER), *metered))
    net_mwh -= sum(slot.net(number) for number in context.numbers(Role.GRID))
    net_ug = carbon["chargers_ug"] + carbon["auxiliary_ug"] - carbon["grid_ug"]
    conversion = of_meters(context, slot.energy)
    return CarbonTally(
        carbon["chargers_ug"],
        carbon["auxiliary_ug"],
        carbon["grid_ug"],
        loss * factor,
        spread * factor,
        0.0 if metered else auxiliary_mwh(context, slot.duration_ms) * factor,
        conversion.mwh * factor,
        conversion.limit_mwh * factor,
        {number: sum(pair) * factor for number, pair in slot.energy.items()},
        net_ug * NG_PER_UG - net_mwh * factor,
        carbon["records"] * NG_PER_UG,
        0,
        [Run(slot.start_ms, slot.end_ms, factor, factor)],
    )


def total(tallies: Sequence[CarbonTally]) -> CarbonTally:
    """Return the tally of all."""
    throughput: dict[int, int] = {}
    for item in tallies:
        for number, amount in item.throughput_ng.items():
            throughput[number] = throughput.get(number, 0) + amount
    return CarbonTally(
        sum(item.chargers_ug for item in tallies),
        sum(item.auxiliary_ug for item in tallies),
        sum(item.grid_ug for item in tallies),
        fsum(item.loss_ng for item in tallies),
        fsum(item.spread_ng for item in tallies),
        fsum(item.modelled_ng for item in tallies),
        fsum(item.conversion_ng for item in tallies),
        fsum(item.conversion_limit_ng for item in tallies),
        throughput,
        sum(item.rest_ng for item in tallies),
        sum(item.rounding_ng for item in tallies),
        sum(item.unexplained_ng for item in tallies),
        joined(run for item in tallies for run in item.runs),
    )


@dataclass(frozen=True, slots=True)
class CarbonBalance:
    """Carbon of chargers + auxiliary + loss − grid side, in µg, and what it may be."""

    chargers_ug: int
    auxiliary_ug: int
    loss_ug: int
    """Modelled: of cables, and of conversion."""
    conversion_ug: int
    """Of it that of conversion."""
    grid_ug: int
    tolerance_ug: int
    terms_ug: dict[str, int]
    """Standard uncertainty by term, before the coverage factor."""
    rest_ug: int
    """Imbalance beyond that of energy times factor."""
    rounding_ug: int
    slots: int

    @property
    def imbalance_ug(self) -> int:
        """Return the imbalance; positive: the chargers show more than the grid side."""
        return self.chargers_ug + self.auxiliary_ug + self.loss_ug - self.grid_ug

    @property
    def within(self) -> bool:
        """Return whether the imbalance is within the tolerance."""
        return abs(self.imbalance_ug) <= self.tolerance_ug

    @property
    def by_energy(self) -> bool:
        """Return whether it is the imbalance of energy and nothing else: the energy balance tells of it."""
        return abs(self.rest_ug) <= self.rounding_ug

    def evidence(self) -> dict[str, object]:
        """Return everything as JSON takes it."""
        return {
            "chargers_ug": self.chargers_ug,
            "auxiliary_ug": self.auxiliary_ug,
            "loss_ug": self.loss_ug,
            "conversion_ug": self.conversion_ug,
            "grid_ug": self.grid_ug,
            "imbalance_ug": self.imbalance_ug,
            "tolerance_ug": self.tolerance_ug,
            "not_of_energy_ug": self.rest_ug,
            "standard_uncertainty_ug": self.terms_ug,
            "slots": self.slots,
        }


def judge(context: Context, found: CarbonTally, coverage_factor: float) -> CarbonBalance | None:
    """Return the balance of a tally, None where the station has no grid-side meter or no charger, or of no time.

    The budget is that of energy (tolerance.judge) with each slot weighted by its factor, and the rounding of records.
    """
    if not context.numbers(Role.CHARGER) or not context.numbers(Role.GRID) or not found.duration_ms:
        return None
    terms = meter_terms(context, found.throughput_ng, sum(run.edges for run in found.runs))
    model = found.loss_ng * float(context.station.loss.uncertainty_percent) / 100
    terms["loss"] = hypot(model, found.spread_ng) / _SQRT3
    terms["auxiliary"] = found.modelled_ng * float(context.station.auxiliary.uncertainty_percent) / 100 / _SQRT3
    terms["conversion"] = found.conversion_limit_ng / _SQRT3
    tolerance = coverage_factor * hypot(*terms.values()) + found.rounding_ng
    return CarbonBalance(
        found.chargers_ug,
        found.auxiliary_ug + round(found.modelled_ng / NG_PER_UG),
        round((found.loss_ng + found.conversion_ng) / NG_PER_UG),
        round(found.conversion_ng / NG_PER_UG),
        found.grid_ug,
        round(tolerance / NG_PER_UG),
        {name: round(value / NG_PER_UG) for name, value in terms.items()},
        round(found.rest_ng / NG_PER_UG),
        -(-(found.rounding_ng + found.unexplained_ng) // NG_PER_UG),
        found.duration_ms // SLOT_MS,
    )
