"""What is known of registers by its definition, row by row in plain integers: to hold the core against."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import gcd

SLOT = 900_000
MEASURED, INTERPOLATED, PARTIAL = 0, 1, 3
UNKNOWN, STEPPED = 0, 2

Row = tuple[int, ...]
"""Start, meter, journal, sequence, duration, energy forward and reverse, register forward and reverse, quality."""


@dataclass
class PlainClocks:
    """Spans [first, end) of one journal and their states, and how many records in an unknown one were asked for."""

    journal: int
    spans: Sequence[tuple[int, int, int]]
    unknown: int = 0

    def trusted(self, journal: int, sequence: int) -> bool:
        states = {state for first, end, state in self.spans if journal == self.journal and first <= sequence < end}
        self.unknown += STEPPED not in states and UNKNOWN in states
        return STEPPED not in states


@dataclass
class Plain:
    """One meter's registers; `known` as (time, forward, reverse, segment)."""

    imported: bool = False
    known: list[tuple[int, int, int, int]] = field(default_factory=list)
    breaks: list[int] = field(default_factory=list)
    jumps: list[tuple[int, int, int, int]] = field(default_factory=list)
    unclear: int = 0
    counted: list[tuple[int, int]] = field(default_factory=list)
    journal: int | None = None
    last: tuple[int, int, int] | None = None

    def add(self, row: Row, *, trusted: bool) -> None:
        start, _, journal, _, duration, forward, reverse, forward_total, reverse_total, quality = row
        begin = (start, forward_total - forward, reverse_total - reverse)
        end = (start + duration, forward_total, reverse_total)
        last, self.last = self.last, end
        self.counted.append((start, forward - reverse))
        if quality == PARTIAL:
            self.journal = None
            self.unclear += 1
            return
        if last is not None and begin[1] != last[1]:
            self.jumps.append((last[0], start, last[1], begin[1]))
        if last is None or journal != self.journal or not self._continues(last, begin):
            self.breaks.append(start)
        self.journal = journal
        if trusted and quality == MEASURED:
            self._mark(begin)
            self._mark(end)
        elif trusted and quality == INTERPOLATED and self.imported:
            self._mark(end)
        else:
            self.unclear += 1

    def _continues(self, last: tuple[int, int, int], begin: tuple[int, int, int]) -> bool:
        if begin[0] == last[0]:
            return begin == last
        if self.imported and begin[1:] == last[1:]:
            return False
        return begin[1] >= last[1] and begin[2] >= last[2]

    def _mark(self, at: tuple[int, int, int]) -> None:
        if at[0] % SLOT == 0:
            if self.known and self.known[-1][0] == at[0]:
                self.known.pop()
            self.known.append((*at, len(self.breaks)))

    def nets(self) -> list[tuple[int, int, int]]:
        return [(time, forward - reverse, segment) for time, forward, reverse, segment in self.known]

    def counted_mwh(self, first: int, end: int) -> int:
        return sum(energy for start, energy in self.counted if first <= start < end)

    def between(self, first: int, last: int) -> list[tuple[int, int, int, int]]:
        times = [item[0] for item in self.known]
        return self.known[max(0, bisect_left(times, first) - 1) : bisect_left(times, last + 1) + 1]

    def over(self, first: int, last: int) -> tuple[int, int] | None:
        times = [item[0] for item in self.known]
        begin, end = bisect_right(times, first) - 1, bisect_left(times, last)
        if begin < 0 or end == len(times):
            return None
        (one, before, segment), (other, after, later) = self.nets()[begin], self.nets()[end]
        return (other - one, after - before) if segment == later else None

    def step_mwh(self) -> int:
        return gcd(*(after[1] - one[1] for one, after in pairwise(self.nets())))

    def instants(self, *, standing: bool) -> set[int]:
        found = {item[0] for item in self.known}
        for one, after in pairwise(self.known):
            if standing and one[1:] == after[1:]:
                found.update(range(one[0], after[0], SLOT))
        return found

    def column(self, begin: int, count: int, every: int) -> list[int | None]:
        cells: dict[int, int] = {}
        found = self.between(begin, begin + (count - 1) * SLOT) if count else []
        for place, (time, forward, reverse, segment) in enumerate(found):
            stood = [time]
            after = found[place + 1] if place + 1 < len(found) else None
            if after is not None and after[0] - time > SLOT and after[1:] == (forward, reverse, segment):
                stood = list(range(time, after[0] + 1, every * SLOT))
            cells |= dict.fromkeys(stood, forward - reverse)
        return [cells.get(begin + slot * SLOT) for slot in range(count)]


def disjoint(rows: Sequence[Row]) -> list[Row]:
    """Return the rows that overlap no better one: of better quality, then a later journal, then a later record."""
    kept: list[Row] = []
    for row in sorted(sorted(rows), key=lambda row: (row[9], -row[2], -row[3])):
        if all(row[0] + row[4] <= other[0] or other[0] + other[4] <= row[0] for other in kept):
            kept.append(row)
    return sorted(kept)


def plain(
    readings: Sequence[Sequence[Row]], imported: Sequence[int], trusted: Callable[[int, int], bool]
) -> dict[int, Plain]:
    """Return what is known by meter from readings one after the other."""
    found: dict[int, Plain] = {}
    for rows in readings:
        for meter in {row[1] for row in rows}:
            history = found.setdefault(meter, Plain(meter in imported))
            for row in disjoint([row for row in rows if row[1] == meter]):
                history.add(row, trusted=trusted(row[2], row[3]))
    return found
