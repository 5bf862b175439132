"""`diantan-agent timesync`: sets the clocks of meters (校时), and shows them before and after."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from agent.commands.output import say
from agent.connection import Connection, connection
from agent.line_spec import Target
from agent.opened import connect
from agent.read_command import Asked
from clock import Clock
from fieldbus.drivers.base import Driver
from fieldbus.exchange import LineError
from profiles.model import CodecError

CLOCK_POINT: Final = "device_time"
_LONGEST_BROADCAST: Final = 64  # octets


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one meter: the difference of its clock to ours before and after, ms (None: not known)."""

    meter: str
    before_ms: int | None = None
    after_ms: int | None = None
    error: str | None = None


def offset_text(offset_ms: int | None) -> str:
    """Return how far a meter's clock is from ours, in words."""
    if offset_ms is None:
        return "clock not known"
    if abs(offset_ms) < 1000:  # noqa: PLR2004 - meters tell whole seconds
        return "within a second"
    return f"{abs(offset_ms) / 1000:.1f} s {'fast' if offset_ms > 0 else 'slow'}"


def local(time_ms: int, timezone: str) -> str:
    """Return a time as the meter should show it."""
    return datetime.fromtimestamp(time_ms / 1000, ZoneInfo(timezone)).isoformat(sep=" ", timespec="seconds")


def offsets(asked: Sequence[Asked], clock: Clock) -> list[Outcome]:
    """Return how far the meters' clocks are from ours, without setting them."""
    return [asyncio.run(_with(each, clock, write=False)) for each in asked]


def set_clocks(asked: Sequence[Asked], clock: Clock) -> list[Outcome]:
    """Set the clocks of meters one by one, each from the time at which it is sent."""
    return [asyncio.run(_with(each, clock, write=True)) for each in asked]


async def _with(asked: Asked, clock: Clock, *, write: bool) -> Outcome:
    carried = connection(asked.line, asked.profiles, clock, [asked.profile.protocol], timezone=asked.timezone)
    driver = carried.drivers[asked.profile.protocol]
    before = after = None
    try:
        await connect(carried.bus, asked.line, say)
        before = await _offset(driver, asked, clock)
        if write:
            await driver.time_sync(asked.address, clock.now_ms(), asked.timezone)
            after = await _offset(driver, asked, clock)
    except (LineError, CodecError) as error:
        return Outcome(asked.meter, before, after, str(error))
    finally:
        carried.bus.close()
    return Outcome(asked.meter, before, after)


async def _offset(driver: Driver, asked: Asked, clock: Clock) -> int | None:
    """Return the meter's clock less ours at the time of the reply; None when its profile has no clock."""
    point = asked.profile.points.get(CLOCK_POINT)
    if point is None:
        return None
    values: dict[str, int] = {}
    for block in asked.profile.plan([point], asked.timezone):
        values |= block.decode(await driver.read(asked.address, block))
    found = values.get(CLOCK_POINT)
    return None if found is None else found - clock.now_ms()


def broadcast(target: Target, protocols: Sequence[str], clock: Clock) -> list[str]:
    """Send the time to all meters of a line (广播校时), which nobody answers; return the protocols it was sent in."""
    return asyncio.run(_broadcast(target, protocols, clock))


async def _broadcast(target: Target, protocols: Sequence[str], clock: Clock) -> list[str]:
    carried: Connection = connection(target.line, target.profiles, clock, protocols, timezone=target.timezone)
    try:
        await connect(carried.bus, target.line, say)
        for protocol in protocols:
            await carried.drivers[protocol].time_sync(None, clock.now_ms(), target.timezone)
        # Nobody answers, so only time tells that the last octet has left the port before it is closed.
        timing = carried.bus.timing
        await asyncio.sleep(timing.after_broadcast_s + _LONGEST_BROADCAST * timing.character_s)
    finally:
        carried.bus.close()
    return list(protocols)
