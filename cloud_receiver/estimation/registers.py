"""Registers of meters at aligned instants, as far as they are known: nothing is interpolated.

What that is, the core says (`diantan_core.StationRegisters`): here are the columns it takes.
"""

from collections.abc import Collection, Iterable
from operator import itemgetter
from typing import Final

from cloud_receiver.checks.model import Context, IntervalRow
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


def inverted(context: Context) -> list[int]:
    """Return a station's meters that count the other way round, by number."""
    return sorted(number for number, meter in context.meters.items() if meter.inverted)


class Registers:
    """What is known of the registers of a station's meters; rows are added in order of time, day by day."""

    def __init__(self, imported: Collection[int] = (), inverted: Collection[int] = ()) -> None:
        """Begin; `imported`: meters some of whose records came from a file.

        `inverted`: meters that count the other way round. Of these everything is known as it flowed, so that nobody
        who asks need turn it.
        """
        self._known = StationRegisters(set(imported), set(inverted))

    def add(self, rows: Iterable[IntervalRow], clocks: RegisterClocks | None = None) -> None:
        """Add intervals that follow; without `clocks` every gateway's clock was right."""
        self.take(RegisterRows([_chosen(row) for row in rows]), clocks)

    def take(self, rows: RegisterRows, clocks: RegisterClocks | None = None) -> None:
        """Add the same as the store's driver gives them."""
        self._known.add(rows, clocks)

    def of(self, number: int) -> RegisterHistory:
        """Return a meter's history; an empty one where nothing came."""
        return self._known.of(number)
