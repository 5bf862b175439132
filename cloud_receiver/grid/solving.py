"""Nodal carbon factors (节点碳势) of a slot, and what the reader of them has to know: its flags.

The core solves, by the loss-borne convention: a branch's loss is borne where its power is sent. Nothing that is wrong
with one element costs others their factor.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final

from cloud_receiver.grid.flags import Flag, FlagKind, island_flags, missing_flags, open_flags
from cloud_receiver.grid.model import Grid
from cloud_receiver.grid.snapshot import (
    MAX_FACTOR,
    Charge,
    EndPowers,
    EndRegisters,
    Flow,
    Generation,
    Network,
    Snapshot,
    emission_beyond,
)
from diantan_core import CarbonFlow, CarbonGrid, CarbonSlot

_MICRO: Final = Decimal("0.000001")
DEAD_BELOW_MEGAWATTS: Final = 1e-6
"""1 W: a node with less through-flow has no factor."""
IMBALANCE_SHARE: Final = 0.01
"""Of a node's through-flow: a larger imbalance is flagged. A default of this program."""
IMBALANCE_MEGAWATTS: Final = 0.001
_NO_STORAGE: Final = (math.nan,) * 7


@dataclass(frozen=True)
class Solved:
    """The carbon flow of a network and its flags."""

    network: Network
    flow: CarbonFlow
    flags: tuple[Flag, ...]


def solve(
    network: Network, *, dead_below_megawatts: float = DEAD_BELOW_MEGAWATTS, max_factor: float = MAX_FACTOR
) -> Solved:
    """Solve one slot; CarbonFlowError for a limit of through-flow out of range.

    An emission of more than `max_factor` kgCO₂ for each kWh is not taken: power of unknown origin, with a flag.
    """
    grid, snapshot = network.grid, network.snapshot
    made = snapshot.generators.items()
    beyond = {name: text for name, value in made if (text := emission_beyond(value, max_factor))}
    unknown = {name: Generation(snapshot.generators[name].megawatts) for name in beyond}
    why = {flag.where: flag.text for flag in missing_flags(network)}
    why |= {f"generator {name}": text for name, text in beyond.items()}
    slot = core_slot(grid, replace(snapshot, generators={**snapshot.generators, **unknown}))
    flow = core_grid(grid).solve(slot, dead_below_megawatts=dead_below_megawatts)
    flags = (*island_flags(network), *open_flags(snapshot), *_fault_flags(flow, why), *_imbalance_flags(grid, flow))
    return Solved(network, flow, flags)


def core_grid(grid: Grid) -> CarbonGrid:
    """Return the grid as the core takes it; it serves for all slots of the same topology."""
    return CarbonGrid(
        nodes=[node.id for node in grid.nodes],
        branches=[(branch.id, branch.start, branch.end) for branch in grid.branches],
        sources=[(item.id, item.node) for item in grid.generators],
        loads=[(item.id, item.node) for item in grid.loads],
        storages=[(item.id, item.node) for item in grid.storages],
    )


def core_slot(grid: Grid, snapshot: Snapshot) -> CarbonSlot:
    """Return a slot's measurements in the order of the grid; what was not measured is missing, and open branches 0."""
    flows = [
        EndPowers(0.0, 0.0)
        if branch.id in snapshot.open_branches
        else snapshot.flows.get(branch.id, EndPowers(None, None))
        for branch in grid.branches
    ]
    made = [snapshot.generators.get(item.id) for item in grid.generators]
    used = [snapshot.loads.get(item.id) for item in grid.loads]
    registers = any(isinstance(flow, EndRegisters) for flow in flows)
    return CarbonSlot(
        flows=[_registers(flow) for flow in flows]
        if registers
        else [(flow.from_megawatts, flow.to_megawatts) for flow in flows if isinstance(flow, EndPowers)],
        sources=[(None, None) if item is None else (item.megawatts, item.factor) for item in made],
        emissions=[None if item is None else item.emission for item in made],
        loads=[(None, None) if item is None else (item.megawatts, item.factor) for item in used],
        storages=[_tank(snapshot.storages.get(item.id)) for item in grid.storages],
        hours=snapshot.hours,
    )


def _registers(flow: Flow) -> tuple[float | None, float | None, float | None, float | None]:
    """Return a flow as registers. A net power is taken as one of a flow that did not turn: it says no more."""
    if isinstance(flow, EndRegisters):
        return (flow.from_in_megawatts, flow.from_out_megawatts, flow.to_in_megawatts, flow.to_out_megawatts)
    return (*_both_ways(flow.from_megawatts), *_both_ways(flow.to_megawatts))


def _both_ways(power: float | None) -> tuple[float | None, float | None]:
    if power is None:
        return None, None
    return (power, 0.0) if power > 0 else (0.0, -power)


def _tank(charge: Charge | None) -> tuple[float, float, float, float, float, float, float]:
    if charge is None or charge.charge_megawatts is None or charge.discharge_megawatts is None:
        return _NO_STORAGE
    return (
        charge.charge_megawatts,
        charge.discharge_megawatts,
        charge.charge_efficiency,
        charge.discharge_efficiency,
        charge.stored_megawatt_hours,
        charge.stored_tonnes,
        charge.unknown_megawatt_hours,
    )


def factor_text(factor: float | None) -> str | None:
    """Return a factor in kgCO₂/kWh with 6 decimals, half to even as it is dispatched; None for an undefined one."""
    return None if factor is None else f"{Decimal(factor).quantize(_MICRO, ROUND_HALF_EVEN):f}"


def _fault_flags(flow: CarbonFlow, why: Mapping[str, str]) -> Iterator[Flag]:
    """Flag what the core could not take; `why` knows more than it of some elements."""
    for kind, name, text in flow.faults:
        where = f"{'generator' if kind == 'source' else kind} {name}"
        yield Flag(FlagKind.FAULT, where, why.get(where, text))


def _imbalance_flags(grid: Grid, flow: CarbonFlow) -> Iterator[Flag]:
    rows = zip(grid.nodes, flow.imbalances_megawatts, flow.flux_megawatts, flow.qualities, strict=True)
    for node, imbalance, flux, quality in rows:
        if quality != "bad_input" and abs(imbalance) > max(IMBALANCE_MEGAWATTS, IMBALANCE_SHARE * flux):
            text = f"{imbalance:.3f} MW more flow in than out, of {flux:.3f} MW"
            yield Flag(FlagKind.IMBALANCE, f"node {node.id}", text, (node.id,))
