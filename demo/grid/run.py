"""Runs a demonstration of the grid: simulated meters, gateways, broker and centre as processes of their own."""

import asyncio
import sys
import time
from pathlib import Path
from typing import Final

from clock import SimulatedClock
from demo.files import Broker
from demo.grid import files as grid_files
from demo.grid import store
from demo.grid.files import GridFiles
from demo.grid.plan import Gateway, GridPlan
from demo.grid.telemetry import TelemetryFeed
from demo.grid.watch import StatusesWatch
from demo.processes import Program, Programs, free_port, listens
from demo.progress import Display

LONGEST_SPEED: Final = 1200
START_UP_S: Final = 4.0
START_UP_SHARE: Final = 1.0
"""Of the time that it took to enrol all gateways: all of them start before the simulated time does, on the cores there
are, and each takes about as long as one command of the centre."""
DELIVERY_LIMIT_S: Final = 60
STEP_S: Final = 0.1
LOOK_S: Final = 1.0


async def run(plan: GridPlan, files: GridFiles, seconds: float) -> None:
    """Run the day; DemoError when a program does not do its part."""
    speed = min(LONGEST_SPEED, max(1, round((plan.end_ms - plan.origin_ms) / 1000 / seconds)))
    broker = Broker(free_port(), "3.1.1")  # amqtt speaks no other
    api_port = free_port()
    with Programs(files.directory) as programs:
        served = programs.start("broker", "-m", "demo.broker", str(broker.port))
        _say(f"keys, configurations and enrolment of {len(plan.gateways)} gateways")
        grid_files.write_keys(files, plan)
        grid_files.write_simulator(files, plan)
        grid_files.write_receiver(files, plan, broker, api_port)
        standing = SimulatedClock(plan.origin_ms, speed, time.monotonic_ns() // 1_000_000 + 86_400_000)
        began = time.monotonic()
        grid_files.enrol(files, plan, standing.spec())
        start_up_s = START_UP_S + START_UP_SHARE * (time.monotonic() - began)
        _say("entering the grid at the centre")
        grid_files.enter_grid(files, plan, standing.spec())
        token = grid_files.make_token(files)
        programs.wait_until("the broker listens", lambda: listens(broker.port))
        clock = SimulatedClock(plan.origin_ms, speed, int(time.monotonic_ns() / 1e6 + start_up_s * 1000), plan.end_ms)
        _say(f"starting {len(plan.gateways) + 3} programs: the simulated day begins in {start_up_s:.0f} s")
        meters = programs.start(
            *("meters", "diantan-sim", "grid", str(files.simulator)),
            *("--clock", clock.spec(), "--ready-file", str(files.ready)),
        )
        receiver = programs.start(
            *("receiver", "diantan-receiver", "run", "--config", str(files.receiver), "--clock", clock.spec())
        )
        programs.wait_until("the meters listen", files.ready.exists)
        grid_files.write_agents(files, plan, broker)
        agents = [_start(programs, files, gateway, clock) for gateway in plan.gateways]
        keys = {gateway.id: Path(f"{files.key(gateway)}.pub") for gateway in plan.gateways}
        feed = TelemetryFeed(api_port, token, plan.telemetry, clock)
        await _watch(plan, files, clock, StatusesWatch(broker.port, keys), feed, programs=programs)
        for program in (*agents, receiver, meters, served):
            program.stop()


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def _start(programs: Programs, files: GridFiles, gateway: Gateway, clock: SimulatedClock) -> Program:
    arguments = ("run", "--config", str(files.agent(gateway)), "--clock", clock.spec())
    return programs.start(gateway.id, "diantan-agent", *arguments)


async def _watch(
    plan: GridPlan,
    files: GridFiles,
    clock: SimulatedClock,
    statuses: StatusesWatch,
    telemetry: TelemetryFeed,
    *,
    programs: Programs,
) -> None:
    """Show the progress until the day is over, everything of it has been acknowledged, and the last factors applied."""
    with Display(plan.origin_ms, plan.end_ms, plan.zone) as display:
        async with statuses as watch, telemetry as feed:
            while clock.now_ms() < plan.end_ms:
                programs.check()
                _ = feed.over  # tells of what went wrong
                display.update(clock.now_ms(), watch.together)
                await asyncio.sleep(STEP_S)
            deadline = time.monotonic() + DELIVERY_LIMIT_S
            while time.monotonic() < deadline:
                programs.check()
                display.update(plan.end_ms, watch.together)
                told = feed.over
                if told and watch.delivered_after(plan.end_ms) and store.read(files.store, plan)[0].closed:
                    break
                await asyncio.sleep(LOOK_S)
    _say(
        f"telemetry: {feed.told} slots told over HTTP, each within {feed.latest_s:.0f} simulated seconds after its end"
    )
