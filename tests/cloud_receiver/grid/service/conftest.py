"""Lets the tests of the grid service find what they share."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from grid_service_support import Bench  # needs the path above


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Make a store with the grid of three nodes, and a service that a clock drives."""
    bench = Bench(tmp_path)
    yield bench
    bench.engine.dispose()
