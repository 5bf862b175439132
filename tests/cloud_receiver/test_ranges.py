"""Received ranges against a plain set of numbers."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_receiver.ranges import RangeSet

runs = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 15)), max_size=25)


def spread(ranges: list[tuple[int, int]]) -> set[int]:
    return {number for first, last in ranges for number in range(first, last + 1)}


@given(runs)
def test_any_order_duplicates_and_overlaps_give_the_exact_set(runs: list[tuple[int, int]]) -> None:
    ranges, plain = RangeSet(), set[int]()
    for first, count in runs:
        run = set(range(first, first + count))
        new = ranges.add(first, first + count - 1)
        assert spread(new) == run - plain
        assert sum(last - start + 1 for start, last in new) == len(run - plain)
        plain |= run
    assert spread(list(ranges)) == plain
    # Ranges are disjoint, ascending and never touch.
    pairs = list(ranges)
    assert all(earlier[1] + 1 < later[0] for earlier, later in pairwise(pairs))


@given(runs)
def test_up_to_and_missing_are_the_complement(runs: list[tuple[int, int]]) -> None:
    ranges = RangeSet((first, first + count - 1) for first, count in runs)
    plain = spread(list(ranges))
    top = max(plain, default=0)
    expected_up_to = next(number for number in range(top + 2) if number + 1 not in plain)
    assert ranges.up_to() == expected_up_to
    missing = ranges.missing(1000)
    assert spread(list(missing)) == set(range(expected_up_to + 1, top + 1)) - plain
    assert ranges.missing(2) == missing[:2]


@given(runs)
def test_adding_again_changes_nothing(runs: list[tuple[int, int]]) -> None:
    ranges = RangeSet((first, first + count - 1) for first, count in runs)
    before = list(ranges)
    for first, count in reversed(runs):
        assert ranges.add(first, first + count - 1) == []
    assert list(ranges) == before


@given(runs, st.integers(1, 80))
def test_membership(runs: list[tuple[int, int]], number: int) -> None:
    ranges = RangeSet((first, first + count - 1) for first, count in runs)
    assert (number in ranges) == (number in spread(list(ranges)))


@given(runs, st.integers(1, 80), st.integers(1, 10))
def test_what_touches_makes_no_range_more(runs: list[tuple[int, int]], first: int, count: int) -> None:
    ranges = RangeSet((begin, begin + number - 1) for begin, number in runs)
    touches = ranges.touches(first, first + count - 1)
    before = len(ranges)
    ranges.add(first, first + count - 1)
    assert touches == (len(ranges) <= before)


@pytest.mark.parametrize(("first", "last"), [(0, 3), (5, 4), (-1, -1)])
def test_a_range_that_is_none_is_refused(first: int, last: int) -> None:
    with pytest.raises(ValueError, match="expected 1 <= first <= last"):
        RangeSet().add(first, last)
