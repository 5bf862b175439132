"""A grid as an analysis walks it: places instead of ids, worked out once for all slots of a topology."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from cloud_receiver.grid.kept import FLOW, LOAD, SOURCE, TANK, KeptError, KeptSlot
from cloud_receiver.grid.model import NodeKind
from cloud_receiver.grid.shelf import KeptGrid
from wire.messages import Origin


@dataclass(frozen=True)
class Layout:
    """A grid of the store by places."""

    kept: KeptGrid

    @cached_property
    def places(self) -> Mapping[str, int]:
        """The place of each node."""
        return {node.id: place for place, node in enumerate(self.kept.grid.nodes)}

    @cached_property
    def ends(self) -> Sequence[tuple[int, int]]:
        """The nodes of each branch."""
        return [(self.places[item.start], self.places[item.end]) for item in self.kept.grid.branches]

    @cached_property
    def generators(self) -> Sequence[int]:
        """The node of each generator."""
        return [self.places[item.node] for item in self.kept.grid.generators]

    @cached_property
    def loads(self) -> Sequence[int]:
        """The node of each load."""
        return [self.places[item.node] for item in self.kept.grid.loads]

    @cached_property
    def storages(self) -> Sequence[int]:
        """The node of each storage."""
        return [self.places[item.node] for item in self.kept.grid.storages]

    @cached_property
    def kinds(self) -> Counter[NodeKind]:
        """How many nodes there are of each kind."""
        return Counter(node.kind for node in self.kept.grid.nodes)

    @cached_property
    def units(self) -> Counter[int]:
        """How many generators each node has."""
        return Counter(self.generators)

    @staticmethod
    def solved(slot: KeptSlot) -> Sequence[float]:
        """Return the solved factor of each node in kg/kWh, NaN where another or none was sent."""
        nodes = slot.nodes
        return [
            factor if origin is Origin.SOLVED else math.nan
            for factor, origin in zip(nodes.factors, nodes.origins, strict=True)
        ]

    def check(self, slot: KeptSlot) -> None:
        """KeptError for a slot with other numbers of values than the grid has elements."""
        grid = self.kept.grid
        expected = (
            *(FLOW * len(grid.branches), SOURCE * len(grid.generators), LOAD * len(grid.loads)),
            *(TANK * len(grid.storages), len(grid.nodes)),
        )
        for powers in (slot.measured, slot.used):
            parts = (powers.flows, powers.sources, powers.loads, powers.storages)
            found = (*map(len, parts), len(slot.nodes.factors))
            if found != expected:
                raise KeptError(
                    f"slot {slot.start_ms} version {slot.version}: expected {expected} values of grid {self.kept.id}, "
                    f"found {found}"
                )
