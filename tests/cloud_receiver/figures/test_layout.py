"""The layout: the same for the same network, and true to the distances along branches."""

import math
import random
from itertools import pairwise

import numpy as np
import pytest

from cloud_receiver.figures.layout import distances, matchings_of, places_of


def lattice(columns: int, rows: int) -> tuple[list[str], list[tuple[str, str]]]:
    nodes = [f"{x},{y}" for x in range(columns) for y in range(rows)]
    right = [(f"{x},{y}", f"{x + 1},{y}") for x in range(columns - 1) for y in range(rows)]
    up = [(f"{x},{y}", f"{x},{y + 1}") for x in range(columns) for y in range(rows - 1)]
    return nodes, right + up


def test_a_lattice_is_laid_out_as_one() -> None:
    nodes, branches = lattice(12, 6)
    places = places_of(nodes, branches, aspect=1.4)
    lengths = [abs(places[start] - places[end]) for start, end in branches]
    assert max(lengths) / min(lengths) < 2.5
    assert min(abs(places[a] - places[b]) for number, a in enumerate(nodes) for b in nodes[:number]) > 0.5


def test_order_changes_nothing() -> None:
    nodes, branches = lattice(7, 5)
    places = places_of(nodes, branches, aspect=1.4)
    random.Random(4).shuffle(nodes)
    assert places_of(nodes, [(b, a) for a, b in reversed(branches)], aspect=1.4) == places


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


def test_distances_are_those_of_a_search_from_each_node() -> None:
    chance = random.Random(7)
    count = 150
    pairs = {(chance.randrange(number), number) for number in range(1, count)}
    pairs |= {(a, b) for a, b in ((chance.randrange(count), chance.randrange(count)) for _ in range(60)) if a < b}
    edges = np.array(sorted(pairs))
    neighbours = {node: [a + b - node for a, b in pairs if node in (a, b)] for node in range(count)}
    found = distances(count, matchings_of(edges))
    for start in range(0, count, 29):
        known = {start: 0}
        queue = [start]
        for node in queue:
            for other in neighbours[node]:
                if other not in known:
                    known[other] = known[node] + 1
                    queue.append(other)
        assert [int(value) for value in found[start]] == [known[node] for node in range(count)]


def test_a_matching_has_no_node_twice() -> None:
    nodes, branches = lattice(6, 6)
    order = {name: number for number, name in enumerate(nodes)}
    edges = np.array([(order[a], order[b]) for a, b in branches])
    matchings = matchings_of(edges)
    assert sum(len(first) for first, _ in matchings) == len(branches)
    for first, second in matchings:
        ends = [*first.tolist(), *second.tolist()]
        assert len(set(ends)) == len(ends)


@pytest.mark.parametrize("count", [2, 3, 400])
def test_a_line_is_stretched_out(count: int) -> None:
    names = [f"{number:04}" for number in range(count)]
    places = places_of(names, list(pairwise(names)), aspect=1.4)
    assert all(math.isfinite(abs(place)) for place in places.values())
    assert abs(places[names[0]] - places[names[-1]]) > 0.45 * min(count - 1, 250)


def test_a_branch_from_a_node_to_itself_and_twice_the_same_are_no_matter() -> None:
    plain = places_of(["a", "b", "c"], [("a", "b"), ("b", "c")], aspect=1.4)
    assert places_of(["a", "b", "c"], [("a", "b"), ("b", "a"), ("b", "b"), ("c", "b")], aspect=1.4) == plain
    assert places_of([], [], aspect=1.4) == {}
