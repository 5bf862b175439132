"""Energies of windows by charger."""

import pytest

from cloud_receiver.estimation.columns import energy_columns
from diantan_core import ErrorWindows

SLOT_MS = 900_000


@pytest.mark.parametrize("columns", [[[1.0, 0.0, 2.5]], [[1.0, 2.0, -3.0], [0.0, 0.5, 0.25]], [[], []]])
def test_they_are_those_of_each_charger(columns: list[list[float]]) -> None:
    count = len(columns[0])
    times = [place * SLOT_MS for place in range(count + 1)] if count else []
    windows = ErrorWindows.from_energies(times, [sum(row) for row in zip(*columns, strict=True)], columns)
    assert energy_columns(windows, len(columns)) == columns
