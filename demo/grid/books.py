"""The books of carbon: what the sources emitted is what meters, losses, unmetered loads and storages took.

From the centre's store alone: the records of the meters, and the slots as they were solved. The carbon flow is solved
again from the powers that are kept, so no sum of the service is taken on trust. Everything in kg.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Final

from cloud_receiver.grid.kept import FLOW, LOAD, SOURCE, TANK, KeptSlot, NodeQuality, Powers
from cloud_receiver.grid.model import Grid
from cloud_receiver.grid.solving import core_grid
from demo.grid.records import MeterSlot
from demo.grid.tables import SLOT_MS
from diantan_core import CarbonFlow, CarbonSlot
from wire.messages import Origin

_HALF_STEP: Final = 0.5e-6
"""kg/kWh: a factor is dispatched in whole mg/kWh, rounded once."""
_RECORD_STEP: Final = 1e-9
"""kg: the carbon of a record is a whole number of µg, rounded down."""
_FLOAT: Final = 1e-12
"""Of what the sources emit: the arithmetic of the solution."""
_SAME_POWER: Final = 1e-9
"""MW: a kept power is a float, the energy of a record a whole number of mWh."""
_KG_PER_T: Final = 1000
_UG_PER_KG: Final = 10**9
_MWH_PER_MW_H: Final = 10**9


@dataclass(frozen=True, slots=True)
class Amounts:
    """Where the carbon of a slot, or of a day, came from and went, in kg."""

    sources: float = 0.0
    """电源: what the plants' gateways recorded of their units' emission."""
    correction: float = 0.0
    """数据协调: what the reconciliation added to metered sources, less what it added to metered loads."""
    metered: float = 0.0
    """电能表: carbon at the users' meters as it was recorded first, by the factor the gateway had then."""
    adjusted: float = 0.0
    """调整: what their adjustments added when the slot's own factor had arrived."""
    unmetered: float = 0.0
    """未计量负荷."""
    losses: float = 0.0
    """网损."""
    storage: float = 0.0
    """储能: what went in less what came out."""
    negative: float = 0.0
    """负出力: taken out by sources that took power."""
    dropped: float = 0.0
    """Of nodes without through-flow (无潮流节点)."""
    imbalance: float = 0.0
    """不平衡: of power that by the measurements flowed into nodes and not out of them."""
    bound: float = 0.0
    """How far the rounding of factors and records lets the two sides differ."""

    @property
    def remainder(self) -> float:
        """What is left when everything is counted: no more than `bound` if the books close."""
        taken = self.metered + self.adjusted + self.unmetered + self.losses + self.storage
        return self.sources + self.correction - taken - self.negative - self.dropped - self.imbalance

    @property
    def closed(self) -> bool:
        """Whether the books close to the rounding."""
        return abs(self.remainder) <= self.bound


@dataclass(frozen=True, slots=True)
class SlotBooks:
    """The books of one slot."""

    start_ms: int
    amounts: Amounts
    complaints: tuple[str, ...] = ()
    """Whatever makes the slot no proof: records that are not there, factors that stood in, numbers that disagree."""
    held: int = 0
    """Intervals of users that were first metered with another slot's factor."""


@dataclass(frozen=True, slots=True)
class DayBooks:
    """The books of a day."""

    slots: tuple[SlotBooks, ...]

    @property
    def amounts(self) -> Amounts:
        """The sums of the day."""
        sums = {
            item.name: math.fsum(getattr(slot.amounts, item.name) for slot in self.slots) for item in fields(Amounts)
        }
        return Amounts(**sums)

    @property
    def complaints(self) -> list[tuple[int, str]]:
        """All that is wrong, by slot."""
        return [(slot.start_ms, text) for slot in self.slots for text in slot.complaints]

    @property
    def worst(self) -> SlotBooks | None:
        """The slot whose remainder uses most of its bound."""
        return max(self.slots, key=lambda slot: abs(slot.amounts.remainder) - slot.amounts.bound, default=None)

    @property
    def closed(self) -> bool:
        """Whether every slot closes, and nothing is wrong."""
        return bool(self.slots) and not self.complaints and all(slot.amounts.closed for slot in self.slots)


def day_books(
    slots_ms: Sequence[int],
    kept: Iterable[KeptSlot],
    grids: Mapping[int, Grid],
    records: Mapping[int, Mapping[str, MeterSlot]],
    metered: frozenset[str],
) -> DayBooks:
    """Return the books of the slots named; `grids` by their number in the store, `records` as in `demo.grid.records`.

    `metered` are the elements that are to have records in each slot.
    """
    solved = {slot.start_ms: slot for slot in kept}
    books = []
    for start_ms in slots_ms:
        slot = solved.get(start_ms)
        if slot is None:
            books.append(SlotBooks(start_ms, Amounts(), ("was not solved",)))
        else:
            books.append(slot_books(slot, grids[slot.grid], records.get(start_ms, {}), metered))
    return DayBooks(tuple(books))


def slot_books(kept: KeptSlot, grid: Grid, records: Mapping[str, MeterSlot], metered: frozenset[str]) -> SlotBooks:
    """Return the books of one slot."""
    flow = core_grid(grid).solve(core_slot(kept.used))
    balance = {key: value * kept.used.hours * _KG_PER_T for key, value in flow.balance.items()}
    loads = _Loads(kept, grid, flow, records, metered)
    made = [item.id for item in grid.generators if item.id in metered]
    sources = sum(records[name].settled_ug for name in made if name in records) / _UG_PER_KG
    # Of a source that no gateway meters, what was solved is all there is.
    sources += sum(
        rate * kept.used.hours * _KG_PER_T
        for item, rate in zip(grid.generators, flow.sources, strict=True)
        if item.id not in metered and rate is not None and rate > 0
    )
    amounts = Amounts(
        sources=sources,
        correction=_source_correction(kept, grid, flow, metered) - loads.correction,
        metered=loads.carbon_ug / _UG_PER_KG,
        adjusted=loads.adjusted_ug / _UG_PER_KG,
        unmetered=loads.unmetered,
        losses=balance["losses"],
        # The balance has what storages charge here, and what they discharge among the sources.
        storage=sum(rate or 0.0 for rate in flow.storages) * kept.used.hours * _KG_PER_T,
        negative=balance["negative_sources"],
        dropped=balance["dropped"],
        imbalance=balance["imbalance"],
        bound=loads.bound + _RECORD_STEP * len(made) + _FLOAT * balance["sources"],
    )
    return SlotBooks(kept.start_ms, amounts, tuple(_complaints(kept, grid, records, metered)), loads.held)


def core_slot(powers: Powers) -> CarbonSlot:
    """Return kept powers as the core takes them; NaN is a value that is not there."""

    def rows(numbers: Sequence[float], width: int) -> list[list[float]]:
        return [list(numbers[place : place + width]) for place in range(0, len(numbers), width)]

    flows = rows(powers.flows, FLOW)
    for place in powers.open_branches:
        flows[place] = [0.0] * FLOW
    sources = rows(powers.sources, SOURCE)
    return CarbonSlot(
        flows=[(a, b, c, d) for a, b, c, d in flows],
        sources=[(power, _there(factor)) for power, factor, _ in sources],
        emissions=[_there(emission) for *_, emission in sources],
        loads=[(power, _there(factor)) for power, factor in rows(powers.loads, LOAD)],
        storages=[(a, b, c, d, e, f, g) for a, b, c, d, e, f, g in rows(powers.storages, TANK)],
        hours=powers.hours,
    )


class _Loads:
    """The users' side of a slot."""

    def __init__(
        self, kept: KeptSlot, grid: Grid, flow: CarbonFlow, records: Mapping[str, MeterSlot], metered: frozenset[str]
    ) -> None:
        factors = dict(zip((node.id for node in grid.nodes), flow.factors, strict=True))
        self.carbon_ug = self.adjusted_ug = self.held = 0
        self.unmetered = self.correction = self.bound = 0.0
        per_rate = kept.used.hours * _KG_PER_T
        for place, (load, rate) in enumerate(zip(grid.loads, flow.loads, strict=True)):
            if load.id not in metered:
                self.unmetered += (rate or 0.0) * per_rate
                continue
            corrected = kept.used.loads[place * LOAD] - kept.measured.loads[place * LOAD]
            self.correction += corrected * (factors[load.node] or 0.0) * per_rate
            if (meter := records.get(load.id)) is not None:
                self.carbon_ug += meter.carbon_ug
                self.adjusted_ug += meter.adjusted_ug
                self.held += meter.held
                self.bound += _HALF_STEP * meter.forward_mwh / 10**6 + _RECORD_STEP * meter.records


def _source_correction(kept: KeptSlot, grid: Grid, flow: CarbonFlow, metered: frozenset[str]) -> float:
    added = 0.0
    for place, (source, rate) in enumerate(zip(grid.generators, flow.sources, strict=True)):
        measured = measured_emission(kept.measured, place)
        if source.id in metered and rate is not None and measured is not None:
            added += rate - measured
    return added * kept.used.hours * _KG_PER_T


def measured_emission(powers: Powers, place: int) -> float | None:
    """Return the emission rate in t/h of the source at a place; None where it isn't known."""
    power, factor, emission = powers.sources[place * SOURCE : (place + 1) * SOURCE]
    rate = emission if not math.isnan(emission) else power * factor
    return None if math.isnan(rate) else rate


def _complaints(kept: KeptSlot, grid: Grid, records: Mapping[str, MeterSlot], metered: frozenset[str]) -> Iterable[str]:
    nodes = {node.id: place for place, node in enumerate(grid.nodes)}
    hours = kept.measured.hours
    for place, source in enumerate(grid.generators):
        if source.id in metered:
            meter = records.get(source.id)
            yield from _other_power(f"generator {source.id}", kept.measured.sources[place * SOURCE], meter, hours)
            if meter is not None:
                yield from _other_emission(kept, place, source.id, meter)
    for place, load in enumerate(grid.loads):
        if load.id in metered:
            meter = records.get(load.id)
            yield from _other_power(f"load {load.id}", kept.measured.loads[place * LOAD], meter, hours)
            if meter is not None:
                yield from _other_factor(kept, nodes[load.node], load.id, meter)


def _other_power(what: str, solved: float, meter: MeterSlot | None, hours: float) -> Iterable[str]:
    if meter is None or meter.covered_ms != SLOT_MS:
        covered = 0 if meter is None else meter.covered_ms // 60_000
        yield f"{what}: records of {covered} of 15 minutes"
        return
    power = (meter.forward_mwh - meter.reverse_mwh) / hours / _MWH_PER_MW_H
    if not abs(solved - power) <= _SAME_POWER:
        yield f"{what}: {solved} MW were solved, the meter recorded {power} MW"


def _other_emission(kept: KeptSlot, place: int, name: str, meter: MeterSlot) -> Iterable[str]:
    # A unit that fed nothing in has no emission that could be traced.
    solved = (measured_emission(kept.measured, place) or 0.0) * kept.measured.hours * _KG_PER_T
    recorded = meter.settled_ug / _UG_PER_KG
    if not abs(solved - recorded) <= _RECORD_STEP + _FLOAT * recorded:
        yield f"generator {name}: {solved} kg were solved, the meter recorded {recorded} kg"


def _other_factor(kept: KeptSlot, node: int, name: str, meter: MeterSlot) -> Iterable[str]:
    factor, origin = kept.nodes.dispatched[node], kept.nodes.origins[node]
    if origin is not Origin.SOLVED:
        yield f"load {name}: its factor was not solved but {origin.name.lower()}"
    if factor is None and kept.nodes.qualities[node] is NodeQuality.DEFINED:
        yield f"load {name}: its node has a factor, and none was dispatched"
    expected = meter.forward_mwh * (factor or 0) // 1000 - meter.reverse_mwh * (factor or 0) // 1000
    if abs(meter.settled_ug - expected) > meter.records:
        yield f"load {name}: energy × dispatched factor is {expected} µg, the meter has {meter.settled_ug} µg"


def _there(number: float) -> float | None:
    return None if math.isnan(number) else number
