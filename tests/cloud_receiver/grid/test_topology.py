"""Islands, topologies that change between slots, and the nodes of stations."""

from pathlib import Path

import pytest

from cloud_receiver.grid.model import Branch, BranchKind, Element, Generator, Grid, Load, Node, Storage
from cloud_receiver.grid.snapshot import Charge, Demand, EndPowers, Generation, Snapshot
from cloud_receiver.grid.topology import Change, Island, Topologies, change, islands, stations
from cloud_receiver.mistakes import InputError
from cloud_receiver.registry import load as load_registry

NODES = tuple(Node(name) for name in "abcd")
LINES = (Branch("ab", "a", "b"), Branch("bc", "b", "c"), Branch("cd", "c", "d"))
GRID = Grid(NODES, LINES, (Generator("G", "a"),), (Load("D", "d"),), (Storage("S", "c"),))
STILL = Charge(0.0, 0.0)


def _slot(*opened: str, **changes: object) -> Snapshot:
    values: dict[str, object] = {
        "flows": {line.id: EndPowers(1.0, -1.0) for line in LINES},
        "generators": {"G": Generation(1.0, 0.5)},
        "loads": {"D": Demand(1.0)},
        "storages": {"S": STILL},
    }
    return Snapshot(**(values | changes), open_branches=frozenset(opened))  # type: ignore[arg-type]  # any of them


def test_open_branches_part_a_grid_into_islands() -> None:
    assert islands(GRID, _slot()) == [Island(("a", "b", "c", "d"), fed=True, consuming=True)]
    assert islands(GRID, _slot("bc")) == [
        Island(("a", "b"), fed=True, consuming=False),
        Island(("c", "d"), fed=False, consuming=True),
    ]
    assert [island.nodes for island in islands(GRID, _slot("ab", "bc", "cd"))] == [("a",), ("b",), ("c",), ("d",)]


def test_a_source_is_what_feeds_in_or_may() -> None:
    def fed(**changes: object) -> bool:
        return islands(GRID, _slot("bc", **changes))[1].fed

    assert not fed()
    assert fed(loads={"D": Demand(-1.0, 0.3)})
    assert fed(storages={"S": Charge(0.0, 1.0)})
    assert fed(storages={})
    assert not islands(GRID, _slot(generators={"G": Generation(-1.0)}))[0].fed
    assert islands(GRID, _slot(generators={"G": Generation(None)}))[0].fed


def test_a_long_chain_is_one_island() -> None:
    count = 20_000
    nodes = tuple(Node(str(number)) for number in range(count))
    chain = tuple(Branch(str(number), str(number), str(number + 1)) for number in range(count - 1))
    assert len(islands(Grid(nodes, chain[::-1]), Snapshot())) == 1


def test_a_change_of_topology_is_told() -> None:
    moved = (Branch("ab", "a", "c"), Branch("bc", "b", "c", BranchKind.TIE), Branch("ad", "a", "d"))
    new = Grid((*NODES, Node("e")), moved, (Generator("G", "a"),), (), (Storage("S", "c"),))
    assert change(GRID, new) == Change(
        added=((Element.NODE, "e"), (Element.BRANCH, "ad")),
        removed=((Element.BRANCH, "cd"), (Element.LOAD, "D")),
        moved=((Element.BRANCH, "ab"), (Element.BRANCH, "bc")),
    )
    switched = change(GRID, GRID, _slot("ab", "bc"), _slot("bc", "cd"))
    assert switched == Change(opened=("cd",), closed=("ab",))
    assert switched
    assert not change(GRID, GRID, _slot("ab"), _slot("ab"))


def test_each_slot_has_the_grid_that_was_valid_when_it_began() -> None:
    later = Grid(NODES, LINES[:2])
    topologies = Topologies([(1000, GRID), (2000, later)])
    assert [topologies.at(time) for time in (999, 1000, 1999, 2000, 9999)] == [None, GRID, GRID, later, later]
    with pytest.raises(InputError, match="valid from 1000 ms follows one from 1000 ms"):
        Topologies([(1000, GRID), (1000, later)])


def _registry(directory: Path, *stations: tuple[str, str]) -> Path:
    path = directory / "registry.toml"
    path.write_text("".join(f'[[station]]\nid = "{name}"\nnode = "{node}"\nmeter = []\n' for name, node in stations))
    return path


def test_stations_are_at_nodes_of_the_grid(tmp_path: Path) -> None:
    grid = Grid((Node("a", aliases=("a2",)), Node("b")), loads=(Load("D", "a", "S1"), Load("E", "b")))
    registry = load_registry(_registry(tmp_path, ("S1", "a2"), ("S2", "b")))
    assert stations(grid, registry) == {"S1": "a", "S2": "b"}


def test_a_station_that_is_nowhere_is_told(tmp_path: Path) -> None:
    grid = Grid((Node("a"), Node("b")), loads=(Load("D", "a", "S1"), Load("E", "b", "S9")))
    registry = load_registry(_registry(tmp_path, ("S1", "b"), ("S2", "c")))
    with pytest.raises(InputError) as refused:
        stations(grid, registry)
    assert str(refused.value).splitlines() == [
        "station S2: there is no node c in the grid",
        "load D: is at node a, and the registry has station S1 at b",
        "load E: there is no station S9 in the registry",
    ]
