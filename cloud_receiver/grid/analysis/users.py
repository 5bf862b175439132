"""User side (用户): energy, carbon and factor of loads, charging stations among them, and of storages.

Carbon is that of the solved factor of the load's node; where another factor stood in, of that one, and it is told how
much. What a meter booked with the factor it was sent differs by that factor's rounding: at most half a mg for each kWh.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from cloud_receiver.grid.analysis import fields, gaps, taken
from cloud_receiver.grid.analysis.fields import Field, Value
from cloud_receiver.grid.analysis.layout import Layout
from cloud_receiver.grid.analysis.periods import By
from cloud_receiver.grid.analysis.quantities import factor_mg_per_kwh
from cloud_receiver.grid.analysis.taken import Taken
from cloud_receiver.grid.analysis.tally import Analysis, Sheet, Versions
from cloud_receiver.grid.kept import LOAD, TANK

_TAKEN = (
    fields.carbon("carbon", "carbon 碳量"),
    fields.factor("factor", "factor 碳因子"),
    fields.energy("fallback_energy", "on fallback 替代电量", shown=False),
    fields.carbon("fallback_carbon", "on fallback 替代碳量", shown=False),
    fields.energy("undefined_energy", "without factor 无因子电量", shown=False),
)
_REST = (
    fields.count("slots", "slots 时段", shown=False),
    fields.count("slots_fallback", "fallback 替代"),
    fields.count("slots_undefined", "undefined 未定义"),
    *gaps.GAP_FIELDS,
)


class Loads(Analysis):
    """Each load."""

    title = "Users 用户"

    def fields(self, by: By) -> tuple[Field, ...]:
        """Return the columns of a row."""
        return (
            *(fields.text("load", "load 负荷"), fields.text("node", "node 节点")),
            fields.text("station", "station 充电站"),
            fields.energy("energy", "energy 电量"),
            *_TAKEN,
            fields.energy("fed_in_energy", "fed in 上送电量", shown=False),
            fields.carbon("fed_in_carbon", "fed in 上送碳量", shown=False),
            fields.energy("unknown_energy", "fed in, unknown 来源不明", shown=False),
            *_REST,
        )

    def ids(self, layout: Layout) -> Sequence[str]:
        """Return the id of each element."""
        return [item.id for item in layout.kept.grid.loads]

    def labels(self, layout: Layout, place: int) -> Mapping[str, Value]:
        """Return what is known of an element besides its slots."""
        item = layout.kept.grid.loads[place]
        return {"load": item.id, "node": item.node, "station": item.station or None}

    def sheet(self, layout: Layout, picks: Sequence[int], versions: Versions) -> Sheet:
        """Return what a slot adds."""
        slot = versions.newest
        powers, hours, nodes = slot.used.loads, slot.used.hours, slot.nodes
        solved = layout.solved(slot)
        found = []
        for pick in picks:
            place = layout.loads[pick]
            power, own = powers[LOAD * pick : LOAD * pick + LOAD]
            found.append(taken.load(power, own, solved[place], nodes.dispatched[place], hours))
        sheet = _sheet(found)
        gaps.note(sheet.rare, versions, lambda powers: powers.loads, picks, stride=LOAD)
        return sheet

    def row(self, sums: Counter[str], by: By) -> Mapping[str, Value]:
        """Return the columns that sums make."""
        return {
            "energy_kwh": sums["taken"],
            **_taken(sums),
            "fed_in_energy_kwh": sums["given"],
            "fed_in_carbon_kg": sums["given_carbon"],
            "unknown_energy_kwh": sums["unknown"],
        }


class Storages(Analysis):
    """Each storage (储能): what it charges has the factor of its node, what it discharges that of its tank."""

    title = "Storages 储能"

    def fields(self, by: By) -> tuple[Field, ...]:
        """Return the columns of a row."""
        return (
            *(fields.text("storage", "storage 储能"), fields.text("node", "node 节点")),
            fields.energy("charge_energy", "charged 充电"),
            *_TAKEN,
            fields.energy("discharge_energy", "discharged 放电"),
            fields.carbon("discharge_carbon", "discharged 放电碳量"),
            fields.factor("discharge_factor", "discharged 放电因子"),
            fields.energy("unknown_energy", "discharged, unknown 来源不明", shown=False),
            *_REST,
        )

    def ids(self, layout: Layout) -> Sequence[str]:
        """Return the id of each element."""
        return [item.id for item in layout.kept.grid.storages]

    def labels(self, layout: Layout, place: int) -> Mapping[str, Value]:
        """Return what is known of an element besides its slots."""
        item = layout.kept.grid.storages[place]
        return {"storage": item.id, "node": item.node}

    def sheet(self, layout: Layout, picks: Sequence[int], versions: Versions) -> Sheet:
        """Return what a slot adds."""
        slot = versions.newest
        values, nodes = slot.used.storages, slot.nodes
        solved = layout.solved(slot)
        found = []
        for pick in picks:
            place = layout.storages[pick]
            own = tuple(values[TANK * pick : TANK * pick + TANK])
            found.append(taken.storage(own, solved[place], nodes.dispatched[place], slot.used.hours))
        sheet = _sheet(found)
        gaps.note(sheet.rare, versions, lambda powers: powers.storages, picks, stride=TANK, width=2)
        return sheet

    def row(self, sums: Counter[str], by: By) -> Mapping[str, Value]:
        """Return the columns that sums make."""
        known = sums["given"] - sums["unknown"]
        return {
            "charge_energy_kwh": sums["taken"],
            **_taken(sums),
            "discharge_energy_kwh": sums["given"],
            "discharge_carbon_kg": sums["given_carbon"],
            "discharge_factor_kg_per_kwh": factor_mg_per_kwh(sums["given_carbon"], known),
            "unknown_energy_kwh": sums["unknown"],
        }


def _sheet(found: Sequence[Taken | None]) -> Sheet:
    rare: Counter[tuple[str, int]] = Counter()
    energies, carbons = [], []
    for place, item in enumerate(found):
        if item is None:
            energies.append(0)
            carbons.append(0)
            continue
        energies.append(item.taken)
        carbons.append(item.carbon + item.fallback_carbon)
        if item.fallback:
            rare["slots_fallback", place] = 1
            rare["fallback", place] = item.fallback
            rare["fallback_carbon", place] = item.fallback_carbon
        if item.bare:
            rare["slots_undefined", place] = 1
            rare["bare", place] = item.bare
        if item.given or item.given_carbon:
            rare["given", place] = item.given
            rare["given_carbon", place] = item.given_carbon
            rare["unknown", place] = item.unknown
    return Sheet({"taken": energies, "carbon": carbons}, rare)


def _taken(sums: Counter[str]) -> dict[str, Value]:
    return {
        "carbon_kg": sums["carbon"],
        "factor_kg_per_kwh": factor_mg_per_kwh(sums["carbon"], sums["taken"] - sums["bare"]),
        "fallback_energy_kwh": sums["fallback"],
        "fallback_carbon_kg": sums["fallback_carbon"],
        "undefined_energy_kwh": sums["bare"],
        "slots": sums["slots"],
        "slots_fallback": sums["slots_fallback"],
        "slots_undefined": sums["slots_undefined"],
        **gaps.row(sums),
    }
