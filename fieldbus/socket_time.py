"""Time-outs of sockets that must stay sensible when the clock runs fast: sockets don't run faster for that."""

from typing import Final

from clock import Clock

SOCKET_FLOOR_S: Final = 1.0  # a loaded machine answers within a real second, hardly always within less


def socket_seconds(clock: Clock, duration_ms: float) -> float:
    """Return a socket time-out in real seconds: as configured on real time, never below the floor on a faster clock."""
    return max(clock.to_real_seconds(duration_ms), min(duration_ms / 1000, SOCKET_FLOOR_S))
