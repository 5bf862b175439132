"""The layout: the same for the same network, and true to the distances along branches."""

import math
import random
from itertools import pairwise

import networkx as nx
import pytest

from cloud_receiver.figures.layout import MOST_BY_DISTANCE, places_of


def lattice(columns: int, rows: int) -> tuple[list[str], list[tuple[str, str]]]:
    nodes = [f"{x},{y}" for x in range(columns) for y in range(rows)]
    right = [(f"{x},{y}", f"{x + 1},{y}") for x in range(columns - 1) for y in range(rows)]
    up = [(f"{x},{y}", f"{x},{y + 1}") for x in range(columns) for y in range(rows - 1)]
    return nodes, right + up


@pytest.mark.parametrize(("columns", "rows", "unlike"), [(12, 6, 1.3), (24, 12, 6.0), (30, 20, 3.5)])
def test_a_lattice_is_laid_out_as_one(columns: int, rows: int, unlike: float) -> None:
    nodes, branches = lattice(columns, rows)
    assert (len(nodes) > MOST_BY_DISTANCE) == (columns > 12)
    places = places_of(nodes, branches, aspect=1.4)
    lengths = [abs(places[start] - places[end]) for start, end in branches]
    assert max(lengths) / min(lengths) < unlike
    assert sorted(lengths)[len(lengths) // 2] == pytest.approx(1.0, rel=0.02)
    assert min(abs(places[a] - places[b]) for number, a in enumerate(nodes) for b in nodes[:number]) > 0.4


@pytest.mark.parametrize(("columns", "rows"), [(7, 5), (30, 20)])
def test_order_changes_nothing(columns: int, rows: int) -> None:
    nodes, branches = lattice(columns, rows)
    nodes += ["lone", "x", "y"]
    branches += [("x", "y"), ("0,0", "3,3")]
    places = places_of(nodes, branches, aspect=1.4)
    random.Random(4).shuffle(nodes)
    random.Random(5).shuffle(branches)
    assert places_of(nodes, [(b, a) for a, b in branches], aspect=1.4) == places


def test_islands_stand_apart() -> None:
    branches = [(f"a{number}", f"a{number + 1}") for number in range(5)] + [("b0", "b1"), ("b1", "b2")]
    names = sorted({end for branch in branches for end in branch})
    places = places_of([*names, "lone", "alone"], branches, aspect=1.4)
    groups = [[places[name] for name in places if name.startswith(letter)] for letter in ("a", "b", "lone", "alone")]
    boxes = [
        (min(p.real for p in own), max(p.real for p in own), min(p.imag for p in own), max(p.imag for p in own))
        for own in ([places[name] for name in names if name[0] == "a"], groups[1], groups[2], groups[3])
    ]
    for number, one in enumerate(boxes):
        for other in boxes[:number]:
            beside = one[0] > other[1] + 0.5 or other[0] > one[1] + 0.5
            above = one[2] > other[3] + 0.5 or other[2] > one[3] + 0.5
            assert beside or above


@pytest.mark.parametrize("count", [150, 600])
def test_what_is_far_along_branches_is_far_on_paper(count: int) -> None:
    chance = random.Random(7)
    branches = [(str(chance.randrange(max(0, number - 20), number)), str(number)) for number in range(1, count)]
    places = places_of([str(number) for number in range(count)], branches, aspect=1.4)
    apart = dict(nx.shortest_path_length(nx.Graph(branches)))
    pairs = [(str(a), str(b)) for a in range(0, count, 4) for b in range(0, count, 5) if a != b]
    far = [pair for pair in pairs if apart[pair[0]][pair[1]] >= 12]
    near = [pair for pair in pairs if apart[pair[0]][pair[1]] <= 3]
    assert len(far) > 30
    assert len(near) > 30
    mean_far = math.fsum(abs(places[a] - places[b]) for a, b in far) / len(far)
    mean_near = math.fsum(abs(places[a] - places[b]) for a, b in near) / len(near)
    assert mean_far > 2.5 * mean_near


@pytest.mark.parametrize(("count", "share"), [(2, 1.0), (3, 0.99), (4, 0.99), (90, 0.9), (400, 0.1)])
def test_a_line_is_stretched_out(count: int, share: float) -> None:
    names = [f"{number:04}" for number in range(count)]
    places = places_of(names, list(pairwise(names)), aspect=1.4)
    assert all(math.isfinite(abs(place)) for place in places.values())
    assert abs(places[names[0]] - places[names[-1]]) > share * 0.999 * (count - 1)


@pytest.mark.parametrize("count", [3, 4, 60, 700])
def test_a_star_has_its_ends_at_places_of_their_own(count: int) -> None:
    names = [f"{number:04}" for number in range(count)]
    places = places_of(names, [(names[0], name) for name in names[1:]], aspect=1.4)
    assert len({(round(place.real, 6), round(place.imag, 6)) for place in places.values()}) == count


def test_the_longer_side_is_along_the_longer_side_of_the_picture() -> None:
    nodes, branches = lattice(20, 3)
    for aspect in (1.4, 0.7):
        places = places_of(nodes, branches, aspect=aspect).values()
        wide = max(place.real for place in places) - min(place.real for place in places)
        high = max(place.imag for place in places) - min(place.imag for place in places)
        assert (wide > 3 * high) == (aspect > 1)


def test_a_branch_from_a_node_to_itself_and_twice_the_same_are_no_matter() -> None:
    plain = places_of(["a", "b", "c"], [("a", "b"), ("b", "c")], aspect=1.4)
    assert places_of(["a", "b", "c"], [("a", "b"), ("b", "a"), ("b", "b"), ("c", "b")], aspect=1.4) == plain
    assert places_of([], [], aspect=1.4) == {}
