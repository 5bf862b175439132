"""Sessions: the energy is met exactly, within rated power and before departure, one car at a time."""

from datetime import date, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.sessions import GAP_MS, Session, SessionCurve, shape

ZONE = ZoneInfo("Asia/Shanghai")
DAY = date(2026, 6, 15)
MIDNIGHT = int(datetime(2026, 6, 15, tzinfo=ZONE).timestamp() * 1000)
HOUR = 3_600_000
KWH = 10**6
RATED = 7 * 10**6


@given(st.integers(1, 24 * HOUR), st.integers(0, 120 * KWH), st.sampled_from([3_700_000, 7_000_000, 120_000_000]))
def test_a_session_meets_its_energy_exactly_or_runs_at_rated_power_until_departure(
    room_ms: int, energy_mwh: int, rated_mw: int
) -> None:
    steps = shape(Session(0, room_ms, energy_mwh), rated_mw)
    delivered = sum(power * (end - start) for (start, power), (end, _) in pairwise(steps))
    assert delivered == min(energy_mwh * 3_600_000, rated_mw * room_ms)
    assert all(0 <= power <= rated_mw for _, power in steps)
    assert all(earlier < later for (earlier, _), (later, _) in pairwise(steps))
    if steps:
        assert steps[0][0] == 0
        assert steps[-1][0] <= room_ms
        assert steps[-1][1] == 0


def test_power_is_constant_first_and_then_tapers() -> None:
    steps = shape(Session(0, 10 * HOUR, 14 * KWH), RATED)
    powers = [power for _, power in steps]
    assert powers[0] == RATED
    assert powers[:-3] == sorted(powers[:-3], reverse=True)
    assert steps[1][0] == int(1.6 * HOUR)  # four fifths of two hours at rated power
    assert powers[-3] < RATED * 2 // 10


def test_little_time_shortens_the_taper() -> None:
    roomy, hurried = (shape(Session(0, room, 7 * KWH), RATED) for room in (2 * HOUR, HOUR + 60_000))
    assert hurried[1][0] > roomy[1][0]
    assert hurried[-1][0] <= HOUR + 60_000


def test_feeding_back_is_the_mirror_image() -> None:
    forward = shape(Session(5, 9 * HOUR, 12 * KWH), RATED)
    reverse = shape(Session(5, 9 * HOUR, 12 * KWH, reverse=True), RATED)
    assert reverse == [(start, -power) for start, power in forward]


def curve(*sessions: Session, start_ms: int = MIDNIGHT) -> SessionCurve:
    return SessionCurve(start_ms, ZONE, RATED, lambda day: sessions if day == DAY else ())


def test_a_day_delivers_the_energies_of_its_sessions() -> None:
    load = curve(
        Session(MIDNIGHT + 8 * HOUR, MIDNIGHT + 12 * HOUR, 10 * KWH),
        Session(MIDNIGHT + 18 * HOUR, MIDNIGHT + 23 * HOUR, 5 * KWH, reverse=True),
    )
    assert load.energy_at(MIDNIGHT + 24 * HOUR) == (10 * KWH * 3_600_000, 5 * KWH * 3_600_000)


def test_a_session_goes_on_after_midnight() -> None:
    load = curve(Session(MIDNIGHT + 23 * HOUR, MIDNIGHT + 26 * HOUR, 10 * KWH))
    assert load.power_at(MIDNIGHT + 24 * HOUR) == RATED
    assert load.energy_at(MIDNIGHT + 48 * HOUR)[0] == 10 * KWH * 3_600_000


def test_a_car_waits_for_the_one_before_it() -> None:
    load = curve(
        Session(MIDNIGHT, MIDNIGHT + 4 * HOUR, 7 * KWH),
        Session(MIDNIGHT + HOUR, MIDNIGHT + 8 * HOUR, 7 * KWH),
        Session(MIDNIGHT + HOUR, MIDNIGHT + 3 * HOUR, 7 * KWH),
    )
    assert load.energy_at(MIDNIGHT + 24 * HOUR)[0] == 14 * KWH * 3_600_000
    assert [session.arrival_ms for session in load.served] == [MIDNIGHT, MIDNIGHT + 4 * HOUR + GAP_MS]
    assert len(load.turned_away) == 1


def test_what_rated_power_can_not_deliver_is_noted() -> None:
    load = curve(Session(MIDNIGHT, MIDNIGHT + HOUR, 20 * KWH))
    assert load.energy_at(MIDNIGHT + 24 * HOUR)[0] == RATED * HOUR
    assert len(load.cut_short) == 1


def test_sessions_before_the_start_are_history() -> None:
    start = MIDNIGHT + 9 * HOUR
    load = curve(Session(MIDNIGHT + 8 * HOUR, MIDNIGHT + 12 * HOUR, 10 * KWH), start_ms=start)
    assert load.energy_at(MIDNIGHT + 24 * HOUR) == (0, 0)
