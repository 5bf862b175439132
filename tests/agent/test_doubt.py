"""Readings that the next one has to bear out."""

import pytest

from agent.doubt import Doubt
from agent.reading import Reading

KW = 1_000_000  # mW
UNIT = 10_000  # mWh


def reading(seconds: int, forward: int, reverse: int = 0, **more: bool) -> Reading:
    """Return a reading of so many seconds, in units of the register."""
    return Reading("m", 1_000_000 + seconds * 1000, forward * UNIT, reverse * UNIT, **more)


def verdicts(*readings: Reading, max_kw: int = 36) -> list[bool]:
    """Return which readings are used; at 36 kW a register of 0.01 kWh moves by one unit a second."""
    doubt, used = Doubt(max_kw * KW, UNIT), []
    for one in readings:
        used.append(not doubt.strikes(one))
        if used[-1]:
            doubt.taken(one)
    return used


@pytest.mark.parametrize("odd", [0, 39_999, 400_000])
def test_one_odd_reading_is_passed_over(odd: int) -> None:
    """Whether it fell or rose, in one register or the other; what follows goes on from the last good one."""
    assert verdicts(reading(0, 40_000), reading(2, odd), reading(4, 40_004)) == [True, False, True]
    assert verdicts(reading(0, 1, 40_000), reading(2, 1, odd), reading(4, 1, 40_004)) == [True, False, True]


def test_odd_readings_that_do_not_agree_are_passed_over() -> None:
    assert verdicts(reading(0, 40_000), reading(2, 0), reading(4, 900_000), reading(6, 40_002)) == [
        True,
        False,
        False,
        True,
    ]


def test_what_the_next_reading_bears_out_is_used() -> None:
    """A meter that was reset, or rolled over, counts on from there."""
    assert verdicts(reading(0, 40_000), reading(2, 0), reading(4, 1), reading(6, 2)) == [True, False, True, True]


def test_a_meter_that_nothing_fits_is_believed_in_the_end() -> None:
    """Say, one that takes more than its configuration allows: its readings must not be left out for ever."""
    steep = [reading(seconds, 1000 * seconds) for seconds in range(7)]
    assert verdicts(*steep) == [True, False, False, True, False, False, True]


def test_a_coarse_register_may_move_by_its_unit_at_any_time() -> None:
    assert verdicts(reading(0, 5), reading(1, 7), max_kw=36) == [True, True]
    assert verdicts(reading(0, 5), reading(1, 8), max_kw=36) == [True, False]


def test_another_meter_and_another_time_are_not_compared() -> None:
    assert verdicts(reading(0, 40_000), reading(2, 5, exchanged=True)) == [True, True]
    assert verdicts(reading(0, 40_000), reading(0, 5)) == [True, True]
    doubt = Doubt(KW, UNIT)
    doubt.taken(reading(0, 40_000))
    doubt.forget()
    assert not doubt.strikes(reading(2, 5))
