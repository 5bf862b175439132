"""Registers of meters at aligned instants, as far as they are known: nothing is interpolated.

A register is known at both ends of an interval of measured quality. It goes on being comparable (a segment) until an
interval lacks energy, the journal changes, or the register is not what it was plus what was counted.

What was imported from a file of energies has no register of its own: across a gap its sum stands as if nothing had
been counted, and so a register that stands still across a gap says nothing there. An hour that was divided among
quarters, for their factors, is known at its ends.
"""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, NamedTuple

from cloud_receiver.checks.model import SLOT_MS, IntervalRow, without_overlaps
from wire.records import Quality

Trusted = Callable[[int, int], bool]
_MEASURED: Final = int(Quality.MEASURED)


class Known(NamedTuple):
    """A register at an instant, in mWh, forward and reverse; registers of one segment can be subtracted."""

    time_ms: int
    forward_mwh: int
    reverse_mwh: int
    segment: int

    @property
    def net_mwh(self) -> int:
        """Return forward less reverse."""
        return self.forward_mwh - self.reverse_mwh

    def still(self, later: "Known") -> bool:
        """Return whether nothing was counted until a later instant, so that the register is known all the time."""
        return self.segment == later.segment and self[1:3] == later[1:3]


class Jump(NamedTuple):
    """Where a register was another one than it had been when it was read last: forward, before and after, in mWh."""

    before_ms: int
    time_ms: int
    before_mwh: int
    after_mwh: int


@dataclass(slots=True)
class History:
    """What is known of one meter's registers, in order of time."""

    known: list[Known] = field(default_factory=list)
    breaks: list[int] = field(default_factory=list)
    """When a new segment begins."""
    jumps: list[Jump] = field(default_factory=list)
    unclear: int = 0
    """Boundaries that are not used: not measured, or by a clock that had stepped."""
    imported: bool = False
    """Whether any of it came from a file."""
    _counted: list[tuple[int, int]] = field(default_factory=list)
    """What each interval counted, by its start."""
    _segment: int = 0
    _journal: int | None = None
    _last: tuple[int, int, int] | None = None

    def add(self, row: IntervalRow, *, trusted: bool) -> None:
        """Add an interval that begins at or after the end of the last one."""
        closing = (row.forward_total_mwh, row.reverse_total_mwh)
        opening = (closing[0] - row.forward_mwh, closing[1] - row.reverse_mwh)
        if trusted and row.quality == _MEASURED and self._follows(row, opening):
            # Nearly every row: all that is said of others below comes to this for it.
            self.known.append(Known(row.end_ms, *closing, self._segment))
        elif row.quality == Quality.PARTIAL:
            self._journal = None
            self.unclear += 1
        else:
            if self._last is not None and opening[0] != self._last[1]:
                self.jumps.append(Jump(self._last[0], row.start_ms, self._last[1], opening[0]))
            if not self._goes_on(row, opening):
                self._segment += 1
                self.breaks.append(row.start_ms)
            self._journal = row.journal
            if row.quality == Quality.MEASURED and trusted:
                self._mark(row.start_ms, opening)
                self._mark(row.end_ms, closing)
            elif self.imported and trusted and row.quality == Quality.INTERPOLATED:
                # The last part of an interval that was divided: it ends where the meter was read.
                self._mark(row.end_ms, closing)
            else:
                self.unclear += 1
        self._last = (row.end_ms, *closing)
        if row.forward_mwh or row.reverse_mwh:
            self._counted.append((row.start_ms, row.forward_mwh - row.reverse_mwh))

    def _follows(self, row: IntervalRow, opening: tuple[int, int]) -> bool:
        """Return whether it begins at the last instant known, with that register, and ends at a later one."""
        return (
            row.journal == self._journal
            and bool(self.known)
            and self.known[-1] == (row.start_ms, *opening, self._segment)
            and self._last == (row.start_ms, *opening)
            and row.duration_ms > 0
            and row.end_ms % SLOT_MS == 0
        )

    def _goes_on(self, row: IntervalRow, opening: tuple[int, int]) -> bool:
        if self._last is None or self._journal != row.journal:
            return False
        end_ms, *totals = self._last
        if row.start_ms == end_ms:
            return opening == tuple(totals)
        # Records between are missing: the register tells what they counted, unless it went back.
        if self.imported and opening == tuple(totals):
            return False
        return opening[0] >= totals[0] and opening[1] >= totals[1]

    def _mark(self, time_ms: int, register: tuple[int, int]) -> None:
        if time_ms % SLOT_MS:
            return
        found = Known(time_ms, *register, self._segment)
        if self.known and self.known[-1].time_ms == time_ms:
            # Of two segments at one instant the one that goes on counts.
            self.known[-1] = found
        else:
            self.known.append(found)

    def counted_mwh(self, first_ms: int, end_ms: int) -> int:
        """Return what the intervals that begin in [first, end) counted, of whatever quality; forward less reverse."""
        return sum(energy for start_ms, energy in self._counted if first_ms <= start_ms < end_ms)

    def between(self, first_ms: int, last_ms: int) -> list[Known]:
        """Return what is known in [first, last], and one instant before and after for what held still."""
        times = [item.time_ms for item in self.known]
        return self.known[max(0, bisect_left(times, first_ms) - 1) : bisect_left(times, last_ms + 1) + 1]


class Registers:
    """What is known of the registers of a station's meters; rows are added in order of time, day by day."""

    def __init__(self, imported: Collection[int] = ()) -> None:
        """Begin; `imported`: meters some of whose records came from a file."""
        self.histories: dict[int, History] = {}
        self._imported = imported

    def add(self, rows: Iterable[IntervalRow], trusted: Trusted | None = None) -> None:
        """Add intervals that follow; `trusted(journal, sequence)`: whether the gateway's clock was. None: always."""
        by_meter: dict[int, list[IntervalRow]] = {}
        for row in rows:
            by_meter.setdefault(row.meter, []).append(row)
        for number, found in by_meter.items():
            found.sort()
            overlap = any(first.start_ms + first.duration_ms > second.start_ms for first, second in pairwise(found))
            history = self.histories.setdefault(number, History(imported=number in self._imported))
            for row in without_overlaps(found)[0] if overlap else found:
                history.add(row, trusted=trusted is None or trusted(row.journal, row.sequence))

    def of(self, number: int) -> History:
        """Return a meter's history; an empty one where nothing came."""
        return self.histories.get(number) or History()
