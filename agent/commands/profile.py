"""`diantan-agent profile`: meter models as data (电能表型号描述)."""

import argparse
import json

from agent.commands.options import add_json, add_parameters
from agent.commands.output import WRONG, say, show

_DESCRIPTION = """
Checks a profile (docs/profiles.md) and shows what it says: every point with its place, type, unit and resolution, and
the requests of a poll with their octets and the time they take on a serial line. Every mistake is told with its key.
"""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the commands to the parser."""
    profile = commands.add_parser("profile", help="meter models as data")
    actions = profile.add_subparsers(required=True, metavar="ACTION")
    check = actions.add_parser("check", help="check a profile and show its reading plan", description=_DESCRIPTION)
    check.set_defaults(command=_check)
    check.add_argument("file", metavar="FILE", help="a file, or the name of a profile that comes with the package")
    add_parameters(check)
    add_json(check)
    check.add_argument("--baud", type=_baud, default=9600, help="for the time a poll takes (default 9600)")
    listing = actions.add_parser("ls", help="list the profiles that come with the package")
    listing.set_defaults(command=_list)


def _baud(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a rate, found {text!r}")
    return int(text)


def _check(arguments: argparse.Namespace) -> int:
    from agent import profile_command  # noqa: PLC0415
    from agent.line_spec import DEFAULT_TIMEZONE  # noqa: PLC0415
    from profiles import ProfileError, load, names  # noqa: PLC0415

    # `load` takes what has a slash or ends in .toml for a file; here a file of any name is meant.
    file = arguments.file if arguments.file in names() or "/" in arguments.file else f"./{arguments.file}"
    try:
        profile = load(file, dict(arguments.parameter))
    except ProfileError as error:
        say(*(str(problem) for problem in error.problems))
        return WRONG
    if arguments.json:
        show(json.dumps(profile_command.as_json(profile, arguments.baud, DEFAULT_TIMEZONE), ensure_ascii=False))
    else:
        show(profile_command.report(profile, arguments.baud, DEFAULT_TIMEZONE))
    return 0


def _list(arguments: argparse.Namespace) -> int:
    from profiles import names  # noqa: PLC0415

    del arguments
    show("\n".join(names()))
    return 0
