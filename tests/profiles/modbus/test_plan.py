"""The reading plan: everything once, whole, within the limits, whatever the order, at the least cost."""

import random
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles import load
from profiles.modbus.model import Encoding, RegisterPoint, RegisterTable, WordOrder
from profiles.modbus.plan import MAX_REGISTERS, ReadBlock, plan_reads, plan_rows
from profiles.points import Quantity


def point(address: int, encoding: Encoding = Encoding.UINT16, function: int = 3) -> RegisterPoint:
    return RegisterPoint(
        name=f"p{function}-{address}",
        quantity=Quantity.NUMBER,
        scale=Fraction(1),
        resolution=1,
        function=function,
        address=address,
        encoding=encoding,
        word_order=WordOrder.ABCD,
    )


def freezes() -> RegisterTable:
    table = load("sim-carbon-meter").tables["daily_freezes"]
    assert isinstance(table, RegisterTable)
    return table


@st.composite
def maps(draw: st.DrawFn) -> list[RegisterPoint]:
    """Points that do not overlap, with gaps between them."""
    points, address = [], draw(st.integers(0, 100))
    for _ in range(draw(st.integers(1, 25))):
        encoding = draw(st.sampled_from(list(Encoding)))
        points.append(point(address, encoding, draw(st.sampled_from([3, 4]))))
        address += encoding.registers + draw(st.integers(0, 60))
    return points


def cost(blocks: list[ReadBlock], gap_cost: int) -> int:
    return sum(gap_cost + block.count for block in blocks)


def cheapest(points: list[RegisterPoint], limit: int, gap_cost: int) -> int:
    """Return the least cost over every way to cut a short row of points, tried one by one."""
    if not points:
        return 0
    best = 10**9
    for size in range(1, len(points) + 1):
        count = max(p.end for p in points[:size]) - points[0].address
        if count <= limit:
            best = min(best, gap_cost + count + cheapest(points[size:], limit, gap_cost))
    return best


@given(maps(), st.integers(4, MAX_REGISTERS), st.integers(0, 40), st.randoms())
def test_every_point_is_read_once_and_whole(
    points: list[RegisterPoint], limit: int, gap_cost: int, shuffler: random.Random
) -> None:
    blocks = plan_reads(points, limit, gap_cost)
    assert sorted(p.name for block in blocks for p in block.points) == sorted(p.name for p in points)
    for block in blocks:
        assert block.count <= limit
        assert all(p.function == block.function for p in block.points)
        assert all(block.address <= p.address and p.end <= block.address + block.count for p in block.points)
        assert block.points[0].address == block.address
    shuffled = list(points)
    shuffler.shuffle(shuffled)
    assert plan_reads(shuffled, limit, gap_cost) == blocks


@given(
    st.lists(st.tuples(st.sampled_from(list(Encoding)), st.integers(0, 40)), min_size=1, max_size=9),
    st.integers(4, 60),
    st.integers(0, 40),
)
def test_no_other_plan_costs_less(layout: list[tuple[Encoding, int]], limit: int, gap_cost: int) -> None:
    points, address = [], 0
    for encoding, gap in layout:
        address += gap
        points.append(point(address, encoding))
        address += encoding.registers
    assert cost(plan_reads(points, limit, gap_cost), gap_cost) == cheapest(points, limit, gap_cost)


@pytest.mark.parametrize(("gap", "requests"), [(0, 1), (20, 1), (21, 2)])
def test_a_gap_is_read_over_while_it_pays(gap: int, requests: int) -> None:
    assert len(plan_reads([point(0), point(1 + gap)])) == requests


def test_gap_cost_zero_reads_no_unused_register() -> None:
    assert [block.count for block in plan_reads([point(0), point(1), point(3)], gap_cost=0)] == [2, 1]


def test_gap_cost_zero_reads_over_registers_of_known_points_while_it_pays() -> None:
    known = [point(address) for address in range(25)]
    assert [block.count for block in plan_reads([point(0), point(20)], gap_cost=0, known=known)] == [21]
    assert [block.count for block in plan_reads([point(0), point(22)], gap_cost=0, known=known)] == [1, 1]
    assert [block.count for block in plan_reads([point(0), point(20)], gap_cost=0, known=known[:9] + known[10:])] == [
        1,
        1,
    ]
    others = [point(address, function=4) for address in range(25)]
    assert [block.count for block in plan_reads([point(0), point(20)], gap_cost=0, known=others)] == [1, 1]
    (block,) = plan_reads([point(0), point(20)], gap_cost=0, known=known)
    assert [item.address for item in block.points] == [0, 20]


@given(maps(), st.integers(4, MAX_REGISTERS), st.randoms())
def test_gap_cost_zero_reads_no_register_that_no_point_has(
    points: list[RegisterPoint], limit: int, chooser: random.Random
) -> None:
    wanted = chooser.sample(points, chooser.randint(1, len(points)))
    named = {(p.function, address) for p in points for address in range(p.address, p.end)}
    for block in plan_reads(wanted, limit, 0, points):
        assert all((block.function, block.address + n) in named for n in range(block.count))


def test_equal_points_are_read_once() -> None:
    (block,) = plan_reads([point(5), point(5)])
    assert len(block.points) == 1


def test_nothing_to_read_is_no_request() -> None:
    assert plan_reads([]) == []


@pytest.mark.parametrize("limit", [0, 126])
def test_an_impossible_limit_is_refused(limit: int) -> None:
    with pytest.raises(ValueError, match=r"1\.\.125"):
        plan_reads([point(0)], limit)


def test_a_point_larger_than_a_request_is_named() -> None:
    with pytest.raises(ValueError, match="p3-7: 4 registers"):
        plan_reads([point(7, Encoding.UINT64)], 3)


@given(st.integers(1, 30), st.integers(1, 30), st.integers(18, 125))
def test_rows_are_read_whole_and_once(one: int, other: int, limit: int) -> None:
    table = freezes()
    first, last = sorted((one, other))
    blocks = plan_rows(table, first, last, limit)
    rows = [row for block in blocks for row in range(block.first_row, block.first_row + block.rows)]
    assert rows == list(range(first, last + 1))
    assert all(block.count == block.rows * table.stride <= limit for block in blocks)
    assert blocks[0].address == table.row_address(first)


def test_rows_a_table_does_not_have_are_refused() -> None:
    table = freezes()
    with pytest.raises(IndexError, match=r"row 31 is not in 1\.\.30"):
        plan_rows(table, 1, 31)
    with pytest.raises(ValueError, match="does not fit"):
        plan_rows(table, 1, 2, 17)
