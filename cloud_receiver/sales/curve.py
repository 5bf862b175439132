"""What a meter's records say of the energy between any two instants: a lower and an upper bound.

Within a record, and where records are missing, the time of the energy is not known: the rated power bounds it. Where a
register goes on behind a gap, the energy of the gap is known though its time is not. So it is of a stretch over which a
gateway without readings spread what the register had risen by.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from itertools import accumulate
from typing import NamedTuple

from wire.records import Quality

MS_PER_HOUR = 3_600_000
_SPREAD = (Quality.INTERPOLATED, Quality.ESTIMATED)


class Row(NamedTuple):
    """A record: energy in mWh, and the register at its end."""

    start_ms: int
    end_ms: int
    energy_mwh: int
    total_mwh: int
    journal: int
    quality: int


class Bounds(NamedTuple):
    """The least and the most that an energy may be, mWh, and the time of which nothing is known, ms."""

    low: int
    high: int
    unknown_ms: int = 0

    def plus(self, other: "Bounds") -> "Bounds":
        """Return the bounds of a sum."""
        return Bounds(self.low + other.low, self.high + other.high, self.unknown_ms + other.unknown_ms)


class _Piece(NamedTuple):
    start_ms: int
    end_ms: int
    low: int
    high: int
    gap: bool


def _known(rows: Iterable[Row]) -> list[Row]:
    """Return records in order of time, those of one stretch without readings as one: only its whole is known."""
    result: list[Row] = []
    for row in rows:
        last = result[-1] if result else row
        spread = last.quality in _SPREAD and row.quality in _SPREAD
        if spread and last.end_ms == row.start_ms and last.journal == row.journal:
            energy = last.energy_mwh + row.energy_mwh
            result[-1] = row._replace(start_ms=last.start_ms, energy_mwh=energy)
        else:
            result.append(row)
    return result


class Curve:
    """A meter's energy over time; `power_mw` is the most it can have."""

    def __init__(self, rows: Iterable[Row], power_mw: int) -> None:
        self._power = power_mw
        self.pieces = self._pieces(sorted(rows))
        self._starts = [piece.start_ms for piece in self.pieces]
        self._ends = [piece.end_ms for piece in self.pieces]
        self._low = [0, *accumulate(piece.low for piece in self.pieces)]
        self._high = [0, *accumulate(piece.high for piece in self.pieces)]
        self._known = [0, *accumulate(piece.end_ms - piece.start_ms for piece in self.pieces)]

    def _pieces(self, rows: list[Row]) -> list[_Piece]:
        kept: list[Row] = []
        for row in rows:
            # Of two that overlap, as after the loss of a journal, the first counts: overlaps are another check's.
            if row.end_ms > row.start_ms and (not kept or row.start_ms >= kept[-1].end_ms):
                kept.append(row)
        pieces = []
        kept = _known(kept)
        for row, later in zip(kept, [*kept[1:], None], strict=False):
            most = self.most(row.end_ms - row.start_ms)
            low = high = row.energy_mwh
            if row.quality == Quality.PARTIAL:
                high += most
            elif row.quality in _SPREAD and (row is kept[0] or later is None):
                # What is known may end within the stretch, and its energy may be on the other side.
                low, high = min(low, 0), max(high, most)
            pieces.append(_Piece(row.start_ms, row.end_ms, low, high, gap=False))
            if later is not None and later.start_ms > row.end_ms:
                whole = row.journal == later.journal and Quality.PARTIAL not in (row.quality, later.quality)
                gone = later.total_mwh - later.energy_mwh - row.total_mwh
                if whole and gone >= 0:
                    pieces.append(_Piece(row.end_ms, later.start_ms, gone, gone, gap=True))
        return pieces

    def most(self, duration_ms: int) -> int:
        """Return the most energy of a time, mWh."""
        return -(-self._power * max(duration_ms, 0) // MS_PER_HOUR)

    def bounds(self, first_ms: int, end_ms: int) -> Bounds:
        """Return what may have been metered in [first_ms, end_ms)."""
        if end_ms <= first_ms:
            return Bounds(0, 0)
        first = bisect_right(self._ends, first_ms)
        last = bisect_left(self._starts, end_ms)
        if first >= last:
            return Bounds(0, self.most(end_ms - first_ms), end_ms - first_ms)
        inner, stop = first, last
        low = high = known = 0
        for place in {first, last - 1}:
            piece = self.pieces[place]
            start, end = max(piece.start_ms, first_ms), min(piece.end_ms, end_ms)
            if (start, end) != (piece.start_ms, piece.end_ms):
                part = self._part(piece, end - start)
                low, high, known = low + part.low, high + part.high, known + end - start
                if place == first:
                    inner = first + 1
                if place == last - 1:
                    stop = last - 1
        if inner < stop:
            low += self._low[stop] - self._low[inner]
            high += self._high[stop] - self._high[inner]
            known += self._known[stop] - self._known[inner]
        unknown = end_ms - first_ms - known
        return Bounds(low, high + self.most(unknown), unknown)

    def _part(self, piece: _Piece, duration_ms: int) -> Bounds:
        if piece.low < 0:  # energy went both ways: nothing bounds its parts but the power
            most = self.most(duration_ms)
            return Bounds(min(piece.low, -most), max(piece.high, most))
        rest = piece.end_ms - piece.start_ms - duration_ms
        low = max(0, piece.low - self.most(rest))
        return Bounds(low, max(low, min(piece.high, self.most(duration_ms))))

    def within(self, first_ms: int, end_ms: int) -> list[_Piece]:
        """Return the pieces that overlap a span."""
        return self.pieces[bisect_right(self._ends, first_ms) : bisect_left(self._starts, end_ms)]

    def edges(self, first_ms: int, end_ms: int) -> list[int]:
        """Return the instants in [first_ms, end_ms] at which a record begins or ends."""
        found = {
            time_ms
            for piece in self.pieces[bisect_left(self._ends, first_ms) : bisect_right(self._starts, end_ms)]
            if not piece.gap
            for time_ms in (piece.start_ms, piece.end_ms)
        }
        return sorted(time_ms for time_ms in found if first_ms <= time_ms <= end_ms)
