"""What several processes bring to the nightly run: the same nights of stations, made by one and by two in turns.

Everything is real: a SQLite store in a file that is written to the disk, and processes that share each night by claims,
as those of the receiver do. One process works on a copy of the store that the others work on, so that both make the
same, and they take turns, so that a machine that is busy for a while slows both. What processes take to start is not
in it: they are there.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select

from bench.estimation.nights import AFTER_MS, CORES, FLEET, HISTORY_DAYS, TARGET_S, fill
from bench.estimation.readings import START_MS
from cloud_receiver import database, schema
from cloud_receiver.estimation.load import DAY_MS
from cloud_receiver.orders.waiting import Progress
from cloud_receiver.registry import Registry

SITES, DRAWN, NIGHTS = 40, 8, 6
_STORE = "sqlite:///store.sqlite"


@dataclass(frozen=True)
class Shared:
    """A night of all stations by the wall clock. `full`: how many took all windows; `cpu_ms`: of all processes."""

    processes: int
    stations: int
    full: int
    wall_s: float
    cpu_ms: float

    @property
    def rate(self) -> float:
        """Return how many stations were made in a second."""
        return self.stations / self.wall_s

    @property
    def cores(self) -> float:
        """Return how many cores the processes had: fewer than they are where the machine does other work."""
        return self.cpu_ms / 1000 / self.wall_s


class Worker:
    """A process that makes nights."""

    def __init__(self, store: Path, registry: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.estimation.night_worker", str(store), str(registry)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def tell(self, now_ms: int) -> None:
        """Let it make what is due at a time."""
        assert self.process.stdin is not None
        print(now_ms, file=self.process.stdin, flush=True)

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

    def night(self, day: int) -> Shared:
        """Return the night after so many days; RuntimeError where stations were not made once each."""
        midnight = START_MS + day * DAY_MS
        with database.reading(self.engine) as connection:
            sites = connection.execute(select(func.count()).select_from(schema.station)).scalar_one()
        began = time.perf_counter()
        for worker in self.workers:
            worker.tell(midnight + AFTER_MS)
        answers = [worker.answer() for worker in self.workers]
        wall_s = time.perf_counter() - began
        count = sum(int(words[0]) for words in answers)
        if count != sites:
            raise RuntimeError(f"night {day}: expected {sites} stations estimated, found {count}")
        with database.reading(self.engine) as connection:
            asked = select(func.count()).where(schema.error_state.c.full_ms == midnight)
            full = connection.execute(asked).scalar_one()
        return Shared(len(self.workers), count, full, wall_s, sum(float(words[1]) for words in answers))

    def close(self) -> None:
        """End the processes."""
        for worker in self.workers:
            worker.end()
        self.engine.dispose()


def measure() -> list[str]:
    """Measure and return the lines to print."""
    progress = Progress(time.monotonic)
    found = shared(SITES, HISTORY_DAYS, NIGHTS, drawn=DRAWN, told=progress)
    progress.clear()
    return lines(found)


def lines(found: list[Shared]) -> list[str]:
    """Return what nights by one process and by as many as there are cores say together."""
    # Some stations take all windows now and then, each as long as twenty others: of a few nights that says nothing.
    days = [one for one in found if not one.full] or found
    rates, result = {}, []
    for processes in (1, CORES):
        mine = [one for one in days if one.processes == processes]
        rates[processes] = statistics.median(one.rate for one in mine)
        cpu_ms = statistics.median(one.cpu_ms / one.stations for one in mine)
        result.append(
            f"  {processes} of them: {rates[processes]:.1f} stations a second (median of {len(mine)} nights), "
            f"{cpu_ms:.1f} ms of CPU each, on {statistics.median(one.cores for one in mine):.2f} cores"
        )
    taken = FLEET / rates[CORES]
    verdict = "met" if taken <= TARGET_S else f"missed by a factor of {taken / TARGET_S:.2g}"
    head = (
        f"nights shared by processes, {found[0].stations} stations in a SQLite store, a day added, by the wall clock:"
    )
    if days is found:
        head = f"{head.removesuffix(':')}, with some that took all windows:"
    return [
        head,
        *result,
        f"  {CORES} bring {rates[CORES] / rates[1]:.2f} times as many as 1",
        (
            f"  extrapolated from this sample to {FLEET} stations by {CORES} processes on {CORES} cores: "
            f"{taken:.0f} s; target {TARGET_S:.0f} s: {verdict}"
        ),
    ]


def shared(
    sites: int, history_days: int, nights: int, *, drawn: int, told: Callable[[str], None] = lambda _: None
) -> list[Shared]:
    """Return nights of some stations, a day added each, by one process and by as many as there are cores in turns."""
    result = []
    with tempfile.TemporaryDirectory() as directory, ExitStack() as left:
        several, one = Path(directory) / "several", Path(directory) / "one"
        engine = database.open_store(_STORE, several)
        database.upgrade(engine)
        days = history_days + nights
        stations = fill(
            engine, sites, days, drawn=drawn, told=lambda count: told(f"{count} of {sites} stations stored")
        )
        engine.dispose()  # with the last connection goes what SQLite keeps beside the file
        registry = Path(directory) / "registry.json"
        registry.write_text(Registry(station=tuple(stations)).model_dump_json(), encoding="utf-8")
        told(f"the first night of {sites} stations, over all windows")
        first = Store(several, registry, CORES)
        try:
            first.night(history_days)
        finally:
            first.close()
        shutil.copytree(several, one)
        stores = []
        for place, processes in ((one, 1), (several, CORES)):
            stores.append(Store(place, registry, processes))
            left.callback(stores[-1].close)
        for day in range(history_days + 1, days + 1):
            told(f"night {day - history_days} of {nights}, by one process and by {CORES}")
            result += [store.night(day) for store in (stores if day % 2 else stores[::-1])]
    return result


if __name__ == "__main__":
    print("\n".join(measure()))
