"""Simulated lines for the tests of the commands."""

import socket
import sys
from pathlib import Path

import pytest

# Tests are no packages (importmode=importlib): what they share beside fixtures is found by its directory.
sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def spare_port() -> int:
    """Return a TCP port on loopback that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
