"""`diantan-receiver grid import`: enters topologies of the grid, and what was measured on it."""

import argparse
import asyncio
import sys
from dataclasses import replace
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

import clock
from cloud_receiver import config, database, registry, service
from cloud_receiver.grid import files, series_import, shelf, telemetry, topology
from cloud_receiver.grid.model import Grid, quoted_id
from cloud_receiver.grid.series_import import measurements
from cloud_receiver.grid.series_told import slot_start, time_text
from cloud_receiver.grid.shelf import KeptGrids
from cloud_receiver.grid.snapshot import Charge, EndPowers, EndRegisters, Measurement, Network, Snapshot, require
from cloud_receiver.grid.telemetry import SLOT_MS
from cloud_receiver.mistakes import Mistake, refuse
from cloud_receiver.registry import Registry

_MOST_CHANGES: Final = 20


def run(options: argparse.Namespace) -> None:
    """Enter a topology or a time series; InputError, and nothing is entered, where there are mistakes."""
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
            entering = series_import.enter(
                Path(options.series),
                options.feed,
                engine,
                program_clock,
                skip_bad=options.skip_bad,
                max_factor=options.max_factor,
            )
            asyncio.run(entering)
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

    InputError when the registry's stations don't fit, another topology is valid from the same time, or the slot has
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
    lines.append(
        f"{where}: {measurements(snapshot)} elements measured, feed {feed}" + ("" if new else ", known already")
    )
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
