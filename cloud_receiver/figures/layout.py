"""Where the nodes of a network are drawn when nobody says; networkx lays out each island (电气岛).

Up to 200 nodes distances on paper are like those along branches (Kamada, Kawai, Information Processing
Letters 31(1), 1989), of more, nodes repel one another and branches pull (Fruchterman, Reingold, Software: Practice
and Experience 21(11), 1991): the first takes time by more than the square of the nodes. Either only makes a good start
better: the second and third eigenvectors of the network's Laplacian, from which nothing has to be unfolded. The same
nodes and branches, in any order, have the same places.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

import networkx as nx
import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import eigsh

Places: TypeAlias = NDArray[np.float64]

MOST_BY_DISTANCE: Final = 200
"""Nodes of a network; of more, forces lay it out."""
_SEED: Final = 20200701
_LEAST_ROUNDS, _MOST_ROUNDS = 10, 50
"""Of the forces. Few do where the start is good; a long, narrow network, whose start is a curve, needs more."""
_NODES_IN_ROUNDS: Final = 30_000
"""Of all rounds, if that is within both: a round takes time by the square of the nodes."""
_APART: Final = 0.02
"""By how much the nodes of the start are shaken: those at one place would stay there."""
_SHIFT: Final = -1e-6
"""Below all eigenvalues, of which those nearest to it are wanted."""
_SMALLEST: Final = 4
"""Nodes of an island that has second and third eigenvectors."""
_GAP: Final = 1.4
"""Between islands, in lengths of a branch."""


def places_of(nodes: Sequence[str], branches: Iterable[tuple[str, str]], *, aspect: float) -> dict[str, complex]:
    """Return a place for each node, in lengths of a branch; the whole is about `aspect` times as wide as high.

    Islands stand side by side, the largest first, single nodes last.
    """
    graph = nx.Graph()
    graph.add_nodes_from(sorted(nodes))
    graph.add_edges_from(sorted({(min(a, b), max(a, b)) for a, b in branches if a != b}))
    islands = sorted((sorted(island) for island in nx.connected_components(graph)), key=lambda own: (-len(own), own[0]))
    return _packed([(island, _island(graph, island, aspect)) for island in islands], aspect)


def _island(graph: nx.Graph, names: list[str], aspect: float) -> Places:
    if len(names) == 1:
        return np.zeros((1, 2))
    # Not graph.subgraph: what the libraries do may depend on the order of nodes.
    own = nx.Graph()
    own.add_nodes_from(names)
    own.add_edges_from(graph.edges(names))
    start = _start(own)
    if len(graph) <= MOST_BY_DISTANCE:
        apart = dict(nx.shortest_path_length(own))
        size = max(max(row.values()) for row in apart.values()) / 2
        found = nx.kamada_kawai_layout(own, dist=apart, pos=dict(zip(own, start * size, strict=True)))
    else:
        begin = dict(zip(own, start, strict=True))
        rounds = min(_MOST_ROUNDS, max(_LEAST_ROUNDS, _NODES_IN_ROUNDS // len(graph)))
        found = nx.spring_layout(own, pos=begin, iterations=rounds, method="force", seed=_SEED)
    places = np.array([found[name] for name in names], dtype=np.float64)
    order = {name: index for index, name in enumerate(names)}
    ends = np.array([(order[a], order[b]) for a, b in own.edges])
    lengths = np.hypot(*(places[ends[:, 0]] - places[ends[:, 1]]).T)
    return _turned(places / float(np.median(lengths)), aspect)


def _start(graph: nx.Graph) -> Places:
    """Return places within a square of 2 by 2."""
    count = len(graph)
    # Its generator is the one whose numbers numpy keeps the same in every version.
    shaken: Places = np.random.RandomState(_SEED).uniform(-1, 1, (count, 2))
    if count < _SMALLEST:
        return shaken
    laplacian = nx.laplacian_matrix(graph).astype(np.float64).tocsc()
    # spectral_layout of networkx lets a large network's solution begin anywhere: each run would draw another picture.
    values, vectors = eigsh(laplacian, 3, sigma=_SHIFT, v0=1 + np.arange(count) / count)
    chosen: Places = vectors[:, np.argsort(values)[1:]]
    start: Places = chosen / np.abs(chosen).max() + _APART * shaken
    return start


def _turned(places: Places, aspect: float) -> Places:
    """Return places about their middle, the longer side along the longer side of the picture."""
    centred = places - places.mean(axis=0)
    (xx, xy), (_, yy) = (centred.T @ centred).tolist()
    angle = math.atan2(2 * xy, xx - yy) / 2 + (0.0 if aspect >= 1 else math.pi / 2)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    turned: Places = centred @ turn
    return turned


def _packed(islands: list[tuple[list[str], Places]], aspect: float) -> dict[str, complex]:
    """Return the places of all islands in rows, none over another."""
    sizes = [np.ptp(places, axis=0) + _GAP for _, places in islands]
    area = sum(float(size[0] * size[1]) for size in sizes)
    width = max([math.sqrt(area * aspect), *(float(size[0]) for size in sizes)])
    result: dict[str, complex] = {}
    left = bottom = height = 0.0
    for (names, places), size in zip(islands, sizes, strict=True):
        if left + float(size[0]) > width * 1.001:
            left, bottom, height = 0.0, bottom - height, 0.0
        corner = np.array([left, bottom - float(size[1])]) + _GAP / 2 - places.min(axis=0)
        for name, (x, y) in zip(names, (places + corner).tolist(), strict=True):
            result[name] = complex(x, y)
        left += float(size[0])
        height = max(height, float(size[1]))
    return result
