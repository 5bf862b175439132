"""The meter's own clock: offset, drift, setting, and the way back to true time."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.device_clock import DeviceClock


@given(st.integers(0, 10**12), st.fractions(-500, 500, max_denominator=1000), st.integers(-(10**9), 10**9))
def test_when_is_the_first_instant_that_shows_a_time(elapsed_ms: int, drift: Fraction, offset_ms: int) -> None:
    clock = DeviceClock(10**12, offset_ms=offset_ms, drift_ppm=drift)
    wanted = 10**12 + offset_ms + elapsed_ms
    moment = clock.when(wanted)
    assert clock.at(moment) >= wanted
    assert clock.at(moment - 1) < wanted


def test_ten_ppm_is_864_ms_a_day() -> None:
    clock = DeviceClock(0, drift_ppm=Fraction(10))
    assert clock.at(86_400_000) == 86_400_864


def test_a_set_clock_goes_on_from_there() -> None:
    clock = DeviceClock(0, offset_ms=5_000)
    clock.set_time(10_000, 10_000)
    assert clock.at(20_000) == 20_000


def test_a_clock_that_runs_backwards_is_refused() -> None:
    with pytest.raises(ValueError, match="does not run"):
        DeviceClock(0, drift_ppm=Fraction(-1_000_000))
