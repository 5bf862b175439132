"""`diantan-agent read`: ask one meter once, and show what it says."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agent.build import driver, polled_points
from agent.config_file import load_config
from agent.modbus import LineError
from clock import Clock
from profiles.model import CodecError, Point


class ReadError(Exception):
    """The meter could not be read; the text says why."""


def read_meter(path: Path, meter_id: str, names: Sequence[str], clock: Clock) -> list[dict[str, Any]]:
    """Return name, value (integer of the unit), unit and registers of the points; all polled points when none is named.

    ConfigError for the configuration, ReadError when the meter or a point is unknown or the meter gives no values.
    """
    loaded = load_config(path)
    found = loaded.config.find_meter(meter_id)
    if found is None:
        known = ", ".join(meter.id for line in loaded.config.line for meter in line.meter)
        raise ReadError(f"{path}: no meter {meter_id!r}; there are {known}")
    line, meter = found
    profile = loaded.profiles[meter_id]
    if unknown := [name for name in names if name not in profile.points]:
        raise ReadError(f"{profile.name} has no point {', '.join(unknown)}; it has {', '.join(profile.points)}")
    points = [profile.points[name] for name in names] or polled_points(meter, profile)

    async def ask() -> dict[str, int]:
        values: dict[str, int] = {}
        connection = driver(line, clock)
        try:
            await connection.connect()
            for block in profile.plan(points, loaded.config.gateway.timezone):
                values |= block.decode(await connection.read(meter.unit, block))
        finally:
            connection.close()
        return values

    try:
        values = asyncio.run(ask())
    except (LineError, CodecError) as error:
        raise ReadError(f"line {line.name}, meter {meter_id}, unit {meter.unit}: {error}") from error
    return [_entry(point, values.get(point.name)) for point in points]


def _entry(point: Point, value: int | None) -> dict[str, Any]:
    return {
        "point": point.name,
        "value": value,
        "unit": point.unit,
        **point.place,
    }


def shown(entries: Sequence[dict[str, Any]], *, as_json: bool) -> str:
    """Return the values for people or as JSON."""
    if as_json:
        return json.dumps(entries, ensure_ascii=False, indent=2)
    width = max(len(entry["point"]) for entry in entries)
    return "\n".join(
        f"{entry['point']:<{width}}  {'no value' if entry['value'] is None else entry['value']} {entry['unit']}"
        for entry in entries
    )
