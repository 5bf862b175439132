"""The arguments of `diantan-receiver command` and `diantan-receiver commands`."""

import argparse
from collections.abc import Callable
from datetime import date
from typing import Final

from cloud_receiver.orders import audit, command_line
from wire.commands import LONGEST_VALIDITY_MS
from wire.domain import MAX_SEQUENCE
from wire.orders import LONGEST_TRIAL_S

VALID_MINUTES: Final = 60
_LONGEST_MINUTES: Final = LONGEST_VALIDITY_MS // command_line.MINUTE_MS
_TRIAL_S: Final = 300
_SHORTEST_TRIAL_S: Final = 10


def add_command(parser: argparse.ArgumentParser, common: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add the verbs; `common` adds the options that every command of the program has."""
    parser.add_argument("gateway", metavar="GATEWAY")
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    read = _verb(verbs, common, "read", command_line.read, "read a meter now (召测)")
    read.add_argument("meter", metavar="METER")
    read.add_argument("point", metavar="POINT", nargs="*", help="as `energy_forward`; none: those of a poll")

    day = _verb(verbs, common, "day", command_line.read_day, "read the freezes (冻结) and carbon factors of a day")
    day.add_argument("day", type=_day, metavar="YYYY-MM-DD", help="in the gateway's time zone")
    day.add_argument("--meter", action="append", default=[], metavar="METER", help="only this one (may be repeated)")
    day.add_argument("--from-meters", action="store_true", help="ask the meters now, instead of the gateway's journal")

    resend = _verb(verbs, common, "resend", command_line.resend, "send records of the journal again")
    resend.add_argument("first", type=_sequence, metavar="FIRST")
    resend.add_argument("last", type=_sequence, metavar="LAST")
    resend.add_argument("--context", metavar="HEX", help="of which journal (16 digits; default: the present one)")

    _verb(verbs, common, "status", command_line.tell_status, "tell how the gateway is")

    configuration = verbs.add_parser("config", help="show, replace or roll back the gateway's configuration")
    actions = configuration.add_subparsers(required=True, metavar="ACTION")
    _verb(actions, common, "show", command_line.show_configuration, "show the configuration in force")
    change = _verb(actions, common, "set", command_line.set_configuration, "replace the configuration by a TOML file")
    change.add_argument("file", metavar="FILE")
    change.add_argument(
        "--trial",
        type=_number(_SHORTEST_TRIAL_S, LONGEST_TRIAL_S),
        default=_TRIAL_S,
        metavar="SECONDS",
        help=f"it stays only if the gateway reaches the centre with it in this time (default: {_TRIAL_S})",
    )
    base = change.add_mutually_exclusive_group()
    base.add_argument("--base", metavar="SHA256", help="the one it replaces (default: the one in force, asked first)")
    base.add_argument("--any-base", action="store_true", help="replace whichever is in force")
    _verb(actions, common, "rollback", command_line.roll_back, "return to the configuration before (回退)")


def add_list(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `commands`."""
    parser.add_argument("gateway", nargs="?", metavar="GATEWAY", help="only this one's")
    parser.add_argument("--open", action="store_true", help="only those that wait for an answer")
    parser.add_argument("--limit", type=_number(1, 10**6), default=50, metavar="N", help="at most (default: 50)")
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(run=audit.listed)


def add_show(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `commands show`."""
    parser.add_argument("id", metavar="ID", help="or the first few digits of it")
    parser.add_argument(
        "--key", action="append", default=[], metavar="FILE", help="a public key that was the centre's when it ordered"
    )
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(run=audit.shown)


def _verb(
    verbs: "argparse._SubParsersAction[argparse.ArgumentParser]",
    common: Callable[[argparse.ArgumentParser], None],
    name: str,
    make: command_line.Make,
    text: str,
) -> argparse.ArgumentParser:
    parser = verbs.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
    common(parser)
    parser.add_argument(
        "--valid",
        type=_number(1, _LONGEST_MINUTES),
        default=VALID_MINUTES,
        metavar="MINUTES",
        help=f"how long the gateway may still do it, for one that is cut off (default: {VALID_MINUTES}; "
        f"at most {_LONGEST_MINUTES}, a week)",
    )
    waiting = parser.add_mutually_exclusive_group()
    waiting.add_argument("--wait", type=_number(0, 10**9), metavar="SECONDS", help="no longer than this for the answer")
    waiting.add_argument("--no-wait", action="store_true", help="print the command's id and don't wait")
    parser.add_argument("--by", metavar="NAME", help="who orders it, for the audit (default: the login name)")
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(run=command_line.run, make=make)
    return parser


def _number(low: int, high: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"expected {low} to {high}, got {value}")
        return value

    return number


_sequence = _number(1, MAX_SEQUENCE)


def _day(text: str) -> str:
    try:
        if date.fromisoformat(text).isoformat() == text:
            return text
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"expected a date such as 2026-07-01, got {text!r}")
