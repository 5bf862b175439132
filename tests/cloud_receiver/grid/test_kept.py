"""Solved slots in bytes: the same numbers come back to the bit, and what is none is refused."""

import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_receiver.grid.kept import KeptError, NodeQuality, NodeResults, Powers, of, solve_id
from cloud_receiver.grid.model import Branch, Grid, Node
from wire.messages import Origin

NUMBERS = st.lists(st.floats(allow_nan=True) | st.none(), max_size=12)
GRID = Grid((Node("a"), Node("b")), (Branch("L", "a", "b"),))


def powers(flows: list[float | None], opened: frozenset[int] = frozenset(), hours: float = 0.25) -> Powers:
    return Powers(hours, of(flows), of([1.0]), of([]), of([None, 2.0]), opened)


@given(NUMBERS, st.frozensets(st.integers(0, 2**32 - 1), max_size=5), st.floats(min_value=0.01, max_value=24))
def test_measurements_come_back_to_the_bit(flows: list[float | None], opened: frozenset[int], hours: float) -> None:
    data = powers(flows, opened, hours).pack()
    again = Powers.unpack(data)
    assert again.pack() == data
    assert (again.hours, again.open_branches) == (hours, opened)
    assert len(again.flows) == len(flows)
    assert math.isnan(again.storages[0])
    assert again.storages[1] == 2.0


@given(st.data())
def test_other_bytes_are_refused(data: st.DataObject) -> None:
    whole = powers([1.0, 2.0]).pack()
    end = data.draw(st.integers(0, len(whole) - 1))
    for wrong in (whole[:end], whole + b"x", b"\x02" + whole[1:]):
        with pytest.raises(KeptError):
            Powers.unpack(wrong)


RESULTS = NodeResults(
    of([0.5, None]),
    of([12.0, 0.0]),
    (NodeQuality.DEFINED, NodeQuality.DEAD),
    (500_000, None),
    (Origin.SOLVED, Origin.SOLVED),
)


def test_results_come_back() -> None:
    again = NodeResults.unpack(RESULTS.pack())
    assert again.pack() == RESULTS.pack()
    assert again.dispatched == (500_000, None)
    assert again.qualities == (NodeQuality.DEFINED, NodeQuality.DEAD)
    assert again.factors[0] == 0.5


def test_results_that_cannot_be_are_refused() -> None:
    whole = RESULTS.pack()
    for wrong in (
        whole[:-1],
        whole + b"\x00",
        whole[:-1] + b"\x09",
        b"\x02" + whole[1:],
        b"\x01" + struct.pack("<I", 9),
    ):
        with pytest.raises(KeptError):
            NodeResults.unpack(wrong)


def test_the_solve_id_changes_with_all_that_a_solution_depends_on() -> None:
    base = solve_id(GRID, 0, powers([1.0]), {"a": 1})
    assert len(base) == 32
    assert solve_id(GRID, 0, powers([1.0]), {"a": 1}) == base
    turned = Grid(GRID.nodes[::-1], GRID.branches)
    assert turned.digest == GRID.digest  # another order of the same topology: other places of the same numbers
    others = {
        solve_id(turned, 0, powers([1.0]), {"a": 1}),
        solve_id(GRID, 900_000, powers([1.0]), {"a": 1}),
        solve_id(GRID, 0, powers([math.nextafter(1.0, 2)]), {"a": 1}),
        solve_id(GRID, 0, powers([None]), {"a": 1}),
        solve_id(GRID, 0, powers([1.0], frozenset({0})), {"a": 1}),
        solve_id(GRID, 0, powers([1.0], hours=0.5), {"a": 1}),
        solve_id(GRID, 0, powers([1.0]), {"a": 2}),
    }
    assert len(others) == 7
    assert base not in others
