"""The sample of the IEEE 118-bus day, and a centre that solved it."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from centre_support import SAMPLE, Centre, centre_of  # needs the path above

from cloud_receiver.grid import tables as grid_tables
from cloud_receiver.grid.model import Grid
from demo.grid.fleet import load_id
from demo.grid.tables import Day, read_day


@pytest.fixture(scope="session")
def day() -> Day:
    """Return four slots of the day."""
    return read_day(SAMPLE / "series")


@pytest.fixture(scope="session")
def grid() -> Grid:
    """Return their grid."""
    return grid_tables.read(SAMPLE / "topology").grid


@pytest.fixture(scope="session")
def metered(grid: Grid) -> frozenset[str]:
    """All units, and five users: one of them takes clean power only."""
    return frozenset(item.id for item in grid.generators) | {load_id(bus) for bus in (14, 39, 67, 84, 118)}


@pytest.fixture(scope="session")
def centre(day: Day, grid: Grid, metered: frozenset[str]) -> Centre:
    """Return a centre whose measurements balance."""
    return centre_of(day, grid, metered)
