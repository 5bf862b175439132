"""Days and months on a command line."""

import argparse
from datetime import date

import pytest

from cloud_receiver.local_days import days


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026-07-01", date(2026, 7, 1), date(2026, 7, 1)),
        ("2026-07", date(2026, 7, 1), date(2026, 7, 31)),
        ("2028-02", date(2028, 2, 1), date(2028, 2, 29)),
        ("2026-12", date(2026, 12, 1), date(2026, 12, 31)),
    ],
)
def test_a_day_or_a_month(text: str, first: date, last: date) -> None:
    assert days(text) == (first, last)


@pytest.mark.parametrize(
    "text",
    ["", "2026", "2026-13", "2026-02-30", "20260701", "2026-07-01T00:00", "2026-W30", "0000-01", "9999-12", "٢٠٢٦-07"],
)
def test_anything_else_is_a_mistake(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"expected a month \(2026-07\) or a day \(2026-07-01\)"):
        days(text)
