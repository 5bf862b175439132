"""What windows of error estimation show by themselves, and parts of them."""

from functools import reduce
from math import inf, nextafter
from operator import add, mul

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diantan_core import ErrorWindows, EstimationError

SLOT_MS = 900_000
Columns = list[list[float]]
energy = st.sampled_from([0.0, 0.1, 0.2, 1.0, -0.3, 12.5]) | st.floats(-1e6, 1e6)
station = st.integers(0, 12).flatmap(
    lambda count: st.lists(st.lists(energy, min_size=count, max_size=count), min_size=1, max_size=4)
)


def windows_of(columns: Columns, spans: list[tuple[int, int]] | None = None) -> ErrorWindows:
    count = len(columns[0])
    times = [place * SLOT_MS for place in range(count + 1)] if count else []
    master = [float(place) for place in range(count)]
    sessions = None if spans is None else [spans, *([None] * (len(columns) - 1))]
    told = None if spans is None else [[], *([None] * (len(columns) - 1))]
    return ErrorWindows.from_energies(times, master, columns, sessions_ms=sessions, told_ms=told)


@given(columns=station)
def test_columns_are_those_of_each_charger(columns: Columns) -> None:
    assert windows_of(columns).columns_kwh() == columns


@given(columns=station, weight=st.floats(0.5, 2))
def test_weighted_sums_are_those_of_rows(columns: Columns, weight: float) -> None:
    weights = [weight + place for place in range(len(columns))]
    # From the first to the last: later Pythons' `sum` corrects for roundings.
    expected = [reduce(add, map(mul, row, weights), 0.0) for row in zip(*columns, strict=True)]
    windows = windows_of(columns)
    assert windows.weighted_kwh(weights) == expected
    with pytest.raises(EstimationError, match="weights"):
        windows.weighted_kwh([*weights, 1.0])


@given(columns=station, limit=st.sampled_from([0.4, 4.0, 50.0]))
def test_powers_are_of_windows_in_which_anything_was_counted(columns: Columns, limit: float) -> None:
    windows = windows_of(columns)
    for place, column in enumerate(columns):
        used = [abs(energy) / (SLOT_MS / 3_600_000) for energy in column if energy]
        assert windows.powers(place, limit) == (len(used), sum(limit < kw for kw in used), max(used, default=0.0))


def test_a_power_at_the_limit_is_not_beyond_it() -> None:
    windows = windows_of([[1.0]])
    assert windows.powers(0, 4.0)[1] == 0
    assert windows.powers(0, nextafter(4.0, -inf))[1] == 1


@given(columns=station)
def test_a_charger_is_quiet_away_from_its_own_sessions(columns: Columns) -> None:
    windows = windows_of(columns)
    for place, column in enumerate(columns):
        limit = 0.2 * max(column, default=0.0)
        low = [energy < limit for energy in column]
        edge = limit > 0
        around = zip([edge, *low[:-1]], low, [*low[1:], edge], strict=True)
        expected = sum(all(three) and own > 0 for three, own in zip(around, column, strict=True)) if column else 0
        assert windows.quiet(place, 0.2) == expected


@given(columns=station, data=st.data())
def test_a_part_has_what_the_whole_has_there(columns: Columns, data: st.DataObject) -> None:
    whole = windows_of(columns, [(SLOT_MS // 2, 3 * SLOT_MS)])
    places = sorted(data.draw(st.sets(st.integers(0, max(len(whole) - 1, 0))))) if len(whole) else []
    part = whole.part(places)
    assert part.columns_kwh() == [[column[place] for place in places] for column in columns]
    assert part.starts_ms == [whole.starts_ms[place] for place in places]
    assert part.ends_ms == [whole.ends_ms[place] for place in places]
    assert part.master_kwh == [whole.master_kwh[place] for place in places]


@pytest.mark.parametrize("places", [[1, 0], [1, 1], [3]])
def test_places_that_are_none_make_no_part(places: list[int]) -> None:
    with pytest.raises(IndexError, match="of 3 windows"):
        windows_of([[1.0, 2.0, 3.0]]).part(places)
