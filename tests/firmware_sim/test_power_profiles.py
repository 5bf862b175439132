"""Power profiles: constant between their steps, exact in energy, the same whoever asks in which order."""

import itertools
import math
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.curves import Curve
from firmware_sim.power_profiles import DAY_MS, DailyCurve, DatedCurve, SineCurve, step_of

ZONE = "Asia/Shanghai"
START = int(datetime(2026, 6, 15, tzinfo=ZoneInfo(ZONE)).timestamp() * 1000)
HOUR = 3_600_000
QUARTERS = [(HOUR // 4 * n, 1000 * n) for n in range(96)]


def test_a_daily_profile_repeats_every_day() -> None:
    curve = DailyCurve(START, ZONE, QUARTERS)
    assert [curve.power_at(START + n * HOUR) for n in (0, 1, 23, 24, 25)] == [0, 4000, 92_000, 0, 4000]
    day = sum(power for _, power in QUARTERS) * HOUR // 4
    assert curve.energy_at(START + DAY_MS) == (day, 0)
    assert curve.energy_at(START + 3 * DAY_MS) == (3 * day, 0)


def test_a_daily_profile_begins_in_the_middle_of_a_day() -> None:
    """With the step that holds then; before the first step of a day the last one of the day before goes on."""
    curve = DailyCurve(START + 10 * HOUR, ZONE, [(8 * HOUR, 5), (20 * HOUR, -7)])
    assert curve.power_at(START + 10 * HOUR) == 5
    assert curve.power_at(START + 20 * HOUR) == -7
    assert curve.power_at(START + 31 * HOUR) == -7
    assert curve.power_at(START + 32 * HOUR) == 5
    assert curve.energy_at(START + 34 * HOUR) == (5 * 12 * HOUR, 7 * 12 * HOUR)
    early = DailyCurve(START + HOUR, ZONE, [(8 * HOUR, 5), (20 * HOUR, -7)])
    assert early.power_at(START + HOUR) == -7


def test_days_of_another_length_end_with_their_last_step() -> None:
    """Berlin, 2026-10-25 has 25 hours and 2026-03-29 has 23."""
    zone = ZoneInfo("Europe/Berlin")
    steps = [(hour * HOUR, hour + 1) for hour in range(24)]
    for day, hours in ((datetime(2026, 10, 25, tzinfo=zone), 25), (datetime(2026, 3, 29, tzinfo=zone), 23)):
        start = int(day.timestamp() * 1000)
        curve = DailyCurve(start, "Europe/Berlin", steps)
        assert [curve.power_at(start + n * HOUR) for n in (0, hours - 1, hours)] == [1, min(hours, 24), 1]


def test_a_profile_with_dates_begins_and_goes_on() -> None:
    curve = DatedCurve(START, [(START - HOUR, 3), (START + HOUR, -4)])
    assert [curve.power_at(START + n * HOUR) for n in (-1, 0, 1, 1000)] == [0, 3, -4, -4]
    assert DatedCurve(START, [(START + HOUR, 1)]).power_at(START) == 0


def test_a_sine_has_its_peak_and_its_mean() -> None:
    sine = SineCurve(
        START, ZONE, mean_mw=1000, amplitude_mw=500, period_ms=DAY_MS, peak_ms=14 * HOUR, step_ms=HOUR // 4
    )
    assert sine.power_at(START + 14 * HOUR) == 1500
    assert sine.power_at(START + 2 * HOUR) == 500
    assert sine.power_at(START + 14 * HOUR + HOUR // 4) == round(1000 + 500 * math.cos(math.pi / 48))
    assert abs(sine.energy_at(START + DAY_MS)[0] - 1000 * DAY_MS) <= 96 * HOUR // 4


@pytest.mark.parametrize("steps", [[], [(5, 1), (5, 2)], [(6, 1), (5, 2)], [(DAY_MS, 1)], [(-1, 1)]])
def test_steps_that_are_no_day_are_refused(steps: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="profile needs steps"):
        DailyCurve(START, ZONE, steps)


def test_a_sine_has_to_divide_a_day() -> None:
    with pytest.raises(ValueError, match="divide a day"):
        SineCurve(START, ZONE, mean_mw=1, amplitude_mw=1, period_ms=7 * HOUR, peak_ms=0, step_ms=HOUR)


def test_how_many_steps_divide_a_day() -> None:
    assert [step_of(n) for n in (1, 96, 1440, 0, 7, 2880)] == [DAY_MS, HOUR // 4, 60_000, None, None, None]


@given(st.lists(st.integers(0, 5 * DAY_MS), min_size=1, max_size=20), st.sampled_from(["daily", "sine"]))
def test_energy_does_not_depend_on_who_asked_before(offsets: list[int], kind: str) -> None:
    """Asked in any order, a curve says the same as one that is asked once; and energy never falls."""

    def curve() -> Curve:
        if kind == "daily":
            return DailyCurve(START, ZONE, [(time, power - 40_000) for time, power in QUARTERS])
        return SineCurve(START, ZONE, mean_mw=9, amplitude_mw=500, period_ms=DAY_MS, peak_ms=0, step_ms=HOUR)

    asked = curve()
    found = [asked.energy_at(START + offset) for offset in offsets]
    assert found == [curve().energy_at(START + offset) for offset in offsets]
    ordered = [asked.energy_at(START + offset) for offset in sorted(offsets)]
    assert all(a[0] <= b[0] and a[1] <= b[1] for a, b in itertools.pairwise(ordered))
