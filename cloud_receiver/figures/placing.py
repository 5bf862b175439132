"""From the places of a layout to places on paper, in pt, with room between the nodes."""

import math
from collections import defaultdict
from typing import Final

from cloud_receiver.figures.layout import places_of
from cloud_receiver.figures.network import NetworkPicture

_MOST_STRETCH: Final = 1.3
_ROUNDS: Final = 30
_LARGEST: Final = 1e12
_SAME: Final = 1e-6


def placed(picture: NetworkPicture, *, width: float, height: float, apart: float) -> dict[str, tuple[float, float]]:
    """Return a point for each node between (0, 0) and (width, height), at least about `apart` from any other.

    The places of the nodes are kept where every node has one; else all are laid out by the branches.
    """
    given = {node.id: complex(*node.place) for node in picture.nodes if node.place is not None and _finite(node.place)}
    if len(given) == len(picture.nodes):
        points, stretch = given, 1.0
    else:
        pairs = [(branch.start, branch.end) for branch in picture.branches]
        points = places_of([node.id for node in picture.nodes], pairs, aspect=width / height)
        stretch = _MOST_STRETCH
    return _parted(_fitted(points, width, height, stretch), width, height, apart)


def _finite(place: tuple[float, float]) -> bool:
    return all(math.isfinite(value) and abs(value) < _LARGEST for value in place)


def _fitted(points: dict[str, complex], width: float, height: float, stretch: float) -> dict[str, tuple[float, float]]:
    if not points:
        return {}
    left, right = min(point.real for point in points.values()), max(point.real for point in points.values())
    low, high = min(point.imag for point in points.values()), max(point.imag for point in points.values())
    across, up = width / max(right - left, 1e-9), height / max(high - low, 1e-9)
    scale = min(across, up)
    across, up = min(across, scale * stretch), min(up, scale * stretch)
    middle = complex((left + right) / 2, (low + high) / 2)
    return {
        name: (width / 2 + (point - middle).real * across, height / 2 + (point - middle).imag * up)
        for name, point in points.items()
    }


def _parted(
    points: dict[str, tuple[float, float]], width: float, height: float, apart: float
) -> dict[str, tuple[float, float]]:
    """Push nodes apart that are too near one another."""
    names = sorted(points)
    places = [points[name] for name in names]
    for _ in range(_ROUNDS):
        pushed = False
        cells: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        for index, (x, y) in enumerate(places):
            cells[int(x // apart), int(y // apart)].append(index)
        for first, second in _neighbours(cells):
            (x, y), (other_x, other_y) = places[first], places[second]
            far = math.hypot(x - other_x, y - other_y)
            if far >= apart * 0.999:
                continue
            pushed = True
            # Two at one place part in a direction of their own, else they would all move along one line.
            along, up = ((x - other_x) / far, (y - other_y) / far) if far > _SAME else _direction(first)
            by = (apart - far) / 2
            places[first] = _within(x + along * by, y + up * by, width, height)
            places[second] = _within(other_x - along * by, other_y - up * by, width, height)
        if not pushed:
            break
    return {name: (round(x, 3), round(y, 3)) for name, (x, y) in zip(names, places, strict=True)}


def _neighbours(cells: defaultdict[tuple[int, int], list[int]]) -> list[tuple[int, int]]:
    pairs = []
    for (column, row), members in sorted(cells.items()):
        pairs += [(first, second) for first in members for second in members if first < second]
        for other in ((column + 1, row - 1), (column + 1, row), (column + 1, row + 1), (column, row + 1)):
            pairs += [(first, second) for first in members for second in cells.get(other, ())]
    return pairs


def _direction(index: int) -> tuple[float, float]:
    angle = index * 2.399963  # the golden angle: neighbours in number are far apart in direction
    return math.cos(angle), math.sin(angle)


def _within(x: float, y: float, width: float, height: float) -> tuple[float, float]:
    return min(max(x, 0.0), width), min(max(y, 0.0), height)
