"""What is known of a grid before any slot: the places of its elements, and which meters measure them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final, TypeAlias

from sqlalchemy import Connection, select

from cloud_receiver.grid.model import Element, Generator, Load, Storage
from cloud_receiver.grid.shelf import KeptGrid
from cloud_receiver.grid.solving import core_grid
from cloud_receiver.registry import Measures, Meter, Registry, Role
from cloud_receiver.schema import meter as meter_table
from diantan_core import CarbonGrid

Variable: TypeAlias = tuple[Element, int, int]
"""A net power: kind of element, its place in the grid, and the end of a branch (0 from, 1 to)."""
SLOT_MS: Final = 900_000
ENDS: Final = ("from", "to")


@dataclass(frozen=True, slots=True)
class Metered:
    """A meter of the registry with its numbers in the store."""

    number: int
    station: int
    meter: Meter


class Plan:
    """One grid with the meters of the registry that measure it."""

    def __init__(self, kept: KeptGrid, registry: Registry, numbers: Mapping[tuple[str, str], tuple[int, int]]) -> None:
        """`numbers`: of each meter and its station in the store, by gateway and name."""
        self.kept = kept
        self.grid = kept.grid
        self._measured: dict[Measures, list[Metered]] = {}
        self._of_station: dict[str, list[Metered]] = {}
        for station in registry.station:
            for meter in station.meter:
                if (found := numbers.get((meter.gateway, meter.id))) is None:
                    continue
                metered = Metered(*found, meter)
                if meter.element is not None:
                    self._measured.setdefault(meter.element, []).append(metered)
                elif meter.role is Role.GRID:
                    self._of_station.setdefault(station.id, []).append(metered)
        self.stations = {station.id: station.node for station in registry.station}
        """The carbon node of each station of the registry."""

    @cached_property
    def core(self) -> CarbonGrid:
        """The grid as the core takes it."""
        return core_grid(self.grid)

    @cached_property
    def places(self) -> Mapping[Element, Mapping[str, int]]:
        """The place of each element, by id."""
        grid = self.grid
        return {
            Element.BRANCH: {item.id: place for place, item in enumerate(grid.branches)},
            Element.GENERATOR: {item.id: place for place, item in enumerate(grid.generators)},
            Element.LOAD: {item.id: place for place, item in enumerate(grid.loads)},
            Element.STORAGE: {item.id: place for place, item in enumerate(grid.storages)},
        }

    @cached_property
    def names(self) -> tuple[tuple[str, int], ...]:
        """The names under which factors are dispatched: each node's id, and the aliases that stations go by."""
        places = {node.id: place for place, node in enumerate(self.grid.nodes)}
        used = sorted(set(self.stations.values()) & self.grid.node_ids.keys() - places.keys())
        return (*places.items(), *((alias, places[self.grid.node_ids[alias]]) for alias in used))

    @cached_property
    def variables(self) -> Mapping[Variable, str]:
        """The node at which each net power is balanced."""
        grid = self.grid
        found: dict[Variable, str] = {}
        for place, branch in enumerate(grid.branches):
            found[Element.BRANCH, place, 0] = branch.start
            found[Element.BRANCH, place, 1] = branch.end
        kinds: tuple[tuple[Element, Sequence[Generator | Load | Storage]], ...] = (
            (Element.GENERATOR, grid.generators),
            (Element.LOAD, grid.loads),
            (Element.STORAGE, grid.storages),
        )
        for element, items in kinds:
            found |= {(element, place, 0): item.node for place, item in enumerate(items)}
        return found

    @cached_property
    def metered(self) -> Mapping[Variable, tuple[Metered, ...]]:
        """The meters of each net power: one after the other by their time in service, or all of a station's."""
        found: dict[Variable, tuple[Metered, ...]] = {}
        for measures, meters in self._measured.items():
            element = Element(measures.element)
            place = self.places[element].get(measures.id)
            if place is not None:
                found[element, place, ENDS.index(measures.end) if measures.end else 0] = tuple(meters)
        for place, load in enumerate(self.grid.loads):
            if load.station in self._of_station:
                # A meter that is said to measure the load goes before the sum of the station's.
                found.setdefault((Element.LOAD, place, 0), tuple(self._of_station[load.station]))
        return found

    @cached_property
    def meters(self) -> Mapping[int, Metered]:
        """All meters that measure this grid, by number."""
        return {item.number: item for group in self.metered.values() for item in group}

    def strangers(self) -> Iterator[Measures]:
        """Yield what meters are said to measure and the grid doesn't have."""
        for measures in self._measured:
            if measures.id not in self.places[Element(measures.element)]:
                yield measures

    def label(self, variable: Variable) -> str:
        """Return what a net power is called in messages."""
        element, place, end = variable
        if element is Element.BRANCH:
            return f"branch {self.grid.branches[place].id} {ENDS[end]}"
        kinds: dict[Element, Sequence[Generator | Load | Storage]] = {
            Element.GENERATOR: self.grid.generators,
            Element.LOAD: self.grid.loads,
            Element.STORAGE: self.grid.storages,
        }
        return f"{element} {kinds[element][place].id}"


def numbers(connection: Connection) -> dict[tuple[str, str], tuple[int, int]]:
    """Return the numbers of each meter of the store and of its station, by gateway and name."""
    return {(row.gateway, row.name): (row.id, row.station) for row in connection.execute(select(meter_table))}
