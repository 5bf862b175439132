"""What several processes bring to the nightly run: the same nights of stations, made by one and by two in turns.

Everything is real: a SQLite store in a file that is written to the disk, and processes that share each night by claims,
as those of the receiver do. One process works on a copy of the store that the others work on, so that both make the
same, and they take turns, so that a machine that is busy for a while slows both. What processes take to start is not
in it: they are there.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlalchemy import func, select

from bench.estimation.nights import AFTER_MS, CORES, FLEET, HISTORY_DAYS, TARGET_S, fill
from bench.estimation.readings import START_MS
from cloud_receiver import database, schema
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.load import DAY_MS
from cloud_receiver.orders.waiting import Progress
from cloud_receiver.registry import Registry

SITES, DRAWN, NIGHTS = 40, 8, 5
EVERY: Final = Estimation().full_every_days
SELDOM: Final = 90
"""`full_every_days` of nights that are to add a day and nothing else."""
_STORE = "sqlite:///store.sqlite"


@dataclass(frozen=True)
class Shared:
    """A night of all stations by the wall clock. `full`: how many took all windows; `cpu_ms`: of all processes.

    `every`: in how many days each had to.
    """

    every: int
    processes: int
    stations: int
    full: int
    wall_s: float
    cpu_ms: float


class Worker:
    """A process that makes nights."""

    def __init__(self, store: Path, registry: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.estimation.night_worker", str(store), str(registry)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, now_ms: int, every: int) -> None:
        """Let it make what is due at a time."""
        assert self.process.stdin is not None
        print(now_ms, every, file=self.process.stdin, flush=True)

    def answer(self) -> list[str]:
        """Return the words of its next answer."""
        assert self.process.stdout is not None
        words = self.process.stdout.readline().split()
        if not words:
            raise RuntimeError(f"a process of the bench ended with {self.process.wait()}")
        return words

    def end(self) -> None:
        """Let it end."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()


class Store:
    """A store of stations, and the processes that make their nights."""

    def __init__(self, directory: Path, registry: Path, processes: int) -> None:
        self.engine = database.open_store(_STORE, directory)
        self.workers = [Worker(directory, registry) for _ in range(processes)]
        for worker in self.workers:
            worker.answer()

    def night(self, day: int, every: int) -> Shared:
        """Return the night after so many days; RuntimeError where stations were not made once each."""
        midnight = START_MS + day * DAY_MS
        with database.reading(self.engine) as connection:
            sites = connection.execute(select(func.count()).select_from(schema.station)).scalar_one()
        began = time.perf_counter()
        for worker in self.workers:
            worker.tell(midnight + AFTER_MS, every)
        answers = [worker.answer() for worker in self.workers]
        wall_s = time.perf_counter() - began
        count = sum(int(words[0]) for words in answers)
        if count != sites:
            raise RuntimeError(f"night {day}: expected {sites} stations estimated, found {count}")
        with database.reading(self.engine) as connection:
            asked = select(func.count()).where(schema.error_state.c.full_ms == midnight)
            full = connection.execute(asked).scalar_one()
        return Shared(every, len(self.workers), count, full, wall_s, sum(float(words[1]) for words in answers))

    def settle(self) -> None:
        """Let what was entered reach the file, which isn't the night's work."""
        with self.engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """End the processes."""
        for worker in self.workers:
            worker.end()
        self.engine.dispose()


def measure() -> list[str]:
    """Measure and return the lines to print."""
    progress = Progress(time.monotonic)
    found = shared(SITES, HISTORY_DAYS, [EVERY] * EVERY + [SELDOM] * NIGHTS, drawn=DRAWN, told=progress)
    progress.clear()
    return lines(found)


def lines(found: list[Shared]) -> list[str]:
    """Return what nights by one process and by as many as there are cores say together.

    Of nights in which every station has a share of its own to take all windows, and of those that add a day alone.
    """
    # A night that adds a day takes all windows of a station of which something else is said, as long as ten others:
    # of a few nights that says nothing.
    added = [one for one in found if one.every == SELDOM and not one.full]
    mixed = [one for one in found if one.every != SELDOM]
    result = [f"nights shared by processes, {found[0].stations} stations in a SQLite store, by the wall clock:"]
    if added:
        result += ["  a day added to each:", *_rates(added)]
    if mixed:
        alone = [one for one in mixed if one.processes == 1]
        full, all_ = sum(one.full for one in alone), sum(one.stations for one in alone)
        result += [f"  {len(alone)} nights, {full} of {all_} with all windows, of one in {mixed[0].every} its turn:"]
        result += _rates(mixed)
    return result


def _rates(nights: list[Shared]) -> list[str]:
    rates, result = {}, []
    for processes in (1, CORES):
        mine = [one for one in nights if one.processes == processes]
        stations, wall_s = sum(one.stations for one in mine), sum(one.wall_s for one in mine)
        cpu_ms = sum(one.cpu_ms for one in mine)
        rates[processes] = stations / wall_s
        result.append(
            f"    {processes} of them: {rates[processes]:.1f} stations a second (mean of {len(mine)} nights), "
            f"{cpu_ms / stations:.1f} ms of CPU each, on {cpu_ms / 1000 / wall_s:.2f} cores"
        )
    taken = FLEET / rates[CORES]
    verdict = "met" if taken <= TARGET_S else f"missed by a factor of {taken / TARGET_S:.2g}"
    return [
        *result,
        f"    {CORES} bring {rates[CORES] / rates[1]:.2f} times as many as 1",
        (
            f"    extrapolated from this sample to {FLEET} stations by {CORES} processes on {CORES} cores: "
            f"{taken:.0f} s; target {TARGET_S:.0f} s: {verdict}"
        ),
    ]


def shared(
    sites: int, history_days: int, turns: Sequence[int], *, drawn: int, told: Callable[[str], None] = lambda _: None
) -> list[Shared]:
    """Return nights of some stations, by one process and by as many as there are cores in turns.

    `turns`: of each night after the first, in how many days each station takes all windows.
    """
    result = []
    with tempfile.TemporaryDirectory() as directory, ExitStack() as left:
        several, one = Path(directory) / "several", Path(directory) / "one"
        engine = database.open_store(_STORE, several)
        database.upgrade(engine)
        days = history_days + len(turns)
        filled = fill(
            engine,
            sites,
            history_days,
            days,
            drawn=drawn,
            told=lambda count: told(f"{count} of {sites} stations stored"),
        )
        engine.dispose()  # with the last connection goes what SQLite keeps beside the file
        registry = Path(directory) / "registry.json"
        registry.write_text(Registry(station=tuple(filled.stations)).model_dump_json(), encoding="utf-8")
        told(f"the first night of {sites} stations, over all windows")
        first = Store(several, registry, CORES)
        try:
            first.night(history_days, SELDOM)
        finally:
            first.close()
        shutil.copytree(several, one)
        stores = []
        for at, processes in ((one, 1), (several, CORES)):
            stores.append(Store(at, registry, processes))
            left.callback(stores[-1].close)
        for place, every in enumerate(turns, 1):
            told(f"night {place} of {len(turns)}, by one process and by {CORES}")
            for store in stores:
                filled.enter(store.engine, range(history_days + place - 1, history_days + place))
                store.settle()
            result += [store.night(history_days + place, every) for store in (stores if place % 2 else stores[::-1])]
    return result


if __name__ == "__main__":
    print("\n".join(measure()))
