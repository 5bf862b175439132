"""Grids, telemetry and solved slots in the store: entered, never changed, and found again by time."""

import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, and_, func, insert, select

from cloud_receiver.grid import reference, reference_writing
from cloud_receiver.grid.kept import KeptSlot, NodeResults, Powers
from cloud_receiver.grid.model import Grid
from cloud_receiver.grid.snapshot import Network, Snapshot
from cloud_receiver.schema import grid as grid_table
from cloud_receiver.schema import grid_notice, grid_slot


@dataclass(frozen=True)
class KeptGrid:
    """A grid of the store and from when it is valid, ms UTC."""

    id: int
    valid_from_ms: int
    name: str
    grid: Grid


class KeptGrids:
    """All grids of the store."""

    def __init__(self, grids: Sequence[KeptGrid]) -> None:
        self.all = sorted(grids, key=lambda item: item.valid_from_ms)
        self._starts = [item.valid_from_ms for item in self.all]
        self._by_id = {item.id: item for item in self.all}

    def at(self, start_ms: int) -> KeptGrid | None:
        """Return the grid of a slot; None before the first."""
        place = bisect_right(self._starts, start_ms)
        return self.all[place - 1] if place else None

    def __getitem__(self, number: int) -> KeptGrid:
        return self._by_id[number]


def grids(connection: Connection) -> KeptGrids:
    """Read all grids."""
    return KeptGrids(
        [
            KeptGrid(row.id, row.valid_from_ms, row.name, reference.parse(row.content, f"grid {row.id}").grid)
            for row in connection.execute(select(grid_table))
        ]
    )


def enter_grid(connection: Connection, grid: Grid, valid_from_ms: int, name: str, now_ms: int) -> int:
    """Enter a topology; return its number. IntegrityError when another one is valid from the same time."""
    content = reference_writing.dumps(Network(grid, Snapshot(), name))
    values = {"valid_from_ms": valid_from_ms, "name": name, "digest": grid.digest, "content": content}
    statement = insert(grid_table).values(**values, entered_ms=now_ms).returning(grid_table.c.id)
    return int(connection.execute(statement).scalar_one())


def notify(connection: Connection, first_ms: int, last_ms: int) -> None:
    """Tell the grid service that something was measured in [first_ms, last_ms]."""
    connection.execute(insert(grid_notice).values(first_ms=first_ms, last_ms=last_ms))


def enter_slots(connection: Connection, slots: Iterable[KeptSlot]) -> None:
    """Enter solved slots."""
    rows = [
        {
            "start_ms": slot.start_ms,
            "version": slot.version,
            "grid": slot.grid,
            "solve_id": slot.solve_id,
            "solved_ms": slot.solved_ms,
            "measured": slot.measured.pack(),
            "used": slot.used.pack(),
            "nodes": slot.nodes.pack(),
            "summary": json.dumps(slot.summary, ensure_ascii=False, separators=(",", ":"), allow_nan=False),
        }
        for slot in slots
    ]
    if rows:
        connection.execute(insert(grid_slot), rows)


def slots(connection: Connection, first_ms: int, end_ms: int, *, all_versions: bool = False) -> Iterator[KeptSlot]:
    """Yield the newest version, or all, of each slot that starts in [first_ms, end_ms), in order."""
    statement = (
        select(grid_slot)
        .where(grid_slot.c.start_ms >= first_ms, grid_slot.c.start_ms < end_ms)
        .order_by(grid_slot.c.start_ms, grid_slot.c.version)
    )
    if not all_versions:
        other = grid_slot.alias()
        newest = select(func.max(other.c.version)).where(other.c.start_ms == grid_slot.c.start_ms).scalar_subquery()
        statement = statement.where(and_(grid_slot.c.version == newest))
    with connection.execute(statement.execution_options(yield_per=500)) as rows:
        for row in rows:
            yield KeptSlot(
                row.start_ms,
                row.version,
                row.grid,
                bytes(row.solve_id),
                row.solved_ms,
                Powers.unpack(bytes(row.measured)),
                Powers.unpack(bytes(row.used)),
                NodeResults.unpack(bytes(row.nodes)),
                json.loads(row.summary),
            )
