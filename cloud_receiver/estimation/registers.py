"""Registers of meters at aligned instants, as far as they are known: nothing is interpolated.

What that is, the core says (`diantan_core.StationRegisters`): here are the columns it takes.
"""

from collections.abc import Collection, Iterable
from operator import itemgetter
from typing import Final

from cloud_receiver.checks.model import IntervalRow
from diantan_core import RegisterClocks, RegisterHistory, RegisterRows, StationRegisters

__all__ = ["COLUMNS", "RegisterHistory", "Registers"]

COLUMNS: Final = (
    "start_ms",
    "meter",
    "journal",
    "sequence",
    "duration_ms",
    "forward_mwh",
    "reverse_mwh",
    "forward_total_mwh",
    "reverse_total_mwh",
    "quality",
)
"""Of an interval, as `RegisterRows` takes them."""
_chosen: Final = itemgetter(*map(IntervalRow._fields.index, COLUMNS))


class Registers:
    """What is known of the registers of a station's meters; rows are added in order of time, day by day."""

    def __init__(self, imported: Collection[int] = ()) -> None:
        """Begin; `imported`: meters some of whose records came from a file."""
        self._known = StationRegisters(set(imported))

    def add(self, rows: Iterable[IntervalRow], clocks: RegisterClocks | None = None) -> None:
        """Add intervals that follow; without `clocks` every gateway's clock was right."""
        self.take(RegisterRows([_chosen(row) for row in rows]), clocks)

    def take(self, rows: RegisterRows, clocks: RegisterClocks | None = None) -> None:
        """Add the same as the store's driver gives them."""
        self._known.add(rows, clocks)

    def of(self, number: int) -> RegisterHistory:
        """Return a meter's history; an empty one where nothing came."""
        return self._known.of(number)
