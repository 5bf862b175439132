"""Nodes (节点): through-flow, its carbon and factor, and how often another factor had to stand in."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from cloud_receiver.grid.analysis import fields
from cloud_receiver.grid.analysis.fields import Field, Value
from cloud_receiver.grid.analysis.layout import Layout
from cloud_receiver.grid.analysis.periods import By
from cloud_receiver.grid.analysis.quantities import MWH_PER_MW_H, UG_PER_T, carbon_ug, factor_mg_per_kwh, usable
from cloud_receiver.grid.analysis.tally import Analysis, Sheet, Versions
from cloud_receiver.grid.kept import NodeQuality
from wire.messages import Origin

UNDEFINED: Final = "undefined"
"""Slots for which not even another factor was sent."""

_MEASURES: Final = (
    fields.factor("factor", "factor 碳因子"),
    fields.energy("energy", "through-flow 通量"),
    fields.carbon("carbon", "carbon 碳量"),
    fields.energy("fallback_energy", "on fallback 替代电量", shown=False),
    fields.carbon("fallback_carbon", "on fallback 替代碳量", shown=False),
    fields.energy("undefined_energy", "without factor 无因子电量", shown=False),
)
_SLOT: Final = (
    fields.text("quality", "quality 质量"),
    fields.text("origin", "origin 来源"),
    fields.count("corrected", "corrected 修正", shown=False),
)
_PERIOD: Final = (
    fields.count("slots_solved", "solved 求解"),
    fields.count("slots_held", "held 沿用"),
    fields.count("slots_official", "official 官方"),
    fields.count("slots_undefined", "undefined 未定义"),
    fields.count("slots_corrected", "corrected 修正"),
    *(
        fields.count(f"slots_{quality.name.lower()}", quality.name.lower(), shown=False)
        for quality in NodeQuality
        if quality is not NodeQuality.DEFINED
    ),
)


class Nodes(Analysis):
    """Each node."""

    title = "Nodes 节点"

    def fields(self, by: By) -> tuple[Field, ...]:
        """Return the columns of a row."""
        head = (fields.text("node", "node 节点"), fields.text("name", "name 名称"), fields.text("kind", "kind 类型"))
        return (*head, *_MEASURES, *(_SLOT if by is By.SLOT else _PERIOD))

    def ids(self, layout: Layout) -> Sequence[str]:
        """Return the id of each element."""
        return [node.id for node in layout.kept.grid.nodes]

    def labels(self, layout: Layout, place: int) -> Mapping[str, Value]:
        """Return what is known of an element besides its slots."""
        node = layout.kept.grid.nodes[place]
        return {"node": node.id, "name": node.name, "kind": node.kind.value}

    def sheet(self, layout: Layout, picks: Sequence[int], versions: Versions) -> Sheet:
        """Return what a slot adds."""
        slot = versions.newest
        nodes, hours = slot.nodes, slot.used.hours
        to_mwh, to_ug = hours * MWH_PER_MW_H, hours * UG_PER_T
        energies, carbons, factors = [], [], []
        rare: Counter[tuple[str, int]] = Counter()
        for place, pick in enumerate(picks):
            flux, factor, sent = nodes.flux[pick], nodes.factors[pick], nodes.dispatched[pick]
            origin, quality = nodes.origins[pick], nodes.qualities[pick]
            energy = round(flux * to_mwh) if usable(flux) else 0
            carbon = 0
            if quality:
                rare[f"slots_{quality.name.lower()}", place] = 1
            if sent is None:
                rare["slots_undefined", place] = 1
                rare["undefined_energy", place] = energy
            elif factor == factor and origin is Origin.SOLVED:  # noqa: PLR0124 - NaN isn't itself
                carbon = round(factor * flux * to_ug) if energy else 0
            else:
                carbon = carbon_ug(energy, sent)
                rare[f"slots_{origin.name.lower()}", place] = 1
                rare["fallback_energy", place] = energy
                rare["fallback_carbon", place] = carbon
            energies.append(energy)
            carbons.append(carbon)
            factors.append(sent or 0)
        if versions.first is not None:
            former = versions.first.nodes.dispatched
            for place, pick in enumerate(picks):
                if former[pick] != nodes.dispatched[pick]:
                    rare["slots_corrected", place] = 1
        return Sheet({"energy": energies, "carbon": carbons, "sent": factors}, rare)

    def row(self, sums: Counter[str], by: By) -> Mapping[str, Value]:
        """Return the columns that sums make."""
        factor = factor_mg_per_kwh(sums["carbon"], sums["energy"] - sums["undefined_energy"])
        row: dict[str, Value] = {
            "energy_kwh": sums["energy"],
            "carbon_kg": sums["carbon"],
            "fallback_energy_kwh": sums["fallback_energy"],
            "fallback_carbon_kg": sums["fallback_carbon"],
            "undefined_energy_kwh": sums["undefined_energy"],
        }
        if by is By.SLOT:
            # As it was sent to gateways: that of the sums has the rounding of a small energy in it.
            factor = None if sums["slots_undefined"] else sums["sent"]
            row |= {"quality": _quality(sums), "origin": _origin(sums), "corrected": sums["slots_corrected"]}
        else:
            others = sums["slots_held"] + sums["slots_official"] + sums["slots_undefined"]
            row |= {name.name: sums[name.name] for name in _PERIOD}
            row["slots_solved"] = sums["slots"] - others
        return {"factor_kg_per_kwh": factor, **row}


class Classes(Nodes):
    """All nodes of a class together: power plants (电厂), substations (变电站), loads (用户).

    Their factor is weighted by through-flow. Power that passes several nodes of a class is in the energy of each.
    """

    title = "Classes of nodes 节点分类"

    def fields(self, by: By) -> tuple[Field, ...]:
        """Return the columns of a row."""
        head = (fields.text("kind", "kind 类型"), fields.count("nodes", "nodes 节点数"))
        return (*head, *_MEASURES, *_PERIOD)

    def ids(self, layout: Layout) -> Sequence[str]:
        """Return the id of each element."""
        return [node.kind.value for node in layout.kept.grid.nodes]

    def labels(self, layout: Layout, place: int) -> Mapping[str, Value]:
        """Return what is known of an element besides its slots."""
        kind = layout.kept.grid.nodes[place].kind
        return {"kind": kind.value, "nodes": layout.kinds[kind]}

    def row(self, sums: Counter[str], by: By) -> Mapping[str, Value]:
        """Return the columns that sums make."""
        return super().row(sums, By.DAY)


def _quality(sums: Counter[str]) -> str:
    for quality in NodeQuality:
        if sums[f"slots_{quality.name.lower()}"]:
            return quality.name.lower()
    return NodeQuality.DEFINED.name.lower()


def _origin(sums: Counter[str]) -> str | None:
    if sums["slots_undefined"]:
        return None
    for origin in (Origin.HELD, Origin.OFFICIAL):
        if sums[f"slots_{origin.name.lower()}"]:
            return origin.name.lower()
    return Origin.SOLVED.name.lower()
