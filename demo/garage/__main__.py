"""Estimate a real garage from its files: `make garage`, or `python -m demo.garage --help`.

A utility's hourly meter and the orders of ten units are entered with the commands that an operator would use, and
estimated. Nobody knows the units' true errors: what is judged is whether missing orders are found, and whether the two
halves of the year say the same within what is stated.
"""

import argparse
import os
import shutil
import sys
from decimal import Decimal, InvalidOperation
from functools import partial
from pathlib import Path
from typing import Final

from rich.console import Console

from demo.garage import tables
from demo.garage.figure import draw_halves
from demo.garage.files import Garage, Source
from demo.garage.judge import judge
from demo.garage.run import GarageError, run
from demo.garage.stamps import free_hours

_DATA: Final = "data/garage"
_WIDTH: Final = 150
_LARGEST_PERCENT: Final = 50


def main() -> int:
    """Run it; 0 when all that is expected came, 1 otherwise."""
    options = _parser().parse_args()
    source = Source(options.data or Path(os.environ.get("DIANTAN_SHARED", "../shared")) / _DATA)
    directory = Path(options.directory).resolve()
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    garage = Garage(directory)
    console = Console(width=max(Console().width, _WIDTH), highlight=False)
    try:
        console.print(tables.clocks(free_hours(source)))
        say = partial(console.print, markup=False, soft_wrap=True)
        outcome = run(source, garage, say, altered=dict(options.alter), figure=options.figure)
    except (GarageError, OSError) as error:
        print(f"garage: {error}", file=sys.stderr)
        return 1
    for table in (tables.months(outcome.sold), tables.left_out(outcome.whole), tables.halves(outcome.halves)):
        console.print(table)
    if options.figure is not None:
        draw_halves(outcome.halves, options.figure.with_stem(f"{options.figure.stem}-halves"))
    expectations = judge(outcome)
    console.print(tables.verdict(expectations))
    return 0 if all(item.met for item in expectations) else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo.garage", description=(__doc__ or "").split("\n\n", 1)[1])
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help=f"the published files (default: $DIANTAN_SHARED/{_DATA})"
    )
    parser.add_argument("--directory", default=".garage", metavar="DIR", help="emptied first (default: .garage)")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="draw it: .svg or .png; and NAME-halves")
    text = "what if a unit counted so many per cent more than it did (may be repeated)"
    parser.add_argument("--alter", type=_altered, action="append", default=[], metavar="UNIT=PERCENT", help=text)
    return parser


def _altered(text: str) -> tuple[str, Decimal]:
    unit, _, percent = text.partition("=")
    try:
        value = Decimal(percent)
    except InvalidOperation:
        value = Decimal("NaN")
    if not abs(value) <= _LARGEST_PERCENT:  # which a NaN is not, either
        raise argparse.ArgumentTypeError(f"expected UNIT=PERCENT of at most {_LARGEST_PERCENT}, found {text!r}")
    return unit, value


if __name__ == "__main__":
    sys.exit(main())
