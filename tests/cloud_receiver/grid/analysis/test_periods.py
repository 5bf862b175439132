"""Slots, local days and months: as long as they really are, and what a span of them is."""

from datetime import UTC, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_receiver.grid.analysis.periods import SLOT_MS, By, Period, Span, SpanError, instant, period_of, periods, utc

ZONES = ("Asia/Shanghai", "UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/Sao_Paulo", "Asia/Kathmandu")
TIMES = st.integers(0, 4_000_000_000_000)


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


@pytest.mark.parametrize(
    ("day", "zone", "slots"),
    [
        ("2026-07-01", "Asia/Shanghai", 96),
        ("2026-03-29", "Europe/Berlin", 92),
        ("2026-10-25", "Europe/Berlin", 100),
        ("2026-10-04", "Australia/Lord_Howe", 94),
        ("2018-11-04", "America/Sao_Paulo", 92),  # clocks are put forward at midnight: the day begins at 01:00
    ],
)
def test_a_day_has_the_slots_it_has(day: str, zone: str, slots: int) -> None:
    span = Span(instant(day, zone), instant(day, zone, end=True))
    (period,) = periods(span, By.DAY, zone)
    assert period.expected == slots
    assert len(list(periods(span, By.SLOT, zone))) == slots


def test_a_month_is_local() -> None:
    assert utc(instant("2026-07", "Asia/Shanghai")) == "2026-06-30T16:00:00Z"
    assert utc(instant("2026-07", "Asia/Shanghai", end=True)) == "2026-07-31T16:00:00Z"
    (period,) = periods(
        Span(instant("2026-03", "Europe/Berlin"), instant("2026-03", "Europe/Berlin", end=True)),
        By.MONTH,
        "Europe/Berlin",
    )
    assert period.expected == 31 * 96 - 4


def test_the_month_of_a_day_that_has_no_midnight() -> None:
    zone = "America/Sao_Paulo"
    assert period_of(ms("2018-11-04T12:00:00-02:00"), By.MONTH, zone).start_ms == ms("2018-11-01T00:00:00-03:00")


@given(TIMES, st.sampled_from(ZONES), st.sampled_from(By))
def test_an_instant_is_in_its_period(time_ms: int, zone: str, by: By) -> None:
    period = period_of(time_ms, by, zone)
    assert period.start_ms <= time_ms < period.end_ms
    assert period_of(period.start_ms, by, zone) == period
    assert period_of(period.end_ms - 1, by, zone) == period
    if by is not By.SLOT:
        local = datetime.fromtimestamp(period.start_ms / 1000, UTC).astimezone(ZoneInfo(zone))
        assert (local - local.replace(hour=0, minute=0)).seconds <= 3600
        assert by is By.DAY or local.day == 1


@given(TIMES, st.integers(1, 200), st.sampled_from(ZONES), st.sampled_from([By.DAY, By.MONTH]))
def test_periods_have_each_slot_once(first: int, slots: int, zone: str, by: By) -> None:
    first -= first % SLOT_MS
    span = Span(first, first + slots * SLOT_MS)
    found = list(periods(span, by, zone))
    assert all(one.end_ms == other.start_ms for one, other in pairwise(found))
    assert found[0].start_ms <= span.first_ms
    assert found[-1].end_ms >= span.end_ms
    for period in found:
        starts = range(period.start_ms - period.start_ms % -SLOT_MS, period.end_ms, SLOT_MS)
        assert period.expected == len(starts)


def test_a_period_that_begins_within_a_slot_has_those_that_start_in_it() -> None:
    assert Period(SLOT_MS + 1, 3 * SLOT_MS + 1).expected == 2


def test_a_time_with_its_zone() -> None:
    assert instant("2026-07-01T08:00+08:00", "UTC") == ms("2026-07-01T00:00:00+00:00")
    assert instant("2026-07-01T00:00:00Z", "UTC", end=True) == ms("2026-07-01T00:00:00+00:00")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026",
        "2026-13",
        "2026-02-30",
        "2026-07-01T08:00",
        "0001-01-01",
        "9999-12-31T23:59:59+00:00",
        "x" * 99,
        "٢٠٢٦-07",
    ],
)
def test_what_is_no_instant_is_told(text: str) -> None:
    with pytest.raises(SpanError, match="expected a month") as error:
        instant(text, "Asia/Shanghai")
    assert len(str(error.value)) < 200


def test_a_span_ends_after_it_begins() -> None:
    with pytest.raises(SpanError, match="2026-07-01T00:00:00Z to 2026-07-01T00:00:00Z"):
        Span(ms("2026-07-01T00:00:00+00:00"), ms("2026-07-01T00:00:00+00:00"))
