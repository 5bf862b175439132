"""`python -m firmware_sim.inspection.defects`: print the mutation table."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from typing import Final

from firmware_sim.inspection.defects.catalogue import ALL, UnknownDefectError, chosen
from firmware_sim.inspection.defects.mutations import mutate
from firmware_sim.inspection.defects.table import markdown, table
from firmware_sim.inspection.defects.told import Told

USAGE: Final = 2
INTERRUPTED: Final = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; return 0, 1 where a defect is not caught by its item or the healthy meter fails one.

    2: a wrong call; 130: interrupted.
    """
    asked = _parser().parse_args(arguments)
    try:
        defects = chosen(asked.defect)
    except UnknownDefectError as error:
        sys.stderr.write(f"{error}\n")
        return USAGE
    if asked.list:
        for defect in defects:
            head = f"{defect.id}: {defect.title} {defect.title_zh} ({defect.caught_by})"
            sys.stdout.write(f"{head}\n    {defect.mistake}\n")
        return 0
    told = Told(sys.stderr, time.monotonic, changing=sys.stderr.isatty())
    try:
        run = mutate(defects, every=asked.all, jobs=asked.jobs, tell=told)
    except KeyboardInterrupt:
        sys.stderr.write("\ninterrupted\n")
        return INTERRUPTED
    sys.stdout.write(f"{markdown(run) if asked.markdown else table(run, why=asked.why)}\n")
    return 0 if run.is_good else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m firmware_sim.inspection.defects",
        description=f"Inspect the simulated firmware with each of {len(ALL)} seeded defects, and without any.",
    )
    parser.add_argument("defect", nargs="*", help="ids of defects; without, all of them")
    parser.add_argument("--all", action="store_true", help="with every item, not only the one that must catch it")
    parser.add_argument("--jobs", type=_jobs, default=os.cpu_count() or 1, help="worker processes (one per processor)")
    parser.add_argument("--list", action="store_true", help="tell of the defects, try none")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--why", action="store_true", help="say below each defect what its item found")
    form.add_argument("--markdown", action="store_true", help="print the table in Markdown")
    return parser


def _jobs(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


if __name__ == "__main__":
    sys.exit(main())
