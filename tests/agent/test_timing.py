"""Durations on a clock that runs fast."""

from agent.timing import at_least_real
from clock import SimulatedClock, SystemClock

FAST = SimulatedClock(0, 960, 0)


def test_waits_have_a_real_floor() -> None:
    """In the clock's own milliseconds."""
    assert at_least_real(SystemClock(), 500, 2.0) == 2000
    assert round(at_least_real(FAST, 500, 2.0)) == 1_920_000
    assert at_least_real(FAST, 10**8, 2.0) == 10**8
