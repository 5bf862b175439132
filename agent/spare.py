"""Line time for what is not a meter's poll: attempts at silent meters, and errands that can wait.

What the polls leave idle costs nobody anything and may be used in full. Where a line has no idle time, a small share of
it is given all the same, so that a silent meter is found again and an errand is done even there.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from profiles import Block

PERCENT: Final = 5  # of the line's time, for each kind of use


class Allowance:
    """How much of a line's time one kind of use may take from the polls; durations in ms."""

    def __init__(self, least_ms: int) -> None:
        """`least_ms`: what a use may take although the last one was over sooner."""
        self.used_ms = 0
        self.expected_ms = least_ms  # what the next use may take
        self._least_ms = least_ms
        self._not_before = 0

    def fits(self, idle_ms: int | None) -> bool:
        """Whether the next use ends before the next poll begins (None: no poll is waited for)."""
        return idle_ms is None or idle_ms >= self.expected_ms

    def wait_ms(self, now_ms: int) -> int:
        """Return how long until it may delay a poll; 0: at once."""
        return max(self._not_before - now_ms, 0)

    def spend(self, began_ms: int, now_ms: int) -> None:
        """Take note of a use. The next one that delays a poll waits until the share is kept again."""
        cost = now_ms - began_ms
        self.used_ms += cost
        self.expected_ms = max(cost, self._least_ms)
        self._not_before = now_ms + cost * (100 - PERCENT) // PERCENT


@dataclass(frozen=True, slots=True)
class Errand:
    """Blocks to be read from one meter when its line has time for it, and whom to tell."""

    blocks: Sequence[Block]
    done: Callable[[dict[str, int], int], None]  # values by point, when the last of them came (ms UTC)
    failed: Callable[[Exception], None]  # a LineError or CodecError
