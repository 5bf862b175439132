"""The arguments of `diantan-receiver sales`."""

import argparse
from collections.abc import Callable

from cloud_receiver.delimited import arguments as delimited
from cloud_receiver.report_words import Language
from cloud_receiver.sales import import_command, show_command
from cloud_receiver.sales.record import NAMES

Common = Callable[[argparse.ArgumentParser], None]


def add(parser: argparse.ArgumentParser, common: Common) -> None:
    """Add the actions; `common` adds the options that every command of the program has."""
    actions = parser.add_subparsers(required=True, metavar="ACTION")
    take = actions.add_parser(
        "import",
        help="take charge orders (充电订单) in from a file of CSV",
        description="Take charge orders in from a file of CSV (docs/sales.md), plain or gzip. Nothing is stored of a "
        "file that has a mistake, unless --skip-bad. Exit status: 0; 1 where a line is wrong.",
    )
    _import(take)
    common(take)
    take.set_defaults(run=import_command.run)
    show = actions.add_parser(
        "show",
        help="show what was sold against what was metered, by charger and day or month",
        description="Show what was sold against what was metered. Exit status: 0; 1 where it is beyond a tolerance.",
    )
    _show(show)
    common(show)
    show.set_defaults(run=show_command.run)


def _import(take: argparse.ArgumentParser) -> None:
    take.add_argument("file", metavar="FILE.csv")
    take.add_argument("--station", required=True, metavar="STATION")
    take.add_argument("--by", metavar="NAME", help="who tells it (default: who has logged in)")
    delimited.add(take, NAMES)
    take.add_argument("--skip-bad", action="store_true", help="store the lines that are right, and tell the others")
    take.add_argument("--json", action="store_true", help="the report as JSON")


def _show(show: argparse.ArgumentParser) -> None:
    show.add_argument("station", metavar="STATION")
    show.add_argument(
        "--from",
        dest="first",
        metavar="TIME",
        help="a month (2026-07), a local day (2026-07-01) or a time with zone (default: yesterday)",
    )
    show.add_argument(
        "--to", dest="end", metavar="TIME", help="likewise; a month or day is in it (default: what --from names)"
    )
    show.add_argument("--by", choices=("day", "month"), help="(default: day)")
    show.add_argument("--orders", action="store_true", help="list the orders that end in this time")
    show.add_argument("--all", action="store_true", help="with --orders: superseded versions too")
    show.add_argument("--lang", choices=[item.value for item in Language], default=Language.BOTH.value)
    show.add_argument("--json", action="store_true")
