"""The arguments of `diantan-receiver validate` and `diantan-receiver edits`."""

import argparse
from collections.abc import Callable
from decimal import Decimal, InvalidOperation

from cloud_receiver.validation import command, edit_command
from cloud_receiver.validation.config import NAMES
from cloud_receiver.validation.methods import Method

Common = Callable[[argparse.ArgumentParser], None]


def add_validate(parser: argparse.ArgumentParser, common: Common) -> None:
    """Add the arguments of `validate`; `common` adds the options that every command of the program has."""
    parser.add_argument("station", metavar="STATION")
    _span(parser, "default: yesterday")
    parser.add_argument(
        "--rule",
        action="append",
        choices=NAMES,
        metavar="RULE",
        help=f"only this one (may be repeated): {', '.join(NAMES)}",
    )
    parser.add_argument("--meter", metavar="METER", help="only this one")
    parser.add_argument("--json", action="store_true", help="every verdict with its evidence")
    common(parser)
    parser.set_defaults(run=command.validate)


def add_edits(parser: argparse.ArgumentParser, common: Common) -> None:
    """Add the actions of `edits`."""
    actions = parser.add_subparsers(required=True, metavar="ACTION")

    ls = actions.add_parser("list", help="list the estimates of a station")
    ls.add_argument("station", metavar="STATION")
    _span(ls, "default: all")
    ls.add_argument("--meter", metavar="METER", help="only this one")
    ls.add_argument("--all", action="store_true", help="those superseded, withdrawn or overtaken by readings too")
    ls.add_argument("--json", action="store_true", help="with each slot, and what the estimate rests on")
    common(ls)
    ls.set_defaults(run=edit_command.listed)

    new = actions.add_parser("make", help="estimate what is missing of a meter; no reading is altered")
    new.add_argument("station", metavar="STATION")
    new.add_argument("meter", metavar="METER")
    _span(new, "needed", required=True)
    new.add_argument(
        "--method",
        choices=("auto", *(method.value for method in Method)),
        default="auto",
        help="auto: the register's difference, else the balance, else like days (default: auto)",
    )
    new.add_argument("--value-kwh", type=_kwh, metavar="KWH", help="with --method value: forward energy of the whole")
    new.add_argument("--reverse-kwh", type=_kwh, metavar="KWH", help="likewise reverse (default: 0)")
    new.add_argument("--replace", action="store_true", help="beside the readings of all these slots, which failed")
    _signed(new)
    common(new)
    new.set_defaults(run=edit_command.make)

    back = actions.add_parser("withdraw", help="withdraw an estimate; it stays and says who and why")
    back.add_argument("edit", metavar="EDIT")
    _signed(back)
    common(back)
    back.set_defaults(run=edit_command.withdraw)


def _span(parser: argparse.ArgumentParser, default: str, *, required: bool = False) -> None:
    parser.add_argument(
        "--from",
        dest="first",
        required=required,
        metavar="TIME",
        help=f"a month (2026-07), a local day (2026-07-01) or a time with zone ({default})",
    )
    parser.add_argument(
        "--to", dest="end", metavar="TIME", help="likewise; a month or day is in it (default: what --from names)"
    )


def _signed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", required=True, metavar="TEXT", help="why; it is kept")
    parser.add_argument("--by", metavar="NAME", help="who (default: who has logged in)")


def _kwh(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ValueError(text) from None
    if not value.is_finite():
        raise ValueError(text)
    return value


_kwh.__name__ = "number of kWh"  # as argparse names it in its message
