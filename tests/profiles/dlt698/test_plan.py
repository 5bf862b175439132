"""The reading plan, and what its blocks make of replies."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diantan_core import Dlt698Frame, dlt698_encode_apdu, dlt698_encode_data
from profiles import Block, load
from profiles.dlt698.codec import encode
from profiles.dlt698.plan import ObjectsBlock, RecordBlock
from profiles.dlt698.profile import Dlt698Profile
from profiles.model import CodecError

ZONE = "Asia/Shanghai"


def three_phase(frame_size: int = 1024) -> Dlt698Profile:
    profile = load("dlt698-three-phase", {"frame_size": frame_size})
    assert isinstance(profile, Dlt698Profile)
    return profile


PROFILE = three_phase()


def plan(*names: str, profile: Dlt698Profile = PROFILE) -> list[ObjectsBlock]:
    blocks = profile.plan([profile.points[name] for name in names], ZONE)
    return [objects(block) for block in blocks]


def objects(block: Block) -> ObjectsBlock:
    assert isinstance(block, ObjectsBlock)
    return block


def reply(choice: str, **fields: Any) -> bytes:
    body = {"piid_acd": 1, **fields, "follow_report": None, "time_tag": None}
    return dlt698_encode_apdu(("get_response", (choice, body)))


def result(oad: int, kind: str, content: Any) -> dict[str, Any]:
    return {"oad": oad, "result": (kind, content)}


def numbers(*values: int) -> tuple[str, Any]:
    return "array", [("double_long_unsigned", value) for value in values]


def test_one_element_is_asked_for_alone() -> None:
    (block,) = plan("energy_forward")
    assert block.request == ("normal", {"oad": 0x0010_0201})
    got = block.decode(reply("normal", **result(0x0010_0201, "data", ("double_long_unsigned", 123456))))
    assert got == {"energy_forward": 123456 * 10_000}


def test_several_elements_of_an_array_are_read_whole() -> None:
    (block,) = plan("energy_forward_t2", "energy_forward", "frequency")
    assert block.request == ("normal_list", {"oads": [0x0010_0200, 0x200F_0200]})
    results = [
        result(0x0010_0200, "data", numbers(10, 1, 2, 3, 4)),
        result(0x200F_0200, "data", ("long_unsigned", 4998)),
    ]
    assert block.decode(reply("normal_list", results=results)) == {
        "energy_forward": 100_000,
        "energy_forward_t2": 20_000,
        "frequency": 49_980,
    }


def test_an_element_key_reads_the_whole_array() -> None:
    (block,) = PROFILE.plan_row("daily_freezes", 3, ZONE)
    assert isinstance(block, RecordBlock)
    columns = [("oad", 0x2021_0200), ("oad", 0x0010_0200), ("oad", 0x0020_0200)]
    assert block.request == ("record", {"record": {"oad": 0x5004_0200, "rows": ("last", 3), "columns": columns}})


def test_a_demand_is_value_and_time() -> None:
    (block,) = plan("demand_forward", "demand_forward_time")
    time = {"year": 2025, "month": 4, "day": 3, "hour": 15, "minute": 20, "second": 0}
    item = ("structure", [("double_long_unsigned", 12345), ("date_time_s", time)])
    assert block.decode(reply("normal", **result(0x1010_0201, "data", item))) == {
        "demand_forward": 1_234_500,
        "demand_forward_time": 1_743_664_800_000,
    }


def test_a_refused_attribute_costs_only_its_own_points() -> None:
    (block,) = plan("energy_forward", "energy_reverse", "frequency", "voltage_a")
    oads = [item.oad for item in block.wanted]
    data = [
        ("dar", 4),
        ("data", ("double_long_unsigned", 5)),
        ("data", ("octet_string", b"?")),
        ("data", ("null", None)),
    ]
    by_oad = dict(zip([0x0010_0201, 0x0020_0201, 0x200F_0200, 0x2000_0201], data, strict=True))
    answer = reply("normal_list", results=[result(oad, *by_oad[oad]) for oad in oads])
    assert block.decode(answer) == {"energy_reverse": 50_000}
    refusals = block.refusals(answer)
    assert refusals["energy_forward"] == "DAR 4, object_undefined"
    assert "expected long_unsigned, got octet_string" in refusals["frequency"]
    assert set(refusals) == {"energy_forward", "frequency"}


def test_nothing_but_data_of_a_wrong_type_is_an_error() -> None:
    (block,) = plan("frequency")
    with pytest.raises(CodecError, match="frequency: expected long_unsigned, got octet_string"):
        block.decode(reply("normal", **result(0x200F_0200, "data", ("octet_string", b"?"))))


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x85",
        reply("normal", **result(0x0020_0201, "data", ("double_long_unsigned", 1))),
        reply("normal_list", results=[]),
        dlt698_encode_apdu(("error_response", {"piid_acd": 1, "error": 2, "follow_report": None, "time_tag": None})),
    ],
)
def test_another_reply_is_no_value(answer: bytes) -> None:
    with pytest.raises(CodecError):
        plan("energy_forward")[0].decode(answer)


@given(st.integers(96, 1200), st.sets(st.sampled_from(sorted(PROFILE.points)), min_size=1))
def test_every_point_is_read_once_and_requests_keep_within_the_sizes(size: int, names: set[str]) -> None:
    profile = three_phase(size)
    blocks = plan(*sorted(names), profile=profile)
    assert sorted(point.name for block in blocks for point in block.points) == sorted(names)
    assert plan(*sorted(names, reverse=True), profile=profile) == blocks
    for block in blocks:
        choice, content = block.request
        apdu = dlt698_encode_apdu(("get_request", (choice, {"piid": 0, **content, "time_tag": None})))
        assert len(Dlt698Frame(0x43, "112233445566", 0, apdu).encode()) <= size


def test_a_small_meter_is_asked_more_often_and_never_for_more_than_it_can_say() -> None:
    names = list(PROFILE.points)
    assert len(plan(*names)) == 1
    small = three_phase(256)
    blocks = plan(*names, profile=small)
    assert 2 <= len(blocks) <= 4
    full = {name: 10 * point.resolution for name, point in small.points.items()}
    for block in blocks:
        size = sum(4 + 1 + len(_data(small, item.oad, full)) for item in block.wanted)
        assert size + 6 + 17 <= 256


def _data(profile: Dlt698Profile, oad: int, values: dict[str, int]) -> bytes:
    """Return the data that a meter with five tariffs and four phases says, as octets."""
    members = [point for point in profile.points.values() if point.base == oad & 0xFFFFFF00]
    items: dict[int, list[Any]] = {}
    for point in sorted(members, key=lambda point: point.part):
        items.setdefault(point.index, []).append(encode(point, values[point.name], ZONE))
    whole = [parts[0] if len(parts) == 1 else ("structure", parts) for parts in items.values()]
    return dlt698_encode_data(whole[0] if len(whole) == 1 else ("array", whole))


def record(rows: list[list[Any]], columns: list[int] | None = None) -> bytes:
    named = [("oad", oad) for oad in columns or [0x2021_0200, 0x0010_0200, 0x0020_0200]]
    return reply("record", record={"oad": 0x5004_0200, "columns": named, "result": ("rows", rows)})


FROZEN = ("date_time_s", {"year": 2016, "month": 1, "day": 20, "hour": 0, "minute": 0, "second": 0})


def test_a_record_brings_its_columns_in_any_order() -> None:
    (block,) = PROFILE.plan_row("daily_freezes", 1, ZONE)
    expected = {"time": 1_453_219_200_000, "energy_forward": 50_000, "energy_reverse": 70_000}
    assert block.decode(record([[FROZEN, numbers(5, 1), numbers(7)]])) == expected
    swapped = record([[numbers(7), numbers(5, 1), FROZEN]], [0x0020_0200, 0x0010_0200, 0x2021_0200])
    assert block.decode(swapped) == expected


def test_a_record_may_be_missing_or_lack_columns() -> None:
    (block,) = PROFILE.plan_row("daily_freezes", 1, ZONE)
    assert block.decode(record([])) == {}
    assert block.decode(record([[FROZEN, numbers(5), ("null", None)]])) == {
        "time": 1_453_219_200_000,
        "energy_forward": 50_000,
    }
    refused = {"oad": 0x5004_0200, "columns": [("oad", 0x2021_0200)], "result": ("dar", 3)}
    assert block.decode(reply("record", record=refused)) == {}


def test_columns_that_are_no_attributes_bring_nothing() -> None:
    (block,) = PROFILE.plan_row("daily_freezes", 1, ZONE)
    road = ("road", {"oad": 0x5004_0200, "columns": [0x2021_0200]})
    answer = {
        "oad": 0x5004_0200,
        "columns": [road, ("oad", 0x0010_0200)],
        "result": ("rows", [[("null", None), numbers(5)]]),
    }
    assert block.decode(reply("record", record=answer)) == {"energy_forward": 50_000}


def test_more_than_the_one_record_or_another_table_is_refused() -> None:
    (block,) = PROFILE.plan_row("daily_freezes", 1, ZONE)
    with pytest.raises(CodecError, match="one record, got 2"):
        block.decode(record([[FROZEN, numbers(5), numbers(7)]] * 2))
    other = {"oad": 0x5006_0200, "columns": [], "result": ("rows", [])}
    with pytest.raises(CodecError, match="a record of 50040200"):
        block.decode(reply("record", record=other))


def test_rows_and_tables_that_a_meter_has_not() -> None:
    with pytest.raises(IndexError, match=r"row 31 is not in 1\.\.30"):
        PROFILE.plan_row("daily_freezes", 31, ZONE)
    with pytest.raises(IndexError):
        PROFILE.plan_row("daily_freezes", 0, ZONE)
    with pytest.raises(KeyError):
        PROFILE.plan_row("daily_carbon", 1, ZONE)
