"""Sets of sequence numbers as closed ranges: what of a journal has been received, and what is missing."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator


class RangeSet:
    """Disjoint ranges [first, last] of positive integers in ascending order; touching ranges are one."""

    __slots__ = ("_firsts", "_lasts")

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in ranges:
            self.add(first, last)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._firsts, self._lasts, strict=True)

    def __len__(self) -> int:
        """Return the number of ranges."""
        return len(self._firsts)

    def __contains__(self, number: int) -> bool:
        place = bisect_right(self._firsts, number) - 1
        return place >= 0 and number <= self._lasts[place]

    def touches(self, first: int, last: int) -> bool:
        """Return whether [first, last] overlaps a range or continues one, so that adding it makes none more."""
        return bisect_left(self._lasts, first - 1) < bisect_right(self._firsts, last + 1)

    def add(self, first: int, last: int) -> list[tuple[int, int]]:
        """Enter [first, last]; return the parts of it that were not in the set, in ascending order."""
        if not 1 <= first <= last:
            raise ValueError(f"range {first}..{last}: expected 1 <= first <= last")
        # Ranges low..high-1 overlap [first, last] or touch it.
        low = bisect_left(self._lasts, first - 1)
        high = bisect_right(self._firsts, last + 1)
        new = []
        start = first
        for place in range(low, high):
            if self._firsts[place] > start:
                new.append((start, min(self._firsts[place] - 1, last)))
            start = max(start, self._lasts[place] + 1)
        if start <= last:
            new.append((start, last))
        if low < high:
            first = min(first, self._firsts[low])
            last = max(last, self._lasts[high - 1])
        self._firsts[low:high] = [first]
        self._lasts[low:high] = [last]
        return new

    def up_to(self) -> int:
        """Return the last number of the run that starts at 1; 0 when 1 is missing."""
        return self._lasts[0] if self._firsts and self._firsts[0] == 1 else 0

    def highest(self) -> int:
        """Return the highest number; 0 when there is none."""
        return self._lasts[-1] if self._lasts else 0

    def missing(self, limit: int) -> tuple[tuple[int, int], ...]:
        """Return the first `limit` gaps above `up_to` and below the highest number of the set."""
        edge = self.up_to()
        gaps = []
        for first, last in self:
            if first > edge + 1:
                gaps.append((edge + 1, first - 1))
                if len(gaps) == limit:
                    break
            edge = last
        return tuple(gaps)
