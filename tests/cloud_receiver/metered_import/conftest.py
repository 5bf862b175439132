"""Lets the tests of this room find what they share."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import metered_support  # needs the path above

from cloud_receiver.metered_import.wish import Surroundings


@pytest.fixture
def around(tmp_path: Path) -> Iterator[Surroundings]:
    found = metered_support.surroundings(tmp_path)
    yield found
    found.engine.dispose()
