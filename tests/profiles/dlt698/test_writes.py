"""Clock and factors, as they are set."""

from decimal import Decimal
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diantan_core import dlt698_decode_data
from profiles import load
from profiles.dlt698.model import ClockWrite, FactorWrite, ObjectCommand
from profiles.dlt698.profile import Dlt698Profile
from profiles.dlt698.writes import factor_fields, keep_beginning, written_factors, written_time
from profiles.model import CodecError

ZONE = "Asia/Shanghai"
DAY = 1_743_609_600_000  # 2025-04-03 00:00:00 in Shanghai
HOUR = 3_600_000


def carbon_meter(values: int, **parameters: int | Decimal) -> tuple[Dlt698Profile, FactorWrite]:
    profile = load("dlt698-carbon-meter", {"factor_values": values, **parameters})
    assert isinstance(profile, Dlt698Profile)
    write = profile.writes["factor_day"]
    assert isinstance(write, FactorWrite)
    return profile, write


def day_of(values: list[int]) -> dict[str, int | None]:
    return {"time": DAY, **dict(zip(factor_fields(len(values)), values, strict=True))}


@pytest.mark.parametrize("count", [1, 24, 96])
@given(data=st.data())
def test_the_factors_of_a_day_come_back(count: int, data: st.DataObject) -> None:
    profile, write = carbon_meter(count)
    steps = data.draw(st.lists(st.integers(0, 0xFFFF), min_size=count, max_size=count))
    command = profile.command("factor_day", day_of([100 * step for step in steps]), ZONE)
    assert isinstance(command, ObjectCommand)
    assert (command.oad, command.name) == (0x4120_0200, "factor_day")
    parts = written_factors(write, dlt698_decode_data(command.data), ZONE)
    assert [factor for _, _, factor in parts] == [100 * step for step in steps]
    assert parts[0][0] == DAY
    assert parts[-1][1] == DAY + 24 * HOUR
    assert all(before[1] == after[0] for before, after in pairwise(parts))


def test_the_layout_is_that_of_the_known_client() -> None:
    profile, _ = carbon_meter(1, factor_interval_unit=3, factor_interval=1)
    command = profile.command("factor", {"time": DAY + 13 * HOUR, "carbon_factor": 570_300}, ZONE)
    assert isinstance(command, ObjectCommand)
    # structure of 3, date_time_s 2025-04-03 00:00:00, TI 1 d, array of one long-unsigned: 0.5703 kg/kWh
    assert command.data.hex(" ") == "02 03 1c 07 e9 04 03 00 00 00 54 03 00 01 01 01 12 16 47"


@pytest.mark.parametrize(
    ("values", "time_ms", "kept"),
    [(1, DAY + 13 * HOUR, 0), (24, DAY + 13 * HOUR + HOUR // 2, 13), (96, DAY + 13 * HOUR, 52), (96, DAY, 0)],
)
def test_one_factor_holds_from_its_part_of_the_day_on(values: int, time_ms: int, kept: int) -> None:
    profile, write = carbon_meter(values)
    command = profile.command("factor", {"time": time_ms, "carbon_factor": 570_300}, ZONE)
    assert isinstance(command, ObjectCommand)
    assert command.kept == kept
    item = dlt698_decode_data(command.data)
    assert [factor for *_, factor in written_factors(write, item, ZONE)] == [570_300] * values
    earlier = dlt698_decode_data(profile.command("factor", {"time": DAY, "carbon_factor": 100}, ZONE).data)
    merged = [factor for *_, factor in written_factors(write, keep_beginning(item, earlier, kept), ZONE)]
    assert merged == [100] * kept + [570_300] * (values - kept)


@pytest.mark.parametrize("day_ms", [DAY - 24 * HOUR, DAY + 24 * HOUR])
def test_factors_of_another_day_are_not_kept(day_ms: int) -> None:
    profile, _ = carbon_meter(96)
    item = dlt698_decode_data(profile.command("factor", {"time": DAY, "carbon_factor": 100}, ZONE).data)
    other = dlt698_decode_data(profile.command("factor", {"time": day_ms, "carbon_factor": 200}, ZONE).data)
    assert keep_beginning(item, other, 50) == item
    for nothing in [("null", None), ("structure", []), ("array", [1, 2, (3, 4)]), ("structure", [1, 2, (3, [])])]:
        assert keep_beginning(item, nothing, 50) == item


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"time": DAY, "carbon_factor_1": 570_301}, "not a multiple of 100"),
        ({"time": DAY, "carbon_factor_1": 6_553_600}, "does not fit"),
        ({"time": DAY, "carbon_factor_1": None}, "no way to say"),
        ({"time": None, "carbon_factor_1": 0}, "a time must be given"),
        ({"time": DAY + HOUR, "carbon_factor_1": 0}, "local midnight"),
        ({"time": DAY}, "expected the fields"),
    ],
)
def test_what_the_meter_can_not_be_told_is_refused(fields: dict[str, int | None], message: str) -> None:
    with pytest.raises(CodecError, match=message):
        carbon_meter(1)[0].command("factor_day", fields, ZONE)


@pytest.mark.parametrize(
    "item",
    [
        ("null", None),
        ("structure", []),
        ("structure", [("date_time_s", {}), ("ti", {}), ("array", [])]),
        ("structure", [("null", None), ("ti", {}), ("array", [("long_unsigned", 1)])]),
        ("long_unsigned", 1),
    ],
)
def test_what_is_no_day_of_factors_is_refused(item: tuple[str, object]) -> None:
    with pytest.raises(CodecError):
        written_factors(carbon_meter(1)[1], item, ZONE)


def test_the_clock_is_set_in_whole_seconds() -> None:
    profile, _ = carbon_meter(1)
    command = profile.command("clock", {"time": DAY + 1999}, ZONE)
    write = profile.writes["clock"]
    assert isinstance(write, ClockWrite)
    assert command.data.hex(" ") == "1c 07 e9 04 03 00 00 01"
    assert written_time(write, dlt698_decode_data(command.data), ZONE) == DAY + 1000
    with pytest.raises(CodecError, match="a time must be given"):
        profile.command("clock", {"time": None}, ZONE)
    with pytest.raises(KeyError):
        profile.command("factor_history_day", {"day": 1}, ZONE)
