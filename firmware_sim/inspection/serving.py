"""`diantan-sim serve`: the simulated firmware alone, as a device under test for `diantan-sim inspect` elsewhere."""

import asyncio
import logging
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from clock import Clock, SystemClock
from clock.virtual import VirtualClock
from firmware_sim.faults.control import ControlServer
from firmware_sim.inspection.defects.catalogue import chosen
from firmware_sim.inspection.device.build import (
    DUT,
    HEALTHY,
    STANDARD,
    Where,
    called,
    meter_of,
    service_of,
    settings_by,
)
from firmware_sim.inspection.device.driven import Driven, LoadControl
from firmware_sim.inspection.device.metered import SampledLoad
from firmware_sim.inspection.device.stream import Device, greeted, next_frame
from firmware_sim.inspection.parts.stream_frames import FrameError, failure
from firmware_sim.inspection.plan import Plan, SimulatedSource, StreamSource
from firmware_sim.serve import Service, write_ready
from firmware_sim.terminals import Terminals
from settings.errors import ConfigError

log = logging.getLogger("diantan-sim")
_RETRY_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class ServeOptions:
    """What the command line says beside the plan."""

    file: str
    defect: str | None = None
    once: bool = False
    standard: bool = False
    device: str | None = None
    control: Path | None = None
    ready_file: Path | None = None


def serve(plan: Plan, options: ServeOptions) -> int:
    """Serve until SIGTERM or SIGINT (`once`: until the bench hangs up); return 0, or 1 when a bench said FAIL.

    ConfigError for a plan or options that don't go together, UnknownDefectError, PortError.
    """
    serving = Serving(plan, options)
    if options.ready_file is not None:
        # One that an earlier run left behind would call this run ready before it is.
        options.ready_file.unlink(missing_ok=True)
    return asyncio.run(_until_stopped(serving.run))


async def _until_stopped(run: Callable[[], Awaitable[int]]) -> int:
    task = asyncio.ensure_future(run())
    loop = asyncio.get_running_loop()
    stopped = loop.create_future()

    def stop() -> None:
        if not stopped.done():
            stopped.set_result(None)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    await asyncio.wait((task, stopped), return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        return task.result()
    task.cancel()
    await asyncio.wait([task])
    log.info("stopped")
    return 0


class Serving:
    """The firmware of a plan; ConfigError, UnknownDefectError when there is none."""

    def __init__(self, plan: Plan, options: ServeOptions) -> None:
        _check(plan, options)
        self._plan = plan
        self._options = options
        self._defect = HEALTHY if options.defect is None else chosen([options.defect])[0]
        self._rating = plan.rating.rating()
        self._settings = settings_by(plan, plan.dut, self._defect)
        self._where = Where(options.file, options.device, options.control)
        if options.defect is not None:
            log.info("with the defect %s: %s", self._defect.id, self._defect.mistake)

    async def run(self) -> int:
        """Serve until it is cancelled, or what `serve` says; return the exit status."""
        source = self._plan.source
        if not isinstance(source, StreamSource):
            return await self._driven()
        while True:
            log.info("looking for a bench at %s:%d", called(source.host), source.port)
            good = await self._on_stream(*await _connected(called(source.host), source.port))
            if self._options.once or not good:
                return 0 if good else 1

    # On a sample stream

    async def _on_stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Be inspected once; return False after something that another attempt would not change."""
        try:
            first = await next_frame(reader)
            if first is None:
                log.info("the bench hung up without a word")
                await asyncio.sleep(_RETRY_S)
                return True
            rate, start_ms = greeted(*first, self._rating)
            await self._meter(reader, writer, rate, start_ms)
        except FrameError as error:
            log.error("sample stream: %s", error)  # noqa: TRY400 - whose fault it is stands in the text
            writer.write(failure(str(error)))
            return False
        except ConnectionError as error:
            log.info("the bench is gone: %s", error.strerror or error)
        finally:
            writer.close()
        return True

    async def _meter(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rate: int, start_ms: int
    ) -> None:
        load, clock = SampledLoad(start_ms, rate), VirtualClock(start_ms)
        meter = meter_of(self._rating, load.curve, self._settings, self._defect)
        service = service_of(self._plan, clock, self._where, meter, self._defect)

        def bring(now_ms: int) -> None:
            clock.move(now_ms)
            service.meters[DUT].advance(now_ms)

        starting_ma = self._settings.startup_current_ma
        device = Device(meter, load, self._rating, rate, starting_ma=starting_ma, bring=bring)
        await service.start()
        try:
            self._is_ready(service)
            writer.write(device.hello())
            while (heard := await next_frame(reader)) is not None:
                writer.write(device.take(*heard))
                await writer.drain()
        finally:
            await _stopped(service)
            log.info("metered %d samples, answered %d requests", load.index, service.requests)

    # At the system's time

    async def _driven(self) -> int:
        plan, options, clock = self._plan, self._options, SystemClock()
        terminals = Terminals(clock.now_ms(), self._settings.startup_current_ma)
        meter = meter_of(self._rating, terminals.load, self._settings, self._defect)
        standard = None
        if options.standard:
            settings = replace(settings_by(plan, plan.standard), startup_current_ma=0)
            standard = meter_of(self._rating, terminals.flow, settings)
        service = service_of(plan, clock, replace(self._where, control=None), meter, self._defect, standard=standard)
        async with AsyncExitStack() as stack:
            stack.push_async_callback(_stopped, service)
            await service.start()
            watching = [service.meters[STANDARD]] if standard is not None else []
            driven = Driven(self._rating, terminals, service.meters[DUT], watching, clock)
            await self._control(service, driven, clock, stack)
            self._is_ready(service)
            await asyncio.Event().wait()
        return 0

    async def _control(self, service: Service, driven: Driven, clock: Clock, stack: AsyncExitStack) -> None:
        assert self._options.control is not None  # checked before
        control = LoadControl(service.book, clock, driven, service.meters)
        server = ControlServer(self._options.control, control)
        await server.start()
        stack.push_async_callback(server.stop)

    def _is_ready(self, service: Service) -> None:
        addresses = service.addresses()
        for meter in addresses:
            place = f"{meter['host']}:{meter['port']}" if "host" in meter else meter["path"]
            log.info("%s answers at %s", meter["id"], place)
        if self._options.ready_file is not None:
            write_ready(self._options.ready_file, addresses, self._options.control)


async def _stopped(service: Service) -> None:
    """Close every line, also when it is cancelled in the middle of that."""
    task = asyncio.ensure_future(service.stop())
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise


async def _connected(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to the bench, as soon as it is there."""
    while True:
        try:
            return await asyncio.open_connection(host, port)
        except OSError:
            await asyncio.sleep(_RETRY_S)


def _check(plan: Plan, options: ServeOptions) -> None:
    """Raise ConfigError unless plan and options go together."""
    problems = []
    streams = isinstance(plan.source, StreamSource)
    if isinstance(plan.source, SimulatedSource):
        problems.append('source.kind: expected "stream", "command" or "manual": "simulated" has the firmware inside')
    elif not streams and options.control is None:
        problems.append(f"source.kind: {plan.source.kind} needs --control PATH, where the load is set")
    if options.standard and (streams or plan.standard.line is None):
        problems.append('standard: expected a line and a source by "command" or "manual" with --standard')
    if problems:
        raise ConfigError([f"{options.file}: {problem}" for problem in problems])
