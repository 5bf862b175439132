"""Run one simulated day of a charging station end to end: `make demo`, or `python -m demo --help`."""

import argparse
import asyncio
import shutil
import sys
import time
from datetime import date
from pathlib import Path

from rich.console import Console

from clock import SimulatedClock
from demo import files as demo_files
from demo import plan as demo_plan
from demo import summary
from demo.files import Broker, Files
from demo.plan import Plan, PlanError
from demo.processes import DemoError, Programs, free_port, listens
from demo.progress import Display
from demo.watch import StatusWatch

LONGEST_SPEED = 1200
START_UP_S = 5.0
DELIVERY_LIMIT_S = 30
STEP_S = 0.1


def main() -> int:
    """Run the demonstration; 0 when every record has arrived, 1 otherwise, 2 for wrong usage."""
    options = _parser().parse_args()
    console = Console(width=max(Console().width, summary.WIDTH))
    try:
        plan = _plan(options)
    except PlanError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    directory = Path(options.directory).resolve()
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    try:
        asyncio.run(_run(plan, Files(directory), options.seconds))
        results = summary.collect(Files(directory), plan)
    except DemoError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    summary.show(results, plan, console)
    if results.lost:
        print(f"demo: {results.lost} records have not been acknowledged", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo", description=__doc__)
    parser.add_argument(
        "--sessions", type=Path, metavar="FILE", help="drive the chargers from real sessions (csv, csv.gz)"
    )
    parser.add_argument(
        "--day", type=date.fromisoformat, help="which day of the file (default: the one with most arrivals)"
    )
    parser.add_argument("--seconds", type=float, default=85, help="how long the simulated time takes (default 85)")
    parser.add_argument(
        "--hours", type=int, default=24, choices=range(1, 25), metavar="1..24", help="simulate less of the day"
    )
    parser.add_argument("--chargers", type=int, default=12, choices=range(3, 61), metavar="3..60")
    parser.add_argument("--seed", type=int, default=20260615, help="for the generated sessions and meter errors")
    parser.add_argument("--directory", default=".demo", help="where configurations, stores and logs go (emptied first)")
    return parser


def _plan(options: argparse.Namespace) -> Plan:
    numbers = {"chargers": options.chargers, "hours": options.hours, "seed": options.seed}
    if options.sessions is None:
        if options.day is not None:
            raise PlanError("--day is for --sessions")
        return demo_plan.generated(**numbers)
    return demo_plan.from_sessions(options.sessions, options.day, **numbers)


async def _run(plan: Plan, files: Files, seconds: float) -> None:
    speed = min(LONGEST_SPEED, max(1, round((plan.end_ms - plan.origin_ms) / 1000 / seconds)))
    broker_port = free_port()
    served = Broker(broker_port, "3.1.1")  # amqtt speaks no other
    with Programs(files.directory) as programs:
        broker = programs.start("broker", "-m", "demo.broker", str(broker_port))
        demo_files.write_keys(files)
        demo_files.write_station(files, plan)
        demo_files.write_receiver(files, plan, served)
        clock = SimulatedClock(plan.origin_ms, speed, time.monotonic_ns() // 1_000_000 + 86_400_000)
        demo_files.enrol(files, clock.spec())
        programs.wait_until("the broker listens", lambda: listens(broker_port))
        anchor_ms = int(time.monotonic_ns() / 1e6 + START_UP_S * 1000)
        clock = SimulatedClock(plan.origin_ms, speed, anchor_ms, plan.end_ms)
        station = programs.start(
            "station",
            "diantan-sim",
            "station",
            str(files.station),
            "--clock",
            clock.spec(),
            "--ready-file",
            str(files.ready),
        )
        receiver = programs.start(
            "receiver", "diantan-receiver", "run", "--config", str(files.receiver), "--clock", clock.spec()
        )
        programs.wait_until("the station listens", files.ready.exists)
        demo_files.write_agent(files, plan, served)
        agent = programs.start("agent", "diantan-agent", "run", "--config", str(files.agent), "--clock", clock.spec())
        await _watch(plan, clock, StatusWatch(broker_port, Path(f"{files.gateway_key}.pub")), programs)
        for program in (agent, receiver, station, broker):
            program.stop()


async def _watch(plan: Plan, clock: SimulatedClock, statuses: StatusWatch, programs: Programs) -> None:
    """Show the progress until the day is over and everything of it has been acknowledged."""
    with Display(plan.origin_ms, plan.end_ms, plan.zone) as display:
        async with statuses as watch:
            while clock.now_ms() < plan.end_ms:
                programs.check()
                display.update(clock.now_ms(), watch.latest)
                await asyncio.sleep(STEP_S)
            deadline = time.monotonic() + DELIVERY_LIMIT_S
            while not watch.delivered_after(plan.end_ms) and time.monotonic() < deadline:
                programs.check()
                display.update(plan.end_ms, watch.latest)
                await asyncio.sleep(STEP_S)


if __name__ == "__main__":
    sys.exit(main())
