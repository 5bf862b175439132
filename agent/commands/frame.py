"""`diantan-agent frame`: what frames say, one JSON object a line."""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from agent.commands.options import add_parameters
from agent.commands.output import FAILED, UsageError, show

if TYPE_CHECKING:
    from agent.profile_names import ProfileNames
    from protocols import Explainer

_CHOICES: Final = ("auto", "modbus-rtu", "modbus-tcp", "dlt645", "dlt698", "dlt698-apdu")
_OCTET_DIGITS: Final = 2
_DESCRIPTION: Final = """
Decodes frames (报文解析) and prints one JSON object a line for each frame, or each stretch of octets that is none, with
the keys protocol, direction, sender, address, control, apdu, type, identifiers, values (raw, value, unit, name), error
and octets. Numbers are exact decimal text. Octets may be written 6817, "68 17", 0x68,0x17 or 68-17. What an earlier
line said counts for later ones: a Modbus reply gets the registers of the request before it, fragments are joined.
Ends with 1 when something in the input is no intact frame.
"""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("frame", help="decode frames to JSON, one line each", description=_DESCRIPTION)
    parser.set_defaults(command=run)
    parser.add_argument("octets", nargs="*", metavar="HEX", help="frames; without any: lines of standard input")
    parser.add_argument(
        "--protocol", choices=_CHOICES, default="auto", help="what the frames are (default: each is recognised)"
    )
    parser.add_argument("--profile", help="name registers and private identifiers by this profile")
    add_parameters(parser)


def run(arguments: argparse.Namespace) -> int:
    """Decode the arguments, or the lines of standard input as they come."""
    from protocols import PROTOCOLS, Explainer  # noqa: PLC0415

    protocol = arguments.protocol
    explainer = Explainer(PROTOCOLS if protocol == "auto" else (protocol,), names=_names(arguments))
    lines: Iterable[str] = _messages(arguments.octets) if arguments.octets else sys.stdin
    status = 0
    for entry, intact in told(explainer, lines):
        show(json.dumps(entry, ensure_ascii=False))
        status = status if intact else FAILED
    return status


def _names(arguments: argparse.Namespace) -> "ProfileNames | None":
    if arguments.profile is None:
        if arguments.parameter:
            raise UsageError("--parameter goes with --profile")
        return None
    from agent.line_spec import DEFAULT_TIMEZONE  # noqa: PLC0415
    from agent.profile_names import ProfileNames  # noqa: PLC0415
    from profiles import ProfileError, load  # noqa: PLC0415

    try:
        profile = load(arguments.profile, dict(arguments.parameter))
    except ProfileError as error:
        raise UsageError("\n".join(str(problem) for problem in error.problems)) from None
    return ProfileNames({}, DEFAULT_TIMEZONE, profile)


def _messages(words: Sequence[str]) -> list[str]:
    """Return arguments as messages: octets that the shell parted belong together."""
    if all(len(word.lower().removeprefix("0x").rstrip(",")) <= _OCTET_DIGITS for word in words):
        return [" ".join(words)]
    return list(words)


def told(explainer: "Explainer", lines: Iterable[str]) -> Iterator[tuple[dict[str, Any], bool]]:
    """Yield what each line says as JSON, and whether it is an intact frame; comments (#) say nothing."""
    from protocols import Explained, NotHexadecimalError, octets_of  # noqa: PLC0415

    for line in lines:
        text = line.partition("#")[0].strip()
        if not text:
            continue
        try:
            found: Sequence[Explained] = explainer.message(octets_of(text))
        except NotHexadecimalError as error:
            found = [Explained(b"", error={"kind": "not-hexadecimal", "text": str(error), "input": text})]
        for entry in found:
            yield entry.as_json(), entry.intact
