"""Lets the tests of the core find what they share."""

import sys
from pathlib import Path

# Tests are no packages (importmode=importlib): what they share is found by its directory.
sys.path.insert(0, str(Path(__file__).parent))
