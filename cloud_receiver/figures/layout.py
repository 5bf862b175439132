"""Where the nodes of a network are drawn when nobody says: distances on paper like those along branches.

The stress of the layout (the squared differences of both distances, weighted by 1/d²) is reduced by stochastic
gradient descent over pairs of nodes (Zheng, Pawar, Goodman, IEEE TVCG 25(9), 2019). The pairs of a round have no node
in common, so a whole round is one step of array arithmetic. The same nodes and branches, in any order, have the same
places.
"""

import math
import random
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

Places: TypeAlias = NDArray[np.float64]
_Indices: TypeAlias = NDArray[np.intp]
_Matchings: TypeAlias = list[tuple[_Indices, _Indices]]
"""The branches in groups in which no two have a node in common: their two ends."""

_SEED: Final = 20200701
_EPOCHS: Final = 30
_NODES_IN_ROUNDS: Final = 400_000
"""Of all rounds of an epoch, at most; each round has every node once. More make a large layout hardly better."""
_MOST_DISTANCE: Final = 250
"""Branches between two nodes; what is farther is taken as this far."""
_LAST_STEP: Final = 0.05
_GAP: Final = 1.4
"""Between islands, in lengths of a branch."""


def places_of(nodes: Sequence[str], branches: Iterable[tuple[str, str]], *, aspect: float) -> dict[str, complex]:
    """Return a place for each node, in lengths of a branch; the whole is about `aspect` times as wide as high.

    Islands (电气岛) stand side by side, the largest first, single nodes last.
    """
    names = sorted(nodes)
    order = {name: index for index, name in enumerate(names)}
    pairs = {(min(a, b), max(a, b)) for a, b in ((order[start], order[end]) for start, end in branches) if a != b}
    edges = np.array(sorted(pairs), dtype=np.intp).reshape(-1, 2)
    boxes = [_island(members, edges, aspect) for members in _islands(len(names), edges)]
    places = _packed(boxes, aspect)
    return {name: places[index] for index, name in enumerate(names)}


def _islands(count: int, edges: _Indices) -> list[list[int]]:
    parents = list(range(count))

    def root(node: int) -> int:
        while (parent := parents[node]) != node:
            parents[node] = node = parents[parent]
        return node

    for start, end in edges.tolist():
        parents[root(start)] = root(end)
    members: dict[int, list[int]] = {}
    for node in range(count):
        members.setdefault(root(node), []).append(node)
    return sorted(members.values(), key=lambda island: (-len(island), island[0]))


def _island(members: list[int], edges: _Indices, aspect: float) -> tuple[list[int], Places]:
    if len(members) == 1:
        return members, np.zeros((1, 2))
    local = np.full(int(max(members)) + 1, -1, dtype=np.intp)
    local[members] = np.arange(len(members))
    inside = edges[edges.max(axis=1) < len(local)]
    inside = local[inside]
    own = inside[(inside >= 0).all(axis=1)]
    return members, _turned(_spread(len(members), own), aspect)


def distances(count: int, matchings: _Matchings) -> NDArray[np.uint8]:
    """Return how many branches are between any two of connected nodes, at most `_MOST_DISTANCE`.

    Breadth first from all nodes at once: each node has a row of bits, one for each node that was reached from it.
    """
    reached = np.packbits(np.eye(count, -(-count // 64) * 64, dtype=bool), axis=1).view(np.uint64)
    result = np.zeros((count, count), dtype=np.uint8)
    for _ in range(_MOST_DISTANCE):
        missing = np.unpackbits((~reached).view(np.uint8), axis=1, count=count)
        if not missing.any():
            break
        result += missing
        further = reached.copy()
        for first, second in matchings:
            further[first] |= reached[second]
            further[second] |= reached[first]
        reached = further
    return result


def _spread(count: int, edges: _Indices) -> Places:
    # The generator of the standard library: its numbers are the same in every version.
    chance = random.Random(_SEED)  # noqa: S311 - no secret depends on it
    matchings = matchings_of(edges)
    apart = distances(count, matchings)
    places = np.array([[chance.random(), chance.random()] for _ in range(count)]) * math.sqrt(count)
    decay = math.log(float(apart.max()) ** 2 / _LAST_STEP) / (_EPOCHS - 1)
    rounds = count - 1 + count % 2
    used = min(rounds, _NODES_IN_ROUNDS // count)
    for epoch in range(_EPOCHS):
        step = float(apart.max()) ** 2 * math.exp(-decay * epoch)
        names = np.array(chance.sample(range(count), count), dtype=np.intp)
        for number in chance.sample(range(rounds), used):
            first, second = _round(count, number)
            _pull(places, names[first], names[second], apart, step)
        for first, second in matchings if used < rounds else ():
            _pull(places, first, second, apart, step)
    return places


def _round(count: int, number: int) -> tuple[_Indices, _Indices]:
    """Return the pairs of a round of a tournament in which each meets each once; with an odd count one has no game."""
    even = count + count % 2
    ring = np.roll(np.arange(1, even, dtype=np.intp), number)
    first = np.concatenate([np.zeros(1, dtype=np.intp), ring[: even // 2 - 1]])
    second = ring[even // 2 - 1 :][::-1]
    real = (first < count) & (second < count)
    return first[real], second[real]


def matchings_of(edges: _Indices) -> _Matchings:
    """Return the branches in groups in which no two have a node in common."""
    groups: list[tuple[set[int], list[tuple[int, int]]]] = []
    for start, end in edges.tolist():
        group = next((group for group in groups if start not in group[0] and end not in group[0]), None)
        if group is None:
            groups.append(group := (set(), []))
        group[0].update((start, end))
        group[1].append((start, end))
    arrays = [np.array(members, dtype=np.intp) for _, members in groups]
    return [(array[:, 0], array[:, 1]) for array in arrays]


def _pull(places: Places, first: _Indices, second: _Indices, apart: NDArray[np.uint8], step: float) -> None:
    wanted = apart[first, second].astype(np.float64)
    between = places[first] - places[second]
    length = np.maximum(np.hypot(between[:, 0], between[:, 1]), 1e-9)
    strength = np.minimum(step / wanted**2, 1.0)
    shift = between * (strength * (length - wanted) / (2 * length))[:, None]
    places[first] -= shift
    places[second] += shift


def _turned(places: Places, aspect: float) -> Places:
    """Return places about their middle, the longer side along the longer side of the picture."""
    centred = places - places.mean(axis=0)
    (xx, xy), (_, yy) = (centred.T @ centred).tolist()
    angle = math.atan2(2 * xy, xx - yy) / 2 + (0.0 if aspect >= 1 else math.pi / 2)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    turned: Places = centred @ turn
    return turned


def _packed(boxes: list[tuple[list[int], Places]], aspect: float) -> dict[int, complex]:
    """Return the places of all islands in rows, none over another."""
    sizes = [np.ptp(places, axis=0) + _GAP for _, places in boxes]
    area = sum(float(size[0] * size[1]) for size in sizes)
    width = max([math.sqrt(area * aspect), *(float(size[0]) for size in sizes)])
    result: dict[int, complex] = {}
    left = bottom = height = 0.0
    for (members, places), size in zip(boxes, sizes, strict=True):
        if left + float(size[0]) > width * 1.001:
            left, bottom, height = 0.0, bottom - height, 0.0
        corner = np.array([left, bottom - float(size[1])]) + _GAP / 2 - places.min(axis=0)
        for node, (x, y) in zip(members, (places + corner).tolist(), strict=True):
            result[node] = complex(x, y)
        left += float(size[0])
        height = max(height, float(size[1]))
    return result
