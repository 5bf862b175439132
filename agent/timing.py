"""Durations that must stay sensible when the clock runs fast.

A simulated second may last one real millisecond. Sockets, disks and brokers do not run faster for that, so their
waits keep a least length in real time.
"""

from clock import Clock
from fieldbus.socket_time import SOCKET_FLOOR_S, socket_seconds

__all__ = ["SOCKET_FLOOR_S", "at_least_real", "socket_seconds"]


def at_least_real(clock: Clock, duration_ms: float, real_s: float) -> float:
    """Return the duration in the clock's ms, lengthened where it would take less than `real_s` real seconds."""
    return max(duration_ms, clock.from_real_seconds(real_s))
