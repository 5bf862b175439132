"""A clock that stands still until somebody moves it, and whose sleepers sleep in real time."""

import asyncio
import time
from dataclasses import dataclass


@dataclass(slots=True)
class VirtualClock:
    """Virtual time (虚拟时间) for a simulation in one process: it passes at once when it is asked to, else not at all.

    What takes real time, such as an exchange on a socket, takes none of it; so everything that is simulated happens at
    instants that are known exactly. Its sleep and its own time are real: a delay on a line is one of the socket.
    """

    wall_ms: int

    def now_ms(self) -> int:
        """Return the virtual time in ms UTC."""
        return self.wall_ms

    def move(self, time_ms: int) -> None:
        """Let time pass until an instant; ValueError for one that is past."""
        if time_ms < self.wall_ms:
            raise ValueError(f"virtual time is {self.wall_ms} ms, it can't go back to {time_ms} ms")
        self.wall_ms = time_ms

    def monotonic_ms(self) -> int:
        """Return the system's monotonic time in ms."""
        return time.monotonic_ns() // 1_000_000

    async def sleep_ms(self, duration_ms: float) -> None:
        """Wait in real time; the virtual time does not pass by itself."""
        await asyncio.sleep(max(duration_ms, 0.0) / 1000)

    def to_real_seconds(self, duration_ms: float) -> float:
        """Return the duration in seconds."""
        return duration_ms / 1000

    def from_real_seconds(self, real_s: float) -> float:
        """Return the seconds in ms."""
        return real_s * 1000
