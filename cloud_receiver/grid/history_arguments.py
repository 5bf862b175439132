"""The arguments of `diantan-receiver grid history`, `grid verify`, and of `grid show` for slots of the store."""

import argparse
from collections.abc import Callable
from pathlib import Path

Common = Callable[[argparse.ArgumentParser], None]


def add_history(parser: argparse.ArgumentParser, common: Common) -> None:
    """Add the arguments of `grid history`."""
    parser.description = (
        "Print what was: nodes, generation, branches, users or the balance, by slot, day or month, from the slots that "
        "were solved. Days and months are local; sums are of integers that are rounded once, slot by slot."
    )
    parser.add_argument("node", nargs="?", metavar="NODE", help="only this node (default: all)")
    choice = parser.add_mutually_exclusive_group()
    for name, text in (
        ("generators", "generation side (发电侧) by unit"),
        ("plants", "generation side by plant"),
        ("branches", "flows and carbon flows (支路碳流)"),
        ("loads", "users (用户), stations among them"),
        ("storages", "storages (储能)"),
        ("classes", "nodes by class: plant, substation, load"),
        ("balance", "the whole's balance"),
        ("versions", "all versions of the slots, and what changed"),
    ):
        choice.add_argument(f"--{name}", action="store_true", help=text)
    parser.add_argument("--slot", metavar="TIME", help="this slot only: 2026-07-01T08:00+08:00")
    add_span(parser)
    parser.add_argument(
        "--by", choices=("slot", "day", "month"), help="default: day; slot for a single node and with --slot"
    )
    parser.add_argument(
        "--figure",
        type=Path,
        metavar="FILE",
        help="with NODE: also draw its day, or its month, as .png or .svg (needs the extra `figures`)",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true")
    form.add_argument("--csv", action="store_true", help="exact values, one line a row")
    common(parser)
    parser.set_defaults(run=_history)


def add_span(parser: argparse.ArgumentParser) -> None:
    """Add --from, --to and --zone."""
    parser.add_argument(
        "--from",
        dest="first",
        metavar="TIME",
        help="a month (2026-07), a local day (2026-07-01) or a time with zone (default: the newest slot's day)",
    )
    parser.add_argument(
        "--to", dest="end", metavar="TIME", help="likewise; a month or day is in it (default: what --from names)"
    )
    add_zone(parser)


def add_zone(parser: argparse.ArgumentParser) -> None:
    """Add --zone."""
    parser.add_argument(
        "--zone", type=_zone, metavar="ZONE", help="whose days (default: [grid] timezone, else Asia/Shanghai)"
    )


def add_show(parser: argparse.ArgumentParser, common: Common) -> None:
    """Add to `grid show` what shows a slot of the store."""
    parser.add_argument("--slot", metavar="TIME", help="a slot of the store instead of a file: 2026-07-01T08:00+08:00")
    parser.add_argument(
        "--version", type=int, metavar="N", help="with --slot: an earlier version (default: the newest)"
    )
    parser.add_argument(
        "--figure",
        type=Path,
        metavar="FILE",
        help="with --slot: also draw the network coloured by factor, as .png or .svg (needs the extra `figures`)",
    )
    add_zone(parser)
    common(parser)


def add_verify(parser: argparse.ArgumentParser, common: Common) -> None:
    """Add the arguments of `grid verify`."""
    parser.description = (
        "Solve stored slots again from their stored measurements, and compare solve_id and factors to the bit (复算). "
        "Exit status: 0 all agree, 1 a difference."
    )
    add_span(parser)
    parser.add_argument("--json", action="store_true", help="every slot, one line each")
    common(parser)
    parser.set_defaults(run=_verify)


def _zone(name: str) -> str:
    from cloud_receiver.grid.analysis.periods import is_zone  # noqa: PLC0415  # loads the core

    if not is_zone(name):
        raise argparse.ArgumentTypeError(f"{name!r} is no time zone such as Asia/Shanghai")
    return name


# The store and the solver are for their own commands only: the others start sooner.
def _history(options: argparse.Namespace) -> None:
    from cloud_receiver.grid import history_command  # noqa: PLC0415  # see above

    history_command.run(options)


def _verify(options: argparse.Namespace) -> int:
    from cloud_receiver.grid import verify_command  # noqa: PLC0415  # see above

    return verify_command.run(options)
