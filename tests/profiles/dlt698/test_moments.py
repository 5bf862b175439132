import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles.dlt698.moments import date_time, date_time_s, to_ms
from profiles.model import CodecError, NoValueError

ZONE = "Asia/Shanghai"
NOON = 1_743_654_005_000  # 2025-04-03 12:20:05 in Shanghai, a Thursday


@given(st.integers(0, 4_000_000_000_000))
def test_times_come_back(time_ms: int) -> None:
    assert to_ms(date_time(time_ms, ZONE), ZONE) == time_ms
    assert to_ms(date_time_s(time_ms, ZONE), ZONE) == time_ms - time_ms % 1000


def test_a_date_is_local_and_its_week_begins_with_sunday() -> None:
    expected = {"year": 2025, "month": 4, "day": 3, "hour": 12, "minute": 20, "second": 5}
    assert date_time_s(NOON, ZONE) == expected
    assert date_time(NOON, ZONE) == {**expected, "weekday": 4, "milliseconds": 0}
    assert date_time(NOON + 3 * 86_400_000, ZONE)["weekday"] == 0
    assert date_time_s(NOON, "UTC")["hour"] == 4


@pytest.mark.parametrize(
    "field", [{"year": 0xFFFF}, {"month": 0xFF}, {"day": 0xFF}, {"hour": 0xFF}, {"minute": 0xFF}, {"second": 0xFF}]
)
def test_an_open_field_is_no_time(field: dict[str, int]) -> None:
    with pytest.raises(NoValueError):
        to_ms({**date_time_s(NOON, ZONE), **field}, ZONE)


def test_unknown_milliseconds_are_none() -> None:
    assert to_ms({**date_time(NOON, ZONE), "milliseconds": 0xFFFF}, ZONE) == NOON


@pytest.mark.parametrize("field", [{"month": 13}, {"month": 2, "day": 30}, {"hour": 24}, {"year": 0}])
def test_a_date_that_does_not_exist_is_refused(field: dict[str, int]) -> None:
    with pytest.raises(CodecError, match="no date and time"):
        to_ms({**date_time_s(NOON, ZONE), **field}, ZONE)


def test_the_end_of_a_day_is_the_beginning_of_the_next() -> None:
    """As meters date a freeze that write 24:00."""
    end = {"year": 2025, "month": 12, "day": 31, "hour": 24, "minute": 0, "second": 0}
    assert to_ms(end, ZONE) == to_ms({**end, "year": 2026, "month": 1, "day": 1, "hour": 0}, ZONE)
    for part in ("minute", "second"):
        with pytest.raises(CodecError):
            to_ms({**end, part: 1}, ZONE)


def test_times_beyond_the_calendar_are_refused() -> None:
    with pytest.raises(CodecError, match="9999"):
        date_time_s(10**15, ZONE)
