"""Meter times and instants."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diantan_core import next_month_start_ms
from profiles.dlt645.moments import month_start, to_instant, to_moment
from profiles.model import CodecError, NoValueError

ZONE = "Asia/Shanghai"
FIRST = int(datetime(2000, 1, 1, tzinfo=ZoneInfo(ZONE)).timestamp()) * 1000
END = int(datetime(2100, 1, 1, tzinfo=ZoneInfo(ZONE)).timestamp()) * 1000


@given(st.integers(FIRST // 1000, END // 1000 - 1), st.integers(0, 999))
def test_an_instant_comes_back_in_whole_seconds(seconds: int, ms: int) -> None:
    moment = to_moment(seconds * 1000 + ms, ZONE)
    assert to_instant(moment, ZONE) == seconds * 1000


def test_the_parts_are_the_meters_own_and_sunday_is_0() -> None:
    local = datetime(2026, 11, 22, 7, 5, 9, tzinfo=ZoneInfo(ZONE))  # a Sunday
    assert to_moment(int(local.timestamp() * 1000), ZONE) == {
        "year": 26,
        "month": 11,
        "day": 22,
        "weekday": 0,
        "hour": 7,
        "minute": 5,
        "second": 9,
    }
    assert to_moment(int(local.timestamp() * 1000) + 86_400_000, ZONE)["weekday"] == 1


def test_the_end_of_a_day_is_the_beginning_of_the_next() -> None:
    """As meters date a freeze that write 24:00."""
    end = {"year": 25, "month": 12, "day": 31, "hour": 24, "minute": 0}
    assert to_instant(end, ZONE) == to_instant({"year": 26, "month": 1, "day": 1}, ZONE)
    for part in ("minute", "second"):
        with pytest.raises(CodecError):
            to_instant({**end, part: 1}, ZONE)


def test_what_never_happened_has_no_time() -> None:
    with pytest.raises(NoValueError):
        to_instant({"year": 0, "month": 0, "day": 0, "hour": 0, "minute": 0}, ZONE)


@pytest.mark.parametrize(
    "change",
    [{"month": 13}, {"day": 31, "month": 4}, {"hour": 25}, {"hour": 24, "minute": 1}, {"minute": 60}, {"month": 0}],
)
def test_what_is_no_date_is_refused(change: dict[str, int]) -> None:
    with pytest.raises(CodecError, match="expected a date and time"):
        to_instant({"year": 26, "month": 1, "day": 1, "hour": 0, "minute": 0} | change, ZONE)


def test_a_time_without_a_day_is_refused() -> None:
    with pytest.raises(CodecError):
        to_instant({"hour": 1, "minute": 2, "second": 3}, ZONE)


@pytest.mark.parametrize("time_ms", [FIRST - 1, END, -(10**18), 10**18])
def test_a_meter_knows_one_century(time_ms: int) -> None:
    with pytest.raises(CodecError):
        to_moment(time_ms, ZONE)


@given(st.integers(1, 99), st.integers(1, 12))
def test_months_follow_each_other(year: int, month: int) -> None:
    starts = [month_start(year, month, back, ZONE) for back in (1, 0, -1)]
    assert next_month_start_ms(starts[0], ZONE) == starts[1]
    assert next_month_start_ms(starts[1], ZONE) == starts[2]
