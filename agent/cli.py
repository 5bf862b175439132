"""The command line of the gateway: `diantan-agent --help`.

Ends with 0 when all is well, 1 when the work failed, 2 when the command or the configuration is wrong, 130 after
Ctrl-C.
"""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version

from agent.commands import config, frame, gateway, journal, key, profile, read, scan, timesync, trace
from agent.commands.options import CONFIG_VARIABLE
from agent.commands.output import FAILED, INTERRUPTED, WRONG, CommandError, UsageError, say, take_any_text

__all__ = ["CONFIG_VARIABLE", "main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status."""
    take_any_text()
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.command(arguments))
    except BrokenPipeError:
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except UsageError as error:
        say(f"diantan-agent: {error}")
        return WRONG
    except Exception as error:
        status = _told(error)
        if status is None:
            raise
        return status


def _told(error: Exception) -> int | None:
    """Say an error that speaks for itself; return the status. Their classes are loaded only now, to start quickly."""
    from agent.journal_schema import JournalError  # noqa: PLC0415
    from agent.metering import MeteringError  # noqa: PLC0415
    from agent.read_command import ReadError  # noqa: PLC0415
    from agent.run_command import AlreadyRunningError  # noqa: PLC0415
    from settings.errors import ConfigError  # noqa: PLC0415
    from wire.connection import LinkError  # noqa: PLC0415
    from wire.keys import KeyFileError  # noqa: PLC0415

    if isinstance(error, ConfigError):
        say(*error.problems)
        return WRONG
    known = (JournalError, KeyFileError, ReadError, MeteringError, AlreadyRunningError, LinkError, CommandError)
    if isinstance(error, (*known, OSError)):
        say(f"diantan-agent: {error}")
        return FAILED
    return None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="diantan-agent", description="Electricity-carbon gateway (电碳网关): reads meters, loses nothing."
    )
    parser.add_argument("--version", action="version", version=f"diantan {version('diantan')}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for room in (gateway, read, scan, trace, frame, timesync, profile, journal, key, config):
        room.add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
