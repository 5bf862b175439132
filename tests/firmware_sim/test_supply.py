"""The voltage of a supply: a function of seed and time, as wide as it was told to be."""

from statistics import fmean, pstdev

from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.supply import Supply

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
MIDNIGHT = 1_781_452_800_000  # 2026-06-15 at Shanghai


def supply(**changes: int) -> Supply:
    return Supply(nominal_mv=220_000, timezone="Asia/Shanghai", **{"seed": 1, **changes})


def test_without_a_wander_it_is_constant() -> None:
    assert {supply().voltages_uv(MIDNIGHT + time) for time in range(0, DAY, 7 * MINUTE)} == {(220_000_000,) * 3}


def test_the_daily_course_is_highest_at_its_hour_by_local_time() -> None:
    course = supply(daily=15_000, highest_hour=3)
    assert course.voltages_uv(MIDNIGHT + 3 * HOUR) == (223_300_000,) * 3
    assert course.voltages_uv(MIDNIGHT + 15 * HOUR) == (216_700_000,) * 3
    assert course.voltages_uv(MIDNIGHT + 9 * HOUR) == (220_000_000,) * 3


def test_it_wanders_about_as_far_as_it_was_told_and_no_farther_on_the_whole() -> None:
    for wander, phase_wander in ((5_000, 0), (0, 2_000)):
        it = supply(wander=wander, phase_wander=phase_wander)
        seen = [it.voltages_uv(MIDNIGHT + time)[1] / 220e6 - 1 for time in range(0, 7 * DAY, 5 * MINUTE)]
        deviation = (wander + phase_wander) / 1e6
        assert 0.7 * deviation < pstdev(seen) < 1.1 * deviation
        assert abs(fmean(seen)) < 0.2 * deviation
        assert max(map(abs, seen)) < 7 * deviation


def test_all_phases_wander_together_and_each_for_itself() -> None:
    assert len(set(supply(wander=5_000).voltages_uv(MIDNIGHT))) == 1
    assert len(set(supply(phase_wander=5_000).voltages_uv(MIDNIGHT))) == 3


def test_a_seed_makes_one_wander() -> None:
    times = range(MIDNIGHT, MIDNIGHT + HOUR, MINUTE)
    one, same, other = (supply(seed=seed, wander=5_000) for seed in (1, 1, 2))
    assert [one.voltages_uv(time) for time in times] == [same.voltages_uv(time) for time in times]
    assert [one.voltages_uv(time) for time in times] != [other.voltages_uv(time) for time in times]


@given(st.integers(0, 10 * DAY), st.sampled_from([1_000, 10_000, 60_000, 3_600_000]))
def test_it_is_constant_within_a_step(offset: int, step_ms: int) -> None:
    it = supply(daily=15_000, wander=5_000, phase_wander=2_000, step_ms=step_ms)
    now_ms = MIDNIGHT + offset
    following = it.next_change(now_ms)
    assert now_ms < following <= now_ms + step_ms
    assert following % step_ms == 0
    assert it.voltages_uv(now_ms) == it.voltages_uv(following - 1) == it.voltages_uv(following - step_ms)
