"""Times of orders: forms, zones, and the hours that clocks show twice or never."""

from datetime import UTC, datetime

import pytest

from cloud_receiver.sales.times import OrderTimeError, Times, zone_of


def ms(*parts: int) -> int:
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 1000  # type: ignore[arg-type,misc]  # parts of a time


@pytest.mark.parametrize(
    "text",
    [
        "2026-07-01 08:30:00",
        "2026-07-01T08:30:00",
        "2026-07-01T08:30",
        "2026/7/1 8:30",
        "01.07.2026 08:30:00",
        "20260701083000",
        "2026-07-01T00:30:00Z",
        "2026-07-01T02:30:00+02:00",
    ],
)
def test_common_forms_are_one_instant(text: str) -> None:
    assert Times(zone_of("Asia/Shanghai")).start(text) == ms(2026, 7, 1, 0, 30)


def test_a_form_of_its_own() -> None:
    assert Times(zone_of("+08:00"), "%d-%b-%Y %I.%M %p").start("01-Jul-2026 08.30 AM") == ms(2026, 7, 1, 0, 30)


@pytest.mark.parametrize(
    "text", ["", "tomorrow", "2026-13-01 00:00:00", "2026-07-01", "32.01.2026 00:00", "x" * 100, "2026-07-01T25:00"]
)
def test_what_is_no_time_is_named(text: str) -> None:
    if text == "2026-07-01":
        assert Times(zone_of("UTC")).start(text) == ms(2026, 7, 1)
        return
    with pytest.raises(OrderTimeError, match="expected a time such as"):
        Times(zone_of("UTC")).start(text)


def test_the_hour_that_was_there_twice_is_the_one_in_which_the_charge_can_end() -> None:
    times = Times(zone_of("Europe/Oslo"))
    start = times.start("27.10.2019 02:50")
    assert start == ms(2019, 10, 27, 0, 50)
    assert times.end("27.10.2019 02:10", start) == ms(2019, 10, 27, 1, 10)
    assert times.end("27.10.2019 02:55", start) == ms(2019, 10, 27, 0, 55)
    assert times.repeated == 3


def test_an_hour_that_clocks_skipped_is_no_time() -> None:
    with pytest.raises(OrderTimeError, match="skipped"):
        Times(zone_of("Europe/Oslo")).start("31.03.2019 02:30")


def test_a_fixed_offset_knows_no_summer() -> None:
    times = Times(zone_of("+01:00"))
    assert times.start("31.03.2019 02:30") == ms(2019, 3, 31, 1, 30)
    assert times.start("01.07.2019 02:30") == ms(2019, 7, 1, 1, 30)
    assert times.repeated == 0


@pytest.mark.parametrize("text", ["Mars/Olympus", "+25:00", "+01:99", "../etc", ""])
def test_what_is_no_zone_is_named(text: str) -> None:
    with pytest.raises(OrderTimeError, match="expected a time zone"):
        zone_of(text)
