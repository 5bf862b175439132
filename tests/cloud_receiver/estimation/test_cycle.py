"""On which nights a station takes all windows: its own share of them, and never later than was asked."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from cycle_support import SELDOM
from hypothesis import given
from hypothesis import strategies as st

from cloud_receiver.estimation import cycle

ZONES = ("Asia/Shanghai", "Europe/Berlin", "America/Santiago", "Pacific/Apia", "UTC")
STATIONS = 1000


def midnight(day: date, zone: str) -> int:
    """Return when a local date begins; where summer time leaves its midnight out, an hour later."""
    naive = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone))
    return int(naive.astimezone(UTC).timestamp() * 1000)


def full_nights(station: int, zone: str, days: list[date], every: int) -> list[date]:
    """Return on which of some nights, the first of which is its first, a station takes all windows."""
    found = days[:1]
    for day in days[1:]:
        if cycle.is_over(station, zone, midnight(found[-1], zone), midnight(day, zone), every):
            found.append(day)
    return found


def run_of(first: date, count: int) -> list[date]:
    return [first + timedelta(days=place) for place in range(count)]


@pytest.mark.parametrize("every", [1, 2, 7, 14, 90])
def test_each_night_takes_its_share_of_the_stations(every: int) -> None:
    days = run_of(date(2026, 7, 1), 2 * every + 1)
    nights = [full_nights(station, "Asia/Shanghai", days, every) for station in range(1, STATIONS + 1)]
    for day in days[1:]:
        assert abs(sum(day in some for some in nights) - STATIONS / every) < 1


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("first", [date(2026, 3, 20), date(2026, 8, 30), date(2026, 10, 15)])
def test_a_week_is_seven_nights_also_over_summer_time(zone: str, first: date) -> None:
    days = run_of(first, 40)
    for station in range(1, 8):
        _, *own = full_nights(station, zone, days, 7)
        assert {day.toordinal() % 7 for day in own} == {station % 7}
        assert {(after - before).days for before, after in pairwise(own)} == {7}


@given(
    station=st.integers(1, 100_000),
    zone=st.sampled_from(ZONES),
    first=st.dates(date(2026, 1, 1), date(2030, 1, 1)),
    every=st.integers(1, 90),
    gaps=st.lists(st.integers(1, 12), max_size=60),
)
def test_however_many_nights_are_missed_none_is_later_than_it_must_be(
    station: int, zone: str, first: date, every: int, gaps: list[int]
) -> None:
    days = [first]
    for gap in gaps:
        days.append(days[-1] + timedelta(days=gap))
    last = first
    for before, day in pairwise(days):
        full = cycle.is_over(station, zone, midnight(last, zone), midnight(day, zone), every)
        # A night that was added is no later than `every` days after the one with all windows.
        assert full or (day - last).days < every
        # And the first one there is after an own day that was missed makes up for it.
        missed = any((last.toordinal() + one - station) % every == 0 for one in range(1, (day - last).days + 1))
        assert full is missed
        assert (before - last).days < every
        last = day if full else last


def test_stations_that_all_took_all_windows_at_once_part_again() -> None:
    days = run_of(date(2026, 7, 4), 9)
    nights = [full_nights(station, "Asia/Shanghai", days, 7) for station in range(1, 8)]
    assert all(some[0] == days[0] for some in nights)
    assert sorted(some[1] for some in nights) == days[1:8]


@pytest.mark.parametrize("station", [1, 37])
def test_tests_have_weeks_without_an_own_day(station: int) -> None:
    days = run_of(date(2026, 7, 1), 42)
    assert full_nights(station, "Asia/Shanghai", days, SELDOM) == days[:1]
