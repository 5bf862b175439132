"""Whether a line is free: what was heard and sent last, and whose answer another master waits for (多主站)."""

import asyncio
from collections.abc import Callable, Hashable
from typing import Final

from fieldbus.line_timing import LineTiming

_LOOK_AGAIN_S: Final = 0.01  # whether another master has its answer


class Occupancy:
    """The line as its talkers leave it; times are the event loop's."""

    def __init__(self, timing: LineTiming) -> None:
        self.last_heard = float("-inf")
        self.free_at = float("-inf")  # when what was sent last is through
        self._timing = timing
        self._others: Hashable = None  # the device that another master waits for

    @property
    def quiet_since(self) -> float:
        """When the last octet passed, either way; that may be to come."""
        return max(self.last_heard, self.free_at)

    def sent(self, octets: int) -> None:
        """Take note of octets that go out now."""
        self.free_at = asyncio.get_running_loop().time() + octets * self._timing.character_s

    def broadcast(self) -> None:
        """Leave the meters the time that they need after a broadcast that was sent just now."""
        self.free_at += self._timing.after_broadcast_s

    def other_asked(self, device: Hashable) -> None:
        """Take note that another master has asked a device: its next reply is not for us."""
        self._others = device
        self.free_at = max(self.free_at, self.last_heard + self._timing.timeout_s)

    def spoke(self, device: Hashable) -> None:
        """Take note of what a device said that we had not asked: it may be what another master waits for."""
        if device == self._others:
            self.free_at, self._others = self.last_heard, None

    async def quiet(self, gap_s: Callable[[], float | None]) -> None:
        """Wait until nobody talks, and the pause between two frames has passed; not for ever.

        `gap_s` returns what silence ends the unfinished frames, None while there is none.
        """
        loop = asyncio.get_running_loop()
        started = loop.time()
        while (now := loop.time()) - started < self._timing.longest_reply_s:
            gap = gap_s()
            wait = self.quiet_since + (self._timing.pause_s if gap is None else gap) - now
            if wait <= 0:
                break
            await asyncio.sleep(wait if self._others is None else min(wait, _LOOK_AGAIN_S))
        self._others = None
