"""The command line of `diantan-receiver completeness`."""

import argparse
from collections.abc import Callable

from cloud_receiver.completeness import command
from cloud_receiver.local_days import days


def add(parser: argparse.ArgumentParser, common: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add what the command takes."""
    common(parser)
    parser.add_argument("--station", help="only this station")
    parser.add_argument("--operator", help="only stations of this operator (运营商), as the registry has it")
    parser.add_argument("--gateway", help="only this gateway")
    parser.add_argument("--from", dest="first", type=days, metavar="DAY", help="a local day or month (2026-07)")
    parser.add_argument("--to", dest="last", type=days, metavar="DAY", help="likewise, included")
    parser.add_argument("--by", choices=command.GROUPS, default="station", help="what a line is of (default: station)")
    parser.add_argument("--per", choices=command.PERIODS, default="month", help="and of what time (default: month)")
    parser.add_argument("--json", action="store_true")
    parser.set_defaults(run=command.run)
