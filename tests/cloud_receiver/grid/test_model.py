"""The grid: what can't be one is told by its ids, and a topology has a hash that its order doesn't change."""

import pytest

from cloud_receiver.grid.model import Branch, BranchKind, Generator, Grid, Load, Node, NodeKind, Storage
from cloud_receiver.mistakes import InputError, Mistake

A, B = Node("a"), Node("b")


@pytest.mark.parametrize(
    ("grid", "mistake", "message"),
    [
        (lambda: Grid(()), Mistake.FORM, "expected at least one node, found none"),
        (lambda: Grid((A, A)), Mistake.DUPLICATE, "node a: is there twice"),
        (lambda: Grid((Node("a/b"),)), Mistake.NAME, "node a/b: id 'a/b': expected 1 to 64 letters"),
        (lambda: Grid((Node("a", name="x\x1b[2J"),)), Mistake.NAME, r"name 'x\x1b[2J': expected at most 64 bytes"),
        (lambda: Grid((A, Node("b", aliases=("a",)))), Mistake.DUPLICATE, "node b: the name a is that of another node"),
        (lambda: Grid((A, B), (Branch("L", "a", "c"),)), Mistake.UNKNOWN_NODE, "branch L: there is no node c"),
        (lambda: Grid((A, B), (Branch("L", "a", "a"),)), Mistake.ONE_ENDED, "branch L: both ends are node a"),
        (lambda: Grid((A, B), (Branch("L", "a", "b"), Branch("L", "b", "a"))), Mistake.DUPLICATE, "branch L: is there"),
        (lambda: Grid((A, B), (Branch("", "a", "b"),)), Mistake.NAME, "branch '': id ''"),
        (
            lambda: Grid((A,), generators=(Generator("G", "x"),)),
            Mistake.UNKNOWN_NODE,
            "generator G: there is no node x",
        ),
        (lambda: Grid((A,), loads=(Load("D", "x"),)), Mistake.UNKNOWN_NODE, "load D: there is no node x"),
        (lambda: Grid((A,), loads=(Load("D", "a", "S 1"),)), Mistake.NAME, "load D: station 'S 1'"),
        (lambda: Grid((A,), storages=(Storage("B", "x"),)), Mistake.UNKNOWN_NODE, "storage B: there is no node x"),
    ],
)
def test_what_is_no_grid_is_refused_by_name(grid: object, mistake: Mistake, message: str) -> None:
    assert callable(grid)
    with pytest.raises(InputError) as refused:
        grid()
    assert [problem.mistake for problem in refused.value.problems] == [mistake]
    assert message in str(refused.value)


def test_every_mistake_is_told_and_a_message_stays_short() -> None:
    branches = tuple(Branch(f"L{number}", "a", "nowhere") for number in range(60))
    with pytest.raises(InputError) as refused:
        Grid((A,), branches)
    assert len(refused.value.problems) == 60
    lines = str(refused.value).splitlines()
    assert len(lines) == 51
    assert lines[-1] == "and 10 more mistakes"


def test_parallel_lines_ties_and_chinese_names_are_all_right() -> None:
    grid = Grid((A, B), (Branch("甲线", "a", "b"), Branch("乙线", "b", "a"), Branch("母联", "a", "b", BranchKind.TIE)))
    assert [branch.id for branch in grid.branches] == ["甲线", "乙线", "母联"]


def test_a_node_is_known_by_its_aliases() -> None:
    grid = Grid((Node("a", aliases=("a2", "a3")), B))
    assert grid.node_ids == {"a": "a", "a2": "a", "a3": "a", "b": "b"}


def test_the_digest_is_that_of_the_topology() -> None:
    lines = Branch("1", "a", "b"), Branch("2", "b", "a")
    grid = Grid((A, B), lines, loads=(Load("D", "a"),))
    assert grid.digest == Grid((B, A), lines[::-1], loads=(Load("D", "a"),)).digest
    others = [
        Grid((A, B), lines[:1], loads=(Load("D", "a"),)),
        Grid((A, B), lines, loads=(Load("D", "b"),)),
        Grid((A, B), lines, generators=(Generator("D", "a"),)),
        Grid((Node("a", NodeKind.PLANT), B), lines, loads=(Load("D", "a"),)),
        Grid((A, B), (lines[0], Branch("2", "b", "a", BranchKind.TIE)), loads=(Load("D", "a"),)),
    ]
    assert len({grid.digest, *(other.digest for other in others)}) == 6
