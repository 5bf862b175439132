"""The seeded model: the same seed gives the same day, in any order, and days look like days."""

from datetime import date, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from firmware_sim.generated import AC, DC, GeneratedSessions, Habits

ZONE = ZoneInfo("Asia/Shanghai")
DAYS = [date(2026, 6, 1) + timedelta(days=number) for number in range(200)]


def model(
    seed: int = 1, charger: str = "c1", *, habits: Habits = AC, per_day: str = "4", share: str = "0"
) -> GeneratedSessions:
    return GeneratedSessions(seed, charger, ZONE, 7_000_000, Decimal(per_day), Decimal(share), habits)


def test_a_day_does_not_depend_on_the_days_asked_before() -> None:
    forwards = {day: model()(day) for day in DAYS}
    backwards = {day: model()(day) for day in reversed(DAYS)}
    assert forwards == backwards


def test_seed_and_charger_make_different_days() -> None:
    days = {(seed, charger): tuple(map(tuple, map(model(seed, charger), DAYS))) for seed in (1, 2) for charger in "ab"}
    assert len(set(days.values())) == 4


def test_sessions_are_as_many_and_as_large_as_asked() -> None:
    sessions = [session for day in DAYS for session in model(habits=DC, per_day="10")(day)]
    assert 9 < len(sessions) / len(DAYS) < 11
    energies = [session.energy_mwh / 10**6 for session in sessions]
    assert DC.energy_kwh[0] <= min(energies) <= max(energies) <= DC.energy_kwh[2]
    assert all(session.departure_ms > session.arrival_ms for session in sessions)


def test_the_share_that_feeds_back_is_met() -> None:
    sessions = [session for day in DAYS for session in model(share="0.25")(day)]
    assert 0.2 < sum(session.reverse for session in sessions) / len(sessions) < 0.3
    assert not any(session.reverse for day in DAYS for session in model()(day))


def test_there_are_fewer_arrivals_at_night() -> None:
    hours = [(session.arrival_ms // 3_600_000 + 8) % 24 for day in DAYS for session in model(per_day="20")(day)]
    assert sum(hour < 5 for hour in hours) < sum(7 <= hour < 12 for hour in hours) / 2


def test_no_sessions_a_day_is_possible() -> None:
    assert not any(model(per_day="0")(day) for day in DAYS)
