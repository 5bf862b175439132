"""Flags: islands without a source, flows on open branches, and measurements that are not there."""

from cloud_receiver.grid.flags import Flag, FlagKind, island_flags, missing_flags, open_flags
from cloud_receiver.grid.model import Branch, Generator, Grid, Load, Node, Storage
from cloud_receiver.grid.snapshot import Charge, Demand, EndPowers, EndRegisters, Generation, Network, Snapshot
from cloud_receiver.grid.sums import node_sums

GRID = Grid(
    tuple(Node(name) for name in "abc"),
    (Branch("ab", "a", "b"), Branch("bc", "b", "c")),
    (Generator("G", "a"),),
    (Load("D", "c"),),
    (Storage("S", "a"),),
)
FULL = Snapshot(
    {"ab": EndPowers(5.0, -4.5), "bc": EndRegisters(5.0, 0.5, 1.0, 5.0)},
    {"G": Generation(6.0, 0.5)},
    {"D": Demand(4.0)},
    {"S": Charge(1.5, 0.5)},
)


def test_an_island_without_a_source_is_flagged_with_all_its_nodes() -> None:
    opened = Snapshot(FULL.flows, FULL.generators, FULL.loads, FULL.storages, open_branches=frozenset({"ab"}))
    text = "island of 2 nodes has no source, and loads that take power: no factor"
    assert list(island_flags(Network(GRID, opened))) == [Flag(FlagKind.ISLAND, "node b", text, ("b", "c"))]
    assert list(island_flags(Network(GRID, FULL))) == []


def test_power_on_an_open_branch_is_flagged() -> None:
    opened = Snapshot(FULL.flows, open_branches=frozenset({"ab", "bc", "unmeasured"}))
    assert [(flag.kind, flag.where, flag.text) for flag in open_flags(opened)] == [
        (FlagKind.OPEN_FLOW, "branch ab", "is open, and 5 MW are measured on it: taken as 0"),
        (FlagKind.OPEN_FLOW, "branch bc", "is open, and 5 MW are measured on it: taken as 0"),
    ]
    noise = Snapshot({"ab": EndPowers(0.0009, -0.0009)}, open_branches=frozenset({"ab"}))
    assert list(open_flags(noise)) == []


def test_what_was_not_measured_is_flagged_and_open_branches_need_nothing() -> None:
    assert list(missing_flags(Network(GRID, FULL))) == []
    gaps = Snapshot({"ab": EndPowers(1.0, None)}, {"G": Generation(None)}, {}, {"S": Charge(0.0, None)})
    assert [flag.where for flag in missing_flags(Network(GRID, gaps))] == [
        *("branch ab", "branch bc", "generator G", "load D", "storage S")
    ]
    nothing = Snapshot(open_branches=frozenset({"ab", "bc"}))
    assert [flag.where for flag in missing_flags(Network(GRID, nothing))] == ["generator G", "load D", "storage S"]


def test_sums_of_nodes() -> None:
    sums = node_sums(GRID, FULL)
    first = sums["a"]
    assert (first.branches, first.generation, first.load, first.storage, first.outflow) == (1, 6.0, 0.0, 1.0, 5.0)
    assert [sums[node].imbalance for node in "abc"] == [0.0, 0.0, 0.0]
    opened = Snapshot(FULL.flows, FULL.generators, FULL.loads, open_branches=frozenset({"bc"}))
    assert [node_sums(GRID, opened)[node].imbalance for node in "abc"] == [1.0, 4.5, -4.0]
