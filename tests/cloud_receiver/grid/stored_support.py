"""A store with slots that the grid service solved, of the small network of the analyses' tests."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from analysis_support import DAY_MS, small
from sqlalchemy import Engine

from cloud_receiver import database
from cloud_receiver.grid import official, shelf, telemetry
from cloud_receiver.grid.analysis.periods import SLOT_MS
from cloud_receiver.grid.config import Grid as GridSettings
from cloud_receiver.grid.service.plan import Plan
from cloud_receiver.grid.service.versions import Versions
from cloud_receiver.grid.snapshot import Generation, Network, Snapshot
from cloud_receiver.registry import Registry

CONFIG = '[centre]\nkey_file = "centre.key"\n[grid]\n'
EMPTY = Registry(station=())


def opened(directory: Path) -> Engine:
    """Return a store of this program's schema, with its configuration beside it."""
    (directory / "receiver.toml").write_text(CONFIG)
    (directory / "registry.toml").write_text("station = []\n")
    engine = database.open_store("sqlite:///receiver.sqlite", directory)
    database.upgrade(engine)
    return engine


def enter(engine: Engine, network: Network, valid_from_ms: int = DAY_MS - 86_400_000) -> None:
    with database.writing(engine) as connection:
        shelf.enter_grid(connection, network.grid, valid_from_ms, network.name, valid_from_ms)


def solve(engine: Engine, slots: Mapping[int, Snapshot], now_ms: int, settings: GridSettings | None = None) -> None:
    """Enter what was measured in slots, and solve them."""
    settings = settings or GridSettings()
    with database.writing(engine) as connection:
        telemetry.enter(connection, "scada", slots.items(), now_ms)
        kept = shelf.grids(connection)
        plans = {item.id: Plan(item, EMPTY, {}) for item in kept.all}
        value = official.find(settings.official.region, settings.official.year, settings.official.table)
        for start_ms in sorted(slots):
            grid = kept.at(start_ms)
            assert grid is not None
            Versions(connection, plans, settings, value, now_ms).solve(plans[grid.id], [start_ms], start_ms + SLOT_MS)


def scaled(snapshot: Snapshot, scale: float) -> Snapshot:
    """Return a snapshot with everything times `scale`: it balances as before."""

    def times(value: Any) -> Any:
        return replace(
            value,
            **{
                name: number * scale
                for name in value.__slots__
                if (name.endswith("megawatts") or name == "emission")
                and (number := getattr(value, name)) is not None
                and not math.isnan(number)
            },
        )

    return replace(
        snapshot,
        flows={name: times(value) for name, value in snapshot.flows.items()},
        generators={name: times(value) for name, value in snapshot.generators.items()},
        loads={name: times(value) for name, value in snapshot.loads.items()},
        storages={name: times(value) for name, value in snapshot.storages.items()},
    )


def filled(directory: Path, slots: Iterable[int] = range(4)) -> Engine:
    """Return a store with slots of the day; the second one was corrected by late data."""
    engine = opened(directory)
    network = small()
    enter(engine, network)
    measured = {
        DAY_MS + number * SLOT_MS: replace(scaled(network.snapshot, 1 + number / 8), start_ms=None) for number in slots
    }
    second = DAY_MS + SLOT_MS
    whole = measured.get(second)
    if whole is not None:
        measured[second] = replace(
            whole, generators={name: value for name, value in whole.generators.items() if name != "PV"}
        )
    solve(engine, measured, DAY_MS + 10 * SLOT_MS)
    if whole is not None:
        solve(engine, {second: Snapshot(generators={"PV": whole.generators["PV"]})}, DAY_MS + 20 * SLOT_MS)
    return engine


def dearer(snapshot: Snapshot) -> Snapshot:
    """Return a snapshot whose second unit is of another factor."""
    return replace(snapshot, generators={**snapshot.generators, "G2": Generation(30.0, 0.9)})
