"""The arguments of `diantan-receiver readings`."""

import argparse
from collections.abc import Callable

from cloud_receiver.delimited import arguments as delimited
from cloud_receiver.metered_import.form import Column, Lone, Stamps, Unit


def add(parser: argparse.ArgumentParser, common: Callable[[argparse.ArgumentParser], None]) -> None:
    """Add the verbs; `common` adds the options of commands that need the store."""
    verbs = parser.add_subparsers(required=True, metavar="COMMAND")
    _import(verbs.add_parser("import", help="enter a meter's readings from a CSV file (读数导入)"), common)
    enrol = verbs.add_parser(
        "enrol",
        help="make and enrol the key with which a meter's imported readings are signed",
        description="Make a key for the gateway that the registry gives the meter to, and enrol it; once for each. "
        "Exit status: 0, also where it has one already.",
    )
    _which(enrol, required=True)
    common(enrol)
    enrol.set_defaults(run=_run_enrol)
    _settle(verbs.add_parser("settle", help="adjust imported readings to factors that came later"), common)


def _import(parser: argparse.ArgumentParser, common: Callable[[argparse.ArgumentParser], None]) -> None:
    parser.description = (
        "Enter what a meter counted from a CSV file, compressed (.gz) or not: registers at instants or energies of "
        "intervals, of the length that the registry says (interval_s). The centre signs the records. Everything is "
        "checked first: where a line is wrong nothing is entered. What is stored already is passed over. "
        "Exit status: 0 entered, 1 mistakes, or intervals that are stored with other values."
    )
    parser.add_argument("file", metavar="FILE")
    _which(parser, required=True)
    columns = parser.add_argument_group(
        "columns", "by heading, or number from 1, or all by --column; without them known headings are found"
    )
    for column, text in (
        (Column.TIME, "time of the reading, or of the interval's beginning (default: time, start or 时间)"),
        (Column.UNTIL, "end of the interval, to be checked (default: end, if --time is not given)"),
        (Column.CLOCK, "time of day, where --time is the date alone"),
        (Column.FORWARD, "energy forward (正向) of the interval (default: forward_kwh, energy_kwh or kwh)"),
        (Column.REVERSE, "energy reverse (反向) of the interval"),
        (Column.REGISTER, "cumulative register (示数) forward, in place of --forward (default: register_kwh)"),
        (Column.REVERSE_REGISTER, "cumulative register reverse"),
    ):
        columns.add_argument(f"--{column}", metavar="COLUMN", help=text)
    form = parser.add_argument_group("form of the file")
    form.add_argument("--no-headings", action="store_true", help="the first line is a reading; columns are numbers")
    delimited.add(form, [column.value for column in Column])
    form.add_argument("--unit", choices=[item.value for item in Unit], default=Unit.KWH.value, help="default: kWh")
    form.add_argument(
        "--stamps",
        choices=[item.value for item in Stamps],
        default=Stamps.START.value,
        help="what --time is of an interval (default: start)",
    )
    form.add_argument(
        "--ambiguous",
        choices=[item.value for item in Lone],
        default=Lone.REFUSE.value,
        help="which of two hours a time is of that clocks showed twice and the file has once (default: refuse)",
    )
    form.add_argument("--round", action="store_true", help="round numbers that are finer than 1 mWh")
    how = parser.add_argument_group("how it is entered")
    how.add_argument(
        "--base",
        metavar="KWH",
        help="cumulative register at the beginning of a file of energies (default: the one stored before, else 0)",
    )
    how.add_argument("--rollover", metavar="VALUE", help="at which value the register starts again from 0 (翻转)")
    how.add_argument("--by-slot", action="store_true", help="divide intervals into the slots of carbon factors")
    how.add_argument("--skip-bad", action="store_true", help="leave out wrong lines, and tell them")
    how.add_argument("--correct", action="store_true", help="enter other values beside those that are stored")
    how.add_argument("--dry-run", action="store_true", help="say what would be entered, and enter nothing")
    how.add_argument("--enrol", action="store_true", help="make and enrol a key for the meter's gateway if it has none")
    how.add_argument("--by", metavar="NAME", help="who imports it (default: who has logged in)")
    parser.add_argument("--json", action="store_true")
    common(parser)
    parser.set_defaults(run=_run_import)


def _settle(parser: argparse.ArgumentParser, common: Callable[[argparse.ArgumentParser], None]) -> None:
    parser.description = (
        "Adjust the carbon of imported readings to the factors that were dispatched, or corrected, since: a signed "
        "adjustment beside each interval. Again, it adjusts nothing. Exit status: 0."
    )
    _which(parser, required=False)
    parser.add_argument("--dry-run", action="store_true", help="say what would be adjusted, and adjust nothing")
    parser.add_argument("--json", action="store_true")
    common(parser)
    parser.set_defaults(run=_run_settle)


def _which(parser: argparse.ArgumentParser, *, required: bool) -> None:
    parser.add_argument("--station", required=required, metavar="STATION", help="of the registry")
    parser.add_argument("--meter", required=required, metavar="METER", help="of the station")
    parser.add_argument("--gateway", metavar="GATEWAY", help="where the registry has the meter on several")


# What imports is loaded by its own commands only: the others start sooner.
def _run_import(options: argparse.Namespace) -> int:
    from cloud_receiver.metered_import import command  # noqa: PLC0415  # see above

    return command.import_file(options)


def _run_enrol(options: argparse.Namespace) -> int:
    from cloud_receiver.metered_import import command  # noqa: PLC0415  # see above

    return command.enrol(options)


def _run_settle(options: argparse.Namespace) -> int:
    from cloud_receiver.metered_import import command  # noqa: PLC0415  # see above

    return command.settle(options)
