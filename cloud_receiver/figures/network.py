"""A network coloured by the carbon factors (节点碳势) of its nodes, as PNG or SVG."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from cloud_receiver.figures.style import FigureError, Form, drawn, extra, form_of, save

MOST_NODES: Final = 10_000
"""Of one picture; the time of the layout grows with the square."""
MOST_BRANCHES: Final = 20_000
"""Of one picture; networks have at most about two for a node."""


class Shape(StrEnum):
    """What a node is."""

    PLANT = "plant"  # 电厂
    SUBSTATION = "substation"  # 变电站
    LOAD = "load"  # 用户
    STAR = "star"  # 三绕组变压器星点


@dataclass(frozen=True, slots=True)
class PictureNode:
    """A node: its factor in kgCO₂/kWh, or None and why in `quality`; x and y in any unit, y upwards."""

    id: str
    kind: Shape = Shape.SUBSTATION
    factor: float | None = None
    quality: str = "defined"
    name: str = ""
    place: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class PictureBranch:
    """A branch: the power that is sent, negative from `end` to `start`, None where it is not known; what it loses."""

    start: str
    end: str
    megawatts: float | None = None
    loss_megawatts: float | None = None
    open: bool = False


@dataclass(frozen=True, slots=True)
class Balance:
    """Where carbon came from and went, in t/h: sources = loads + losses + other; and the rounding's share."""

    sources: float
    loads: float
    losses: float
    other: float
    relative_residual: float


@dataclass(frozen=True, slots=True)
class NetworkPicture:
    """A network in a slot.

    `time` is written as it is; `scale`: lowest and highest factor of the colours, to compare pictures (default: those
    of the nodes).
    """

    nodes: Sequence[PictureNode]
    branches: Sequence[PictureBranch] = ()
    title: str = ""
    time: str = ""
    solve_id: str = ""
    balance: Balance | None = None
    scale: tuple[float, float] | None = None


def render(picture: NetworkPicture, form: Form) -> bytes:
    """Return the picture; FigureError for too large a network, a branch to a node that isn't there, or no extra."""
    check(picture)
    with extra():
        from cloud_receiver.figures import network_drawing, network_plan  # noqa: PLC0415 - it imports what draws

        size = network_plan.size_of(picture)
        return drawn(
            lambda sheet: network_drawing.draw(sheet, picture),
            form=form,
            width=size[0],
            height=size[1],
            title=picture.title or "Carbon factors 节点碳势",
        )


def draw(picture: NetworkPicture, path: Path) -> None:
    """Write the picture to a file whose name ends in .png or .svg; FigureError, OSError."""
    save(path, render(picture, form_of(path)))


def check(picture: NetworkPicture) -> None:
    """FigureError for what can't be drawn."""
    for what, items, most in (("nodes", picture.nodes, MOST_NODES), ("branches", picture.branches, MOST_BRANCHES)):
        if len(items) > most:
            raise FigureError(f"figure of a network: expected at most {most} {what}, found {len(items)}")
    ids = {node.id for node in picture.nodes}
    if len(ids) != len(picture.nodes):
        seen: set[str] = set()
        twice = next(node.id for node in picture.nodes if node.id in seen or seen.add(node.id))  # type: ignore[func-returns-value]  # add returns None
        raise FigureError(f"figure of a network: node {twice!r} is there twice")
    if picture.scale is not None and not -math.inf < picture.scale[0] < picture.scale[1] < math.inf:
        raise FigureError(
            f"figure of a network: expected a scale from a lower to a higher factor, found {picture.scale}"
        )
    for branch in picture.branches:
        for end in (branch.start, branch.end):
            if end not in ids:
                raise FigureError(f"figure of a network: a branch ends at {end!r}: there is no such node")


def known(node: PictureNode) -> float | None:
    """Return a node's factor; what is no number is none."""
    return node.factor if node.factor is not None and math.isfinite(node.factor) else None
