"""`diantan-receiver grid import`: enters topologies of the grid, and time series of what was measured on it."""

import argparse
import asyncio
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO, Final

from sqlalchemy import Connection, Engine

import clock
from clock import Clock
from cloud_receiver import config, database, registry, service
from cloud_receiver.grid import files, series, shelf, telemetry, topology
from cloud_receiver.grid.errors import MOST_SHOWN, GridError, Mistake, refuse
from cloud_receiver.grid.model import Grid, quoted_id
from cloud_receiver.grid.series_told import Check, Told, slot_start, time_text
from cloud_receiver.grid.shelf import KeptGrids
from cloud_receiver.grid.snapshot import Charge, EndPowers, EndRegisters, Measurement, Network, Snapshot, require
from cloud_receiver.grid.telemetry import SLOT_MS
from cloud_receiver.orders.waiting import Progress
from cloud_receiver.registry import Registry

CHUNK_SLOTS: Final = 500
CHUNK_BYTES: Final = 8 << 20
"""Of one transaction."""
PAUSE_S: Final = 0.11
"""Between two transactions. Another program that waits for SQLite's lock asks again every 100 ms at the latest."""
_IN_MEMORY: Final = 32 << 20
_HEAD: Final = struct.Struct("<qI")
_MOST_CHANGES: Final = 20
_ONE_PROGRESS: Final = 100  # slots


def run(options: argparse.Namespace) -> None:
    """Enter a topology or a time series; GridError, and nothing is entered, where there are mistakes."""
    settings = config.load(Path(options.config))
    stations = registry.load(settings.registry)
    program_clock = clock.from_spec(options.clock)
    if (options.network is None) == (options.series is None):
        raise ValueError("grid import: expected NETWORK with --valid-from, or --series")
    if options.network is None:
        if options.valid_from is not None or options.slot is not None:
            raise ValueError("grid import --series: --valid-from and --slot are for a network")
        engine = service.prepare(settings, stations)
        try:
            asyncio.run(_series(options, engine, program_clock))
        finally:
            engine.dispose()
        return
    if options.valid_from is None:
        raise ValueError("grid import NETWORK: expected --valid-from TIME")
    valid_from_ms = _time("--valid-from", options.valid_from)
    slot_ms = None if options.slot is None else _time("--slot", options.slot)
    network = files.read(Path(options.network), max_factor=options.max_factor)
    if options.factors is not None:
        network = files.with_factors(network, Path(options.factors), max_factor=options.max_factor)
    engine = service.prepare(settings, stations)
    try:
        with database.writing(engine) as connection:
            now_ms = program_clock.now_ms()
            lines = enter_network(
                connection,
                network,
                stations,
                valid_from_ms,
                now_ms,
                name=options.name,
                slot_ms=slot_ms,
                feed=options.feed,
                max_factor=options.max_factor,
            )
    finally:
        engine.dispose()
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def _time(option: str, text: str) -> int:
    try:
        return slot_start(text)
    except ValueError as error:
        raise ValueError(f"grid import {option}: {error}") from None


def enter_network(
    connection: Connection,
    network: Network,
    stations: Registry,
    valid_from_ms: int,
    now_ms: int,
    *,
    name: str | None = None,
    slot_ms: int | None = None,
    feed: str = "import",
    max_factor: float,
) -> list[str]:
    """Enter a network's topology, and what was measured on it in a slot, if one is given; return what to say.

    GridError when the registry's stations don't fit, another topology is valid from the same time, or the slot has
    another grid.
    """
    topology.stations(network.grid, stations)
    kept = shelf.grids(connection)
    lines = _enter_grid(connection, network, kept, valid_from_ms, now_ms, name=name or network.name)
    if slot_ms is None:
        return lines
    snapshot = measured(network.snapshot)
    grid = shelf.grids(connection).at(slot_ms)
    where = f"slot {time_text(slot_ms)}"
    if grid is None or grid.valid_from_ms != valid_from_ms:
        text = f"the grid from {time_text(valid_from_ms)} is not that of this slot"
        raise refuse(Mistake.FORM, text, place=where)
    if snapshot.hours * 3_600_000 != SLOT_MS:
        raise refuse(Mistake.NUMBER, f"expected a slot of 0.25 hours, found {snapshot.hours:g}", place=where)
    require(grid.grid, snapshot, max_factor)
    new = telemetry.enter(connection, feed, [(slot_ms, replace(snapshot, start_ms=slot_ms))], now_ms)
    lines.append(f"{where}: {_count(snapshot)} elements measured, feed {feed}" + ("" if new else ", known already"))
    return lines


def _enter_grid(
    connection: Connection, network: Network, kept: KeptGrids, valid_from_ms: int, now_ms: int, *, name: str
) -> list[str]:
    since = time_text(valid_from_ms)
    name = name.encode()[:64].decode(errors="ignore")
    same = next((item for item in kept.all if item.valid_from_ms == valid_from_ms), None)
    if same is not None:
        if same.grid.digest != network.grid.digest:
            difference = "; ".join(changes(same.grid, network.grid))
            text = f"is another one than grid {same.id}, valid from {since} too ({difference}): expected another time"
            raise refuse(Mistake.DUPLICATE, text, element="grid")
        return [f"grid {same.id}: valid from {since}, entered already"]
    number = shelf.enter_grid(connection, network.grid, valid_from_ms, name, now_ms)
    count = f"{len(network.grid.nodes)} nodes 节点, {len(network.grid.branches)} branches 支路"
    lines = [f"grid {number}: {name or 'without a name'}, {count}, valid from {since}"]
    before = kept.at(valid_from_ms)
    if before is None:
        lines.append("  no grid was valid before")
    else:
        said = changes(before.grid, network.grid)
        lines += [f"  against grid {before.id} from {time_text(before.valid_from_ms)}:"]
        lines += [f"    {text}" for text in said or ["nothing changed"]]
    later = next((item for item in kept.all if item.valid_from_ms > valid_from_ms), None)
    if later is not None:
        lines.append(f"  until grid {later.id} from {time_text(later.valid_from_ms)}")
    last_ms = now_ms if later is None else min(now_ms, later.valid_from_ms - SLOT_MS)
    if valid_from_ms <= last_ms:
        # Slots that were solved with another grid, or with none, are solved again.
        shelf.notify(connection, valid_from_ms, last_ms // SLOT_MS * SLOT_MS)
    return lines


def changes(old: Grid, new: Grid) -> list[str]:
    """Return what is different between two topologies, as lines."""
    difference = topology.change(old, new)
    lines = []
    for verb, items in (("new", difference.added), ("gone", difference.removed), ("changed", difference.moved)):
        names = [f"{element} {quoted_id(name)}" for element, name in items]
        if names:
            more = f", and {len(names) - _MOST_CHANGES} more" if len(names) > _MOST_CHANGES else ""
            lines.append(f"{verb}: {', '.join(names[:_MOST_CHANGES])}{more}")
    return lines


def measured(snapshot: Snapshot) -> Snapshot:
    """Return a snapshot without the elements of which nothing was measured."""
    return replace(
        snapshot,
        flows={name: flow for name, flow in snapshot.flows.items() if _is_measured(flow)},
        generators={name: item for name, item in snapshot.generators.items() if _is_measured(item)},
        loads={name: item for name, item in snapshot.loads.items() if _is_measured(item)},
        storages={name: item for name, item in snapshot.storages.items() if _is_measured(item)},
    )


def _is_measured(value: Measurement) -> bool:
    if isinstance(value, EndPowers):
        return value.from_megawatts is not None or value.to_megawatts is not None
    if isinstance(value, EndRegisters):
        return value != EndRegisters(None, None, None, None)
    if isinstance(value, Charge):
        return value != Charge(None, None)
    return value.megawatts is not None or value.factor is not None or getattr(value, "emission", None) is not None


def _count(snapshot: Snapshot) -> int:
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
        self.elements += _count(snapshot)
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


async def _series(options: argparse.Namespace, engine: Engine, program_clock: Clock) -> None:
    seconds = asyncio.get_running_loop().time
    progress = Progress(seconds)
    meter = _Meter(progress, seconds)
    told = Told(skip_bad=options.skip_bad)
    with database.reading(engine) as connection:
        check = Check(shelf.grids(connection), told, options.max_factor)
    try:
        # All is checked before anything is stored. What waits meanwhile is not in memory, nor read from a file that
        # somebody may write to.
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as spool:
            for start_ms, snapshot in series.read(Path(options.series), check, meter.read):
                _put(spool, *telemetry.packed(start_ms, snapshot))
                meter.slot(start_ms, snapshot)
            told.raise_any()
            spool.seek(0)
            begun = seconds()
            done = new = 0
            for chunk in _chunks(spool):
                if done:
                    await asyncio.sleep(PAUSE_S)
                with database.writing(engine) as connection:
                    new += telemetry.enter_packed(connection, options.feed, chunk, program_clock.now_ms())
                done += len(chunk)
                meter.stored(done, begun)
    finally:
        progress.clear()
    _tell_skipped(told)
    span = f", {time_text(meter.first_ms)} to {time_text(meter.last_ms)}" if meter.slots else ""
    sys.stdout.write(
        f"feed {options.feed}: {meter.slots} slots{span}, {meter.elements} measurements: "
        f"{new} slots new, {meter.slots - new} known already\n"
    )


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
    error = GridError(told.problems)
    more = max(told.count - len(told.problems), 0)
    rest = f" ({MOST_SHOWN} of them shown)" if told.count > MOST_SHOWN else ""
    sys.stderr.write(f"{error}\n")
    if more:
        sys.stderr.write(f"and {more} mistakes after the first {len(told.problems)}\n")
    sys.stderr.write(f"left out: {told.count} mistake{'s'[: told.count > 1]}{rest}\n")
