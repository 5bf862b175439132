"""Which of the two hours a time is of, where clocks were put back and showed the hour twice (夏令时)."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cloud_receiver.delimited.times import Stamp
from cloud_receiver.delimited.zone import Zone
from cloud_receiver.metered_import.form import Lone


@dataclass(slots=True)
class Row:
    """A line with the instants that its time can be, ms UTC; of an energy the beginning of the interval."""

    line: int
    stamp: Stamp
    times: tuple[int, ...]
    values: tuple[int, int]
    """Forward and reverse: energies, or registers; mWh."""
    ends: tuple[int, ...] = field(default=())
    """The times it has if it ends the hour that came twice and the file calls both ends alike."""
    blank: bool = False
    """Whether it has no value: it counts where a time is there twice, and is no reading."""

    @property
    def time_ms(self) -> int:
        """Return the instant of a row that can be only one."""
        return self.times[0]


def settle(rows: Sequence[Row], zone: Zone, lone: Lone, refuse: Callable[[Row], None]) -> int:
    """Leave each row one instant, by how often and in which order the file has it; return how many were double.

    A time of the double hour that is there once may be of either: `refuse` is told, unless `lone` says which.
    """
    taken = {row.time_ms for row in rows if len(row.times) == 1 and not row.ends}
    settled = 0
    for row in rows:
        if len(row.times) > 1:
            row.times = tuple(time for time in row.times if time not in taken) or row.times
            settled += len(row.times) == 1
    times = Counter(row.stamp.shown for row in rows if len(row.times) > 1 or row.ends)
    if not times:
        return settled
    single = [row.time_ms for row in rows if len(row.times) == 1 and not row.ends]
    backwards = len(single) > 1 and single[0] > single[-1]
    seen: Counter[datetime] = Counter()
    for row in reversed(rows) if backwards else rows:
        shown = row.stamp.shown
        if shown not in times:
            continue
        if row.ends and times[shown] == len(row.ends):
            row.times = row.ends
        if len(row.times) == 1:
            continue
        place = _place(row, zone, times, seen[shown], lone)
        seen[shown] += 1
        if place is None:
            refuse(row)
            continue
        row.times = (row.times[place],)
        settled += 1
    return settled


def _place(row: Row, zone: Zone, times: Counter[datetime], before: int, lone: Lone) -> int | None:
    """Return which of its instants a row has: 0 or 1; None where nothing tells."""
    shown = row.stamp.shown
    if times[shown] == len(row.times):
        return before
    if times[shown] == 1:
        partner = shown + timedelta(milliseconds=zone.repeated_ms(row.stamp))
        if row.ends == () and times[partner] == len(row.times):
            return 0
        if lone is not Lone.REFUSE:
            return 0 if lone is Lone.FIRST else 1
    return None
