"""Registers of a station's meters: the core beside a plain reference, on rows as bad as gateways may send them."""

from itertools import pairwise
from math import isnan, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_registers_support import SLOT, Plain, PlainClocks, Row, plain

import diantan_core as core

PART = SLOT // 3
MOST = 2**58
ENERGIES = st.sampled_from([0, 0, 0, 1, 1, 10_000, 250_000, 999_999_999, MOST])
SPANS = st.lists(st.tuples(st.integers(-20, 200), st.integers(0, 60)), max_size=8)


@st.composite
def rows_of(draw: st.DrawFn, meter: int) -> list[Row]:
    """Draw intervals of a meter: most go on, and some leave gaps, overlap, repeat, or are by another register."""
    at, forward, reverse, journal = 0, draw(st.sampled_from([0, 5_000_000])), 0, 1
    rows: list[Row] = []
    for sequence in range(draw(st.integers(0, 24))):
        at += draw(st.sampled_from([0] * 12 + [PART, SLOT, 3 * SLOT, 9 * SLOT, -PART, -SLOT]))
        length = draw(st.sampled_from([SLOT] * 8 + [PART, 2 * PART, 2 * SLOT, 4 * SLOT]))
        counted, back = draw(ENERGIES), draw(st.sampled_from([0] * 8 + [1, 777]))
        how = draw(st.sampled_from(["on"] * 16 + ["anew", "more", "less", "journal", "again"]))
        journal += how == "journal"
        if how == "again" and rows:
            rows.append((*rows[-1][:3], sequence, *rows[-1][4:9], draw(st.integers(0, 3))))
            continue
        forward = {"anew": 0, "more": forward + 3, "less": forward - 2}.get(how, forward) + counted
        reverse += back
        quality = draw(st.sampled_from([0] * 12 + [1, 1, 2, 3]))
        rows.append((at, meter, journal, sequence, length, counted, back, forward, reverse, quality))
        at += length
    return rows


def turned(row: Row) -> tuple[int, int, int, int]:
    """Return a row's energies and registers with both directions exchanged."""
    return row[6], row[5], row[8], row[7]


CLOCKS = st.lists(st.tuples(st.integers(0, 24), st.integers(1, 6), st.sampled_from([0, 2])), max_size=3)


def same(own: core.RegisterHistory, other: Plain, spans: list[tuple[int, int]]) -> None:
    """Hold all that a history says against the reference."""
    known = [(one.time_ms, one.forward_mwh, one.reverse_mwh, one.segment) for one in own.known]
    assert known == other.known
    assert own.nets == other.nets() == [(one.time_ms, one.net_mwh, one.segment) for one in own.known]
    assert [(one.before_ms, one.time_ms, one.before_mwh, one.after_mwh) for one in own.jumps] == other.jumps
    assert (own.breaks, own.unclear, own.imported) == (other.breaks, other.unclear, other.imported)
    assert own.step_mwh == other.step_mwh()
    times = [(first * PART, (first + length) * PART) for first, length in spans]
    assert own.over(times) == [other.over(*span) for span in times]
    for first, last in times:
        assert own.counted_mwh(first, last) == other.counted_mwh(first, last)
        found = own.between(first, last)
        assert [(one.time_ms, one.segment) for one in found] == [(one[0], one[3]) for one in other.between(first, last)]
        for standing in (False, True):
            for step in (SLOT, 2 * SLOT, PART):
                expected = sum(time in other.instants(standing=standing) for time in range(first, last, step))
                assert own.instants(standing=standing).count(first, last, step) == expected
    for standing in (False, True):
        assert own.instants(standing=standing).first_ms == min(other.instants(standing=standing), default=None)
    for first, length in spans:
        for every in (1, 2, 4):
            column = own.column(first * SLOT, length, every)
            expected_cells = other.column(first * SLOT, length, every)
            assert [column[place] for place in range(len(column))] == expected_cells
            assert column.any == any(cell is not None for cell in expected_cells)


@settings(max_examples=150, deadline=None)
@given(
    data=st.data(),
    imported=st.sets(st.integers(1, 2)),
    inverted=st.sets(st.integers(1, 3)),
    spans=SPANS,
    sent=CLOCKS,
    cut=st.integers(0, 30),
)
def test_the_core_says_what_the_definition_says(
    *,
    data: st.DataObject,
    imported: set[int],
    inverted: set[int],
    spans: list[tuple[int, int]],
    sent: list[tuple[int, int, int]],
    cut: int,
) -> None:
    rows = [*data.draw(rows_of(1)), *data.draw(rows_of(2))]
    rows = data.draw(st.permutations(rows))
    readings = [[row for row in rows if row[0] < cut * SLOT], [row for row in rows if row[0] >= cut * SLOT]]
    told = [(first, first + length, state) for first, length, state in sorted(sent)]
    clocks, expected_clocks = core.RegisterClocks(), PlainClocks(1, told)
    clocks.know(1, told)
    assert clocks.right == (not told)
    registers = core.StationRegisters(imported, inverted)
    for reading in readings:
        # As they were counted; the definition is of what flowed.
        counted = [(*row[:5], *turned(row), row[9]) if row[1] in inverted else row for row in reading]
        registers.add(core.RegisterRows(counted), clocks)
    expected = plain(readings, sorted(imported), expected_clocks.trusted)
    for meter in (1, 2, 3):
        same(registers.of(meter), expected.get(meter, Plain()), spans)
    assert clocks.unknown == expected_clocks.unknown


CELLS = st.one_of(st.none(), st.integers(0, 2**40), st.integers(-(2**64), 2**64))


@settings(max_examples=150, deadline=None)
@given(data=st.data(), count=st.integers(1, 8), chargers=st.integers(0, 3), others=st.integers(0, 3))
def test_windows_are_those_of_the_sums(data: st.DataObject, count: int, chargers: int, others: int) -> None:
    def drawn() -> list[int | None]:
        return data.draw(st.lists(CELLS, min_size=count, max_size=count))

    own = [drawn() if data.draw(st.booleans()) else None for _ in range(chargers)]
    masters = [(drawn(), data.draw(st.booleans())) for _ in range(others)]
    first = data.draw(st.integers(0, count))
    end = data.draw(st.integers(first, count))
    places = range(first, end)
    sums: list[int | None] = [0 for _ in places]
    for cells, against in masters:
        for row, place in enumerate(places):
            total, cell = sums[row], cells[place]
            sums[row] = None if total is None or cell is None else total + (-cell if against else cell)
    if any(cells is not None and all(cells[place] is None for place in places) for cells in own):
        sums = [None for _ in places]
    expected = core.ErrorWindows.from_registers(
        [SLOT * (7 + place) for place in places],
        [nan if total is None else total / 10**6 for total in sums],
        [
            [nan if cells is None or (cell := cells[place]) is None else cell / 10**6 for place in places]
            for cells in own
        ],
    )
    found = core.ErrorWindows.from_columns(
        [None if cells is None else core.RegisterColumn(7 * SLOT, cells) for cells in own],
        [(core.RegisterColumn(7 * SLOT, cells), against) for cells, against in masters],
        first,
        end,
    )
    if not masters and not any(own):  # of no grid at all
        assert len(found) == 0
        return
    assert (found.starts_ms, found.ends_ms) == (expected.starts_ms, expected.ends_ms)
    assert found.master_kwh == expected.master_kwh
    rows = [expected.energies_kwh(place) for place in range(len(expected))]
    assert [found.energies_kwh(place) for place in range(len(found))] == rows
    inside = [0.0] * chargers
    for row in rows:
        for place, energy in enumerate(row):
            inside[place] += 0.0 if isnan(energy) else energy
    assert found.sums_kwh == inside


def test_rows_tell_the_records_of_each_journal() -> None:
    rows = core.RegisterRows([(0, 1, 5, sequence, SLOT, 0, 0, 0, 0, 0) for sequence in (7, 3, 9)])
    assert (len(rows), rows.sequences) == (3, {5: (3, 9)})
    assert core.RegisterRows([]).sequences == {}


@pytest.mark.parametrize(
    ("row", "error"),
    [
        ((0, 1, 1, 1, SLOT, 0, 0, 0, 0), ValueError),
        ((0, 1, 1, 1, SLOT, 0, 0, 0, 0, 0, 0), ValueError),
        ((0, 1, 1, 1, SLOT, 0, 0, 0, 0, None), TypeError),
        ((0, 1, 1, 1, SLOT, 0.5, 0, 0, 0, 0), TypeError),
        ((0, 1, 1, 1, SLOT, 2**63, 0, 0, 0, 0), OverflowError),
        ([0] * 10, TypeError),
    ],
)
def test_what_is_no_row_is_refused(row: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        core.RegisterRows([row])  # type: ignore[list-item]


def test_a_column_and_its_limits() -> None:
    column = core.RegisterColumn(0, [None, 5, -(2**100)])
    assert (len(column), column.any, [column[place] for place in range(3)]) == (3, True, [None, 5, -(2**100)])
    with pytest.raises(IndexError, match="instant 3 of 3"):
        column[3]
    with pytest.raises(core.EstimationError, match="250001 instants"):
        core.RegisterHistory().column(0, 250_001)
    with pytest.raises(core.EstimationError, match="places"):
        core.ErrorWindows.from_columns([column], [], 0, 4)


def test_what_is_said_of_nothing() -> None:
    history = core.RegisterHistory()
    assert (history.known, history.breaks, history.jumps, history.step_mwh) == ([], [], [], 0)
    assert history.over([(0, 1)]) == [None]
    assert history.instants().first_ms is None
    assert history.instants().count(0, SLOT, 0) == 0
    assert "0 known" in repr(history)


def test_known_registers_compare_by_value() -> None:
    row = (0, 1, 1, 1, SLOT, 4, 1, 10, 3, 0)
    registers = [core.StationRegisters() for _ in range(2)]
    for one in registers:
        one.add(core.RegisterRows([row, (3 * SLOT, *row[1:])]))
    first, second = (one.of(1) for one in registers)
    assert (first.known, first.jumps) == (second.known, second.jumps)
    assert all(one != after for one, after in pairwise(first.known))
    assert "10 mWh, 3 mWh, segment 1" in repr(first.known[1])
    assert "10 mWh at 900000 ms, 6 mWh at 2700000 ms" in repr(first.jumps[0])
