"""Times as exports write them: their forms, and what is none."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_receiver.delimited.times import Dates, Stamp, TimeTextError, parse


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
        ("202607010015", Dates.AUTO),
        ("20260701001500", Dates.AUTO),
        ("20260701T001500", Dates.AUTO),
        ("2026-W27-3T00:15", Dates.AUTO),
        ("2026-07-01 00:15:00.0000000", Dates.AUTO),
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


@pytest.mark.parametrize(
    ("text", "offset_ms"),
    [("Z", 0), ("+08:00", 28_800_000), ("-0330", -12_600_000), ("+08", 28_800_000), (" +0800", 28_800_000)],
)
def test_an_offset_of_its_own_counts(text: str, offset_ms: int) -> None:
    stamp = parse(f"2026-07-01T00:15{text}", Dates.AUTO)
    assert stamp.offset_ms == offset_ms
    assert stamp.shown == datetime(2026, 7, 1, 0, 15)  # noqa: DTZ001  # what a clock shows


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
        "2026-13-01 00:00:00",
        "32.01.2026 00:00",
        "2026-07-01T25:00",
        "2026070101230",
        "20260701083061",
        "2026-07-01 00:15+01:75",
        "1969-W27-3T00:15",
        "2026-07-01 00:15+99:00",
        "2026-07/01 00:15",
        "２０２６-07-01 00:15",
        "2026-07-01 00:15" + " " * 100 + "x",
        "yesterday",
    ],
)
def test_what_is_no_time_or_could_be_two_is_refused(text: str) -> None:
    with pytest.raises(TimeTextError, match=r"expected .*, found "):
        parse(text, Dates.AUTO)


def test_parts_of_a_second_count() -> None:
    assert parse("2026-07-01 00:15:00.5").shown_ms == parse("2026-07-01 00:15:00").shown_ms + 500
    assert parse("2026-07-01 00:15:00,123456+02").shown.microsecond == 123_456


@pytest.mark.parametrize("text", ["01-Jul-2026 12.15 AM", " 01-Jul-2026 12.15 AM "])
def test_a_form_of_its_own(text: str) -> None:
    assert parse(text, form="%d-%b-%Y %I.%M %p") == parse("2026-07-01 00:15")


def test_a_form_with_an_offset() -> None:
    assert parse("1 7 2026 00 15 +0800", form="%d %m %Y %H %M %z") == parse("2026-07-01T00:15+08:00")


@pytest.mark.parametrize("form", ["%d.%m.%Y", "%y%y", "%Q", "%", "", "%H:%M"])
def test_what_a_form_does_not_fit_is_named(form: str) -> None:
    with pytest.raises(TimeTextError, match=r"expected .*, found '12:15'"):
        parse("12:15", form=form)


@given(st.text(max_size=45), st.sampled_from(list(Dates)), st.none() | st.text(max_size=10))
def test_any_text_is_a_time_or_a_typed_error(text: str, dates: Dates, form: str | None) -> None:
    try:
        found = parse(text, dates, form)
    except TimeTextError:
        return
    assert found.shown.tzinfo is None
    assert 0 <= found.shown_ms < 253_402_300_800_000
