"""Lines as cells: what separates them, and lines that are none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_receiver.delimited.cells import TornError, cells, separator_of


@pytest.mark.parametrize(
    ("first", "separator"),
    [
        ("number,start,end", ","),
        ("number;start;end", ";"),
        ("number\tstart\tend", "\t"),
        ("time", ","),
        ("", ","),
        ('time,"energy; forward; kWh",note', ","),
        ('"a, b, c, d";kwh', ";"),
        ("time,energy [kWh; net],note", ","),
        ("2026-07-01 00:00;1,5", ";"),
        ("2026-07-01 00:00:00,000;1,5;2,5;3,5", ";"),
        ("2026-07-01 00:00\t1,5\t2,5", "\t"),
        ("2026-07-01 00:00,1,2", ","),
        ("Zeit;Energie, vorwärts;Energie, rückwärts", ";"),
    ],
)
def test_what_separates_cells_is_found_out(first: str, separator: str) -> None:
    assert separator_of(first) == separator


def test_lines_have_the_number_at_which_they_begin() -> None:
    found = list(cells(["a,b\n", '1,"x\n', 'y"\n', "\n", "2,z\n"]))
    assert found == [(1, ["a", "b"]), (2, ["1", "x\ny"]), (4, []), (5, ["2", "z"])]


def test_a_torn_line_is_named() -> None:
    read = cells(["a;b\n", '1;"x\n', "2;y\n"], ";")
    assert next(read) == (1, ["a", "b"])
    with pytest.raises(TornError, match="not CSV") as torn:
        next(read)
    assert torn.value.line == 2


@given(st.lists(st.text(max_size=20), max_size=6))
def test_any_lines_are_cells_or_a_typed_error(lines: list[str]) -> None:
    try:
        found = list(cells(lines, separator_of(lines[0] if lines else "")))
    except TornError:
        return
    assert [number for number, _ in found] == sorted({number for number, _ in found})
