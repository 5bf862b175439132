"""A day as CSV: exact there and back, and what the centre reads of it is what was written."""

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.grid.tables import SLOT, Day, TableError, decimal_text, read_day, write_day

START = datetime.fromisoformat("2026-06-15T00:00:00+08:00")
DAY = Day(
    [START, START + SLOT],
    {"L1": [(100_000_000_001, -98_000_000_000), (-1, 2)]},
    {"G1": [(100_000_000_001, 80_000_000_000_007), (0, 0)]},
    {"town": [98_000_000_000, 1], "park": [5, -6]},
    {"E1": [(0, 7, 950, 1000), (8, 0, 950, 1000)]},
)


def test_a_day_comes_back_as_it_was(tmp_path: Path) -> None:
    """To the last mW."""
    write_day(tmp_path, DAY)
    assert read_day(tmp_path) == DAY
    assert (tmp_path / "branches.csv").read_text().splitlines() == [
        "time,L1.from,L1.to",
        "2026-06-15T00:00:00+08:00,100.000000001,-98",
        "2026-06-15T00:15:00+08:00,-0.000000001,0.000000002",
    ]


@given(st.integers(-(10**18), 10**18), st.integers(0, 12))
def test_a_number_is_written_exactly(value: int, decimals: int) -> None:
    """No digit is lost, and none is there for nothing."""
    text = decimal_text(value, decimals)
    whole, _, part = text.lstrip("-").partition(".")
    assert int(whole + part.ljust(decimals, "0")) == abs(value)
    assert not part.endswith("0")
    assert "E" not in text
    assert text.startswith("-") == (value < 0)


def test_what_gateways_meter_is_left_out() -> None:
    """Telemetry has the rest."""
    rest = DAY.without(["G1", "park"])
    assert (list(rest.generators), list(rest.loads), list(rest.branches)) == ([], ["town"], ["L1"])
    assert rest.starts == DAY.starts


def test_a_day_goes_on_before_and_after_itself() -> None:
    """As if every day were like it, without a gap in time."""
    longer = DAY.repeated(1, 2)
    assert [later - earlier for earlier, later in zip(longer.starts, longer.starts[1:], strict=False)] == [
        timedelta(minutes=15)
    ] * 4
    assert longer.starts[1] == START
    assert longer.loads["town"] == [1, 98_000_000_000, 1, 98_000_000_000, 1]


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("loads.csv", "time,a.p,b\n", "line 1: expected time and for each element p"),
        ("loads.csv", "time,a.p\n2026-06-15T00:00:00+08:00,1,2\n", "line 2: expected 2 cells, found 3"),
        ("loads.csv", "time,a.p\n2026-06-15T00:00:00+08:00,x\n", "line 2: "),
        ("loads.csv", "time,a.p\n2026-06-15T00:00:00+08:00,0.0000000001\n", "line 2: expected at most 9 decimals"),
        ("loads.csv", "time,a.p\n2026-06-15T00:00:00,1\n", "line 2: expected a time with its zone"),
        ("loads.csv", "time,a.p\n2026-06-15T00:15:00+08:00,1\n", "expected the slots of"),
    ],
)
def test_what_is_no_day_is_told_with_its_line(tmp_path: Path, file: str, text: str, message: str) -> None:
    """File, line, what was expected and what came."""
    write_day(tmp_path, DAY)
    (tmp_path / file).write_text(text)
    with pytest.raises(TableError, match=message) as raised:
        read_day(tmp_path)
    assert str(tmp_path / file) in str(raised.value)
