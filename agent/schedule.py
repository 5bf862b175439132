"""When a meter is read: on a grid that starts afresh at every interval boundary.

The reading that closes an interval should come right after the boundary, whatever the poll period, so the grid is
anchored there; a period that does not divide the interval makes one shorter step before the next boundary.
"""

from typing import Final

SPREAD_MS: Final = (
    1000  # lines take their turns within this much after a grid instant, so that they don't burst together
)


def next_poll(now_ms: int, period_ms: int, interval_ms: int, phase_ms: int = 0) -> int:
    """Return the first instant after `now_ms` at which a meter is due (ms UTC)."""
    boundary = boundary_before(now_ms, interval_ms, phase_ms)
    step = (now_ms - boundary) // period_ms + 1
    return min(boundary + step * period_ms, boundary + interval_ms)


def boundary_before(now_ms: int, interval_ms: int, phase_ms: int = 0) -> int:
    """Return the last instant not after `now_ms` at which a line reads what closes an interval (ms UTC)."""
    return now_ms - (now_ms - phase_ms) % interval_ms


def phase(index: int, count: int, shortest_period_ms: int) -> int:
    """Return how long after a grid instant the line of this index takes its turn (ms)."""
    return index * min(SPREAD_MS, shortest_period_ms) // max(count, 1)


def silence_delay(failures: int, period_ms: int, longest_ms: int) -> int:
    """Return how long to leave a meter alone after this many time-outs in a row (ms).

    One lost frame costs nothing; from the second on the pause doubles, so that a dead meter does not hold up its
    neighbours.
    """
    if failures < 2:  # noqa: PLR2004 - the sentence above says why two
        return 0
    return min(period_ms << min(failures - 1, 16), max(longest_ms, period_ms))
