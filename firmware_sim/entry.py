"""The console script `diantan-sim`."""

from settings.entry import start


def main() -> int:
    """Run the command line; return 1, after a message, where the extra `sim` is not installed."""
    return start("diantan-sim", "firmware_sim.cli", extra="sim", needs={"serial", "pymodbus", "docx"})
