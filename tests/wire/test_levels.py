"""Statements between centres: they come back as they went, and what is none is refused by name."""

from dataclasses import replace
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.fields import MessageError
from wire.levels import MAX_STATED, Statement, Totals
from wire.messages import Origin

AMOUNTS = st.none() | st.integers(0, 2**61)
FACTORS = st.none() | st.integers(0, 2**32 - 1)
TOTALS = st.builds(Totals, *[st.integers(-(2**61), 2**61)] * 10)
STATED = Statement(
    *("city", "province", "N7", 5, 900_000, 0, (1, None), (0, None), (600_000, None), (None, 5), (1, None), (0, None)),
    *((3, 4), 2000, 10, (Totals(*range(10)), None)),
)


@st.composite
def statements(draw: st.DrawFn) -> Statement:
    count = draw(st.integers(0, 5))

    def column(values: st.SearchStrategy[Any]) -> tuple[Any, ...]:
        return tuple(draw(st.lists(values, min_size=count, max_size=count)))

    amounts = (column(AMOUNTS), column(AMOUNTS), column(FACTORS), column(FACTORS), column(AMOUNTS), column(AMOUNTS))
    heard = tuple(draw(st.lists(st.integers(0, 2**53), max_size=3)))
    totals = column(st.none() | TOTALS) if draw(st.booleans()) else None
    limits = (draw(st.none() | st.integers(0, 10**6)), draw(st.none() | st.integers(0, 2**61)))
    origins = column(st.sampled_from(Origin)) if draw(st.booleans()) else None
    return Statement("a", "b", "n", 1, 900_000, 0, *amounts, heard, *limits, totals, origins)


@given(statements())
def test_a_statement_comes_back(statement: Statement) -> None:
    assert Statement.decode(statement.encode()) == statement


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({0: 2}, "schema version"),
        ({1: ""}, "speaker"),
        ({4: -1}, "issued_ms"),
        ({7: [1]}, "reverse_mwh: expected one for each of 1 slots, got 2"),
        ({7: [-1, None]}, r"forward_mwh.*\[0\]"),
        ({7: [2**61 + 1, None]}, r"forward_mwh.*\[0\]"),
        ({7: [True, None]}, r"forward_mwh.*\[0\]"),
        ({9: [2**32, None]}, r"factors.*\[0\]"),
        ({11: ["1", None]}, r"carbon_forward_ug.*\[0\]"),
        ({7: [None] * (MAX_STATED + 1)}, "0 to 2976 items"),
        ({13: [0] * 65}, "0 to 64 items"),
        ({14: 1_000_001}, "error_ppm"),
        ({16: [None]}, "totals: expected one for each of 2 slots, got 1"),
        ({16: [[1] * 9, None]}, r"totals.*\[0\]: expected 10 to 10"),
        ({16: [[1.5] * 10, None]}, "no float"),
    ],
)
def test_what_is_no_statement_is_refused(changes: dict[int, Any], named: str) -> None:
    value = cbor2.loads(STATED.encode()) | changes
    with pytest.raises(MessageError, match=named):
        Statement.decode(cbor2.dumps(value, canonical=True))


def test_columns_of_other_lengths_are_not_sent() -> None:
    with pytest.raises(MessageError, match="reverse_factors: expected one for each of 2 slots, got 0"):
        replace(STATED, reverse_factors=()).encode()


def test_a_later_writers_keys_are_ignored() -> None:
    value = cbor2.loads(STATED.encode())
    assert Statement.decode(cbor2.dumps({**value, 99: [1]}, canonical=True)) == STATED
    for key in (13, 14, 15, 16):
        del value[key]
    bare = replace(STATED, heard=(), error_ppm=None, step_mwh=None, totals=None)
    assert Statement.decode(cbor2.dumps(value, canonical=True)) == bare


def test_truncated_bytes_are_refused() -> None:
    data = STATED.encode()
    for end in range(len(data)):
        with pytest.raises(MessageError):
            Statement.decode(data[:end])
