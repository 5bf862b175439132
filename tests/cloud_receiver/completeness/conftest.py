"""A store with checks, shared with the tests of the checks: tests are no packages."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "checks"))
