"""Readings as objects: their keys are headings, and every object that is none is told."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_receiver.metered_import.source import Objects
from cloud_receiver.mistakes import InputError

KNOWN = ("time", "forward", "reverse")


def test_keys_are_headings_in_our_order_whatever_theirs() -> None:
    found = Objects([{"forward": "1", "time": "a"}, {"time": "b", "forward": None}], KNOWN, "body")
    assert list(found.rows()) == [(0, ["time", "forward"]), (1, ["a", "1"]), (2, ["b", ""])]
    assert found.place(2, 1) == "reading 2"


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("a", "body: reading 2: expected an object with a time, found 'a'"),
        ({}, "body: reading 2: expected an object with a time"),
        ({"time": "a"}, "body: reading 2: expected forward as in other readings, null for no value; found none"),
        ({"time": "a", "forward": "1", "kwh": "1"}, "reading 2: expected some of time, forward, reverse, found 'kwh'"),
        ({"time": "a", "forward": True}, "reading 2: forward: expected a text or a number, found True"),
        ({"time": ["a"], "forward": "1"}, "reading 2: time: expected a text or a number"),
        ({"time": "a", "forward": "1", "reverse": "0"}, "reading 1: expected reverse as in other readings"),
    ],
)
def test_what_is_no_reading_is_named(item: object, expected: str) -> None:
    with pytest.raises(InputError) as refused:
        Objects([{"time": "a", "forward": "1"}, item], KNOWN, "body")
    (problem,) = refused.value.problems
    assert expected in str(problem)


VALUES = st.none() | st.booleans() | st.text(max_size=5) | st.lists(st.text(max_size=2), max_size=2)


@given(st.lists(VALUES | st.dictionaries(st.sampled_from([*KNOWN, "x"]), VALUES, max_size=4), max_size=5))
def test_any_list_is_rows_of_one_length_or_a_typed_error(items: list[object]) -> None:
    try:
        found = Objects(items, KNOWN, "body")
    except InputError:
        return
    assert all(len(cells) == len(found.keys) for _, cells in found.rows())
    assert len(list(found.rows())) == len(items) + 1
