"""Zones, and the hours that clocks show twice or never."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_receiver.delimited.times import Dates, Stamp, TimeTextError, parse
from cloud_receiver.delimited.zone import Zone, zone_of

OSLO = Zone(ZoneInfo("Europe/Oslo"))


def at(text: str, *, end: bool = False) -> tuple[tuple[int, ...], bool]:
    found = OSLO.instants(parse(text, Dates.AUTO), end=end)
    return found.all, found.skipped


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def test_an_hour_that_came_twice_is_two_instants() -> None:
    assert at("2019-10-27 02:00") == ((utc("2019-10-27T00:00"), utc("2019-10-27T01:00")), False)


def test_an_hour_that_was_left_out_is_none() -> None:
    assert at("2019-03-31 02:00") == ((), True)
    assert at("2019-03-31 02:30", end=True) == ((), True)


def test_the_end_of_the_hour_before_one_that_was_left_out_is_when_clocks_were_put_forward() -> None:
    assert at("2019-03-31 02:00", end=True) == ((utc("2019-03-31T01:00"),), True)
    assert at("2019-03-31 03:00", end=True) == ((utc("2019-03-31T01:00"),), False)


@given(
    st.integers(0, 4_000_000_000),
    st.sampled_from(["Europe/Oslo", "Asia/Shanghai", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu"]),
)
def test_an_instant_is_among_those_that_what_the_clock_showed_can_be(seconds: int, name: str) -> None:
    shown = datetime.fromtimestamp(seconds, ZoneInfo(name)).replace(tzinfo=None)
    found = Zone(ZoneInfo(name)).instants(Stamp(shown)).all
    assert seconds * 1000 in found
    assert list(found) == sorted(found)
    assert all(datetime.fromtimestamp(ms / 1000, ZoneInfo(name)).replace(tzinfo=None) == shown for ms in found)


def test_an_offset_of_its_own_counts_whatever_the_zone() -> None:
    assert OSLO.instants(parse("2019-10-27T02:00-03:30")).all == (utc("2019-10-27T05:30"),)


def test_what_is_before_1970_by_its_offset_is_refused() -> None:
    with pytest.raises(TimeTextError, match="since 1970"):
        OSLO.instants(parse("1970-01-01T00:00+08:00"))


def test_fixed_offsets() -> None:
    for text, offset in (("+08:00", timedelta(hours=8)), ("UTC+0800", timedelta(hours=8)), ("UTC", timedelta())):
        assert zone_of(text).utcoffset(None) == offset
    assert zone_of("-03:30").utcoffset(None) == timedelta(hours=-3, minutes=-30)
    assert zone_of("Asia/Shanghai") == ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize("text", ["Mars/Olympus", "+25:00", "+01:99", "../etc", "", "Z" * 5000, "Europe"])
def test_what_is_no_zone_is_named(text: str) -> None:
    with pytest.raises(TimeTextError, match="expected a time zone such as Asia/Shanghai, or an offset"):
        zone_of(text)
