"""Where names stand beside the nodes of a picture: over no other name and no node, and over few branches."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

Box: TypeAlias = tuple[float, float, float, float]
"""Left, bottom, right and top in pt."""

_CELL: Final = 40.0
_WAYS: Final = 16
_NEAR: Final = 2.5
"""Between a node's edge and its name, in pt."""
_LED: Final = 7.0
"""From this distance on a line leads to the name."""
_NONE: Final = 0.01
_CROSSED: Final = 6.0
"""What a name over a branch costs, in pt of distance."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A name that is to stand beside a point: its size in pt, and whether it may be left out for want of room."""

    text: str
    x: float
    y: float
    width: float
    height: float
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a name stands: the middle of its box, and the end of the line that leads to it, if it needs one."""

    wish: Wish
    x: float
    y: float
    led: tuple[float, float] | None = None


@dataclass(slots=True)
class _Taken:
    """Boxes by the cells they touch."""

    cells: defaultdict[tuple[int, int], list[Box]] = field(default_factory=lambda: defaultdict(list))

    def add(self, box: Box) -> None:
        for cell in _cells(box):
            self.cells[cell].append(box)

    def free(self, box: Box) -> bool:
        return not any(
            box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]
            for cell in _cells(box)
            for other in self.cells.get(cell, ())
        )


def _cells(box: Box) -> Iterator[tuple[int, int]]:
    for column in range(math.floor(box[0] / _CELL), math.floor(box[2] / _CELL) + 1):
        for row in range(math.floor(box[1] / _CELL), math.floor(box[3] / _CELL) + 1):
            yield column, row


def stand(
    wishes: Iterable[Wish],
    *,
    nodes: Sequence[tuple[float, float]],
    radius: float,
    lines: Iterable[tuple[float, float, float, float]],
    sheet: Box,
    farthest: float = 90.0,
) -> list[Standing]:
    """Return where names stand, in the order of the wishes, which is that of their importance.

    `nodes` are the middles of all nodes and `lines` the branches. A name that finds no room within `farthest` pt is
    left out if it may be, and else stands where there is room at all.
    """
    taken, points = _Taken(), _Taken()
    for x, y in nodes:
        taken.add((x - radius, y - radius, x + radius, y + radius))
    for line in lines:
        for x, y in _along(line):
            points.add((x - 0.5, y - 0.5, x + 0.5, y + 0.5))
    result = []
    for wish in wishes:
        found = _best(wish, taken, points, radius=radius, sheet=sheet, farthest=farthest)
        if found is None and not wish.optional:
            whole = max(sheet[2] - sheet[0], sheet[3] - sheet[1])
            found = _best(wish, taken, points, radius=radius, sheet=sheet, farthest=whole)
        if found is not None:
            taken.add(_box(wish, found.x, found.y))
            result.append(found)
    return result


def _along(line: tuple[float, float, float, float]) -> Iterator[tuple[float, float]]:
    steps = max(1, int(math.hypot(line[2] - line[0], line[3] - line[1]) / 5))
    for step in range(steps + 1):
        share = step / steps
        yield line[0] + share * (line[2] - line[0]), line[1] + share * (line[3] - line[1])


def _best(wish: Wish, taken: _Taken, points: _Taken, *, radius: float, sheet: Box, farthest: float) -> Standing | None:
    best: tuple[float, Standing] | None = None
    distance = _NEAR
    while distance <= farthest and (best is None or best[0] > distance):
        for way in range(_WAYS):
            x, y = _beside(wish, way, radius + distance)
            box = _box(wish, x, y)
            inside = sheet[0] <= box[0] and sheet[1] <= box[1] and box[2] <= sheet[2] and box[3] <= sheet[3]
            if not inside or not taken.free(box):
                continue
            # To the right and above reads best; the small preference settles equals.
            cost = distance + 0.05 * way + (0 if points.free(box) else _CROSSED)
            if best is None or cost < best[0]:
                best = (cost, Standing(wish, x, y, _nearest(wish, box) if distance > _LED else None))
        distance += max(2.0, distance * 0.2)
    return None if best is None else best[1]


def _beside(wish: Wish, way: int, reach: float) -> tuple[float, float]:
    """Return the middle of a name whose box touches a circle about its node in one of the directions."""
    turns = (way + 1) // 2 * (1 if way % 2 else -1)
    angle = 2 * math.pi * turns / _WAYS
    along, up = math.cos(angle), math.sin(angle)
    x = wish.x + along * reach + _sign(along) * wish.width / 2
    y = wish.y + up * reach + _sign(up) * wish.height / 2
    return x, y


def _sign(share: float) -> float:
    return 0.0 if abs(share) < _NONE else math.copysign(min(1.0, abs(share) * 1.6), share)


def _box(wish: Wish, x: float, y: float) -> Box:
    return (x - wish.width / 2, y - wish.height / 2, x + wish.width / 2, y + wish.height / 2)


def _nearest(wish: Wish, box: Box) -> tuple[float, float]:
    return min(max(wish.x, box[0]), box[2]), min(max(wish.y, box[1]), box[3])
