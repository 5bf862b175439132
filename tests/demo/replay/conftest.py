"""What tests of the replay share."""

import sys
from pathlib import Path

import pytest

# Tests are no packages (importmode=importlib): what they share is found by its directory.
sys.path.insert(0, str(Path(__file__).parent))

from replay_support import plan_of, session_file  # needs the path above

from demo.replay.plan import ReplayPlan


@pytest.fixture
def sessions(tmp_path: Path) -> Path:
    """Return a session file of four days."""
    return session_file(tmp_path / "sessions.csv")


@pytest.fixture
def plan(sessions: Path) -> ReplayPlan:
    """Return a replay of three of them."""
    return plan_of(sessions)
