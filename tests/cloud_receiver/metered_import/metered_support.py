"""A station with an hourly meter of a utility, files of its readings, and imports of them."""

import asyncio
import gzip
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from key_support import new_key
from receiver_support import station_model
from sqlalchemy import Engine, select

from clock.virtual import VirtualClock
from cloud_receiver import database, factor_messages, meters, schema
from cloud_receiver.config import Intake
from cloud_receiver.grid.series_told import Told
from cloud_receiver.metered_import import importing
from cloud_receiver.metered_import.form import Column, Form
from cloud_receiver.metered_import.series import Limits, Reader, Series
from cloud_receiver.metered_import.source import table
from cloud_receiver.metered_import.wish import Outcome, Surroundings, Wish
from cloud_receiver.registry import Meter, Registry, Role
from wire.envelope import Signer
from wire.messages import Factors

NOW_MS = 1_784_000_000_000  # 2026-07-14
HOUR_MS = 3_600_000
SHANGHAI = ZoneInfo("Asia/Shanghai")
FIRST_MS = 1_782_835_200_000  # 2026-07-01T00:00:00+08:00


def registry(interval_s: int = 3600, **station: Any) -> Registry:
    meter = Meter(id="U", role=Role.GRID, gateway="utility", rated_kw=Decimal(100), interval_s=interval_s)
    model = station_model(1, **station)
    return Registry(station=(model.model_copy(update={"meter": (*model.meter, meter)}),))


def form(**changes: Any) -> Form:
    values: dict[str, Any] = {"zone": SHANGHAI, "columns": {}} | changes
    return Form(**values)


def surroundings(directory: Path, stations: Registry | None = None, now_ms: int = NOW_MS) -> Surroundings:
    """Return a new store with the registry entered, a clock that stands, and a key of the centre."""
    stations = registry() if stations is None else stations
    engine = database.open_store("sqlite:///store.sqlite", directory)
    database.upgrade(engine)
    with database.writing(engine) as connection:
        meters.enter_registry(connection, stations)
    return Surroundings(engine, stations, VirtualClock(now_ms), Intake(), directory, new_key())


def wish(around: Surroundings, **changes: Any) -> Wish:
    station = around.registry.station[0]
    values: dict[str, Any] = {"form": form(), "by": "Li Lei", "name": "utility.csv", "enrol": True}
    return Wish(station, station.meter[-1], **(values | changes))


def write(directory: Path, text: str, name: str = "utility.csv", encoding: str = "utf-8") -> Path:
    path = directory / name
    data = text.encode(encoding)
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def run(around: Surroundings, text: str, **changes: Any) -> Outcome:
    """Import a text."""
    path = write(around.data_dir, text)
    return asyncio.run(importing.run(path, wish(around, **changes), around))


def hours(*energies: str, first_ms: int = FIRST_MS, step_ms: int = HOUR_MS) -> str:
    """Return a file of energies; an empty one leaves its hour out."""
    lines = [f"{shown(first_ms + place * step_ms)},{energy}" for place, energy in enumerate(energies) if energy != ""]
    return "\n".join(["time,kwh", *lines, ""])


def shown(time_ms: int, zone: Any = SHANGHAI) -> str:
    return datetime.fromtimestamp(time_ms / 1000, zone).strftime("%Y-%m-%d %H:%M")


def read(path: Path, wanted: Form, interval_ms: int = HOUR_MS, told: Told | None = None, **bounds: Any) -> Series:
    """Read a file; its mistakes are told, and raised at the end unless `told` is given."""
    kept = Told() if told is None else told
    limits = Limits(interval_ms, bounds.pop("latest_ms", NOW_MS), bounds.pop("most_mwh", 10**9), **bounds)
    reader = Reader(table(path, wanted, path.name), wanted, limits, kept, path.name)
    for _ in reader.steps():
        pass
    if told is None:
        kept.raise_any()
    return reader.series


def energies_form(**changes: Any) -> Form:
    return form(columns={Column.TIME: "time", Column.FORWARD: "kwh"}, **changes)


def intervals(engine: Engine) -> list[Any]:
    """Return the interval rows of the imported meter in order of time and journal."""
    with database.reading(engine) as connection:
        return list(
            connection.execute(
                select(schema.interval)
                .join(schema.meter, schema.meter.c.id == schema.interval.c.meter)
                .where(schema.meter.c.name == "U")
                .order_by(schema.interval.c.start_ms, schema.interval.c.journal, schema.interval.c.sequence)
            )
        )


def rows(engine: Engine, table: Any) -> list[Any]:
    with database.reading(engine) as connection:
        return list(connection.execute(select(table)))


def dispatch(around: Surroundings, first_ms: int, *factors: int | None, issued_ms: int = NOW_MS) -> None:
    """Dispatch factors of node1 for slots of 15 minutes."""
    with database.writing(around.engine) as connection:
        message = Factors("node1", b"solve", issued_ms, 900_000, first_ms, tuple(factors))
        factor_messages.enter(connection, Signer(around.key), message)
