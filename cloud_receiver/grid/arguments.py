"""The arguments of `diantan-receiver grid`."""

import argparse
import math
from collections.abc import Callable
from pathlib import Path

from cloud_receiver.grid import history_arguments
from cloud_receiver.grid.snapshot import MAX_FACTOR

_DEAD_BELOW_MEGAWATTS = 1e-6


def add(parser: argparse.ArgumentParser, common: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add the verbs; `common` adds the options of commands that need the store."""
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
        help="print a network and what was measured on it; --slot: from the store, with its factors",
        description="Print a network and what was measured on it, its sums, islands without a source and gaps. With "
        "--slot a slot of the store, with its factors and versions.",
    )
    _file(show, optional=True)
    history_arguments.add_show(show, common)
    show.set_defaults(run=_show)
    history_arguments.add_history(verbs.add_parser("history", help="print solved slots, days and months"), common)
    history_arguments.add_verify(
        verbs.add_parser("verify", help="solve stored slots again, and compare (复算)"), common
    )
    _findings(verbs.add_parser("findings", help="list what was found about the grid (电网发现)"), common)
    _import(verbs.add_parser("import", help="enter a topology (电网拓扑), or measurements of slots (遥测)"), common)


def _findings(parser: argparse.ArgumentParser, common: Callable[[argparse.ArgumentParser], None]) -> None:
    parser.description = (
        "List what was found about the grid: telemetry that is missing, imbalance, bad data, factors that stand in, "
        "and where another centre says otherwise."
    )
    parser.add_argument("--kind", help="only of this kind, such as level_energy")
    parser.add_argument("--all", action="store_true", help="closed ones too")
    parser.add_argument("--acknowledge", type=int, metavar="ID", help="note that a person has seen this finding")
    parser.add_argument("--json", action="store_true")
    common(parser)
    parser.set_defaults(run=_list_findings)


def _import(parser: argparse.ArgumentParser, common: Callable[[argparse.ArgumentParser], None]) -> None:
    parser.description = (
        "Enter a topology that is valid from a time, or time series of measurements. Everything is checked first: "
        "where there is a mistake nothing is entered. What was entered before may be imported again. "
        "Exit status: 0 entered, 1 mistakes."
    )
    parser.add_argument("network", nargs="?", metavar="NETWORK", help="a network in any format that `grid solve` reads")
    parser.add_argument("--valid-from", metavar="TIME", help="from which slot on, with zone: 2026-07-01T00:00+08:00")
    parser.add_argument("--name", help="of the topology (default: the network's)")
    parser.add_argument("--slot", metavar="TIME", help="enter the network's measurements too, as those of this slot")
    parser.add_argument("--factors", metavar="FILE", help="CSV table `generator,factor`, for the slot's measurements")
    parser.add_argument(
        "--series", metavar="PATH", help="a directory of series branches.csv, generators.csv, ..., one of them, or JSON"
    )
    parser.add_argument(
        "--feed", default="import", metavar="NAME", help="whose measurements they are (default: import)"
    )
    parser.add_argument(
        "--skip-bad",
        action="store_true",
        help="with --series: leave out what is wrong, and tell it, instead of nothing",
    )
    _max_factor(parser)
    common(parser)
    parser.set_defaults(run=_enter)


def _file(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    parser.add_argument(
        "file",
        nargs="?" if optional else None,
        metavar="FILE",
        help="JSON, a directory of CSV tables, a MATPOWER case (.m) or a pandapower network",
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--factors", metavar="FILE", help="CSV table `generator,factor` in kgCO2/kWh, in place of what the network has"
    )
    _max_factor(parser)


def _max_factor(parser: argparse.ArgumentParser) -> None:
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
    if (options.slot is None) == (options.file is None):
        raise ValueError("grid show: expected a FILE or --slot TIME")
    if options.figure is not None and options.slot is None:
        raise ValueError("grid show: --figure draws a slot of the store; grid solve draws a file")
    if options.slot is not None:
        from cloud_receiver.grid import history_command  # noqa: PLC0415  # see above

        history_command.show(options)
        return
    from cloud_receiver.grid import command  # noqa: PLC0415  # see above

    command.show(options)


def _enter(options: argparse.Namespace) -> None:
    from cloud_receiver.grid import import_command  # noqa: PLC0415  # see above

    import_command.run(options)


def _list_findings(options: argparse.Namespace) -> None:
    from cloud_receiver.grid import findings_command  # noqa: PLC0415  # see above

    findings_command.listed(options)
