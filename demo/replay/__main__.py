"""Replay weeks of recorded sessions with altered chargers: `make replay`, or `python -m demo.replay --help`.

Simulator, gateway, a real Mosquitto and centre run as processes of their own at accelerated time. Three chargers are
altered, and only the simulator's file says which. The centre's nightly runs, and `diantan-receiver estimate` at the
end, shall name these three and no other.
"""

import argparse
import asyncio
import os
import shutil
import sys
from collections.abc import Callable
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Final

from rich.console import Console

from chaos.broker import NoBrokerError
from demo.files import Files
from demo.plan import PlanError
from demo.processes import DemoError
from demo.replay import plan as replay_plan
from demo.replay import statement
from demo.replay.judge import judge
from demo.replay.run import run

SESSIONS: Final = "data/sessions/caltech_2019-05-01_2019-08-31.csv.gz"
_LARGEST_PERCENT: Final = 50


def main() -> int:
    """Run the replay; 0 when exactly the altered chargers are named, 1 otherwise, 2 for wrong usage."""
    options = _parser().parse_args()
    try:
        plan = replay_plan.make(
            options.sessions or Path(os.environ.get("DIANTAN_SHARED", "../shared")) / SESSIONS,
            day=options.day,
            days=options.days,
            chargers=options.chargers,
            seed=options.seed,
            altered=options.altered,
        )
    except PlanError as error:
        print(f"replay: {error}", file=sys.stderr)
        return 2
    directory = Path(options.directory).resolve()
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    files = Files(directory)
    try:
        clock = asyncio.run(run(plan, files))
        verdict = judge(plan, files, clock.spec())
    except (DemoError, NoBrokerError) as error:
        print(f"replay: {error}", file=sys.stderr)
        return 1
    statement.show(plan, verdict, Console(width=max(Console().width, statement.WIDTH)))
    return 0 if verdict.passed else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo.replay", description=(__doc__ or "").split("\n\n", 1)[1])
    parser.add_argument(
        "--sessions",
        type=Path,
        metavar="FILE",
        help=f"recorded sessions, csv or csv.gz (default: $DIANTAN_SHARED/{SESSIONS})",
    )
    parser.add_argument("--day", type=date.fromisoformat, help="the first day (default: of those with most arrivals)")
    parser.add_argument("--days", type=_within(1, 60), default=14, metavar="1..60")
    parser.add_argument("--chargers", type=_within(4, 60), default=20, metavar="4..60", help="busiest plugs first")
    parser.add_argument("--seed", type=int, default=1, help="of errors, cables, and which chargers are altered")
    parser.add_argument(
        "--altered",
        type=_percents,
        default=replay_plan.ALTERED,
        metavar="PERCENT,...",
        help="what is added to the errors of as many chargers (default 3.5,-3.0,5.0)",
    )
    parser.add_argument("--directory", default=".replay", help="where everything goes (emptied first)")
    return parser


def _within(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        value = int(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f"expected {low} to {high}, got {value}")
        return value

    return read


def _percents(text: str) -> tuple[Decimal, ...]:
    try:
        values = tuple(Decimal(part) for part in text.split(","))
    except InvalidOperation:
        values = ()
    if not values or not all(value.is_finite() and 0 < abs(value) <= _LARGEST_PERCENT for value in values):
        raise argparse.ArgumentTypeError(f"expected per cents such as 3.5,-3.0, none 0, got {text!r}")
    return values


if __name__ == "__main__":
    sys.exit(main())
