"""`diantan-agent read`: ask one meter once, and show what it says."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from agent.build import polled_points
from agent.commands.output import UsageError, say
from agent.config_lines import Line, Meter, address_of, unaddressed
from agent.configuration.shown import loaded_in_force
from agent.connection import connection
from agent.line_spec import DEFAULT_TIMEZONE, find_line
from agent.opened import connect
from agent.shown import text_of, unit_of
from clock import Clock
from fieldbus.drivers.base import Address
from fieldbus.exchange import LineError, RefusedError, Traced
from profiles import Point, Profile, ProfileError, load
from profiles.dlt645.plan import ItemBlock
from profiles.dlt698.plan import ObjectsBlock
from profiles.model import CodecError

Tap = Callable[[Traced], None]
_UNIT_DIGITS: Final = 3


class ReadError(Exception):
    """The meter could not be read; the text says why."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A meter to be asked, and where it is."""

    line: Line
    meter: str
    address: Address
    profile: Profile
    points: tuple[Point, ...]
    timezone: str
    profiles: Mapping[str, Profile]  # of the line's meters, by id

    @property
    def about(self) -> str:
        """Return what messages call it."""
        return f"line {self.line.name}, meter {self.meter}"


def configured(path: Path, meter_id: str, names: Sequence[str]) -> Asked:
    """Return a meter of the configuration, without names with the points that a poll reads; ConfigError, UsageError."""
    loaded = loaded_in_force(path)
    found = loaded.config.find_meter(meter_id)
    if found is None:
        known = ", ".join(meter.id for line in loaded.config.line for meter in line.meter)
        raise UsageError(f"{path}: no meter {meter_id!r}; there are {known}")
    line, meter = found
    profile = loaded.profiles[meter_id]
    points = _named(profile, names) or polled_points(meter, profile)
    address = address_of(meter, profile.protocol)
    zone = loaded.config.gateway.timezone
    return Asked(line, meter_id, address, profile, tuple(points), zone, loaded.profiles)


def described(
    line: str, profile: str, address: str, *, parameters: Mapping[str, str], names: Sequence[str], config: Path
) -> Asked:
    """Return a meter that only the command line describes; UsageError for what is wrong in it."""
    target = find_line(line, config)
    try:
        known = load(profile, parameters)
    except ProfileError as error:
        raise UsageError("\n".join(str(problem) for problem in error.problems)) from None
    modbus = known.protocol == "modbus"
    if modbus and not (address.isascii() and address.isdecimal() and len(address) <= _UNIT_DIGITS):
        raise UsageError(f"--address: {known.name} is a Modbus meter: expected its unit, found {address[:40]!r}")
    where: dict[str, Any] = {"unit": int(address)} if modbus else {"address": address}
    try:
        meter = Meter.model_validate({"id": "meter", "profile": profile, **where}).model_copy(update={"id": address})
    except ValidationError as error:
        told = "; ".join(item["msg"] for item in error.errors())
        raise UsageError(f"--address: {told}, found {address!r}") from None
    if problems := unaddressed(target.line, meter, known):
        raise UsageError(f"{line}: {'; '.join(problems)}")
    points = _named(known, names) or polled_points(meter, known)
    full = address_of(meter, known.protocol)
    alone = target.line.model_copy(update={"meter": [meter]})
    return Asked(alone, meter.id, full, known, tuple(points), target.timezone or DEFAULT_TIMEZONE, {meter.id: known})


def _named(profile: Profile, names: Sequence[str]) -> list[Point]:
    if unknown := [name for name in names if name not in profile.points]:
        raise UsageError(f"{profile.name} has no point {', '.join(unknown)}; it has {', '.join(profile.points)}")
    return [profile.points[name] for name in names]


def read_meter(asked: Asked, clock: Clock, tap: Tap | None = None) -> list[dict[str, Any]]:
    """Return an entry for each point: name, canonical integer and unit, the same as text, and where it stands.

    What the meter refuses or says wrongly has an error instead of a value; ReadError when that is everything.
    """
    return asyncio.run(_read(asked, clock, tap))


async def _read(asked: Asked, clock: Clock, tap: Tap | None) -> list[dict[str, Any]]:
    values: dict[str, int] = {}
    errors: dict[str, str] = {}
    carried = connection(asked.line, asked.profiles, clock, [asked.profile.protocol], timezone=asked.timezone)
    carried.bus.tap = tap
    driver = carried.drivers[asked.profile.protocol]
    try:
        await connect(carried.bus, asked.line, say)
        for block in asked.profile.plan(asked.points, asked.timezone):
            try:
                reply = await driver.read(asked.address, block)
                values |= block.decode(reply)
            except (RefusedError, CodecError) as error:
                errors |= dict.fromkeys((point.name for point in block.points), str(error))
            else:
                # Only the replies of the DL/T protocols show why each of the values that they lack is not there.
                errors |= block.refusals(reply) if isinstance(block, ObjectsBlock | ItemBlock) else {}
    except LineError as error:
        raise ReadError(f"{asked.about}: {error}") from error
    finally:
        carried.bus.close()
    if errors and not values:
        raise ReadError(f"{asked.about}: {next(iter(errors.values()))}")
    return [_entry(point, values.get(point.name), errors.get(point.name), asked.timezone) for point in asked.points]


def _entry(point: Point, value: int | None, error: str | None, timezone: str) -> dict[str, Any]:
    entry = {
        "point": point.name,
        "value": value,
        "unit": point.unit,
        "text": None if value is None else text_of(point, value, timezone),
        "text_unit": unit_of(point),
        **point.place,
    }
    return entry if error is None else {**entry, "error": error}


def shown(entries: Sequence[dict[str, Any]], *, as_json: bool) -> str:
    """Return the values for people or as JSON."""
    if as_json:
        return json.dumps(entries, ensure_ascii=False, indent=2)
    texts = [_text(entry) for entry in entries]
    name_width = max(len(entry["point"]) for entry in entries)
    text_width = max(len(text) for text in texts)
    return "\n".join(
        f"{entry['point']:<{name_width}}  {text:>{text_width}}  {_canonical(entry)}".rstrip()
        for entry, text in zip(entries, texts, strict=True)
    )


def _text(entry: Mapping[str, Any]) -> str:
    if "error" in entry:
        return "refused"
    return "no value" if entry["text"] is None else f"{entry['text']} {entry['text_unit']}".strip()


def _canonical(entry: Mapping[str, Any]) -> str:
    if "error" in entry:
        return str(entry["error"])
    return "" if entry["value"] is None else f"({entry['value']} {entry['unit']})"
