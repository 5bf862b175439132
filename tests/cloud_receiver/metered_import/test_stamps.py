from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_receiver.metered_import.form import Dates
from cloud_receiver.metered_import.stamps import Stamp, StampError, Zone, fixed_offset, parse

OSLO = Zone(ZoneInfo("Europe/Oslo"))


@pytest.mark.parametrize(
    ("text", "dates"),
    [
        ("2026-07-01 00:15", Dates.AUTO),
        ("2026-07-01T00:15:00", Dates.AUTO),
        ("2026/7/1 0:15", Dates.AUTO),
        ("2026.07.01 00:15:00.000", Dates.AUTO),
        ("20260701 00:15", Dates.AUTO),
        ("2026年7月1日 00:15", Dates.AUTO),
        ("01.07.2026 00:15", Dates.AUTO),
        ("1/7/2026 00:15", Dates.DAY_FIRST),
        ("7/1/2026 00:15", Dates.MONTH_FIRST),
        ("01-07-2026 00:15", Dates.DAY_FIRST),
        (" 2026-07-01  00:15 ", Dates.AUTO),
    ],
)
def test_forms_of_a_time(text: str, dates: Dates) -> None:
    assert parse(text, dates) == Stamp(datetime(2026, 7, 1, 0, 15))  # noqa: DTZ001  # what a clock shows


@pytest.mark.parametrize(
    ("text", "shown"),
    [("2026-06-30 24:00", datetime(2026, 7, 1)), ("2026-07-01", datetime(2026, 7, 1))],  # noqa: DTZ001
)
def test_midnight_by_its_other_names(text: str, shown: datetime) -> None:
    assert parse(text, Dates.AUTO).shown == shown


@pytest.mark.parametrize(("text", "offset_ms"), [("Z", 0), ("+08:00", 28_800_000), ("-0330", -12_600_000)])
def test_an_offset_of_its_own_counts(text: str, offset_ms: int) -> None:
    stamp = parse(f"2026-07-01T00:15{text}", Dates.AUTO)
    assert stamp.offset_ms == offset_ms
    expected = datetime(2026, 7, 1, 0, 15, tzinfo=timezone(timedelta(milliseconds=offset_ms)))
    assert OSLO.instants(stamp).all == (int(expected.timestamp() * 1000),)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1/7/2026 00:15",
        "2026-02-30 00:00",
        "2026-07-01 24:15",
        "2026-07-01 25:00",
        "1969-12-31 23:00",
        "9999-12-31 24:00",
        "01.07.26 00:15",
        "2026-07-01 00:15:00.5",
        "2026-07-01 00:15+99:00",
        "2026-07/01 00:15",
        "２０２６-07-01 00:15",
        "2026-07-01 00:15" + " " * 100 + "x",
        "yesterday",
    ],
)
def test_what_is_no_time_or_could_be_two_is_refused(text: str) -> None:
    with pytest.raises(StampError):
        parse(text, Dates.AUTO)


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


def test_fixed_offsets() -> None:
    assert fixed_offset("+08:00") == fixed_offset("UTC+0800") == timedelta(hours=8)
    assert fixed_offset("-03:30") == timedelta(hours=-3, minutes=-30)
    assert fixed_offset("Asia/Shanghai") is None
    with pytest.raises(StampError):
        fixed_offset("+25:00")
