"""The whole grid's balance: energy, and carbon from its sources to loads, losses and storages.

Both sides are sums of the integers of a slot. Energy closes exactly: the imbalance is by node what came in and, by the
measurements, did not go out. Carbon closes but for the rounding of each term, half a µg, and the rounding of the
solution. Where power came from nowhere known, or went to nodes without a factor, what is left over is the carbon that
could not be followed (未追踪碳量).
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from cloud_receiver.grid.analysis import fields, taken
from cloud_receiver.grid.analysis.carried import IDLE, carried
from cloud_receiver.grid.analysis.fields import Field, Value
from cloud_receiver.grid.analysis.generation import emission_rate
from cloud_receiver.grid.analysis.layout import Layout
from cloud_receiver.grid.analysis.periods import By
from cloud_receiver.grid.analysis.quantities import LARGEST_MEGAWATTS, MWH_PER_MW_H, UG_PER_T, factor_mg_per_kwh, usable
from cloud_receiver.grid.analysis.taken import Taken
from cloud_receiver.grid.analysis.tally import Analysis, Sheet, Versions
from cloud_receiver.grid.kept import FLOW, LOAD, SOURCE, TANK

_SOLUTION: Final = 10**12
"""The solution's own rounding: a 10¹²th of the carbon that comes in, as its tests demand."""

_IN: Final = ("sources", "fed_in", "discharged")
_OUT: Final = ("loads", "negative_sources", "charged", "losses", "imbalance")
_NAMES: Final = {
    "sources": "sources 电源",
    "fed_in": "loads that feed in 负荷上送",
    "discharged": "discharged 放电",
    "loads": "loads 负荷",
    "negative_sources": "negative generation 负出力",
    "charged": "charged 充电",
    "losses": "losses 网损",
    "imbalance": "imbalance 不平衡",
}


class Balance(Analysis):
    """One row for the whole grid."""

    title = "Balance 平衡"

    def fields(self, by: By) -> tuple[Field, ...]:
        """Return the columns of a row."""
        both = [made(name, heading) for name, heading in _NAMES.items() for made in (_energy, fields.carbon)]
        return (
            *both,
            fields.energy("unsent_energy", "sent by nobody 无来源电量", shown=False),
            fields.carbon("residual", "residual 残差"),
            fields.carbon("rounding_bound", "bound of rounding 舍入限值", shown=False),
            fields.carbon("untraced", "untraced 未追踪"),
            fields.energy("unknown_energy", "unknown origin 来源不明"),
            fields.energy("undefined_energy", "without factor 无因子"),
            fields.energy("fallback_energy", "on fallback 替代电量", shown=False),
            fields.carbon("fallback_carbon", "on fallback 替代碳量", shown=False),
            fields.energy("node_imbalance", "nodes' imbalance, absolute 节点不平衡绝对值"),
            fields.factor("mean_factor", "mean of loads 负荷平均"),
            fields.count("slots_untraced", "slots untraced 未追踪时段"),
            fields.count("slots_partial", "slots with gaps 缺测时段"),
        )

    def ids(self, layout: Layout) -> Sequence[str]:
        """Return the id of each element."""
        return ["grid"]

    def labels(self, layout: Layout, place: int) -> Mapping[str, Value]:
        """Return what is known of an element besides its slots."""
        return {}

    def sheet(self, layout: Layout, picks: Sequence[int], versions: Versions) -> Sheet:
        """Return what a slot adds."""
        book = _Book(layout, versions)
        book.sources()
        book.loads()
        book.storages()
        book.branches()
        return Sheet({name: [amount] for name, amount in book.close().items()}) if picks else Sheet({})

    def row(self, sums: Counter[str], by: By) -> Mapping[str, Value]:
        """Return the columns that sums make."""
        row: dict[str, Value] = {}
        for name in _NAMES:
            row[f"{name}_energy_kwh"] = sums[name]
            row[f"{name}_kg"] = sums[f"{name}_carbon"]
        known = sums["loads"] - sums["loads_bare"]
        return {
            **row,
            "unsent_energy_kwh": sums["unsent"],
            "residual_kg": sums["residual"],
            "rounding_bound_kg": sums["bound"],
            "untraced_kg": sums["untraced"],
            "unknown_energy_kwh": sums["unknown"],
            "undefined_energy_kwh": sums["bare"],
            "fallback_energy_kwh": sums["fallback"],
            "fallback_carbon_kg": sums["fallback_carbon"],
            "node_imbalance_kwh": sums["node_imbalance"],
            "mean_factor_kg_per_kwh": factor_mg_per_kwh(sums["loads_carbon"], known),
            "slots_untraced": sums["slots_untraced"],
            "slots_partial": sums["slots_partial"],
        }


def _energy(name: str, heading: str) -> Field:
    return fields.energy(f"{name}_energy", heading)


class _Book:
    """The books of one slot: totals, and what is left at each node."""

    def __init__(self, layout: Layout, versions: Versions) -> None:
        self.layout = layout
        self.slot = versions.newest
        self.factors = layout.solved(self.slot)
        self.hours = self.slot.used.hours
        self.left = [0] * len(self.factors)
        """What came to each node and did not leave it, mWh."""
        self.powers = [0.0] * len(self.factors)
        """The same in MW: its carbon is rounded once, too."""
        self.sums: Counter[str] = Counter()
        self.terms = 0
        self.gap = False

    def sources(self) -> None:
        to_mwh, to_ug = self.hours * MWH_PER_MW_H, self.hours * UG_PER_T
        values, sums = self.slot.used.sources, self.sums
        for index, place in enumerate(self.layout.generators):
            power, own, emission = values[SOURCE * index : SOURCE * index + SOURCE]
            if not usable(power):
                self.gap = True
                continue
            energy = round(power * to_mwh)
            self.left[place] += energy
            self.powers[place] += power
            self.terms += 1
            if power > 0:
                sums["sources"] += energy
                rate = emission_rate(power, own, emission)
                if rate is None:
                    sums["unknown"] += energy
                else:
                    sums["sources_carbon"] += round(rate * to_ug)
            elif power < 0:
                sums["negative_sources"] -= energy
                if usable(factor := self.factors[place]):
                    sums["negative_sources_carbon"] -= round(factor * power * to_ug)
                else:
                    sums["bare"] -= energy

    def loads(self) -> None:
        values, sent = self.slot.used.loads, self.slot.nodes.dispatched
        to_mwh, to_ug = self.hours * MWH_PER_MW_H, self.hours * UG_PER_T
        total = carbon = 0
        for index, place in enumerate(self.layout.loads):
            power, own = values[LOAD * index : LOAD * index + LOAD]
            factor = self.factors[place]
            if 0 < power <= LARGEST_MEGAWATTS and factor >= 0:
                # As `taken.load` does: nearly all loads are of this kind, and a month has a million of them.
                total += (energy := round(power * to_mwh))
                carbon += round(factor * power * to_ug)
                self.left[place] -= energy
                self.powers[place] -= power
                self.terms += 1
                continue
            item = taken.load(power, own, self.factors[place], sent[place], self.hours)
            if item is not None:
                self.powers[place] -= power
            self._take(place, item, ("loads", "fed_in"))
            if item is not None:
                # Without a solved factor, another one standing in or not: its carbon is not that of the flow.
                self.sums["loads_bare"] += item.bare + item.fallback
        self.sums["loads"] += total
        self.sums["loads_carbon"] += carbon

    def storages(self) -> None:
        values, sent = self.slot.used.storages, self.slot.nodes.dispatched
        for index, place in enumerate(self.layout.storages):
            own = tuple(values[TANK * index : TANK * index + TANK])
            item = taken.storage(own, self.factors[place], sent[place], self.hours)
            if item is not None:
                self.powers[place] += own[1] - own[0]
            self._take(place, item, ("charged", "discharged"))

    def _take(self, place: int, item: Taken | None, names: tuple[str, str]) -> None:
        if item is None:
            self.gap = True
            return
        into, out = names
        self.left[place] += item.given - item.taken
        self.terms += 2
        sums = self.sums
        sums[into] += item.taken
        sums[f"{into}_carbon"] += item.carbon
        sums[out] += item.given
        sums[f"{out}_carbon"] += item.given_carbon
        sums["bare"] += item.bare + item.fallback
        sums["fallback"] += item.fallback
        sums["fallback_carbon"] += item.fallback_carbon
        sums["unknown"] += item.unknown

    def branches(self) -> None:
        left, powers, ends, flows = self.left, self.powers, self.layout.ends, self.slot.used.flows
        opened = self.slot.used.open_branches
        lost = lost_carbon = undefined = from_nobody = 0
        each = carried(self.layout, range(len(ends)), self.slot)
        for index, ((start, end), ways) in enumerate(zip(ends, each, strict=True)):
            if ways is None:
                self.gap = True
                continue
            if index in opened:
                continue
            from_in, from_out, to_in, to_out = flows[FLOW * index : FLOW * index + FLOW]
            powers[start] += from_out - from_in
            powers[end] += to_out - to_in
            for way, source, target in ((ways[0], start, end), (ways[1], end, start)):
                if way is IDLE:
                    continue
                sent, out, sent_ug, out_ug, bare, unsent = way
                left[source] -= sent
                left[target] += out + unsent
                lost += sent - out
                lost_carbon += sent_ug - out_ug
                undefined += bare
                from_nobody += unsent
                self.terms += 2
        self.sums["losses"] += lost
        self.sums["losses_carbon"] += lost_carbon
        self.sums["bare"] += undefined
        self.sums["unsent"] += from_nobody

    def close(self) -> Mapping[str, int]:
        """Return all terms: the imbalance of nodes, and what is left over."""
        sums = self.sums
        to_ug = self.hours * UG_PER_T
        for left, power, factor in zip(self.left, self.powers, self.factors, strict=True):
            sums["imbalance"] += left
            sums["node_imbalance"] += abs(left)
            if usable(factor):
                sums["imbalance_carbon"] += round(factor * power * to_ug)
                self.terms += 1
            else:
                sums["bare"] += abs(left)
        rest = sum(sums[f"{name}_carbon"] for name in _IN) - sum(sums[f"{name}_carbon"] for name in _OUT)
        traced = not (sums["bare"] or sums["unknown"] or sums["unsent"] or self.gap)
        sums["residual" if traced else "untraced"] = rest
        sums["slots_untraced"] = not traced
        sums["slots_partial"] = self.gap
        if traced:
            sums["bound"] = (self.terms + 1) // 2 + sum(sums[f"{name}_carbon"] for name in _IN) // _SOLUTION + 1
        return {name: sums[name] for name in _COLUMNS}


_COLUMNS: Final = (
    *_NAMES,
    *(f"{name}_carbon" for name in _NAMES),
    *("unsent", "residual", "bound", "untraced", "unknown", "bare", "loads_bare", "fallback", "fallback_carbon"),
    *("node_imbalance", "slots_untraced", "slots_partial"),
)
