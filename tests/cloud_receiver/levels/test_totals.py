"""The sums of a grid that a centre tells: they are those of its balance, and close."""

import sys
from dataclasses import replace
from pathlib import Path

# Tests are no packages (importmode=importlib): what they share is found by its directory.
sys.path.insert(0, str(Path(__file__).parents[1] / "grid" / "analysis"))

from analysis_support import DAY_MS, day, grids, small  # needs the path above

from cloud_receiver.grid.analysis.layout import Layout
from cloud_receiver.grid.kept import SOURCE, of
from cloud_receiver.levels.book import Said
from cloud_receiver.levels.compare import BOOKS, Limits, differences
from cloud_receiver.levels.totals import totals_of


def test_the_books_close_in_both_units() -> None:
    network = small()
    (slot,) = day(network, 1)
    totals = totals_of(Layout(grids(network.grid).all[0]), slot)
    assert totals is not None
    for unit in ("mwh", "ug"):
        came, used, lost, kept, rest = (
            getattr(totals, f"{name}_{unit}") for name in ("sources", "loads", "losses", "storages", "imbalance")
        )
        assert came > 0
        assert came - used - lost - kept == rest
        assert abs(rest) <= came // 10**6 + 20
    assert differences({}, {DAY_MS: Said(totals=totals)}, Limits(), 900_000) == []
    wrong = replace(totals, loads_mwh=totals.loads_mwh + 1)
    (found,) = differences({}, {DAY_MS: Said(totals=wrong)}, Limits(), 900_000)
    assert found.kind == BOOKS


def test_amounts_beyond_what_a_message_carries_are_not_told() -> None:
    network = small()
    (slot,) = day(network, 1)
    powers = [1e9 if place % SOURCE == 0 else value for place, value in enumerate(slot.used.sources)]
    huge = replace(slot, used=replace(slot.used, sources=of(powers)))
    assert totals_of(Layout(grids(network.grid).all[0]), huge) is None
