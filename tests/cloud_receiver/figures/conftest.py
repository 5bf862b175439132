"""Lets the tests of figures find what they share."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
for shared in (".", "analysis"):  # what the tests of stored slots share
    sys.path.insert(0, str(Path(__file__).parents[1] / "grid" / shared))
