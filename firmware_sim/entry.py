"""The console script `diantan-sim`: it says plainly when the installation lacks what this program needs."""

import sys
from typing import Final

EXTRA: Final = "sim"
NEEDS: Final = frozenset({"serial"})


def main() -> int:
    """Run the command line; return 1, after a message, where the extra is not installed."""
    try:
        from firmware_sim.cli import main as run  # noqa: PLC0415 - what it imports may be missing
    except ModuleNotFoundError as error:
        missing = (error.name or "").split(".")[0]
        if missing not in NEEDS:
            raise
        print(f"diantan-sim: {missing} is not installed: pip install 'diantan[{EXTRA}]'", file=sys.stderr)  # noqa: T201
        return 1
    return run()
