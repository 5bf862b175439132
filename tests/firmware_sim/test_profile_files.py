"""CSV files of power profiles: what is right comes exactly, what is wrong is named with its line."""

from datetime import datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from firmware_sim.profile_files import MW_PER, PowerTable, ProfileFileError, read_table

ZONE = ZoneInfo("Asia/Shanghai")
MINUTE = 60_000


def table(tmp_path: Path, text: str) -> PowerTable:
    path = tmp_path / "powers.csv"
    path.write_text(text, encoding="utf-8")
    return read_table(path, ZONE)


def test_dates_are_local_unless_they_have_an_offset(tmp_path: Path) -> None:
    found = table(tmp_path, "time,kw\n2026-06-15T00:00,1.5\n2026-06-14T16:15Z,-2\n")
    start = int(datetime(2026, 6, 15, tzinfo=ZONE).timestamp() * 1000)
    assert not found.is_daily
    assert found.steps("kw", MW_PER["kW"]) == [(start, 1_500_000), (start + 15 * MINUTE, -2_000_000)]


def test_times_of_day_hold_for_every_day(tmp_path: Path) -> None:
    found = table(tmp_path, "time,a,b\n00:00,1,2\n08:30,3,4\n")
    assert found.is_daily
    assert found.steps("b", MW_PER["MW"]) == [(0, 2 * 10**9), (510 * MINUTE, 4 * 10**9)]


@pytest.mark.parametrize("head", ["", "kw\n", "\ufeffkw\n"])
def test_ninety_six_values_are_a_day(tmp_path: Path, head: str) -> None:
    found = table(tmp_path, head + "".join(f"{n}.25\n" for n in range(96)))
    assert found.is_daily
    assert found.times == tuple(15 * MINUTE * n for n in range(96))
    assert found.columns["kw"][95] == Decimal("95.25")


def test_powers_are_rounded_to_a_milliwatt(tmp_path: Path) -> None:
    """Half to even, from as many digits as a power flow prints."""
    found = table(tmp_path, "kw\n0.0000005\n0.0000015\n123.45678949999999\n1e2\n")
    assert [power for _, power in found.steps("kw", MW_PER["kW"])] == [0, 2, 123_456_789, 10**8]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "expected powers, found nothing"),
        ("time,kw\n", "rows of powers"),
        ("kw,kw\n1,2\n", "each name once"),
        ("kw\n1\n2\n3\n4\n5\n6\n7\n", "found 7 without times"),
        ("time,kw\n00:00,1\n25:00,2\n", r":3: time: expected a time of day such as 08:15, found '25:00'"),
        ("time,kw\n00:15,1\n00:15,2\n", r":3: time: expected one after that of the row before"),
        ("time,kw\n2026-06-15T00:00,1\n2026-13-15T00:00,2\n", ":3: time: expected a time such as"),
        ("time,kw\n00:00,one\n", r":2: kw: expected a power, found 'one'"),
        ("time,kw\n00:00,NaN\n", ":2: kw: expected a power"),
        ("time,kw\n00:00,1e400\n", ":2: kw: expected a power"),
        ("time,kw\n00:00,1,2\n", ":2: expected 2 columns, found 3"),
        ("time,kw\n00:00," + "1" * 100 + "\n", ":2: kw: expected a power"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ProfileFileError, match=problem):
        table(tmp_path, text)


def test_a_column_or_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ProfileFileError, match="expected a column 'c', found a, b"):
        table(tmp_path, "a,b\n1,2\n").steps("c", 1)
    with pytest.raises(ProfileFileError, match="can't be read"):
        read_table(tmp_path / "none.csv", ZONE)
    with pytest.raises(ProfileFileError, match="at most 1 TW"):
        table(tmp_path, "kw\n9999999999\n").steps("kw", MW_PER["kW"])
