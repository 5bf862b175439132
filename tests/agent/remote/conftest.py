"""What the tests of commands share."""

from pathlib import Path

import pytest
from remote_support import Bureau


@pytest.fixture
def bureau(tmp_path: Path) -> Bureau:
    """Return a centre and a gateway."""
    return Bureau(tmp_path)
