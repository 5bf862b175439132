"""Islands that take power and have no source (无电源孤岛), by what was measured.

The reconciliation makes such an island's loads 0, since nothing can feed them: then its nodes look dead. But power was
measured there, so a source or a branch is missing in the data, and users need a factor.
"""

from collections.abc import Iterator
from math import isnan
from typing import Final

from cloud_receiver.grid.kept import LOAD, SOURCE, TANK, Powers
from cloud_receiver.grid.model import Grid

FLOOR_MEGAWATTS: Final = 0.001
"""A load below 1 kW is noise. A default of this program."""


def unfed(grid: Grid, measured: Powers) -> frozenset[int]:
    """Return the places of the nodes of islands where power was measured at loads and none at a source.

    A source whose power is missing may feed; branches that were open throughout connect nothing.
    """
    taking = {load.node for place, load in enumerate(grid.loads) if measured.loads[LOAD * place] > FLOOR_MEGAWATTS}
    if not taking:
        return frozenset()
    islands = _islands(grid, measured)
    lacking = {islands[node] for node in taking} - {islands[node] for node in _feeding(grid, measured)}
    return frozenset(place for place, node in enumerate(grid.nodes) if islands[node.id] in lacking)


def _feeding(grid: Grid, measured: Powers) -> Iterator[str]:
    for place, generator in enumerate(grid.generators):
        power = measured.sources[SOURCE * place]
        if isnan(power) or power > 0:
            yield generator.node
    for place, load in enumerate(grid.loads):
        if measured.loads[LOAD * place] < 0:
            yield load.node
    for place, storage in enumerate(grid.storages):
        discharge = measured.storages[TANK * place + 1]
        if isnan(discharge) or discharge > 0:
            yield storage.node


def _islands(grid: Grid, measured: Powers) -> dict[str, str]:
    """Return a node that stands for the island of each node."""
    parents = {node.id: node.id for node in grid.nodes}

    def root(node: str) -> str:
        while (parent := parents[node]) != node:
            parents[node] = node = parents[parent]
        return node

    for place, branch in enumerate(grid.branches):
        if place not in measured.open_branches:
            parents[root(branch.start)] = root(branch.end)
    return {node: root(node) for node in parents}
