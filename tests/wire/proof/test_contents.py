"""Gaps of a journal: what is missing, and what the gateway gave up."""

from hypothesis import given
from hypothesis import strategies as st

from wire.proof.contents import Journal

numbers = st.integers(1, 40)
ranges = st.tuples(numbers, numbers).filter(lambda own: own[0] <= own[1])


@given(sequences=st.sets(numbers, min_size=1), dropped=st.lists(ranges, max_size=5))
def test_holes_are_what_is_neither_there_nor_given_up(sequences: set[int], dropped: list[tuple[int, int]]) -> None:
    journal = Journal(sequences, dropped)
    expected = [
        number
        for number in range(min(sequences), max(sequences) + 1)
        if number not in sequences and not any(low <= number <= high for low, high in dropped)
    ]
    found = journal.holes(min(sequences), max(sequences))
    assert [number for low, high in found for number in range(low, high + 1)] == expected


def test_a_hole_of_any_size_is_found_at_once() -> None:
    journal = Journal({1, 1 << 62}, [(2, (1 << 62) - 2)])
    assert journal.holes(1, 1 << 62) == [((1 << 62) - 1, (1 << 62) - 1)]
