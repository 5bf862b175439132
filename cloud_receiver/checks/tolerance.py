"""How far a station's energy balance may be off: an uncertainty budget, never a fixed percentage (docs/receiver.md).

Standard uncertainties of independent terms add in quadrature (JCGM 100:2008, clause 5.1.2); the tolerance is k times
the combined one. A limit ±a without further knowledge is a rectangular distribution, u = a/√3 (clause 4.3.7).
Estimates are floats here and become whole mWh once, half to even.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import fsum, hypot, sqrt

from cloud_receiver.checks.conversion import of_meter, of_meters
from cloud_receiver.checks.model import SLOT_MS, Context
from cloud_receiver.registry import Loss, Role

_SQRT3 = sqrt(3)
MS_PER_HOUR = 3_600_000
MWH_PER_KWH = 1_000_000


@dataclass(frozen=True, slots=True)
class SlotEnergy:
    """Energies (forward, reverse) in mWh of every meter in service in one slot, or in several balanced together.

    As they flowed: those of an inverted meter are turned (`Meter.turned`).
    """

    start_ms: int
    energy: dict[int, tuple[int, int]]
    duration_ms: int = SLOT_MS
    beside: frozenset[int] = frozenset()
    """Meters that counted right before or after, or may have: by a clock that is off, some of that is of this time."""

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
    """Modelled: of cables, and of the conversion of chargers that meter their output."""
    conversion_mwh: int
    """Of it that of conversion."""
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
            "conversion_mwh": self.conversion_mwh,
            "grid_mwh": self.grid_mwh,
            "imbalance_mwh": self.imbalance_mwh,
            "tolerance_mwh": self.tolerance_mwh,
            "standard_uncertainty_mwh": self.terms_mwh,
            "slots": self.slots,
        }


@dataclass(slots=True)
class Run:
    """An uninterrupted time, over which registers and clocks act at its two ends only.

    Where what is added up is weighted by a factor that changes, they act at each change too, by its size: `turns` is
    the sum of the squares of the changes. Without a factor the weight is 1.
    """

    first_ms: int
    end_ms: int
    first: int = 1
    last: int = 1
    turns: int = 0

    @property
    def edges(self) -> int:
        """Return the sum of the squares of the weights with which a boundary's error enters; 2 without a factor."""
        return self.first**2 + self.last**2 + self.turns


def joined(runs: Iterable[Run]) -> list[Run]:
    """Return the runs in order of time with those that meet made one."""
    result: list[Run] = []
    for run in sorted(runs, key=lambda run: run.first_ms):
        if result and result[-1].end_ms == run.first_ms:
            before = result[-1]
            turns = before.turns + run.turns + (run.first - before.last) ** 2
            result[-1] = Run(before.first_ms, run.end_ms, before.first, run.last, turns)
        else:
            result.append(run)
    return result


@dataclass(slots=True)
class Tally:
    """What a balance needs of its slots; tallies of several days add up to that of all."""

    energy: dict[int, tuple[int, int]] = field(default_factory=dict)
    """(forward, reverse) in mWh by meter."""
    loss_mwh: float = 0.0
    spread_mwh: float = 0.0
    """Limit of the loss's error because only the energy over several slots is known, not the power in each."""
    runs: list[Run] = field(default_factory=list)

    @property
    def duration_ms(self) -> int:
        """Return the time that is balanced."""
        return sum(run.end_ms - run.first_ms for run in self.runs)

    def net(self, numbers: Iterable[int]) -> int:
        """Return the energy of meters, forward less reverse."""
        return sum(forward - reverse for forward, reverse in (self.energy.get(number, (0, 0)) for number in numbers))


def total(tallies: Sequence[Tally]) -> Tally:
    """Return the tally of all."""
    energy: dict[int, tuple[int, int]] = {}
    for item in tallies:
        for number, (forward, reverse) in item.energy.items():
            before = energy.get(number, (0, 0))
            energy[number] = (before[0] + forward, before[1] + reverse)
    return Tally(
        energy,
        fsum(item.loss_mwh for item in tallies),
        fsum(item.spread_mwh for item in tallies),
        joined(run for item in tallies for run in item.runs),
    )


def tally(context: Context, slots: Sequence[SlotEnergy]) -> Tally:
    """Return the tally of slots in order of time."""
    chargers = context.numbers(Role.CHARGER)
    energy: dict[int, tuple[int, int]] = {}
    for slot in slots:
        for number, (forward, reverse) in slot.energy.items():
            before = energy.get(number, (0, 0))
            energy[number] = (before[0] + forward, before[1] + reverse)
    losses = [loss_bounds(context, slot, chargers) for slot in slots]
    return Tally(
        energy,
        fsum(loss for loss, _ in losses),
        fsum(spread for _, spread in losses),
        joined(Run(slot.start_ms, slot.end_ms) for slot in slots),
    )


def balance(context: Context, slots: Sequence[SlotEnergy], coverage_factor: float) -> Balance | None:
    """Return the balance over slots, None where the station has no grid-side meter or no charger."""
    if not slots:
        return None
    return judge(context, tally(context, slots), coverage_factor, slots[0].beside | slots[-1].beside)


def judge(
    context: Context, found: Tally, coverage_factor: float, beside: frozenset[int] = frozenset()
) -> Balance | None:
    """Return the balance of a tally, None where the station has no grid-side meter or no charger, or of no time.

    A meter's relative error is the same in every slot, so its class term grows with the energy; register steps and
    clocks act only where a run of slots begins and ends, so over a day they vanish beside the energy.
    """
    chargers, grids = context.numbers(Role.CHARGER), context.numbers(Role.GRID)
    metered = context.numbers(Role.AUXILIARY)
    if not chargers or not grids or not found.duration_ms:
        return None
    modelled = 0.0 if metered else auxiliary_mwh(context, found.duration_ms)
    throughput = {number: sum(pair) for number, pair in found.energy.items()}
    terms = meter_terms(context, throughput, sum(run.edges for run in found.runs), beside)
    conversion = of_meters(context, found.energy)
    model = found.loss_mwh * float(context.station.loss.uncertainty_percent) / 100
    terms["loss"] = hypot(model, found.spread_mwh) / _SQRT3
    terms["auxiliary"] = modelled * float(context.station.auxiliary.uncertainty_percent) / 100 / _SQRT3
    terms["conversion"] = conversion.limit_mwh / _SQRT3
    return Balance(
        found.net(chargers),
        found.net(metered) if metered else round(modelled),
        round(found.loss_mwh + conversion.mwh),
        round(conversion.mwh),
        found.net(grids),
        round(coverage_factor * hypot(*terms.values())),
        {name: round(value) for name, value in terms.items()},
        found.duration_ms // SLOT_MS,
    )


def auxiliary_mwh(context: Context, duration_ms: int) -> float:
    """Return what the station's auxiliaries take by their model (辅助用电)."""
    return float(context.station.auxiliary.load_w) * 1000 * duration_ms / MS_PER_HOUR


def meter_terms(
    context: Context, throughput: Mapping[int, float], edges: float, beside: frozenset[int] = frozenset()
) -> dict[str, float]:
    """Return the standard uncertainties of the meters, in the unit of `throughput` (both directions, by meter).

    `edges` is the sum over all runs of their weights squared (Run.edges), in the same unit for each mWh. Those `beside`
    counted at an edge though not within.
    """
    tau_h = float(context.station.time_uncertainty_s) / 3600
    accuracy, steps, times = [], [], []
    for number, meter in context.balanced().items():
        amount = throughput.get(number, 0)
        accuracy.append(amount * float(meter.accuracy_class) / 100 / _SQRT3)
        counted = bool(amount) or number in beside
        if counted or meter.role is Role.GRID:
            # A difference of two readings that are cut to the step r lies within ±r of the truth: r/√3, shared by both.
            steps.append(float(meter.resolution_kwh) * MWH_PER_KWH / _SQRT3 * sqrt(edges / 2))
        if counted and meter.role is not Role.GRID:
            # The power at the boundary is not known: the rated power bounds it.
            times.append(float(meter.rated_kw) * MWH_PER_KWH * tau_h / _SQRT3)
    return {"accuracy_class": hypot(*accuracy), "register_step": hypot(*steps), "time": _of_clocks(times, edges)}


def _of_clocks(each: Sequence[float], edges: float) -> float:
    """Return the uncertainty of clocks from that of each meter against the grid side at one boundary.

    Either each is off by itself, at both ends of a run; or the grid side is, and then all by the same time: what the
    load has changed by between the two ends is at most all of it.
    """
    return max(hypot(*each) * sqrt(edges), fsum(each) * sqrt(edges / 2))


def anchored(slots: Sequence[SlotEnergy], measured: Container[int]) -> list[SlotEnergy]:
    """Return slots in order of time, without those not `measured` (by start) at the ends of uninterrupted runs.

    Energy that a gateway spread over a time without readings is right from one reading to the next, and no further: a
    run that ends within has more or less of it than there was.
    """
    kept: list[SlotEnergy] = []
    waiting: list[SlotEnergy] = []
    for slot in slots:
        before = waiting or kept
        goes_on = bool(before) and before[-1].end_ms == slot.start_ms
        if not goes_on:
            waiting = []
        if slot.start_ms in measured:
            kept += [*waiting, slot]
            waiting = []
        elif goes_on:
            waiting.append(slot)
    return kept


def beside(context: Context, slots: Sequence[SlotEnergy]) -> list[SlotEnergy]:
    """Return slots in order of time, each with the meters that counted right before or after it.

    Where what comes before or after is not among them, any may have.
    """
    everyone = frozenset(context.balanced())
    by_start = {slot.start_ms: slot for slot in slots}
    by_end = {slot.end_ms: slot for slot in slots}
    result = []
    for slot in slots:
        found: frozenset[int] = frozenset()
        for other in (by_end.get(slot.start_ms), by_start.get(slot.end_ms)):
            found |= everyone if other is None else {number for number, pair in other.energy.items() if any(pair)}
        result.append(replace(slot, beside=found))
    return result


def drawn_mwh(context: Context, slot: SlotEnergy, number: int) -> float:
    """Return what a charger drew from its cable: what it counted, and what it lost before its meter."""
    return slot.net(number) + of_meter(context.meters[number], slot.of(number)).mwh


def loss_bounds(context: Context, slot: SlotEnergy, chargers: Sequence[int]) -> tuple[float, float]:
    """Return the modelled loss, and how far off it may be because the power within the time is not known.

    Over a slot the form factors say how uneven the power is. Over a longer time, which a register bridges, the loss is
    least at the mean power, and greatest if each charger drew its rated power for as long as that took.
    """
    if slot.duration_ms <= context.block_ms:
        return loss_mwh(context, slot, chargers), 0.0
    loss = context.station.loss
    hours = slot.duration_ms / MS_PER_HOUR
    powers_w = {number: abs(drawn_mwh(context, slot, number)) / 1000 / hours for number in chargers}
    rated_w = {number: float(context.meters[number].rated_kw) * 1000 for number in chargers}
    mean_w = fsum(powers_w.values())
    branch, trunk = _ohm_per_v2(loss, branch=True), _ohm_per_v2(loss, branch=False)
    least = fsum(power * power for power in powers_w.values()) * branch + mean_w**2 * trunk
    most = fsum(power * rated_w[number] for number, power in powers_w.items()) * branch
    most += mean_w * fsum(rated_w.values()) * trunk
    most = max(least, most)
    mwh = hours * 1000
    return ((least + most) / 2 + float(loss.fixed_w)) * mwh, (most - least) / 2 * mwh


def loss_mwh(context: Context, slot: SlotEnergy, chargers: Sequence[int]) -> float:
    """Return the modelled cable loss (线损) of a slot: mean powers squared, times R/U² and the form factor."""
    loss = context.station.loss
    hours = slot.duration_ms / MS_PER_HOUR
    powers_w = [drawn_mwh(context, slot, number) / 1000 / hours for number in chargers]
    branch_w = fsum(power * power for power in powers_w) * _ohm_per_v2(loss, branch=True) * float(loss.branch_form)
    trunk_w = fsum(powers_w) ** 2 * _ohm_per_v2(loss, branch=False) * float(loss.trunk_form)
    return (branch_w + trunk_w + float(loss.fixed_w)) * hours * 1000


def _ohm_per_v2(loss: Loss, *, branch: bool) -> float:
    # Three-phase: 3·I²·R with I = P/(√3·U) is P²·R/U².
    return float(loss.branch_ohm if branch else loss.trunk_ohm) / float(loss.line_voltage_v) ** 2
