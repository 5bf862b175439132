"""The console script `diantan-receiver`."""

from settings.entry import start


def main() -> int:
    """Run the command line; return 1, after a message, where the extra `receiver` is not installed."""
    return start("diantan-receiver", "cloud_receiver.cli", extra="receiver", needs={"alembic", "sqlalchemy"})
