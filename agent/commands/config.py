"""`diantan-agent config`: which configuration is in force, and back to the gateway's own file."""

import argparse
import json
import sys

from agent.commands.options import add_config, add_json
from agent.commands.output import say, show


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands to the parser."""
    config = commands.add_parser("config", help="the configuration in force (生效配置), and back to the own file")
    actions = config.add_subparsers(required=True, metavar="ACTION")
    shown = actions.add_parser("show", help="say which is in force and where it comes from; also while the agent runs")
    shown.set_defaults(command=_show)
    reset = actions.add_parser("reset", help="let FILE count again, not what the centre sent; the agent must not run")
    reset.set_defaults(command=_reset)
    for one in (shown, reset):
        add_config(one)
    add_json(shown)
    shown.add_argument("--document", action="store_true", help="print the configuration itself, nothing else")


def _show(arguments: argparse.Namespace) -> int:
    from agent.configuration.shown import in_force  # noqa: PLC0415

    found = in_force(arguments.config)
    if arguments.json:
        show(json.dumps(found.as_json(), ensure_ascii=False))
        return 0
    say(*found.problems)
    if arguments.document:
        sys.stdout.buffer.write(found.document)
        sys.stdout.buffer.flush()
        return 0
    for line in found.lines():
        show(line)
    return 0


def _reset(arguments: argparse.Namespace) -> int:
    from agent.configuration.base import BaseFile  # noqa: PLC0415
    from agent.configuration.keeper import Keeper  # noqa: PLC0415
    from agent.run_command import locked  # noqa: PLC0415
    from clock import from_spec  # noqa: PLC0415
    from settings.errors import ConfigError  # noqa: PLC0415

    base = BaseFile.read(arguments.config)
    if isinstance(base.loaded, ConfigError):
        raise base.loaded
    with locked(base.data_dir):
        changed = Keeper(base, base.store, from_spec("system").now_ms).reset(
            "somebody at the gateway chose its own file"
        )
    show(f"{base.path} counts again: the next run tells the centre" if changed else f"{base.path} was in force already")
    return 0
