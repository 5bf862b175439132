"""The arguments of `diantan-receiver grid`."""

import argparse
import math
from pathlib import Path

from cloud_receiver.grid.snapshot import MAX_FACTOR

_DEAD_BELOW_MEGAWATTS = 1e-6


def add(parser: argparse.ArgumentParser) -> None:
    """Add the verbs."""
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")
    solve = verbs.add_parser(
        "solve",
        help="print the carbon factors (节点碳势) of a network's nodes, and the balance",
        description="Print the carbon factors of a network's nodes, and the balance. What is wrong with one element "
        "costs others nothing and is told as a flag. Exit status: 0 solved, 1 no network.",
    )
    _file(solve)
    solve.add_argument(
        "--dead-below",
        type=_positive,
        default=_DEAD_BELOW_MEGAWATTS,
        metavar="MW",
        help="a node with less through-flow has no factor (default: 1e-6, 1 W)",
    )
    solve.add_argument(
        "--figure",
        type=Path,
        metavar="FILE",
        help="also draw the network coloured by factor, as .png or .svg (needs the extra `figures`)",
    )
    solve.set_defaults(run=_solve)
    show = verbs.add_parser(
        "show",
        help="print a network and what was measured on it",
        description="Print a network and what was measured on it, its sums, islands without a source and gaps.",
    )
    _file(show)
    show.set_defaults(run=_show)


def _file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", metavar="FILE", help="JSON, a directory of CSV tables, a MATPOWER case (.m) or a pandapower network"
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--factors", metavar="FILE", help="CSV table `generator,factor` in kgCO2/kWh, in place of what the network has"
    )
    parser.add_argument(
        "--max-factor",
        type=_positive,
        default=MAX_FACTOR,
        metavar="KG",
        help=f"largest factor a source may have, in kgCO2/kWh (default: {MAX_FACTOR:g})",
    )


def _positive(text: str) -> float:
    number = float(text)
    if not (math.isfinite(number) and number > 0):
        raise ValueError(text)
    return number


_positive.__name__ = "positive number"  # as argparse names it in its message


# The solver is loaded by its own commands only: the others start sooner.
def _solve(options: argparse.Namespace) -> None:
    from cloud_receiver.grid import command  # noqa: PLC0415  # see above

    command.solve(options)


def _show(options: argparse.Namespace) -> None:
    from cloud_receiver.grid import command  # noqa: PLC0415  # see above

    command.show(options)
