"""Generation side (发电侧): on-grid energy (上网电量), emission and factor of units and plants, and their gaps.

A unit's factor is its emission by its on-grid energy, whichever of factor and emission was told. Energies are those of
the carbon flow, after the reconciliation; what the meters said stands beside them.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from cloud_receiver.grid.analysis import fields, gaps
from cloud_receiver.grid.analysis.fields import Field, Value
from cloud_receiver.grid.analysis.layout import Layout
from cloud_receiver.grid.analysis.periods import By
from cloud_receiver.grid.analysis.quantities import MWH_PER_MW_H, UG_PER_T, factor_mg_per_kwh, usable
from cloud_receiver.grid.analysis.tally import Analysis, Sheet, Versions
from cloud_receiver.grid.kept import SOURCE, Floats

LARGEST_FACTOR = 4294.967295
"""In kg/kWh: what fits 32 bits of mg/kWh, as for the solver."""

_FIELDS = (
    fields.energy("on_grid_energy", "on-grid 上网电量"),
    fields.energy("measured_energy", "measured 实测电量", shown=False),
    fields.carbon("emission", "emission 排放"),
    fields.factor("factor", "factor 碳因子"),
    fields.energy("unknown_energy", "unknown 来源不明", shown=False),
    fields.energy("taken_energy", "taken 下网电量"),
    fields.carbon("taken_carbon", "taken 下网碳量", shown=False),
    fields.carbon("idle_emission", "idle 停机排放", shown=False),
    fields.count("slots", "slots 时段", shown=False),
    *gaps.GAP_FIELDS,
    fields.count("slots_emission_missing", "emission missing 排放缺测"),
    fields.count("slots_emission_late", "emission late 排放迟到"),
    fields.carbon("late_emission", "late 迟到排放", shown=False),
)


def emission_rate(power: float, factor: float, emission: float) -> float | None:
    """Return the carbon rate in t/h of a source of positive power; None where it has no usable factor or emission."""
    if factor == factor:  # noqa: PLR0124 - NaN isn't itself
        return power * factor if 0 <= factor <= LARGEST_FACTOR else None
    return emission if 0 <= emission <= power * LARGEST_FACTOR else None


class Generators(Analysis):
    """Each unit (机组)."""

    title = "Generation side, units 发电侧机组"

    def fields(self, by: By) -> tuple[Field, ...]:
        """Return the columns of a row."""
        head = (fields.text("generator", "generator 机组"), fields.text("node", "node 节点"))
        return (*head, *_FIELDS)

    def ids(self, layout: Layout) -> Sequence[str]:
        """Return the id of each element."""
        return [item.id for item in layout.kept.grid.generators]

    def labels(self, layout: Layout, place: int) -> Mapping[str, Value]:
        """Return what is known of an element besides its slots."""
        item = layout.kept.grid.generators[place]
        return {"generator": item.id, "node": item.node}

    def sheet(self, layout: Layout, picks: Sequence[int], versions: Versions) -> Sheet:
        """Return what a slot adds."""
        slot = versions.newest
        used, measured, factors = slot.used.sources, slot.measured.sources, layout.solved(slot)
        to_mwh, to_ug = slot.used.hours * MWH_PER_MW_H, slot.used.hours * UG_PER_T
        energies, told, emissions = [], [], []
        rare: Counter[tuple[str, int]] = Counter()
        for place, pick in enumerate(picks):
            power, factor, emission = used[SOURCE * pick : SOURCE * pick + SOURCE]
            energy = round(power * to_mwh) if usable(power) else 0
            own = measured[SOURCE * pick]
            told.append(round(own * to_mwh) if usable(own) else 0)
            carbon = 0
            if energy > 0:
                rate = emission_rate(power, factor, emission)
                if rate is None:
                    rare["unknown_energy", place] = energy
                else:
                    carbon = round(rate * to_ug)
            else:
                if emission > 0:
                    rare["idle_emission", place] = round(emission * to_ug)
                if energy < 0:
                    rare["taken_energy", place] = -energy
                    nodal = factors[layout.generators[pick]]
                    rare["taken_carbon", place] = -round(nodal * power * to_ug) if usable(nodal) else 0
                    energy = 0
            energies.append(energy)
            emissions.append(carbon)
        gaps.note(rare, versions, lambda powers: powers.sources, picks, stride=SOURCE)
        _note_emissions(rare, versions, picks, emissions)
        return Sheet({"energy": energies, "measured": told, "emission": emissions}, rare)

    def row(self, sums: Counter[str], by: By) -> Mapping[str, Value]:
        """Return the columns that sums make."""
        return {
            "on_grid_energy_kwh": sums["energy"],
            "measured_energy_kwh": sums["measured"],
            "emission_kg": sums["emission"],
            "factor_kg_per_kwh": factor_mg_per_kwh(sums["emission"], sums["energy"] - sums["unknown_energy"]),
            "unknown_energy_kwh": sums["unknown_energy"],
            "taken_energy_kwh": sums["taken_energy"],
            "taken_carbon_kg": sums["taken_carbon"],
            "idle_emission_kg": sums["idle_emission"],
            "slots": sums["slots"],
            **gaps.row(sums),
            "slots_emission_missing": sums["slots_emission_missing"],
            "slots_emission_late": sums["slots_emission_late"],
            "late_emission_kg": sums["late_emission"],
        }


class Plants(Generators):
    """All units of a node together; slots are those of its units."""

    title = "Generation side, plants 发电侧电厂"

    def fields(self, by: By) -> tuple[Field, ...]:
        """Return the columns of a row."""
        head = (
            *(fields.text("plant", "plant 电厂"), fields.text("name", "name 名称"), fields.text("kind", "kind 类型")),
            fields.count("units", "units 机组数"),
        )
        return (*head, *_FIELDS)

    def ids(self, layout: Layout) -> Sequence[str]:
        """Return the id of each element."""
        return [item.node for item in layout.kept.grid.generators]

    def labels(self, layout: Layout, place: int) -> Mapping[str, Value]:
        """Return what is known of an element besides its slots."""
        number = layout.generators[place]
        node = layout.kept.grid.nodes[number]
        return {"plant": node.id, "name": node.name, "kind": node.kind.value, "units": layout.units[number]}


def _note_emissions(
    rare: Counter[tuple[str, int]], versions: Versions, picks: Sequence[int], emissions: Sequence[int]
) -> None:
    """Count slots of units that delivered and told neither factor nor emission, or told it only later."""
    values = versions.newest.measured.sources
    former = None if versions.first is None else versions.first.measured.sources
    for place, pick in enumerate(picks):
        at = SOURCE * pick
        if not _told(values, at):
            if not values[at] <= 0:
                rare["slots_emission_missing", place] = 1
        elif former is not None and not _told(former, at):
            rare["slots_emission_late", place] = 1
            rare["late_emission", place] = emissions[place]
        elif former is not None and any(_other(former[at + key], values[at + key]) for key in (1, 2)):
            rare["slots_changed", place] = 1


def _told(values: Floats, at: int) -> bool:
    """Return whether a source has a factor or an emission."""
    return not (math.isnan(values[at + 1]) and math.isnan(values[at + 2]))


def _other(one: float, other: float) -> bool:
    return one != other and not (math.isnan(one) and math.isnan(other))
