"""The plan of a replay: which days and plugs, who is altered, and errors within the class for all others."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from replay_support import FIRST, HEADER, plan_of, session_file

from demo.plan import SLOT_MS, PlanError
from demo.replay.plan import MASTER_MOST, SOUND_MOST, VOLTAGE_MOST, ReplayPlan, make

HOUR_MS = 3_600_000


def test_a_seed_makes_one_plan(sessions: Path, plan: ReplayPlan) -> None:
    assert plan_of(sessions) == plan
    others = [plan_of(sessions, seed=seed) for seed in range(2, 30)]
    assert len({other.altered for other in others}) > 5  # of the ten pairs there are
    assert len({other.chargers[0].cable_milliohm for other in others}) > 5
    assert len({other.master_percent for other in others}) > 5


def test_the_altered_are_off_by_what_was_added_and_all_others_within_their_class(sessions: Path) -> None:
    for seed in range(50):
        plan = plan_of(sessions, seed=seed)
        added = sorted(charger.altered_percent for charger in plan.chargers if charger.altered_percent is not None)
        assert added == [Decimal(-3), Decimal("3.5")]
        assert plan.altered == {charger.id for charger in plan.chargers if charger.altered_percent is not None}
        for charger in plan.chargers:
            assert abs(charger.error_percent - (charger.altered_percent or 0)) <= SOUND_MOST
            assert 42 <= charger.cable_milliohm <= 78
            assert abs(charger.voltage_percent) <= VOLTAGE_MOST
        assert abs(plan.master_percent) <= MASTER_MOST
        assert abs(plan.master_voltage_percent) <= MASTER_MOST
        assert len({charger.voltage_percent for charger in plan.chargers}) > 1


def test_who_is_altered_changes_nothing_else(sessions: Path, plan: ReplayPlan) -> None:
    """So that a run with and one without differ in that only."""
    other = plan_of(sessions, altered=("5", "5"))
    sound = [charger.error_percent - (charger.altered_percent or 0) for charger in plan.chargers]
    assert sound == [charger.error_percent - (charger.altered_percent or 0) for charger in other.chargers]
    assert [charger.cable_milliohm for charger in plan.chargers] == [
        charger.cable_milliohm for charger in other.chargers
    ]
    assert plan.altered == other.altered


def test_the_busiest_plugs_are_replayed(plan: ReplayPlan) -> None:
    assert [(charger.id, charger.plug, charger.sessions) for charger in plan.chargers] == [
        ("c01", "P1", 18),
        ("c02", "P2", 15),
        ("c03", "P3", 12),
        ("c04", "P4", 9),
        ("c05", "P5", 6),
    ]


def test_the_days_are_those_of_the_file_in_its_zone(plan: ReplayPlan) -> None:
    assert (plan.day, plan.timezone) == (FIRST, "Etc/GMT+7")
    assert plan.first_ms == 1_560_150_000_000  # 2019-06-10T07:00Z
    assert plan.last_ms - plan.first_ms == 72 * HOUR_MS
    assert plan.origin_ms == plan.first_ms - HOUR_MS // 2
    assert plan.end_ms == plan.last_ms + 2.5 * HOUR_MS == max(plan.nights_ms)
    assert sorted(plan.nights_ms) == [plan.first_ms + (24 * day + 2.5) * HOUR_MS for day in (1, 2, 3)]
    # Time is let go from one quarter of an hour to the next: no night may lie between.
    assert all((night - plan.origin_ms) % SLOT_MS == 0 for night in plan.nights_ms)
    starts = [start for _, start, _ in plan.factors("n")]
    assert len(set(starts)) == len(starts) >= (plan.end_ms - plan.origin_ms) // SLOT_MS


def test_without_a_day_those_with_most_arrivals_are_taken(tmp_path: Path) -> None:
    path = session_file(tmp_path / "s.csv")
    more = "".join(f"2019-06-13 0{hour}:00:00-07:00,2019-06-13 0{hour}:30:00-07:00,1,1,P1\n" for hour in range(5))
    path.write_text(path.read_text() + more)
    assert make(path, day=None, days=2, chargers=5, seed=1).day == date(2019, 6, 12)


def test_what_can_t_be_replayed_is_refused(tmp_path: Path, sessions: Path) -> None:
    with pytest.raises(PlanError, match="2 of 2 chargers altered: expected some that are not"):
        make(sessions, day=FIRST, days=1, chargers=2, seed=1, altered=[Decimal(3), Decimal(4)])
    with pytest.raises(PlanError, match="expected sessions at 7 plugs in this time, found 6"):
        make(sessions, day=FIRST, days=1, chargers=7, seed=1)
    with pytest.raises(PlanError, match="no sessions of 5 days from 2019-06-10"):
        make(sessions, day=FIRST, days=5, chargers=5, seed=1)
    with pytest.raises(PlanError, match="can't be read"):
        make(tmp_path / "none.csv", day=None, days=1, chargers=5, seed=1)
    empty = tmp_path / "empty.csv"
    empty.write_text(HEADER)
    with pytest.raises(PlanError, match="no sessions"):
        make(empty, day=None, days=1, chargers=5, seed=1)
