"""`diantan-agent trace`: what passes on a line, listening beside another master or reading the meters ourselves."""

import asyncio
import signal
from collections.abc import Callable, Collection, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from agent.build import polled_points
from agent.commands.output import CommandError, UsageError
from agent.config_lines import DialInLine, Line, Meter, SerialLine, address_of
from agent.connection import connection, timing
from agent.line_spec import Target
from agent.opened import connect
from agent.trace import LineTrace
from clock import Clock
from fieldbus.channels.base import Channel
from fieldbus.channels.serial import SerialChannel
from fieldbus.channels.tcp import TcpChannel
from fieldbus.drivers.base import Driver
from fieldbus.exchange import LineDownError, LineError
from profiles import Block
from profiles.model import CodecError

_CONNECT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Limit:
    """When a trace ends: when `stop` is set, or the trace has written as many frames as it may."""

    trace: LineTrace
    stop: asyncio.Event

    def reached(self) -> bool:
        """Return whether it ends now, and say so to whoever waits."""
        enough = self.trace.most is not None and self.trace.frames >= self.trace.most
        if enough or self.trace.broken:
            self.stop.set()
        return self.stop.is_set()


def run(work: Callable[[asyncio.Event], Coroutine[None, None, None]]) -> None:
    """Run a trace until SIGINT or SIGTERM, which end it well."""

    async def until_told() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        working = asyncio.ensure_future(work(stop))
        stopping = asyncio.ensure_future(stop.wait())
        # What waits for a reply or a connection is not waited for: the user wants the terminal back.
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not working.done():
            await asyncio.sleep(0)  # whoever waits for `stop` itself ends by itself
        if not working.done():
            working.cancel()
        with suppress(asyncio.CancelledError):
            await working

    asyncio.run(until_told())


async def listen(line: Line, clock: Clock, limit: Limit) -> None:
    """Show what others say on a line, without a word of our own; CommandError when it can't be opened or is lost."""
    channel = _channel(line)
    trace = limit.trace
    gap_s = timing(line, clock).gap_s
    loop = asyncio.get_running_loop()
    lost: list[str] = []
    timer: list[asyncio.TimerHandle] = []

    def silent() -> None:
        trace.silence(clock.now_ms())
        limit.reached()

    def received(data: bytes) -> None:
        for handle in timer:
            handle.cancel()
        trace.heard(data, clock.now_ms())
        if not limit.reached() and trace.pending:
            timer[:] = [loop.call_later(gap_s, silent)]

    def ended(reason: str) -> None:
        lost.append(reason)
        limit.stop.set()

    channel.attach(received, ended)
    try:
        await channel.open()
        await limit.stop.wait()
    except LineDownError as error:
        raise CommandError(f"line {line.name}: {error}") from error
    finally:
        for handle in timer:
            handle.cancel()
        channel.close()
    trace.silence(clock.now_ms())
    if lost:
        raise CommandError(f"line {line.name}: {lost[0]}")


def _channel(line: Line) -> Channel:
    if isinstance(line, SerialLine):
        return SerialChannel(
            line.device, baud=line.baud, parity=line.parity, data_bits=line.data_bits, stop_bits=line.stop_bits
        )
    if isinstance(line, DialInLine):
        raise UsageError(f"line {line.name}: a meter that dials in speaks to its master only; use --poll")
    return TcpChannel(line.host, line.port, _CONNECT_S)


async def poll(target: Target, clock: Clock, limit: Limit, *, every_ms: int, say: Callable[[str], None]) -> None:
    """Read the line's meters over and over and show the frames; CommandError when the line can't be opened."""
    line = target.line
    carried = connection(line, target.profiles, clock, timezone=target.timezone)
    carried.bus.tap = limit.trace
    try:
        await connect(carried.bus, line, say)
        while not limit.reached():
            started = clock.monotonic_ms()
            for meter in line.meter:
                profile = target.profiles[meter.id]
                blocks = profile.plan(polled_points(meter, profile), target.timezone)
                for block in blocks:
                    await _read(carried.drivers[profile.protocol], meter, profile.protocol, block, say)
                    if limit.reached():
                        return
                await connect(carried.bus, line, say)
            pause_ms = max(every_ms - (clock.monotonic_ms() - started), 0)
            await _pause(limit.stop, clock, pause_ms)
    except LineDownError as error:
        raise CommandError(f"line {line.name}: {error}") from error
    finally:
        carried.bus.close()


async def _pause(stop: asyncio.Event, clock: Clock, duration_ms: float) -> None:
    waits = [asyncio.ensure_future(stop.wait()), asyncio.ensure_future(clock.sleep_ms(duration_ms))]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def _read(driver: Driver, meter: Meter, protocol: str, block: Block, say: Callable[[str], None]) -> None:
    try:
        block.decode(await driver.read(address_of(meter, protocol), block))
    except LineDownError:
        raise
    except (LineError, CodecError) as error:
        say(f"meter {meter.id}: {error}")


def shortest_poll_ms(meters: Collection[Meter]) -> int:
    """Return how often the most eager of the meters is read."""
    return 1000 * min((meter.poll_seconds for meter in meters), default=60)
