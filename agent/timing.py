"""Durations that must stay sensible when the clock runs fast.

A simulated second may last one real millisecond. Sockets, disks and brokers do not run faster for that, so their
waits keep a least length in real time.
"""

from typing import Final

from clock import Clock

SOCKET_FLOOR_S: Final = 1.0  # a loaded machine answers within a real second, hardly always within less


def at_least_real(clock: Clock, duration_ms: float, real_s: float) -> float:
    """Return the duration in the clock's ms, lengthened where it would take less than `real_s` real seconds."""
    return max(duration_ms, clock.from_real_seconds(real_s))


def socket_seconds(clock: Clock, duration_ms: float) -> float:
    """Return a socket time-out in real seconds: as configured on real time, never below the floor on a faster clock."""
    return max(clock.to_real_seconds(duration_ms), min(duration_ms / 1000, SOCKET_FLOOR_S))
