"""What the tests of commands share beside fixtures is found by its directory."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
