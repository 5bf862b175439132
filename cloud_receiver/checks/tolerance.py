"""How far a station's energy balance may be off: an uncertainty budget, never a fixed percentage (docs/receiver.md).

Standard uncertainties of independent terms add in quadrature (JCGM 100:2008, clause 5.1.2); the tolerance is k times
the combined one. A limit ±a without further knowledge is a rectangular distribution, u = a/√3 (clause 4.3.7).
Estimates are floats here and become whole mWh once, half to even.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import fsum, hypot, sqrt

from cloud_receiver.checks.model import SLOT_MS, Context
from cloud_receiver.registry import Loss, Role

_SQRT3 = sqrt(3)
MS_PER_HOUR = 3_600_000
MWH_PER_KWH = 1_000_000


@dataclass(frozen=True, slots=True)
class SlotEnergy:
    """Energies (forward, reverse) in mWh of every meter in service in one slot, or in several balanced together."""

    start_ms: int
    energy: dict[int, tuple[int, int]]
    duration_ms: int = SLOT_MS

    @property
    def end_ms(self) -> int:
        """Return the end of the time."""
        return self.start_ms + self.duration_ms

    def of(self, number: int) -> tuple[int, int]:
        """Return a meter's energies, none while it is not in service."""
        return self.energy.get(number, (0, 0))

    def net(self, number: int) -> int:
        """Return a meter's energy forward less reverse."""
        forward, reverse = self.of(number)
        return forward - reverse


@dataclass(frozen=True, slots=True)
class Balance:
    """Σ chargers + auxiliary + loss − grid side, in mWh, and what it may be."""

    chargers_mwh: int
    auxiliary_mwh: int
    loss_mwh: int
    grid_mwh: int
    tolerance_mwh: int
    terms_mwh: dict[str, int]
    """Standard uncertainty by term, before the coverage factor."""
    slots: int

    @property
    def imbalance_mwh(self) -> int:
        """Return the imbalance; positive: the chargers show more than the grid side."""
        return self.chargers_mwh + self.auxiliary_mwh + self.loss_mwh - self.grid_mwh

    @property
    def within(self) -> bool:
        """Return whether the imbalance is within the tolerance."""
        return abs(self.imbalance_mwh) <= self.tolerance_mwh

    def evidence(self) -> dict[str, object]:
        """Return everything as JSON takes it."""
        return {
            "chargers_mwh": self.chargers_mwh,
            "auxiliary_mwh": self.auxiliary_mwh,
            "loss_mwh": self.loss_mwh,
            "grid_mwh": self.grid_mwh,
            "imbalance_mwh": self.imbalance_mwh,
            "tolerance_mwh": self.tolerance_mwh,
            "standard_uncertainty_mwh": self.terms_mwh,
            "slots": self.slots,
        }


def balance(context: Context, slots: Sequence[SlotEnergy], coverage_factor: float) -> Balance | None:
    """Return the balance over slots, None where the station has no grid-side meter or no charger.

    A meter's relative error is the same in every slot, so its class term grows with the energy; register steps and
    clocks act only where a run of slots begins and ends, so over a day they vanish beside the energy.
    """
    chargers, grids = context.numbers(Role.CHARGER), context.numbers(Role.GRID)
    metered = context.numbers(Role.AUXILIARY)
    if not chargers or not grids or not slots:
        return None
    duration_ms = sum(slot.duration_ms for slot in slots)
    hours = duration_ms / MS_PER_HOUR
    auxiliary = sum(_net(slots, number) for number in metered)
    modelled = 0.0
    if not metered:
        modelled = float(context.station.auxiliary.load_w) * 1000 * hours
        auxiliary = round(modelled)
    loss = fsum(loss_mwh(context, slot, chargers) for slot in slots)
    terms = _meter_terms(context, slots)
    terms["loss"] = loss * float(context.station.loss.uncertainty_percent) / 100 / _SQRT3
    terms["auxiliary"] = modelled * float(context.station.auxiliary.uncertainty_percent) / 100 / _SQRT3
    return Balance(
        sum(_net(slots, number) for number in chargers),
        auxiliary,
        round(loss),
        sum(_net(slots, number) for number in grids),
        round(coverage_factor * hypot(*terms.values())),
        {name: round(value) for name, value in terms.items()},
        duration_ms // SLOT_MS,
    )


def _meter_terms(context: Context, slots: Sequence[SlotEnergy]) -> dict[str, float]:
    runs = 1 + sum(later.start_ms != slot.end_ms for slot, later in pairwise(slots))
    tau_h = float(context.station.time_uncertainty_s) / 3600
    accuracy, steps, times = [], [], []
    for number, meter in context.balanced().items():
        throughput = sum(sum(slot.of(number)) for slot in slots)
        accuracy.append(throughput * float(meter.accuracy_class) / 100 / _SQRT3)
        if throughput or meter.role is Role.GRID:
            # A difference of two readings that are cut to the step r lies within ±r of the truth.
            steps.append(float(meter.resolution_kwh) * MWH_PER_KWH / _SQRT3 * sqrt(runs))
        if throughput and meter.role is not Role.GRID:
            # The power at the boundary is not known: the rated power bounds it. The grid side is the reference.
            times.append(float(meter.rated_kw) * MWH_PER_KWH * tau_h / _SQRT3 * sqrt(2 * runs))
    return {"accuracy_class": hypot(*accuracy), "register_step": hypot(*steps), "time": hypot(*times)}


def _net(slots: Sequence[SlotEnergy], number: int) -> int:
    return sum(slot.net(number) for slot in slots)


def loss_mwh(context: Context, slot: SlotEnergy, chargers: Sequence[int]) -> float:
    """Return the modelled cable loss (线损) of a slot: mean powers squared, times R/U² and the form factor."""
    loss = context.station.loss
    hours = slot.duration_ms / MS_PER_HOUR
    powers_w = [slot.net(number) / 1000 / hours for number in chargers]
    branch_w = fsum(power * power for power in powers_w) * _ohm_per_v2(loss, branch=True) * float(loss.branch_form)
    trunk_w = fsum(powers_w) ** 2 * _ohm_per_v2(loss, branch=False) * float(loss.trunk_form)
    return (branch_w + trunk_w + float(loss.fixed_w)) * hours * 1000


def _ohm_per_v2(loss: Loss, *, branch: bool) -> float:
    # Three-phase: 3·I²·R with I = P/(√3·U) is P²·R/U².
    return float(loss.branch_ohm if branch else loss.trunk_ohm) / float(loss.line_voltage_v) ** 2
