"""A day of the IEEE 118-bus network, from power flow to meters: `make grid-demo`, or `python -m demo.grid --help`.

pandapower solves 96 slots; simulated meters of plants and users follow them; gateways meter and sign; what they do
not meter is told to the centre over HTTP, a slot when it has ended; the centre solves the carbon flow of each slot and
dispatches the factors; the gateways adjust what they metered before. At the end the books are drawn up from the
centre's store.
"""

import argparse
import asyncio
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from rich.console import Console

from demo.grid import plan as grid_plan
from demo.grid import statement, store
from demo.grid.files import GridFiles
from demo.grid.fleet import USERS
from demo.grid.plan import FEWEST_USERS, GridPlan
from demo.grid.run import run
from demo.processes import DemoError
from demo.summary import WIDTH

ROOT: Final = Path(__file__).resolve().parents[2]


def main() -> int:
    """Run the demonstration; 0 when the books close, 1 otherwise."""
    options = _parser().parse_args()
    console = Console(width=max(Console().width, WIDTH))
    directory = Path(options.directory).resolve()
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    files = GridFiles(directory)
    try:
        plan = _solve(files, options)
        asyncio.run(run(plan, files, options.seconds))
        books, records = store.read(files.store, plan)
    except DemoError as error:
        print(f"grid demo: {error}", file=sys.stderr)
        return 1
    statement.show_meters(records, plan, console)
    statement.show(books, plan, console)
    statement.show_commands(plan, Path(options.directory) / files.receiver.name, console)
    return 0 if books.closed else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo.grid", description=(__doc__ or "").split("\n\n", 1)[1])
    parser.add_argument("--seconds", type=float, default=120, help="how long the simulated time takes (default 120)")
    parser.add_argument(
        "--hours", type=int, default=24, choices=range(1, 25), metavar="1..24", help="simulate less of the day"
    )
    parser.add_argument(
        "--users",
        type=int,
        default=6,
        choices=range(FEWEST_USERS, len(USERS) + 1),
        metavar=f"{FEWEST_USERS}..{len(USERS)}",
        help="how many of the users have a gateway (default 6); the others' loads are not metered",
    )
    parser.add_argument("--seed", type=int, default=20260615, help="of the shapes of loads and wind")
    parser.add_argument(
        "--power-flow",
        default=str(ROOT / ".power-flow" / "bin" / "python"),
        metavar="PYTHON",
        help="the interpreter of an environment with requirements/power-flow.txt (default: that of `make grid-demo`)",
    )
    parser.add_argument("--directory", default=".grid-demo", help="where everything goes (emptied first)")
    return parser


def _solve(files: GridFiles, options: argparse.Namespace) -> GridPlan:
    """Have the power flow of the day computed, and plan what meters it."""
    python = Path(options.power_flow)
    if not python.exists():
        raise DemoError(f"{python}: there is no such interpreter; `make grid-demo` makes it")
    print("power flow: 96 slots of the IEEE 118-bus network", file=sys.stderr, flush=True)
    arguments = ("-m", "demo.grid.power_flow", str(files.power_flow), "--seed", str(options.seed))
    done = subprocess.run([str(python), *arguments], cwd=ROOT, check=False)
    if done.returncode:
        raise DemoError(f"the power flow ended with {done.returncode}")
    return grid_plan.load(files.power_flow, users=options.users, hours=options.hours)


if __name__ == "__main__":
    sys.exit(main())
