"""Readings that a meter's next one has to bear out: a register that fell, or rose by more than can have flowed.

A reply with a right check can be wrong all the same: a meter that swaps words once in a while, or answers from memory
that it has just lost. Taken at its word, such a reading ends the register's segment, and the way back counts as energy.
So it is left aside until the next reading goes on from it; if that goes on from the last good one instead, nothing
happened. The register brings the energy either way, one poll later.
"""

from typing import Final

from agent.reading import Reading

_MW_MS_PER_MWH: Final = 3_600_000
_MOST_DOUBTED: Final = 2  # in a row: then what comes is taken as it is


class Doubt:
    """What is to be believed of one meter. `max_power_mw`: the most that flows; `resolution_mwh`: a register's unit."""

    def __init__(self, max_power_mw: int, resolution_mwh: int) -> None:
        self._max_power_mw = max_power_mw
        self._resolution_mwh = resolution_mwh
        self._good: Reading | None = None
        self._odd: Reading | None = None
        self._doubted = 0

    def taken(self, reading: Reading) -> None:
        """Take note of a reading that was used."""
        self._good, self._odd, self._doubted = reading, None, 0

    def forget(self) -> None:
        """Compare with nothing that was read so far: the time has leapt."""
        self._good, self._odd, self._doubted = None, None, 0

    def strikes(self, reading: Reading) -> bool:
        """Return whether a reading is to be left aside."""
        good, odd = self._good, self._odd
        if reading.exchanged or good is None or self._goes_on(good, reading):
            return False
        if (odd is not None and self._goes_on(odd, reading)) or self._doubted >= _MOST_DOUBTED:
            return False
        self._odd = reading
        self._doubted += 1
        return True

    def _goes_on(self, before: Reading, after: Reading) -> bool:
        span_ms = after.time_ms - before.time_ms
        if span_ms <= 0:
            return True  # not for registers to say
        most_mwh = self._resolution_mwh + self._max_power_mw * span_ms // _MW_MS_PER_MWH
        return all(
            0 <= rise <= most_mwh
            for rise in (after.forward_mwh - before.forward_mwh, after.reverse_mwh - before.reverse_mwh)
        )
