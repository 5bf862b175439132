"""How a grid hangs together in a slot: its islands, what changed since another slot, and where stations are."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from cloud_receiver.grid.model import Element, Grid, quoted_id
from cloud_receiver.grid.snapshot import Snapshot
from cloud_receiver.mistakes import InputError, Mistake, Problem, refuse
from cloud_receiver.registry import Registry


@dataclass(frozen=True, slots=True)
class Island:
    """Nodes that closed branches connect (电气岛)."""

    nodes: tuple[str, ...]
    fed: bool
    """Whether anything in it feeds in, or may: a measurement of a source that is not there counts as a source."""
    consuming: bool
    """Whether anything in it takes power."""


def islands(grid: Grid, snapshot: Snapshot) -> list[Island]:
    """Return the islands of a slot, in the order of their first nodes."""
    parents = {node.id: node.id for node in grid.nodes}
    for branch in grid.branches:
        if branch.id not in snapshot.open_branches:
            parents[_root(parents, branch.start)] = _root(parents, branch.end)
    members: dict[str, list[str]] = {}
    for node in grid.nodes:
        members.setdefault(_root(parents, node.id), []).append(node.id)
    feeding, taking = _injections(grid, snapshot)
    fed = {_root(parents, node) for node in feeding}
    consuming = {_root(parents, node) for node in taking}
    return [Island(tuple(nodes), root in fed, root in consuming) for root, nodes in members.items()]


def _root(parents: dict[str, str], node: str) -> str:
    while (parent := parents[node]) != node:
        parents[node] = node = parents[parent]
    return node


def _injections(grid: Grid, snapshot: Snapshot) -> tuple[set[str], set[str]]:
    feeding, taking = set(), set()
    for generator in grid.generators:
        made = snapshot.generators.get(generator.id)
        power = None if made is None else made.megawatts
        if power is None or power > 0:
            feeding.add(generator.node)
        elif power < 0:
            taking.add(generator.node)
    for load in grid.loads:
        used = snapshot.loads.get(load.id)
        power = None if used is None else used.megawatts
        if power is None or power > 0:
            taking.add(load.node)
        elif power < 0:
            feeding.add(load.node)
    for storage in grid.storages:
        charge = snapshot.storages.get(storage.id)
        if charge is None or charge.discharge_megawatts is None or charge.discharge_megawatts > 0:
            feeding.add(storage.node)
        if charge is not None and charge.charge_megawatts is not None and charge.charge_megawatts > 0:
            taking.add(storage.node)
    return feeding, taking


@dataclass(frozen=True, slots=True)
class Change:
    """What is different between two topologies: element kinds and ids."""

    added: tuple[tuple[Element, str], ...] = ()
    removed: tuple[tuple[Element, str], ...] = ()
    moved: tuple[tuple[Element, str], ...] = ()
    """There in both, at other nodes or of another kind."""
    opened: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return any((self.added, self.removed, self.moved, self.opened, self.closed))


def change(old: Grid, new: Grid, before: Snapshot | None = None, after: Snapshot | None = None) -> Change:
    """Return how a topology differs from an earlier one, the positions of switches included where both are given."""
    earlier, later = _elements(old), _elements(new)
    opened: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    if before is not None and after is not None:
        both = {branch.id for branch in old.branches} & {branch.id for branch in new.branches}
        opened = tuple(sorted((after.open_branches - before.open_branches) & both))
        closed = tuple(sorted((before.open_branches - after.open_branches) & both))
    return Change(
        added=tuple(key for key in later if key not in earlier),
        removed=tuple(key for key in earlier if key not in later),
        moved=tuple(key for key, item in later.items() if key in earlier and earlier[key] != item),
        opened=opened,
        closed=closed,
    )


def _elements(grid: Grid) -> dict[tuple[Element, str], object]:
    kinds: tuple[tuple[Element, Iterable[object]], ...] = (
        (Element.NODE, grid.nodes),
        (Element.BRANCH, grid.branches),
        (Element.GENERATOR, grid.generators),
        (Element.LOAD, grid.loads),
        (Element.STORAGE, grid.storages),
    )
    return {(element, str(getattr(item, "id", ""))): item for element, items in kinds for item in items}


class Topologies:
    """The grids of consecutive times: each slot is solved with the grid that was valid when it began."""

    def __init__(self, grids: Sequence[tuple[int, Grid]]) -> None:
        """Take grids with the time in ms UTC from which each is valid, in order; InputError if they are not."""
        for (earlier, _), (later, _) in pairwise(grids):
            if later <= earlier:
                text = f"valid from {later} ms follows one from {earlier} ms: expected later ones after earlier ones"
                raise refuse(Mistake.FORM, text, element="grid")
        self._starts = [start for start, _ in grids]
        self._grids = [grid for _, grid in grids]

    def at(self, start_ms: int) -> Grid | None:
        """Return the grid of a slot that starts at a time; None before the first one."""
        index = bisect_right(self._starts, start_ms)
        return self._grids[index - 1] if index else None


def stations(grid: Grid, registry: Registry) -> Mapping[str, str]:
    """Return the node of each station of the registry, by aliases too; InputError names what doesn't fit.

    A load that says which station it is must be at that station's node.
    """
    problems = []
    places: dict[str, str] = {}
    for station in registry.station:
        node = grid.node_ids.get(station.node)
        if node is None:
            text = f"there is no node {quoted_id(station.node)} in the grid"
            problems.append(Problem(Mistake.UNKNOWN_NODE, text, element=f"station {station.id}"))
        else:
            places[station.id] = node
    for load in grid.loads:
        if not load.station:
            continue
        where = f"load {load.id}"
        if registry.find(load.station) is None:
            text = f"there is no station {load.station} in the registry"
            problems.append(Problem(Mistake.UNKNOWN_ELEMENT, text, element=where))
        elif places.get(load.station, load.node) != load.node:
            text = f"is at node {load.node}, and the registry has station {load.station} at {places[load.station]}"
            problems.append(Problem(Mistake.UNKNOWN_NODE, text, element=where))
    if problems:
        raise InputError(problems[:1000])
    return places
