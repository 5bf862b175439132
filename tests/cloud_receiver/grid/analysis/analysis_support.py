"""Slots as the grid service keeps them, made here: a network measured, solved and put into the store's form."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cloud_receiver.grid import reference
from cloud_receiver.grid.analysis.fields import Row, Value
from cloud_receiver.grid.analysis.periods import SLOT_MS, By
from cloud_receiver.grid.analysis.tally import Analysis, Table, Tally, Versions
from cloud_receiver.grid.kept import KeptSlot, NodeQuality, NodeResults, Powers, of, solve_id
from cloud_receiver.grid.model import Grid
from cloud_receiver.grid.shelf import KeptGrid, KeptGrids
from cloud_receiver.grid.snapshot import EndRegisters, Network
from cloud_receiver.grid.solving import core_grid
from diantan_core import CarbonFlow, CarbonSlot
from wire.messages import Origin

DAY_MS = 1_782_835_200_000  # 2026-07-01T00:00:00+08:00
ZONE = "Asia/Shanghai"

# A plant of two units feeds a town, and a park with photovoltaics and a storage, through a branch that turns.
SMALL: Mapping[str, Any] = {
    "case": "small",
    "bus": ["P1", "S1", "U1"],
    "node_columns": ["id", "kind", "name"],
    "node": [["P1", "plant", "一厂"], ["S1", "substation", None], ["U1", "load", "园区"]],
    "branch_columns": ["id", "from_bus", "to_bus", "p_from_in_mw", "p_from_out_mw", "p_to_in_mw", "p_to_out_mw"],
    "branch": [["L1", "P1", "S1", 100.0, 0.0, 0.0, 98.0], ["L2", "S1", "U1", 39.0, 0.9, 1.0, 38.0]],
    "gen_columns": ["id", "bus", "p_mw", "factor", "emission_t_per_h"],
    "gen": [["G1", "P1", 70.0, None, 56.0], ["G2", "P1", 30.0, 0.4, None], ["PV", "U1", 15.0, 0.0, None]],
    "load_columns": ["id", "bus", "p_mw", "station"],
    "load": [["town", "S1", 59.9, None], ["park", "U1", 50.0, "ST1"]],
    "storage_columns": ["id", "bus", "charge_mw", "discharge_mw", "stored_mw_h", "stored_t"],
    "storage": [["B1", "U1", 4.0, 2.0, 10.0, 3.0]],
}


def small(**changes: Any) -> Network:
    return reference.parse(json.dumps({**SMALL, **changes}), "small.json")


def case(shared_data: Path, name: str) -> Network:
    path = shared_data / "data" / "carbon_flow_reference" / f"{name}.json"
    return reference.parse(path.read_text(), path.name)


def powers(network: Network, scale: float = 1.0) -> Powers:
    """Return what was measured, as the store keeps it; everything times `scale`."""
    grid, snapshot = network.grid, network.snapshot
    flows: list[float | None] = []
    for branch in grid.branches:
        flow = snapshot.flows.get(branch.id)
        if flow is None:
            flows += [None] * 4
        elif isinstance(flow, EndRegisters):
            flows += [flow.from_in_megawatts, flow.from_out_megawatts, flow.to_in_megawatts, flow.to_out_megawatts]
        else:
            for power in (flow.from_megawatts, flow.to_megawatts):
                flows += [None, None] if power is None else [max(power, 0.0), max(-power, 0.0)]
    sources: list[float | None] = []
    for generator in grid.generators:
        made = snapshot.generators[generator.id]
        emission = None if made.emission is None else made.emission * scale
        sources += [None if made.megawatts is None else made.megawatts * scale, made.factor, emission]
    loads: list[float | None] = []
    for load in grid.loads:
        used = snapshot.loads[load.id]
        loads += [None if used.megawatts is None else used.megawatts * scale, used.factor]
    storages: list[float | None] = []
    for storage in grid.storages:
        charge = snapshot.storages[storage.id]
        own = [charge.charge_megawatts or 0.0, charge.discharge_megawatts or 0.0]
        storages += [power * scale for power in own]
        storages += [charge.charge_efficiency, charge.discharge_efficiency, charge.stored_megawatt_hours]
        storages += [charge.stored_tonnes, charge.unknown_megawatt_hours]
    opened = frozenset(place for place, item in enumerate(grid.branches) if item.id in snapshot.open_branches)
    return Powers(
        *(0.25, of(None if flow is None else flow * scale for flow in flows), of(sources), of(loads), of(storages)),
        opened,
    )


def solved(grid: Grid, used: Powers) -> CarbonFlow:
    """Return the core's solution of measurements in the store's form."""

    def rows(numbers: Sequence[float], width: int) -> list[tuple[float, ...]]:
        return [tuple(numbers[place : place + width]) for place in range(0, len(numbers), width)]

    slot = CarbonSlot(
        flows=[(0.0,) * 4 if place in used.open_branches else row for place, row in enumerate(rows(used.flows, 4))],
        sources=[(row[0], _number(row[1])) for row in rows(used.sources, 3)],
        emissions=[_number(row[2]) for row in rows(used.sources, 3)],
        loads=[(row[0], _number(row[1])) for row in rows(used.loads, 2)],
        storages=rows(used.storages, 7),
        hours=used.hours,
    )
    return core_grid(grid).solve(slot)


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def kept(
    grid: Grid,
    used: Powers,
    start_ms: int = DAY_MS,
    *,
    version: int = 1,
    measured: Powers | None = None,
    number: int = 1,
    stand_in: tuple[int, Origin] | None = None,
    summary: Mapping[str, Any] | None = None,
) -> KeptSlot:
    """Return a slot that was solved. `stand_in`: the factor of nodes without one of their own, but for dead ones."""
    flow = solved(grid, used)
    qualities = tuple(NodeQuality[name.upper()] for name in flow.qualities)
    sent = list(flow.factors_mg_per_kwh)
    origins = [Origin.SOLVED] * len(sent)
    for place, quality in enumerate(qualities):
        if sent[place] is None and quality is not NodeQuality.DEAD and stand_in is not None:
            sent[place], origins[place] = stand_in
    nodes = NodeResults(of(flow.factors), of(flow.flux_megawatts), qualities, tuple(sent), tuple(origins))
    told = measured or used
    name = solve_id(grid, start_ms, told, {})
    return KeptSlot(start_ms, version, number, name, start_ms + 1_000_000, told, used, nodes, summary or {})


def grids(*all_: Grid) -> KeptGrids:
    """Return grids as the store has them, numbered from 1; each is valid a day longer."""
    return KeptGrids([KeptGrid(number, (number - 1) * 86_400_000, "", grid) for number, grid in enumerate(all_, 1)])


def tables(
    analysis: Analysis,
    stored: KeptGrids,
    slots: Iterable[KeptSlot | Versions],
    by: By,
    zone: str = ZONE,
) -> list[Table]:
    tally = Tally(analysis, stored, by, zone)
    found: list[Table] = []
    for slot in slots:
        found += tally.take(slot if isinstance(slot, Versions) else Versions(slot))
    return [*found, *tally.finish()]


def day(network: Network, slots: int = 96, first_ms: int = DAY_MS) -> list[KeptSlot]:
    """Return slots whose powers differ, and don't fall on whole units."""
    return [
        kept(
            network.grid,
            powers(network, 0.7 + 0.6 * ((place * 37) % 96) / 96 + place / 7e5),
            first_ms + place * SLOT_MS,
        )
        for place in range(slots)
    ]


def summed(rows: Iterable[Row], name: str) -> int:
    total = 0
    for row in rows:
        value = row[name]
        assert isinstance(value, int)
        total += value
    return total


def the(rows: Iterable[Row], key: str, value: Value) -> Row:
    return next(row for row in rows if row[key] == value)


def without(network: Network, **changes: Any) -> Network:
    return replace(network, snapshot=replace(network.snapshot, **changes))
