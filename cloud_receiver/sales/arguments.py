"""The arguments of `diantan-receiver sales`."""

import argparse
from collections.abc import Callable

from cloud_receiver.sales import import_command
from cloud_receiver.sales.csv_file import ENCODINGS
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


def _import(take: argparse.ArgumentParser) -> None:
    take.add_argument("file", metavar="FILE.csv")
    take.add_argument("--station", required=True, metavar="STATION")
    take.add_argument("--by", metavar="NAME", help="who tells it (default: who has logged in)")
    take.add_argument(
        "--zone", metavar="ZONE", help="of times without an offset: a zone or +08:00 (default: the station's zone)"
    )
    take.add_argument("--time-format", metavar="FORMAT", help="of times, as strptime has it (default: found out)")
    take.add_argument(
        "--separator", choices=(",", ";", "\t"), metavar="CHAR", help="between cells: , ; or a tab (default: found out)"
    )
    take.add_argument(
        "--decimal", choices=("point", "comma"), help="what separates decimals (default: a comma where cells have ;)"
    )
    take.add_argument("--encoding", choices=ENCODINGS, default=ENCODINGS[0], help="(default: UTF-8)")
    take.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="NAME=HEADING",
        help=f"the file's heading for one of {', '.join(NAMES)} (may be repeated)",
    )
    take.add_argument("--skip-bad", action="store_true", help="store the lines that are right, and tell the others")
    take.add_argument("--json", action="store_true", help="the report as JSON")
