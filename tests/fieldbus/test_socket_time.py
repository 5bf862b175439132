"""Time-outs of sockets on a clock that runs fast."""

from clock import SimulatedClock, SystemClock
from fieldbus.socket_time import socket_seconds

FAST = SimulatedClock(0, 960, 0)


def test_sockets_get_a_real_second_on_a_fast_clock() -> None:
    """On real time they get what is configured; on a fast clock that or a second, whichever is shorter."""
    assert socket_seconds(SystemClock(), 300) == 0.3
    assert socket_seconds(SystemClock(), 5000) == 5.0
    assert socket_seconds(FAST, 300) == 0.3
    assert socket_seconds(FAST, 5000) == 1.0
    assert socket_seconds(FAST, 3_600_000) == 3.75
