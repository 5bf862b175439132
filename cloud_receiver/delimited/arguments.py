"""The options that say how a file is written, named the same in every command that reads one."""

import argparse
from collections.abc import Collection

from cloud_receiver.delimited.form import DECIMALS, ENCODINGS, SEPARATORS
from cloud_receiver.delimited.times import Dates


def add(parser: argparse._ActionsContainer, columns: Collection[str]) -> None:
    """Add the options to a parser or a group; `columns` are our names of columns."""
    parser.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="NAME=HEADING",
        help=f"the file's heading for one of {', '.join(columns)} (may be repeated)",
    )
    parser.add_argument(
        "--separator", choices=tuple(SEPARATORS), metavar="CHAR", help="between cells: , ; or tab (default: found out)"
    )
    parser.add_argument(
        "--decimal",
        choices=tuple(DECIMALS),
        metavar="MARK",
        help="decimal mark: point (.) or comma (,) (default: as the separator lets expect)",
    )
    parser.add_argument("--encoding", choices=ENCODINGS, default=ENCODINGS[0], help=f"(default: {ENCODINGS[0]})")
    parser.add_argument(
        "--zone", metavar="ZONE", help="of times without an offset: a zone or +08:00 (default: the station's zone)"
    )
    parser.add_argument(
        "--dates",
        choices=[item.value for item in Dates],
        default=Dates.AUTO.value,
        help="(default: year first, or day first with dots; 1/7/2026 needs to be told)",
    )
    parser.add_argument("--time-format", metavar="FORMAT", help="of times, as strptime has it (default: found out)")
