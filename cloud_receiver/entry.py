"""The console script `diantan-receiver`."""

import sys

from settings.entry import start, write_what_can_be


def main() -> int:
    """Run the command line; return 1, after a message, where the extra `receiver` is not installed."""
    if sys.argv[1:2] == ["verify"]:
        # Whoever checks a proof has no centre: this command needs no database driver.
        from wire.proof.command import main as verify  # noqa: PLC0415  # the other commands don't need it

        write_what_can_be()
        return verify(sys.argv[2:], "diantan-receiver verify")
    return start("diantan-receiver", "cloud_receiver.cli", extra="receiver", needs={"alembic", "sqlalchemy"})
