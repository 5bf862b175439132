"""The console script `diantan-agent`."""

from settings.entry import start


def main() -> int:
    """Run the command line; return 1, after a message, where the extra `agent` is not installed."""
    return start("diantan-agent", "agent.cli", extra="agent", needs={"pymodbus", "serial"})
