"""`diantan-agent read`: ask one meter once (抄读)."""

import argparse
from typing import TYPE_CHECKING, Final

from agent.commands.options import add_config, add_json, add_parameters
from agent.commands.output import FAILED, UsageError, show
from clock import from_spec

if TYPE_CHECKING:
    from agent.read_command import Asked

_DESCRIPTION: Final = """
Reads points of one meter: METER of the configuration, or with --line, --profile and --address any meter. Prints each
value as decimal text and as the integer of its canonical unit.
"""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    read = commands.add_parser("read", help="read one meter once (抄读)", description=_DESCRIPTION)
    read.set_defaults(command=_read)
    add_config(read)
    add_json(read)
    read.add_argument("names", nargs="*", metavar="METER [POINT…]", help="standard point names; default: as a poll")
    read.add_argument("--line", metavar="LINE", help="instead of METER: a line's name, or serial:… tcp:… modbus-tcp:…")
    read.add_argument("--profile", help="with --line: the meter's profile")
    read.add_argument("--address", help="with --line: its communication address (通信地址) or Modbus unit")
    add_parameters(read)
    read.add_argument("--trace", action="store_true", help="show the frames on standard error")


def _read(arguments: argparse.Namespace) -> int:
    from agent import logs, read_command  # noqa: PLC0415
    from agent.trace import line_trace  # noqa: PLC0415

    logs.silence_driver()
    asked = _asked(arguments)
    tap = line_trace(asked.line, asked.profiles, asked.timezone) if arguments.trace else None
    entries = read_command.read_meter(asked, from_spec("system"), tap)
    show(read_command.shown(entries, as_json=arguments.json))
    return FAILED if any("error" in entry for entry in entries) else 0


def _asked(arguments: argparse.Namespace) -> "Asked":
    from agent.read_command import configured, described  # noqa: PLC0415

    given = [name for name in ("profile", "address") if getattr(arguments, name) is not None]
    if arguments.line is None:
        if given or arguments.parameter:
            raise UsageError(
                f"--{(given or ['parameter'])[0]} goes with --line; METER has its own in the configuration"
            )
        if not arguments.names:
            raise UsageError("expected a METER of the configuration, or --line, --profile and --address")
        return configured(arguments.config, arguments.names[0], arguments.names[1:])
    if len(given) < 2:  # noqa: PLR2004 - profile and address
        raise UsageError("--line needs --profile and --address")
    return described(
        arguments.line,
        arguments.profile,
        arguments.address,
        parameters=dict(arguments.parameter),
        names=arguments.names,
        config=arguments.config,
    )
