"""What tests of the fleet share beside fixtures."""

import sys
from pathlib import Path

# Tests are no packages (importmode=importlib): what they share beside fixtures is found by its directory.
sys.path.insert(0, str(Path(__file__).parent))
