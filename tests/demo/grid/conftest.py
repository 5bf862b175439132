"""The sample of the IEEE 118-bus day, and a centre that solved it."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from centre_support import DAY_START, SAMPLE, Centre, centre_of  # needs the path above

from cloud_receiver.grid import tables as grid_tables
from cloud_receiver.grid.model import Grid
from demo.grid.fleet import SOURCES, USERS, load_id
from demo.grid.tables import SLOT, Day, read_day, write_day


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


@pytest.fixture
def flow_directory(tmp_path: Path) -> Path:
    """Return the output of a power flow of 96 slots, with one branch: powers of units rise from slot to slot."""
    starts = [DAY_START + slot * SLOT for slot in range(96)]
    generators = {source.id: [(slot * 1_000_000, slot) for slot in range(96)] for source in SOURCES}
    loads = {name: [7_000_000_000] * 96 for name in ["D001", *map(load_id, USERS)]}
    day = Day(starts, {"L001": [(1, -1)] * 96}, generators, loads, {"E070": [(0, 0, 1, 1)] * 96})
    write_day(tmp_path / "series", day)
    (tmp_path / "day.json").write_text(json.dumps({"timezone": "Asia/Shanghai"}))
    return tmp_path
