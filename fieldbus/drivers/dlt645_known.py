"""What DL/T 645-2007 meters are known to have, and not to have."""

from collections import defaultdict, deque
from collections.abc import Iterator
from typing import Final

DEFAULTS: Final = (0x0400_0401, 0x0001_0000, 0x0201_0100, 0x0400_0101)
"""Identifiers that nearly every meter has: address, energy, voltage, date."""
_REMEMBERED: Final = 4
_LACKING_S: Final = 60.0  # "other" may mean a meter that has just got its power back; doubles up to the next
_LONGEST_LACKING_S: Final = 3600.0  # then a meter may have been exchanged for another


class Known:
    """What the meters of a line have answered and refused; times are the event loop's."""

    def __init__(self) -> None:
        self._answered: dict[str, deque[int]] = defaultdict(lambda: deque(maxlen=_REMEMBERED))
        # Until when what a meter has refused is not asked for, and how long that was:
        self._lacking: dict[tuple[str, int], tuple[float, float]] = {}

    def answered(self, meter: str, di: int) -> None:
        """Take note of an identifier that a meter has."""
        known = self._answered[meter]
        if di not in known:
            known.appendleft(di)
        self._lacking.pop((meter, di), None)

    def refused(self, meter: str, di: int, now: float) -> None:
        """Take note of one that it says it has not."""
        _, wait = self._lacking.get((meter, di), (0.0, 0.0))
        wait = min(max(2 * wait, _LACKING_S), _LONGEST_LACKING_S)
        self._lacking[meter, di] = (now + wait, wait)

    def lacks(self, meter: str, di: int, now: float) -> bool:
        """Return whether it has said so not long ago."""
        until, _ = self._lacking.get((meter, di), (now, 0.0))
        return until > now

    def likely(self, meter: str) -> Iterator[int]:
        """Yield identifiers that it will answer, the surest first."""
        yield from self._answered.get(meter, ())
        yield from DEFAULTS
