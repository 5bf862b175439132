"""Times of orders: of an hour that clocks showed twice the one that fits, of one that they skipped none."""

from datetime import UTC, datetime

import pytest

from cloud_receiver.delimited.times import Dates, TimeTextError
from cloud_receiver.delimited.zone import zone_of
from cloud_receiver.sales.times import Times


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


def test_forms_that_are_told() -> None:
    zone = zone_of("+08:00")
    assert Times(zone, form="%d-%b-%Y %I.%M %p").start("01-Jul-2026 08.30 AM") == ms(2026, 7, 1, 0, 30)
    assert Times(zone, Dates.MONTH_FIRST).start("7/1/2026 8:30") == ms(2026, 7, 1, 0, 30)
    with pytest.raises(TimeTextError, match="day or month may be first"):
        Times(zone).start("7/1/2026 8:30")


def test_the_hour_that_was_there_twice_is_the_one_in_which_the_charge_can_end() -> None:
    times = Times(zone_of("Europe/Oslo"))
    start = times.start("27.10.2019 02:50")
    assert start == ms(2019, 10, 27, 0, 50)
    assert times.end("27.10.2019 02:10", start) == ms(2019, 10, 27, 1, 10)
    assert times.end("27.10.2019 02:55", start) == ms(2019, 10, 27, 0, 55)
    assert times.repeated == 3


def test_an_hour_that_clocks_skipped_is_no_time() -> None:
    with pytest.raises(TimeTextError, match=r"a time of Europe/Oslo, whose clocks skipped '31\.03\.2019 02:30'"):
        Times(zone_of("Europe/Oslo")).start("31.03.2019 02:30")


def test_a_fixed_offset_knows_no_summer() -> None:
    times = Times(zone_of("+01:00"))
    assert times.start("31.03.2019 02:30") == ms(2019, 3, 31, 1, 30)
    assert times.start("01.07.2019 02:30") == ms(2019, 7, 1, 1, 30)
    assert times.repeated == 0
