"""The reading plan: fewest octets and turnarounds, and the exchanges of a clock in two items."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles import load
from profiles.dlt645.formats import DataItem, block_place, di_text, standard_item
from profiles.dlt645.model import ItemPoint, Query
from profiles.dlt645.plan import ClockBlock, ItemBlock, QueryBlock, join, plan_reads, split
from profiles.dlt645.profile import Dlt645Profile
from profiles.model import CodecError

ZONE = "Asia/Shanghai"
found = load("dlt645-three-phase")
assert isinstance(found, Dlt645Profile)
PROFILE = found
POINTS = {name: point for name, point in PROFILE.points.items() if point.time_di is None}
CLOCK = PROFILE.points["device_time"]


def plan(names: list[str], turnaround: int = 20, blocks: tuple[DataItem, ...] = PROFILE.blocks) -> list[QueryBlock]:
    return plan_reads([PROFILE.points[name] for name in names], PROFILE.points, blocks, ZONE, turnaround)


def dis(blocks: list[QueryBlock]) -> list[str]:
    return [di_text(block.points[0].item.di) for block in blocks]


def test_several_tariffs_come_in_one_block_and_one_comes_alone() -> None:
    assert dis(plan(["energy_forward_t1", "energy_forward_t2"])) == ["0001FF00"]
    assert dis(plan(["energy_forward_t1"])) == ["00010100"]
    assert dis(plan(["energy_forward", "energy_reverse"])) == ["00010000", "00020000"]
    assert dis(plan(["voltage_a", "voltage_c", "power", "power_b"])) == ["0201FF00", "0203FF00"]


def test_a_block_that_the_meter_does_not_serve_is_not_asked_for() -> None:
    assert dis(plan(["voltage_a", "voltage_b"], blocks=())) == ["02010100", "02010200"]


def test_fields_of_one_item_come_together() -> None:
    (block,) = plan(["demand_forward_time", "demand_forward"])
    reply = join([bytes.fromhex("34 12 0030 15 01 06 26")])
    assert block.decode(reply) == {"demand_forward": 123_400, "demand_forward_time": 1_780_299_000_000}


@given(st.sets(st.sampled_from(sorted(POINTS)), min_size=1), st.randoms())
def test_every_point_is_read_once_whatever_the_order(names: set[str], random: object) -> None:
    order = sorted(names)
    random.shuffle(order)
    blocks = plan(order)
    assert sorted(point.name for block in blocks for point in block.points) == sorted(names)
    assert blocks == plan(sorted(names))


@given(st.sets(st.sampled_from(sorted(POINTS)), min_size=1, max_size=12), st.integers(0, 300))
def test_no_other_choice_of_blocks_costs_less(names: set[str], turnaround: int) -> None:
    blocks = plan(sorted(names), turnaround)
    served = [block for block in PROFILE.blocks if any(_within(PROFILE.points[name], block) for name in names)]
    costs = [
        _cost(names, chosen, turnaround) for count in range(len(served) + 1) for chosen in combinations(served, count)
    ]
    used = [block.item for block in blocks if isinstance(block, ItemBlock) and block.item.repeats]
    assert _cost(names, tuple(used), turnaround) == min(costs)


def _within(point: ItemPoint, block: DataItem) -> bool:
    place = block_place(point.item.di)
    return place is not None and place[0] == block.di


def _cost(names: set[str], blocks: tuple[DataItem, ...], turnaround: int) -> int:
    apart = {p.item for p in map(PROFILE.points.__getitem__, names) if not any(_within(p, block) for block in blocks)}
    total = sum(40 + turnaround + item.width for item in apart)
    for block in blocks:
        last = max(block_place(p.item.di)[1] for p in POINTS.values() if _within(p, block))
        total += 40 + turnaround + block.width * (last + 1)
    return total


def test_a_block_of_other_formats_than_the_point_is_not_used() -> None:
    charger = load("dlt645-dc-charger")
    assert isinstance(charger, Dlt645Profile)
    block = standard_item(0x0202FF00)
    assert block is not None
    blocks = plan_reads(charger.points.values(), charger.points, [block], ZONE)
    assert dis(blocks) == ["00010000", "00010100", "00010200", "00010300", "00010400", "02000100", "02000200"]


@given(st.lists(st.one_of(st.none(), st.binary(max_size=300))))
def test_replies_come_apart_as_they_were_joined(replies: list[bytes | None]) -> None:
    assert split(join(replies)) == replies


def test_a_joined_reply_that_breaks_off_is_unusable() -> None:
    with pytest.raises(CodecError):
        split(join([bytes(5)])[:-1])
    (block,) = plan(["frequency"])
    with pytest.raises(CodecError, match="no reply"):
        block.decode(b"")


def ask(block: QueryBlock, answers: list[bytes | None]) -> tuple[list[Query], bytes]:
    queries: list[Query] = []
    replies: list[bytes | None] = []
    while (query := block.next_query(replies)) is not None:
        queries.append(query)
        replies.append(answers[len(replies)])
    return queries, join(replies)


DAY, NEXT_DAY = bytes.fromhex("05 20 11 26"), bytes.fromhex("06 21 11 26")
MIDNIGHT = 1_795_190_400_000  # 2026-11-21T00:00:00+08:00


def test_a_clock_is_date_and_time() -> None:
    block = ClockBlock(CLOCK, ZONE)
    queries, reply = ask(block, [DAY, bytes.fromhex("59 59 23")])
    assert queries == [Query(0x04000101), Query(0x04000102)]
    assert block.decode(reply) == {"device_time": MIDNIGHT - 1000}


def test_the_day_may_turn_between_date_and_time() -> None:
    block = ClockBlock(CLOCK, ZONE)
    queries, reply = ask(block, [DAY, bytes.fromhex("01 00 00"), NEXT_DAY])
    assert [query.di for query in queries] == [0x04000101, 0x04000102, 0x04000101]
    assert block.decode(reply) == {"device_time": MIDNIGHT + 1000}


def test_a_clock_without_a_date_has_no_value() -> None:
    block = ClockBlock(CLOCK, ZONE)
    assert block.decode(ask(block, [bytes(4), bytes.fromhex("00 00 12")])[1]) == {}
    with pytest.raises(CodecError, match="device_time"):
        block.decode(ask(block, [bytes.fromhex("05 32 11 26"), bytes.fromhex("00 00 12")])[1])


def test_a_clock_that_shows_nonsense_says_so_only_when_its_value_is_wanted() -> None:
    block = ClockBlock(CLOCK, ZONE)
    queries, reply = ask(block, [DAY, bytes.fromhex("AA 00 00")])
    assert len(queries) == 2
    with pytest.raises(CodecError, match="04000102"):
        block.decode(reply)


@pytest.mark.parametrize(("date", "time"), [("FFFFFFFF", "FFFFFF"), ("05201126", "FFFFFF"), ("FFFFFFFF", "000012")])
def test_a_clock_filled_with_ff_has_no_value(date: str, time: str) -> None:
    block = ClockBlock(CLOCK, ZONE)
    assert block.decode(ask(block, [bytes.fromhex(date), bytes.fromhex(time)])[1]) == {}


def test_a_field_that_is_no_number_does_not_cost_its_neighbours() -> None:
    block, *others = plan(["voltage_a", "voltage_b", "voltage_c"])
    assert isinstance(block, ItemBlock)
    assert not others
    for answers in (["01 22 FA 22 FF FF"], [None, "01 22", "FA 22", "FF FF"], [None, "01 22", "02 22 00", None]):
        _, reply = ask(block, [None if data is None else bytes.fromhex(data) for data in answers])
        assert block.decode(reply) == {"voltage_a": 220_100}
        assert set(block.refusals(reply)) == {"voltage_b"}
    _, reply = ask(block, [bytes.fromhex("FF FF FA 22 FF FF")])
    with pytest.raises(CodecError, match="voltage_b"):
        block.decode(reply)


def test_three_currents_of_four_octets_are_not_four_of_three() -> None:
    (block,) = plan(["current_a", "current_b", "current_c"])
    _, reply = ask(block, [bytes.fromhex("00 50 12 00 00 60 12 00 00 70 12 00")])
    with pytest.raises(CodecError, match="0202FF00: expected 3 octets for each of up to 3 elements, got 12"):
        block.decode(reply)
    (power,) = plan(["power", "power_a"])
    assert len(power.decode(ask(power, [bytes(12)])[1])) == 2
    with pytest.raises(CodecError, match="up to 4 elements"):
        power.decode(ask(power, [bytes(15)])[1])


def test_a_block_that_is_refused_is_read_in_parts() -> None:
    (block,) = plan(["voltage_a", "voltage_b", "voltage_c"])
    queries, reply = ask(block, [bytes.fromhex("01 22 02 22 03 22")])
    assert queries == [Query(0x0201FF00, optional=True)]
    assert block.decode(reply) == {"voltage_a": 220_100, "voltage_b": 220_200, "voltage_c": 220_300}
    queries, reply = ask(block, [None, bytes.fromhex("01 22"), None, bytes.fromhex("03 22")])
    assert [query.di for query in queries] == [0x0201FF00, 0x02010100, 0x02010200, 0x02010300]
    assert block.decode(reply) == {"voltage_a": 220_100, "voltage_c": 220_300}
    with pytest.raises(CodecError, match="0201FF00: no reply, nor for its parts"):
        block.decode(ask(block, [None, None, None, None])[1])


def test_what_stands_alone_must_be_there() -> None:
    (block,) = plan(["frequency"])
    assert block.next_query([]) == Query(0x02800002)
