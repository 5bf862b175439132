"""The grid service: a slot of IEEE case118 from its measurements in the store to the signed messages of all nodes.

Powers and factors are made here from a seed, on the topology of a ring with spurs that is as large as case118: 118
nodes, 186 branches measured at both ends, 54 generators, 99 loads. A cycle is what the receiver does for a slot, every
write in durable SQLite; the broker is none, so what is published is only handed over. `SLOTS` in the environment
changes how many are caught up (35040: a year).
"""

import asyncio
import os
import random
import tempfile
import time
from pathlib import Path

from bench.limits import LimitError
from clock import ManualClock
from cloud_receiver import database
from cloud_receiver.grid import shelf, telemetry
from cloud_receiver.grid.config import Grid as GridSettings
from cloud_receiver.grid.model import Branch, Generator, Grid, Load, Node
from cloud_receiver.grid.service.runner import GridService
from cloud_receiver.grid.snapshot import Demand, EndPowers, Generation, Snapshot
from cloud_receiver.registry import Registry
from wire import keys
from wire.envelope import Signer

SLOTS = int(os.environ.get("SLOTS", "2880"))
CYCLES = 48
CYCLE_LIMIT_MS = 500
YEAR_LIMIT_MINUTES = 15
START_MS = 1_782_835_200_000
SLOT_MS = 900_000
NODES, BRANCHES, GENERATORS, LOADS = 118, 186, 54, 99


_SIZES = (
    "SELECT AVG(LENGTH(measured) + LENGTH(used) + LENGTH(nodes) + LENGTH(summary)) FROM grid_slot",
    "SELECT AVG(LENGTH(envelope)) FROM factor_message WHERE slots = 96",
)


class Link:
    """Takes everything at once."""

    def __init__(self) -> None:
        self.messages = 0

    async def wait_connected(self) -> None:
        """Be there."""

    def publish(self, _topic: str, _payload: bytes, _qos: int, *, retain: bool = False) -> "asyncio.Future[None]":
        """Count a message."""
        self.messages += 1
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        future.set_result(None)
        return future


def run() -> list[str]:
    """Measure and return the lines to print."""
    with tempfile.TemporaryDirectory(prefix="diantan-bench-") as name:
        return asyncio.run(_run(Path(name)))


async def _run(directory: Path) -> list[str]:
    grid, draw = _grid(), random.Random(1)
    engine = database.open_store("sqlite:///grid.sqlite", directory)
    database.upgrade(engine)
    clock = ManualClock(wall_ms=START_MS)
    link = Link()
    service = GridService(
        *(engine, Registry(station=()), Signer(keys.generate()), link, clock),
        settings=GridSettings(correct_hours=24),
        centre="bench",
    )
    with database.writing(engine) as connection:
        shelf.enter_grid(connection, grid, START_MS, "bench", START_MS)
    history = ((START_MS + number * SLOT_MS, _snapshot(grid, draw)) for number in range(SLOTS))
    with database.writing(engine) as connection:
        telemetry.enter(connection, "bench", history, START_MS)
    await clock.advance(SLOTS * SLOT_MS + 100_000)
    begin = time.perf_counter()
    while await service.round():
        pass
    caught_up = time.perf_counter() - begin
    publishing = asyncio.create_task(service.outlet.run())
    await asyncio.sleep(0.1)
    cycles, published = [], []
    for start_ms in range(START_MS + SLOTS * SLOT_MS, START_MS + (SLOTS + CYCLES) * SLOT_MS, SLOT_MS):
        with database.writing(engine) as connection:
            telemetry.enter(connection, "bench", [(start_ms, _snapshot(grid, draw))], start_ms)
        await clock.advance(SLOT_MS)
        before, begin = link.messages, time.perf_counter()
        while await service.round():
            pass
        cycles.append((time.perf_counter() - begin) * 1000)
        while link.messages - before <= NODES:  # noqa: ASYNC110  # the outlet has no event of its own
            await asyncio.sleep(0)
        published.append(link.messages - before)
    publishing.cancel()
    with database.reading(engine) as connection:
        slot_bytes, message_bytes = (connection.exec_driver_sql(query).scalar_one() for query in _SIZES)
    engine.dispose()
    cycles.sort()
    median, worst = cycles[len(cycles) // 2], cycles[-1]
    rate = SLOTS / caught_up
    minutes = 35_040 / rate / 60
    size = f"{NODES} nodes and {BRANCHES} branches"
    lines = [
        f"a slot of {size}: {median:.0f} ms, the longest of {CYCLES} {worst:.0f} ms, {published[-1]} messages",
        f"limit {CYCLE_LIMIT_MS} ms: {median / CYCLE_LIMIT_MS:.2f} of it",
        f"caught up {SLOTS} slots in {caught_up:.1f} s, {rate:.0f} slots/s",
        f"stored: {slot_bytes / 1000:.1f} kB a slot; messages of {message_bytes / 1000:.1f} kB a node",
        f"a year of 35,040 slots takes {minutes:.1f} min at that rate; limit {YEAR_LIMIT_MINUTES} min",
    ]
    if median > CYCLE_LIMIT_MS:
        raise LimitError([*lines, f"a cycle takes {median:.0f} ms, more than {CYCLE_LIMIT_MS} ms"])
    if minutes > YEAR_LIMIT_MINUTES:
        raise LimitError([*lines, f"a year takes {minutes:.1f} min, more than {YEAR_LIMIT_MINUTES} min"])
    return lines


def _grid() -> Grid:
    nodes = tuple(Node(f"N{number}") for number in range(NODES))
    branches = tuple(
        Branch(f"L{number}", f"N{number * 7 % NODES}", f"N{(number * 7 + 1 + number // NODES * 3) % NODES}")
        for number in range(BRANCHES)
    )
    generators = tuple(Generator(f"G{number}", f"N{number * 2}") for number in range(GENERATORS))
    return Grid(nodes, branches, generators, tuple(Load(f"D{number}", f"N{number}") for number in range(LOADS)))


def _snapshot(grid: Grid, draw: random.Random) -> Snapshot:
    """Return powers that balance but for errors of 0.3 %; what a node has too much or too little, its load takes."""
    left = {node.id: 0.0 for node in grid.nodes}
    flows = {}
    for branch in grid.branches:
        power = draw.uniform(5, 150)
        flows[branch.id] = EndPowers(power * draw.gauss(1, 0.003), -power * 0.98 * draw.gauss(1, 0.003))
        left[branch.start] -= power
        left[branch.end] += power * 0.98
    made = {}
    for item in grid.generators:
        power = max(50.0, 20.0 - left[item.node])
        made[item.id] = Generation(power * draw.gauss(1, 0.003), draw.choice((0.0, 0.0, 0.35, 0.82)))
        left[item.node] += power
    loads = {}
    for load in grid.loads:
        power = left[load.node] * draw.gauss(1, 0.003)
        loads[load.id] = Demand(power, 0.05 if power < 0 else None)
    return Snapshot(flows, made, loads)


if __name__ == "__main__":
    print("\n".join(run()))
