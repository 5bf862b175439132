"""Whose records the grid service waits for: gateways of the registry that measure the grid, once the store has one."""

import logging
from collections.abc import Iterable
from typing import Final

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from cloud_receiver.grid import shelf
from cloud_receiver.mistakes import InputError
from cloud_receiver.registry import Registry, Role
from cloud_receiver.schema import grid as grid_table
from cloud_receiver.schema import grid_notice

log = logging.getLogger(__name__)

MOST_NOTICES: Final = 5000
_SLOT_MS = 900_000


class Noticed:
    """The gateways; every receiver of a store writes notices, whichever of them solves."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._stamp: tuple[int, int | None] = (0, None)
        self.gateways: frozenset[str] = frozenset()

    def refresh(self, connection: Connection) -> None:
        """Look whether there are other grids than before."""
        count, newest = connection.execute(select(func.count(), func.max(grid_table.c.id))).one()
        if (count, newest) == self._stamp:
            return
        self._stamp = count, newest
        try:
            grids = shelf.grids(connection).all
        except InputError as error:
            # The service says so too; the intake must go on.
            log.warning("the grids of the store can't be read: %s", str(error).splitlines()[0])
            return
        loads = {load.station for kept in grids for load in kept.grid.loads if load.station}
        self.gateways = frozenset(
            meter.gateway
            for station in self._registry.station
            for meter in station.meter
            if grids and (meter.element is not None or (station.id in loads and meter.role is Role.GRID))
        )


def gather(connection: Connection) -> None:
    """Make few notices of many: where no receiver has `[grid]`, nobody takes them."""
    count = connection.execute(select(func.count()).select_from(grid_notice)).scalar_one()
    if count <= MOST_NOTICES:
        return
    # By number: two receivers that gather at the same time wait for each other in one order.
    notices = select(grid_notice.c.first_ms, grid_notice.c.last_ms, grid_notice.c.id).order_by(grid_notice.c.id)
    rows = connection.execute(notices).all()
    gathered: list[tuple[int, int]] = []
    for first, last, _ in sorted(rows):
        if gathered and first <= gathered[-1][1] + _SLOT_MS:
            gathered[-1] = gathered[-1][0], max(gathered[-1][1], last)
        else:
            gathered.append((first, last))
    if len(gathered) > MOST_NOTICES // 2:
        # Of slots between them nothing new was measured: to look at them again changes nothing.
        gathered = [(gathered[0][0], max(last for _, last in gathered))]
    connection.execute(insert(grid_notice), [{"first_ms": first, "last_ms": last} for first, last in gathered])
    connection.execute(
        delete(grid_notice).where(grid_notice.c.id == bindparam("old")), [{"old": row.id} for row in rows]
    )


def spans(starts: Iterable[int]) -> list[tuple[int, int]]:
    """Return first and last of the slots in which intervals start, each run of them apart."""
    result: list[tuple[int, int]] = []
    for start in sorted({start - start % _SLOT_MS for start in starts}):
        if result and start == result[-1][1] + _SLOT_MS:
            result[-1] = result[-1][0], start
        else:
            result.append((start, start))
    return result
