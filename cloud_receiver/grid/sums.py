"""What is fed in, taken out and lost in a slot, by node, as measured."""

from dataclasses import dataclass

from cloud_receiver.grid.flags import powers
from cloud_receiver.grid.model import Grid
from cloud_receiver.grid.snapshot import EndRegisters, Snapshot


@dataclass(slots=True)
class NodeSums:
    """Powers of a node in MW; what was not measured is left out."""

    branches: int = 0
    generation: float = 0.0
    load: float = 0.0
    storage: float = 0.0
    """Charging less discharging."""
    outflow: float = 0.0
    """Into the branches, less what comes out of them."""

    @property
    def imbalance(self) -> float:
        """What comes in and, by the measurements, does not go out."""
        return self.generation - self.load - self.storage - self.outflow


def node_sums(grid: Grid, snapshot: Snapshot) -> dict[str, NodeSums]:
    """Return the sums of each node."""
    sums = {node.id: NodeSums() for node in grid.nodes}
    for branch in grid.branches:
        if branch.id in snapshot.open_branches:
            continue
        start, end = end_powers(snapshot, branch.id)
        for node, power in ((branch.start, start), (branch.end, end)):
            sums[node].branches += 1
            sums[node].outflow += power or 0.0
    for generator in grid.generators:
        if (made := snapshot.generators.get(generator.id)) is not None:
            sums[generator.node].generation += made.megawatts or 0.0
    for load in grid.loads:
        if (used := snapshot.loads.get(load.id)) is not None:
            sums[load.node].load += used.megawatts or 0.0
    for storage in grid.storages:
        if (charge := snapshot.storages.get(storage.id)) is not None:
            sums[storage.node].storage += (charge.charge_megawatts or 0.0) - (charge.discharge_megawatts or 0.0)
    return sums


def end_powers(snapshot: Snapshot, branch: str) -> tuple[float | None, float | None]:
    """Return the net power into a branch at both ends; None where it was not measured, 0 for an open branch."""
    if branch in snapshot.open_branches:
        return 0.0, 0.0
    flow = snapshot.flows.get(branch)
    if isinstance(flow, EndRegisters):
        values = powers(flow)
        return _net(values[0], values[1]), _net(values[2], values[3])
    return (None, None) if flow is None else (flow.from_megawatts, flow.to_megawatts)


def _net(inward: float | None, outward: float | None) -> float | None:
    return None if inward is None or outward is None else inward - outward
