"""What is dispatched where a node has no factor of its own: its last solved one for a while, then the official one.

A dead node has no factor: it is told that it is undefined, and nothing stands in for it.
"""

from array import array
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from cloud_receiver.grid.kept import Floats, NodeQuality, NodeResults
from diantan_core import CarbonFlow
from wire.messages import Origin

_QUALITIES = {quality.name.lower(): quality for quality in NodeQuality}


class Solved(Protocol):
    """A slot that was solved before."""

    @property
    def solved(self) -> Mapping[str, int]:
        """Return the factors in mg/kWh that are its own, by node."""


@dataclass(frozen=True)
class Results:
    """What is told of the nodes, and which of them have another one's factor."""

    nodes: NodeResults
    held: Mapping[int, tuple[int, int]]
    """By place: the factor that is held, and how many slots ago it was solved."""


def results(
    flow: CarbonFlow | None,
    node_ids: Sequence[str],
    before: Sequence[Solved | None],
    official: int,
    without_source: Collection[int] = (),
) -> Results:
    """Return what is dispatched in a slot.

    `before`: the slots before it, the nearest first; None for `flow`: nothing was solved. `official` in mg/kWh.
    `without_source`: places of nodes that take power which nothing feeds.
    """
    count = len(node_ids)
    if flow is None:
        nothing: Floats = array("d", (float("nan"),)) * count
        solved: Sequence[int | None] = [None] * count
        factors, flux, qualities = nothing, nothing, [NodeQuality.UNSOLVED] * count
    else:
        solved = flow.factors_mg_per_kwh
        factors = array("d", (float("nan") if factor is None else factor for factor in flow.factors))
        flux = array("d", flow.flux_megawatts)
        qualities = [quality_of(quality, place in without_source) for place, quality in enumerate(flow.qualities)]
    dispatched: list[int | None] = []
    origins: list[Origin] = []
    held: dict[int, tuple[int, int]] = {}
    for place, (value, quality) in enumerate(zip(solved, qualities, strict=True)):
        if value is not None or quality is NodeQuality.DEAD:
            dispatched.append(value)
            origins.append(Origin.SOLVED)
        elif (found := _last_solved(node_ids[place], before)) is not None:
            held[place] = found
            dispatched.append(found[0])
            origins.append(Origin.HELD)
        else:
            dispatched.append(official)
            origins.append(Origin.OFFICIAL)
    return Results(NodeResults(factors, flux, tuple(qualities), tuple(dispatched), tuple(origins)), held)


def quality_of(quality: str, without_source: bool) -> NodeQuality:  # noqa: FBT001  # a fact about the node
    """Return a node's quality; one that looks dead and takes power has no source."""
    found = _QUALITIES[quality]
    return NodeQuality.NO_SOURCE if without_source and found is NodeQuality.DEAD else found


def _last_solved(node: str, before: Sequence[Solved | None]) -> tuple[int, int] | None:
    """Return a node's last factor of its own, and how many slots ago that was."""
    for ago, slot in enumerate(before, 1):
        if slot is not None and node in slot.solved:
            return slot.solved[node], ago
    return None
