"""A grid of the store and what reading a series of it says."""

from pathlib import Path

import pytest

from cloud_receiver.grid import series
from cloud_receiver.grid.model import Branch, Generator, Grid, Load, Node, Storage
from cloud_receiver.grid.series_told import Check, Told
from cloud_receiver.grid.shelf import KeptGrid, KeptGrids
from cloud_receiver.grid.snapshot import Snapshot
from cloud_receiver.mistakes import InputError

SLOT = 900_000
DAY = 1_782_835_200_000  # 2026-07-01T00:00+08:00
GRID = Grid(
    (Node("P1"), Node("S1"), Node("U1")),
    (Branch("L.1", "P1", "S1"), Branch("线2", "S1", "U1")),
    (Generator("G1", "P1"), Generator("PV", "U1")),
    (Load("town", "S1"), Load("park", "U1")),
    (Storage("B1", "U1"),),
)
LATER = Grid(GRID.nodes, GRID.branches[:1], GRID.generators, GRID.loads, GRID.storages)
GRIDS = KeptGrids([KeptGrid(1, DAY, "one", GRID), KeptGrid(2, DAY + 96 * SLOT, "two", LATER)])


def time(slot: int) -> str:
    """Return the start of a slot of the first day as text."""
    return f"2026-07-01T{slot // 4:02}:{slot % 4 * 15:02}+08:00"


def write(directory: Path, name: str, *lines: str) -> Path:
    """Write a table."""
    path = directory / name
    path.write_text("".join(f"{line}\n" for line in lines), "utf-8")
    return path


def slots(path: Path, *, max_factor: float = 10.0) -> dict[int, Snapshot]:
    """Return what a series without mistakes has, by the number of the slot in the day."""
    found, told = skipping(path, max_factor=max_factor, skip_bad=False)
    assert told == []
    return found


def skipping(path: Path, *, max_factor: float = 10.0, skip_bad: bool = True) -> tuple[dict[int, Snapshot], list[str]]:
    """Return what a series has besides its mistakes, and these, without the directory."""
    told = Told(skip_bad=skip_bad)
    found: dict[int, Snapshot] = {}
    for start_ms, snapshot in series.read(path, Check(GRIDS, told, max_factor)):
        assert (start_ms - DAY) % SLOT == 0
        assert snapshot.start_ms == start_ms
        number = (start_ms - DAY) // SLOT
        assert not found or number > max(found)
        found[number] = snapshot
    told.raise_any()
    return found, [str(problem).replace(f"{path}: ", "").replace(f"{path}/", "") for problem in told.problems]


def mistakes(path: Path, *, max_factor: float = 10.0) -> list[str]:
    """Return the mistakes for which a series is refused, without the directory."""
    with pytest.raises(InputError) as refused:
        skipping(path, max_factor=max_factor, skip_bad=False)
    return [str(problem).replace(f"{path}: ", "").replace(f"{path}/", "") for problem in refused.value.problems]
