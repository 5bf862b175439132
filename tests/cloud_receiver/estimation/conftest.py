"""Stations with stored intervals, for the tests of remote error estimation."""

import sys
from pathlib import Path

import pytest
from sqlalchemy import Engine

# Tests are no packages (importmode=importlib): what they share beside fixtures is found by its directory.
sys.path.insert(0, str(Path(__file__).parent))

from estimation_support import Site  # needs the path above


@pytest.fixture
def site(engine: Engine) -> Site:
    """Return station S1 with a journal, and nothing read yet."""
    return Site(engine)
