"""Columns by heading or number."""

import pytest

from cloud_receiver.delimited.columns import ColumnError, columns_of, place_of

NAMES = ("Time", "kWh", "KWH", "1", "note")


@pytest.mark.parametrize(("text", "place"), [("Time", 0), ("TIME", 0), ("kWh", 1), ("KWH", 2), ("1", 3), ("5", 4)])
def test_a_column_is_meant_by_its_heading_else_by_its_number(text: str, place: int) -> None:
    assert place_of(text, NAMES, "--time") == place


def test_without_headings_numbers_alone_count() -> None:
    assert place_of("1", NAMES, "--time", headings=False) == 0
    with pytest.raises(ColumnError, match="--time 'Time': expected a number from 1, found 5 columns: 'Time', 'kWh'"):
        place_of("Time", NAMES, "--time", headings=False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("kwh", "--time kwh: is there 2 times, expected once"),
        ("6", "--time '6': expected a heading or a number from 1"),
        ("0", "expected a heading"),
        ("00001", "expected a heading"),
        ("when\x1b[2J", r"--time 'when\\x1b\[2J': expected"),
    ],
)
def test_a_column_that_is_not_there_is_named(text: str, expected: str) -> None:
    with pytest.raises(ColumnError, match=expected):
        place_of(text, NAMES, "--time")


def test_a_hundred_columns_are_not_all_listed() -> None:
    with pytest.raises(ColumnError, match=r"found 100 columns: .*'19' and 80 more$"):
        place_of("x", [str(number) for number in range(100)], "--time")


def test_headings_by_our_names() -> None:
    assert columns_of(["time=When", "energy=a=b"], ("time", "energy")) == {"time": "When", "energy": "a=b"}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (["time"], "expected NAME=HEADING, NAME one of time, energy"),
        (["time="], "expected NAME=HEADING"),
        (["who=me"], "expected NAME=HEADING"),
        (["time=a", "time=b"], "--column time: is there twice"),
    ],
)
def test_what_is_none_is_named(given: list[str], expected: str) -> None:
    with pytest.raises(ColumnError, match=expected):
        columns_of(given, ("time", "energy"))
