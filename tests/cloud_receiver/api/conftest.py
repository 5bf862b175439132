"""Lets the tests of the interface find what they share, and what those of the grid do."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
for directory in (HERE, HERE.parent / "grid", HERE.parent / "grid" / "analysis", HERE.parent / "metered_import"):
    sys.path.insert(0, str(directory))
