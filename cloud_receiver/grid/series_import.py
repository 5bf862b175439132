"""Enters a time series: all of it is checked, then stored in short transactions, and what is stored is not again."""

import asyncio
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from clock import Clock
from cloud_receiver import database
from cloud_receiver.grid import series, shelf, telemetry
from cloud_receiver.grid.series_told import Check, Told, time_text
from cloud_receiver.grid.snapshot import MAX_FACTOR, Snapshot
from cloud_receiver.mistakes import MOST_SHOWN, InputError
from cloud_receiver.orders.waiting import Progress

CHUNK_SLOTS: Final = 500
CHUNK_BYTES: Final = 8 << 20
"""Of one transaction."""
PAUSE_S: Final = 0.11
"""Between two transactions. Another program that waits for SQLite's lock asks again every 100 ms at the latest."""
ATTEMPTS: Final = 24
"""To get the lock, of `database.BUSY_TIMEOUT_MS` each: a receiver that drains a backlog holds it most of the time."""
_IN_MEMORY: Final = 32 << 20
_HEAD: Final = struct.Struct("<qI")
_ONE_PROGRESS: Final = 100  # slots
_ONE_TURN: Final = 32  # slots, or lines that are none


def measurements(snapshot: Snapshot) -> int:
    """Return how many elements were measured."""
    return len(snapshot.flows) + len(snapshot.generators) + len(snapshot.loads) + len(snapshot.storages)


class _Meter:
    """Says how far an import is, and how fast."""

    def __init__(self, progress: Progress, seconds: Callable[[], float]) -> None:
        self.slots = self.elements = self.bytes = 0
        self.first_ms = self.last_ms = 0
        self._progress = progress
        self._seconds = seconds
        self._begun = seconds()

    def read(self, count: int) -> None:
        """Note bytes of a file."""
        self.bytes += count

    def slot(self, start_ms: int, snapshot: Snapshot) -> None:
        """Note a slot that was read."""
        self.slots += 1
        self.elements += measurements(snapshot)
        self.first_ms = start_ms if self.slots == 1 else self.first_ms
        self.last_ms = start_ms
        if self.slots % _ONE_PROGRESS == 0:
            rate = self.slots / max(self._seconds() - self._begun, 1e-3)
            self._progress(
                f"checking: {time_text(start_ms)}, {self.slots:,} slots, {self.elements:,} measurements, "
                f"{self.bytes / 1e6:,.0f} MB, {rate:,.0f} slots/s"
            )

    def stored(self, slots: int, begun: float) -> None:
        """Say how many slots are stored."""
        rate = slots / max(self._seconds() - begun, 1e-3)
        self._progress(f"storing: {slots:,} of {self.slots:,} slots, {rate:,.0f} slots/s")


async def enter(
    path: Path, feed: str, engine: Engine, clock: Clock, *, skip_bad: bool = False, max_factor: float = MAX_FACTOR
) -> None:
    """Enter the series of a file or directory, and say on standard output what that was.

    InputError with all mistakes, and nothing is stored; if bad cells are to be skipped they are told on standard error.
    """
    seconds = asyncio.get_running_loop().time
    progress = Progress(seconds)
    meter = _Meter(progress, seconds)
    told = Told(skip_bad=skip_bad)
    done = new = 0
    with database.reading(engine) as connection:
        check = Check(shelf.grids(connection), told, max_factor)
    try:
        # What waits until all is checked is not in memory, nor read again from a file that somebody may write to.
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spool:
            for number, slot in enumerate(series.steps(path, check, meter.read)):
                if slot is not None:
                    _put(spool, *telemetry.packed(*slot))
                    meter.slot(*slot)
                if number % _ONE_TURN == 0:
                    await asyncio.sleep(0)  # in which an interrupt is heard
            told.raise_any()
            spool.seek(0)
            begun = seconds()
            for chunk in _chunks(spool):
                if done:
                    await asyncio.sleep(PAUSE_S)
                new += await _store(engine, feed, chunk, clock.now_ms(), progress)
                done += len(chunk)
                meter.stored(done, begun)
    except asyncio.CancelledError:
        progress.notice(f"feed {feed}: {done} slots are stored; the same import again stores all of them")
        raise
    finally:
        progress.clear()
    _tell_skipped(told)
    span = f", {time_text(meter.first_ms)} to {time_text(meter.last_ms)}" if meter.slots else ""
    sys.stdout.write(
        f"feed {feed}: {meter.slots} slots{span}, {meter.elements} measurements: "
        f"{new} slots new, {meter.slots - new} known already\n"
    )


async def _store(engine: Engine, feed: str, chunk: list[tuple[int, bytes]], now_ms: int, progress: Progress) -> int:
    """Store slots in one transaction; return how many are new. OperationalError when others don't let it."""
    attempt = 1
    while True:
        try:
            with database.writing(engine) as connection:
                return telemetry.enter_packed(connection, feed, chunk, now_ms)
        except OperationalError as error:
            if attempt == ATTEMPTS or not database.is_busy(error):
                raise
        progress(f"storing: another program uses the store, attempt {attempt} of {ATTEMPTS}")
        attempt += 1
        await asyncio.sleep(PAUSE_S)


def _put(spool: IO[bytes], start_ms: int, content: bytes) -> None:
    spool.write(_HEAD.pack(start_ms, len(content)))
    spool.write(content)


def _chunks(spool: IO[bytes]) -> Iterator[list[tuple[int, bytes]]]:
    chunk: list[tuple[int, bytes]] = []
    size = 0
    while head := spool.read(_HEAD.size):
        start_ms, length = _HEAD.unpack(head)
        chunk.append((start_ms, spool.read(length)))
        size += length
        if len(chunk) >= CHUNK_SLOTS or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _tell_skipped(told: Told) -> None:
    """Say on standard error what was left out."""
    if not told.count:
        return
    error = InputError(told.problems)
    more = max(told.count - len(told.problems), 0)
    rest = f" ({MOST_SHOWN} of them shown)" if told.count > MOST_SHOWN else ""
    sys.stderr.write(f"{error}\n")
    if more:
        sys.stderr.write(f"and {more} mistakes after the first {len(told.problems)}\n")
    sys.stderr.write(f"left out: {told.count} mistake{'s'[: told.count > 1]}{rest}\n")
