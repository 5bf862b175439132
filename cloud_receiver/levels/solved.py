"""Solved slots as far as a boundary needs them: each version is read and unpacked once, whoever asks for it."""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from math import isnan
from typing import Final

from sqlalchemy import Connection, func, select

from cloud_receiver.grid import shelf
from cloud_receiver.grid.analysis.layout import Layout
from cloud_receiver.grid.kept import LOAD, SOURCE, KeptError, KeptSlot
from cloud_receiver.grid.model import Grid
from cloud_receiver.grid.shelf import KeptGrids
from cloud_receiver.levels.totals import totals_of
from cloud_receiver.registry import Measures
from cloud_receiver.schema import grid as grid_table
from cloud_receiver.schema import grid_slot
from wire.levels import Totals

log = logging.getLogger(__name__)

SLOT_MS: Final = 900_000
_MWH_PER_MEGAWATT_HOUR: Final = 10**9


@dataclass(frozen=True, slots=True)
class Solved:
    """What a version of a slot has."""

    version: int
    totals: Totals | None = None
    net_mwh: Mapping[Measures, int] = field(default_factory=dict)
    """Measured energy of the elements that are other centres, as the element has it."""


class SolvedSlots:
    """The newest versions of slots."""

    def __init__(self, elements: Collection[Measures]) -> None:
        """`elements`: what other centres are in this grid."""
        self._elements = frozenset(elements)
        self._known: dict[int, Solved] = {}
        self._grids = KeptGrids(())
        self._stamp: tuple[int, int | None] = (0, None)
        self._layouts: dict[int, Layout] = {}

    def grids(self, connection: Connection) -> KeptGrids:
        """Return all grids of the store; they are parsed when there is another one."""
        count, newest = connection.execute(select(func.count(), func.max(grid_table.c.id))).one()
        if (count, newest) != self._stamp:
            self._grids, self._stamp, self._layouts = shelf.grids(connection), (count, newest), {}
        return self._grids

    def between(self, connection: Connection, first_ms: int, end_ms: int) -> dict[int, Solved]:
        """Return the newest version of each slot that starts in [first_ms, end_ms)."""
        versions = connection.execute(
            select(grid_slot.c.start_ms, func.max(grid_slot.c.version).label("version"))
            .where(grid_slot.c.start_ms >= first_ms, grid_slot.c.start_ms < end_ms)
            .group_by(grid_slot.c.start_ms)
        )
        result = {}
        for row in versions.all():
            known = self._known.get(row.start_ms)
            if known is None or known.version != row.version:
                known = self._known[row.start_ms] = self._read(connection, row.start_ms, row.version)
            result[row.start_ms] = known
        return result

    def forget_before(self, time_ms: int) -> None:
        """Forget slots that nobody asks for any more."""
        for start in [start for start in self._known if start < time_ms]:
            del self._known[start]

    def _read(self, connection: Connection, start_ms: int, version: int) -> Solved:
        try:
            (slot,) = shelf.slots(connection, start_ms, start_ms + 1)
        except KeptError as error:
            # One bad row must not silence a boundary.
            log.warning("slot %d ms of the grid can't be told to other centres: %s", start_ms, error)
            return Solved(version)
        if (layout := self._layouts.get(slot.grid)) is None:
            layout = self._layouts[slot.grid] = Layout(self.grids(connection)[slot.grid])
        return Solved(slot.version, totals_of(layout, slot), dict(self._powers(layout.kept.grid, slot)))

    def _powers(self, grid: Grid, slot: KeptSlot) -> list[tuple[Measures, int]]:
        found = [
            (Measures("generator", item.id), slot.measured.sources[SOURCE * place])
            for place, item in enumerate(grid.generators)
        ]
        found += [
            (Measures("load", item.id), slot.measured.loads[LOAD * place]) for place, item in enumerate(grid.loads)
        ]
        return [
            (element, round(power * slot.measured.hours * _MWH_PER_MEGAWATT_HOUR))
            for element, power in found
            if element in self._elements and not isnan(power)
        ]
