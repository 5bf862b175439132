"""`diantan-agent read`: ask one meter once (抄读)."""

import argparse

from agent.commands.options import add_config, add_json
from agent.commands.output import show
from clock import from_spec


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    read = commands.add_parser("read", help="read one meter once (抄读)")
    read.set_defaults(command=_read)
    add_config(read)
    add_json(read)
    read.add_argument("meter", metavar="METER")
    read.add_argument("points", nargs="*", metavar="POINT", help="standard point names; default: what a poll reads")


def _read(arguments: argparse.Namespace) -> int:
    from agent import logs, read_command  # noqa: PLC0415

    logs.silence_driver()
    entries = read_command.read_meter(arguments.config, arguments.meter, arguments.points, from_spec("system"))
    show(read_command.shown(entries, as_json=arguments.json))
    return 0
