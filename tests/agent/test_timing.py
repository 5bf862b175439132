"""Durations on a clock that runs fast."""

from agent.timing import at_least_real, socket_seconds
from clock import SimulatedClock, SystemClock

FAST = SimulatedClock(0, 960, 0)


def test_sockets_get_a_real_second_on_a_fast_clock() -> None:
    """On real time they get what is configured; on a fast clock that or a second, whichever is shorter."""
    assert socket_seconds(SystemClock(), 300) == 0.3
    assert socket_seconds(SystemClock(), 5000) == 5.0
    assert socket_seconds(FAST, 300) == 0.3
    assert socket_seconds(FAST, 5000) == 1.0
    assert socket_seconds(FAST, 3_600_000) == 3.75


def test_waits_have_a_real_floor() -> None:
    """In the clock's own milliseconds."""
    assert at_least_real(SystemClock(), 500, 2.0) == 2000
    assert round(at_least_real(FAST, 500, 2.0)) == 1_920_000
    assert at_least_real(FAST, 10**8, 2.0) == 10**8
