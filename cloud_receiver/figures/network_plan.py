"""How large a network's picture is, and which of its nodes are named."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cloud_receiver.figures.network import NetworkPicture, PictureNode, Shape, known
from cloud_receiver.figures.style import SMALL, shortened, width_of

COLUMN: Final = 178.0
"""Width of the column with the colour bar and the legend, in pt."""
HEAD: Final = 64.0
MARGIN: Final = 14.0
_ASPECT: Final = 1.4
_NARROWEST: Final = 550.0
_WIDEST: Final = 1700.0
MOST_NAMED: Final = 200
"""Nodes; of more, only plants and extremes are named."""
_MOST_WITH_NAMES: Final = 60
"""Nodes; of more, the ids alone are written."""
_INSIDE: Final = 19.0
"""Width of the longest id that is written into its node, in pt."""
_EXTREMES: Final = 5
_LONGEST: Final = 150.0
"""Of a name beside a node, in pt; the rest is left out."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How a picture is drawn: its size in pt, the diameter of a node, and whose names stand where.

    The first `certain` of the named have their names in any case, the others where there is room.
    """

    width: float
    height: float
    diameter: float
    inside: bool
    named: tuple[PictureNode, ...]
    certain: int


def plan_of(picture: NetworkPicture) -> Plan:
    """Return how a picture is drawn; its size grows with the number of nodes up to a sheet of about 24 by 18 inches."""
    nodes = picture.nodes
    count = max(len(nodes), 1)
    if count > MOST_NAMED:
        area, diameter, inside = 27.0**2, 6.0, False
    elif max((wide_of(node, picture) for node in nodes), default=0.0) <= _INSIDE:
        area, diameter, inside = 56.0**2, 16.0, True
    else:
        longest = max(wide_of(node, picture) for node in nodes)
        area, diameter, inside = (longest + 40) * 52, 9.0, False
    width = min(max(math.sqrt(area * count * _ASPECT), _NARROWEST), _WIDEST)
    height = width / _ASPECT
    if count > MOST_NAMED:
        diameter = min(diameter, 0.25 * math.sqrt(width * height / count))
    if count <= MOST_NAMED:
        return Plan(width, height, diameter, inside, tuple(nodes), count)
    extremes = _extremes(nodes)
    plants = (node for node in nodes if node.kind is Shape.PLANT)
    named = tuple(dict.fromkeys((*extremes, *plants)))
    return Plan(width, height, diameter, inside, named, len(extremes))


def size_of(picture: NetworkPicture) -> tuple[float, float]:
    """Return width and height of a picture in pt."""
    plan = plan_of(picture)
    return plan.width + COLUMN + 2 * MARGIN, plan.height + HEAD + 2 * MARGIN


def text_of(node: PictureNode, picture: NetworkPicture) -> str:
    """Return what is written at a node: its id, and its name where there are not too many nodes."""
    text = f"{node.id} {node.name}" if node.name and len(picture.nodes) <= _MOST_WITH_NAMES else node.id
    return shortened(text, _LONGEST, SMALL)


def wide_of(node: PictureNode, picture: NetworkPicture) -> float:
    """Return about how wide that is in pt."""
    return width_of(text_of(node, picture), SMALL)


def _extremes(nodes: Sequence[PictureNode]) -> list[PictureNode]:
    ranked = sorted(
        ((factor, node.id, node) for node in nodes if (factor := known(node)) is not None), key=lambda item: item[:2]
    )
    return [node for _, _, node in dict.fromkeys((*ranked[-_EXTREMES:], *ranked[:_EXTREMES]))]
