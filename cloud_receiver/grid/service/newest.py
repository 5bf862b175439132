"""The newest version of each slot, as far as the service needs it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from sqlalchemy import Connection, func, select

from cloud_receiver.grid.kept import NodeResults
from cloud_receiver.schema import grid_slot
from wire.messages import Origin

_MOST_KNOWN: Final = 300


@dataclass(frozen=True)
class Newest:
    """The newest version of a slot."""

    start_ms: int
    version: int
    grid: int
    solve_id: bytes
    nodes: NodeResults
    summary: Mapping[str, Any]
    node_ids: Sequence[str]

    @cached_property
    def solved(self) -> Mapping[str, int]:
        """The factors in mg/kWh that are the slot's own, by node."""
        rows = zip(self.node_ids, self.nodes.dispatched, self.nodes.origins, strict=True)
        return {node: value for node, value, origin in rows if value is not None and origin is Origin.SOLVED}

    @cached_property
    def falls_back(self) -> bool:
        """Whether any node has a factor that isn't its own."""
        return any(origin is not Origin.SOLVED for origin in self.nodes.origins)

    @property
    def tanks(self) -> Mapping[str, Sequence[float]]:
        """What its storages hold when it ends, by id."""
        tanks: Mapping[str, Sequence[float]] = self.summary.get("tanks", {})
        return tanks

    @property
    def efficiencies(self) -> Mapping[str, Sequence[float]]:
        """The last efficiencies, charging and discharging, of its storages, by id."""
        told: Mapping[str, Sequence[float]] = self.summary.get("efficiencies", {})
        return told


def newest(
    connection: Connection, first_ms: int, end_ms: int, node_ids: Mapping[int, Sequence[str]]
) -> dict[int, Newest]:
    """Return the newest version of each slot that starts in [first_ms, end_ms); `node_ids` by number of the grid.

    KeptError for a row that is no slot.
    """
    other = grid_slot.alias()
    last = select(func.max(other.c.version)).where(other.c.start_ms == grid_slot.c.start_ms).scalar_subquery()
    columns = (grid_slot.c.start_ms, grid_slot.c.version, grid_slot.c.grid, grid_slot.c.solve_id)
    statement = select(*columns, grid_slot.c.nodes, grid_slot.c.summary).where(
        grid_slot.c.start_ms >= first_ms, grid_slot.c.start_ms < end_ms, grid_slot.c.version == last
    )
    return {
        row.start_ms: Newest(
            *(row.start_ms, row.version, row.grid, bytes(row.solve_id), NodeResults.unpack(bytes(row.nodes))),
            *(json.loads(row.summary), node_ids[row.grid]),
        )
        for row in connection.execute(statement)
    }


def last_start_ms(connection: Connection, before_ms: int | None = None) -> int | None:
    """Return the start of the last slot, or of the last one before a time."""
    statement = select(func.max(grid_slot.c.start_ms))
    if before_ms is not None:
        statement = statement.where(grid_slot.c.start_ms < before_ms)
    return connection.execute(statement).scalar()


def next_start_ms(connection: Connection, after_ms: int) -> int | None:
    """Return the start of the first slot after a time."""
    return connection.execute(select(func.min(grid_slot.c.start_ms)).where(grid_slot.c.start_ms > after_ms)).scalar()


def kept_starts(connection: Connection, first_ms: int, end_ms: int) -> set[int]:
    """Return the starts of the slots in [first_ms, end_ms)."""
    statement = (
        select(grid_slot.c.start_ms).where(grid_slot.c.start_ms >= first_ms, grid_slot.c.start_ms < end_ms).distinct()
    )
    return set(connection.execute(statement).scalars())


def under_other_grids(connection: Connection, grid: int, first_ms: int, end_ms: int) -> list[tuple[int, int]]:
    """Return first and last of the slots in [first_ms, end_ms) whose newest version is of another grid, if any."""
    other = grid_slot.alias()
    last = select(func.max(other.c.version)).where(other.c.start_ms == grid_slot.c.start_ms).scalar_subquery()
    statement = select(func.min(grid_slot.c.start_ms), func.max(grid_slot.c.start_ms)).where(
        grid_slot.c.start_ms >= first_ms,
        grid_slot.c.start_ms < end_ms,
        grid_slot.c.grid != grid,
        grid_slot.c.version == last,
    )
    return [(first, last) for first, last in connection.execute(statement) if first is not None]


class Summaries:
    """Summaries of slots, each read once."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, int], Mapping[str, Any]] = {}

    def between(self, connection: Connection, first_ms: int, end_ms: int) -> list[tuple[int, Mapping[str, Any]]]:
        """Return start and summary of the newest version of each slot in [first_ms, end_ms), in order."""
        inside = (grid_slot.c.start_ms >= first_ms) & (grid_slot.c.start_ms < end_ms)
        statement = select(grid_slot.c.start_ms, func.max(grid_slot.c.version)).where(inside)
        newest = {row[0]: row[1] for row in connection.execute(statement.group_by(grid_slot.c.start_ms))}
        unknown = [start for start, version in newest.items() if (start, version) not in self._known]
        if unknown:
            columns = (grid_slot.c.start_ms, grid_slot.c.version, grid_slot.c.summary)
            those = select(*columns).where(
                inside, grid_slot.c.start_ms >= min(unknown), grid_slot.c.start_ms <= max(unknown)
            )
            for start, version, text in connection.execute(those):
                if newest[start] == version and (start, version) not in self._known:
                    self._known[start, version] = json.loads(text)
        result = [(start, self._known[start, version]) for start, version in sorted(newest.items())]
        while len(self._known) > _MOST_KNOWN:
            del self._known[next(iter(self._known))]
        return result


def node_results(connection: Connection, first_ms: int, end_ms: int) -> dict[int, tuple[int, bytes, NodeResults]]:
    """Return number of the grid, solve id and results of the newest version of each slot in [first_ms, end_ms)."""
    other = grid_slot.alias()
    last = select(func.max(other.c.version)).where(other.c.start_ms == grid_slot.c.start_ms).scalar_subquery()
    statement = select(grid_slot.c.start_ms, grid_slot.c.grid, grid_slot.c.solve_id, grid_slot.c.nodes).where(
        grid_slot.c.start_ms >= first_ms, grid_slot.c.start_ms < end_ms, grid_slot.c.version == last
    )
    return {
        row.start_ms: (row.grid, bytes(row.solve_id), NodeResults.unpack(bytes(row.nodes)))
        for row in connection.execute(statement)
    }
