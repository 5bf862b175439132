"""The versions of slots: which solve_id each has, and what was other than in the one before it."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy import Connection

from cloud_receiver.grid import shelf
from cloud_receiver.grid.analysis import reading
from cloud_receiver.grid.analysis.fields import decimal
from cloud_receiver.grid.analysis.periods import Span, utc
from cloud_receiver.grid.kept import FLOW, LOAD, SOURCE, TANK, Floats, KeptSlot, Powers
from cloud_receiver.grid.model import Grid
from cloud_receiver.grid.shelf import KeptGrids

MOST_NAMED: Final = 20
"""Elements that a change names; it counts the others."""


@dataclass(frozen=True)
class Change:
    """What a version has other than the one before it."""

    measured: tuple[str, ...]
    """Elements of which something else was measured."""
    nodes: tuple[tuple[str, int | None, int | None], ...]
    """Nodes with another factor: id, before and now, in mg/kWh; those that changed most first."""
    topology: bool
    """Another grid: its elements are not compared."""


@dataclass(frozen=True)
class Version:
    """A version of a slot; `change` is None for the first one."""

    slot: KeptSlot
    change: Change | None

    def record(self) -> dict[str, object]:
        """Return it as JSON has it."""
        slot, change = self.slot, self.change
        record: dict[str, object] = {
            "interval_start_utc": utc(slot.start_ms),
            "version": slot.version,
            "solve_id": slot.solve_id.hex(),
            "solved_utc": utc(slot.solved_ms),
            "grid": slot.grid,
            "changed": None,
        }
        if change is not None:
            nodes = [
                {"node": node, "factor_before_kg_per_kwh": _factor(before), "factor_kg_per_kwh": _factor(now)}
                for node, before, now in change.nodes[:MOST_NAMED]
            ]
            record["changed"] = {
                "topology": change.topology,
                "measured": len(change.measured),
                "measured_elements": list(change.measured[:MOST_NAMED]),
                "nodes": len(change.nodes),
                "node_factors": nodes,
            }
        return record

    def line(self) -> str:
        """Return it as people read it."""
        slot, change = self.slot, self.change
        head = f"{utc(slot.start_ms)}  version {slot.version}  {slot.solve_id.hex()[:16]}  solved {utc(slot.solved_ms)}"
        if change is None:
            return f"{head}  first 首次"
        if change.topology:
            return f"{head}  another topology 拓扑变更"
        text = f"{head}  {len(change.measured)} measurements 量测, {len(change.nodes)} factors 因子 changed 变更"
        if change.measured:
            more = f", and {len(change.measured) - 3} more" if len(change.measured) > 3 else ""  # noqa: PLR2004
            text += f": {', '.join(change.measured[:3])}{more}"
        if change.nodes:
            node, before, now = change.nodes[0]
            text += f"; {node} {_factor(before) or 'undefined'} -> {_factor(now) or 'undefined'} kgCO2/kWh"
        return text


def versions(connection: Connection, span: Span) -> Iterator[Version]:
    """Yield all versions of the slots of a span, in order."""
    grids = shelf.grids(connection)
    before: KeptSlot | None = None
    for window in reading.windows(reading.clipped(connection, span)):
        for slot in shelf.slots(connection, window.first_ms, window.end_ms, all_versions=True):
            same = before is not None and before.start_ms == slot.start_ms
            yield Version(slot, change(grids, before, slot) if same and before is not None else None)
            before = slot


def change(grids: KeptGrids, old: KeptSlot, new: KeptSlot) -> Change:
    """Return what is other in a version than in an earlier one."""
    if old.grid != new.grid:
        return Change((), (), topology=True)
    grid = grids[new.grid].grid
    pairs = zip(grid.nodes, old.nodes.dispatched, new.nodes.dispatched, strict=True)
    nodes = [(node.id, was, now) for node, was, now in pairs if was != now]
    nodes.sort(key=lambda item: -abs((item[1] or 0) - (item[2] or 0)))
    return Change(tuple(_other(grid, old.measured, new.measured)), tuple(nodes), topology=False)


def _other(grid: Grid, old: Powers, new: Powers) -> Iterator[str]:
    columns: tuple[tuple[str, Sequence[str], Floats, Floats, int], ...] = (
        ("branch", [item.id for item in grid.branches], old.flows, new.flows, FLOW),
        ("generator", [item.id for item in grid.generators], old.sources, new.sources, SOURCE),
        ("load", [item.id for item in grid.loads], old.loads, new.loads, LOAD),
        ("storage", [item.id for item in grid.storages], old.storages, new.storages, TANK),
    )
    for kind, names, before, now, width in columns:
        opened = (old.open_branches ^ new.open_branches) if kind == "branch" else frozenset()
        for place, name in enumerate(names):
            at = slice(place * width, place * width + width)
            if place in opened or not _same(before[at], now[at]):
                yield f"{kind} {name}"


def _same(one: Floats, other: Floats) -> bool:
    return all(a == b or (math.isnan(a) and math.isnan(b)) for a, b in zip(one, other, strict=True))


def _factor(value: int | None) -> str | None:
    return None if value is None else decimal(value, 6)


def of_nodes(version: Version, only: frozenset[str]) -> Version:
    """Return a version with the factors of some nodes alone."""
    assert version.change is not None
    nodes = tuple(item for item in version.change.nodes if item[0] in only)
    return replace(version, change=replace(version.change, nodes=nodes))
