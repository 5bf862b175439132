"""Rows of tables: values that belong to one freeze, or to none."""

import pytest

from profiles import load
from profiles.dlt645.model import Query
from profiles.dlt645.plan import QueryBlock, join
from profiles.dlt645.profile import Dlt645Profile
from profiles.dlt645.rows import row_block
from profiles.model import CodecError

ZONE = "Asia/Shanghai"
loaded = load("dlt645-three-phase")
assert isinstance(loaded, Dlt645Profile)
PROFILE = loaded
DAILY, MONTHLY = PROFILE.tables["daily_freezes"], PROFILE.tables["monthly_freezes"]
MIDNIGHT = 1_795_190_400_000  # 2026-11-21T00:00:00+08:00
TIME, EARLIER = bytes.fromhex("00 00 21 11 26"), bytes.fromhex("00 00 20 11 26")
FORWARD = bytes.fromhex("78 56 34 1201 00 00 0002 00 00 00")
REVERSE = bytes.fromhex("05 00 00 00")
FIRST, UNUSED = bytes.fromhex("00 01"), bytes.fromhex("99 99")
NOVEMBER, LAST_OF_NOVEMBER, DECEMBER = (bytes.fromhex(text) for text in ("05 20 11 26", "01 30 11 26", "02 01 12 26"))


def read(block: QueryBlock, *answers: bytes | None) -> tuple[list[Query], dict[str, int]]:
    queries: list[Query] = []
    replies: list[bytes | None] = []
    while (query := block.next_query(replies)) is not None:
        queries.append(query)
        replies.append(answers[len(replies)])
    assert len(replies) == len(answers)
    return queries, block.decode(join(replies))


def test_a_daily_freeze_is_the_total_of_its_blocks() -> None:
    queries, row = read(row_block(DAILY, 3, ZONE), TIME, FORWARD, REVERSE, TIME)
    assert [query.di for query in queries] == [0x05060003, 0x05060103, 0x05060203, 0x05060003]
    assert row == {"time": MIDNIGHT, "energy_forward": 123_456_780_000, "energy_reverse": 50_000}


def test_a_freeze_that_comes_while_a_row_is_read_makes_it_unusable() -> None:
    with pytest.raises(CodecError, match="froze anew"):
        read(row_block(DAILY, 1, ZONE), EARLIER, FORWARD, REVERSE, TIME)


def test_a_row_that_the_meter_does_not_have_is_empty_after_one_question() -> None:
    queries, row = read(row_block(DAILY, 30, ZONE), bytes(5))
    assert len(queries) == 1
    assert row == {}
    assert read(row_block(DAILY, 30, ZONE), b"\xff" * 5)[1] == {}


@pytest.mark.parametrize("row", [0, 31, -1])
def test_there_are_no_other_rows(row: int) -> None:
    with pytest.raises(IndexError, match=r"daily_freezes: row -?\d+ is not in 1..30"):
        row_block(DAILY, row, ZONE)


def test_values_of_the_first_at_midnight_are_a_monthly_freeze() -> None:
    queries, row = read(row_block(MONTHLY, 2, ZONE), FIRST, UNUSED, None, NOVEMBER, FORWARD[:4], REVERSE)
    assert [query.di for query in queries] == [
        0x04000B01,
        0x04000B02,
        0x04000B03,
        0x04000101,
        0x00010002,
        0x00020002,
    ]
    assert [query.optional for query in queries] == [False, True, True, False, False, False]
    assert row == {
        "time": 1_790_784_000_000,  # 2026-10-01T00:00:00+08:00
        "energy_forward": 123_456_780_000,
        "energy_reverse": 50_000,
    }


@pytest.mark.parametrize(("row", "time_ms"), [(1, 1_793_462_400_000), (12, 1_764_518_400_000)])
def test_the_row_tells_the_month(row: int, time_ms: int) -> None:
    answers = (FIRST, None, None, NOVEMBER, FORWARD[:4], REVERSE)
    assert read(row_block(MONTHLY, row, ZONE), *answers)[1]["time"] == time_ms


@pytest.mark.parametrize("settlement", ["00 25", "01 01", "12 01", "00 00", "99 99"])
def test_another_settlement_day_makes_no_monthly_freezes_and_is_told(settlement: str) -> None:
    block = row_block(MONTHLY, 1, ZONE)
    with pytest.raises(CodecError, match=r"settlement day 1 \(04000B01\) .* no monthly freezes"):
        read(block, bytes.fromhex(settlement), None, None, NOVEMBER, FORWARD[:4], REVERSE)


def test_a_second_settlement_day_makes_no_monthly_freezes() -> None:
    with pytest.raises(CodecError, match=r"settlement day 2 \(04000B02\) is day 15 at 0 h"):
        read(row_block(MONTHLY, 1, ZONE), FIRST, bytes.fromhex("00 15"), None, NOVEMBER, FORWARD[:4], REVERSE)


def test_a_settlement_day_filled_with_ff_is_none() -> None:
    answers = (FIRST, b"\xff\xff", None, NOVEMBER, FORWARD[:4], REVERSE)
    assert read(row_block(MONTHLY, 1, ZONE), *answers)[1]["time"] == 1_793_462_400_000
    with pytest.raises(CodecError, match="04000B01"):
        read(row_block(MONTHLY, 1, ZONE), b"\xff\xff", None, None, NOVEMBER, FORWARD[:4], REVERSE)


def test_a_row_with_a_field_that_is_no_number_is_none() -> None:
    with pytest.raises(CodecError, match="energy_reverse"):
        read(row_block(DAILY, 1, ZONE), TIME, FORWARD, bytes.fromhex("05 00 0A 00"), TIME)


def test_on_the_last_day_of_a_month_the_date_is_read_again() -> None:
    answers = (FIRST, None, None, LAST_OF_NOVEMBER, FORWARD[:4], REVERSE)
    queries, row = read(row_block(MONTHLY, 1, ZONE), *answers, LAST_OF_NOVEMBER)
    assert queries[-1] == Query(0x04000101)
    assert row["time"] == 1_793_462_400_000
    with pytest.raises(CodecError, match="the month turned"):
        read(row_block(MONTHLY, 1, ZONE), *answers, DECEMBER)


def test_a_clock_that_stands_makes_no_month() -> None:
    with pytest.raises(CodecError, match="no month is known"):
        read(row_block(MONTHLY, 1, ZONE), FIRST, None, None, bytes(4), FORWARD[:4], REVERSE)


def test_values_that_the_meter_does_not_have_make_an_empty_row() -> None:
    answers = (FIRST, None, None, NOVEMBER, b"\xff" * 4, b"\xff" * 4)
    assert read(row_block(MONTHLY, 5, ZONE), *answers)[1] == {}
