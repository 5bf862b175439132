"""Serving a set of meters until somebody says stop: lines and their ports, faults, the ready file, signals."""

import asyncio
import json
import logging
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from clock import Clock
from firmware_sim.charger import Charger
from firmware_sim.config import SimulateSection
from firmware_sim.faces.build import FaceBuilder, Faces
from firmware_sim.faults.book import FaultBook, FaultError, Target
from firmware_sim.faults.control import Control, ControlServer
from firmware_sim.faults.meter import FaultyMeter
from firmware_sim.faults.model import FaultSpec
from firmware_sim.line_config import LineSection
from firmware_sim.lines.dial import DialPort
from firmware_sim.lines.line import Line, Timing
from firmware_sim.lines.port import Port
from firmware_sim.lines.pty import PtyPort
from firmware_sim.lines.serial_port import SerialPort, SerialSettings
from firmware_sim.lines.tcp import TcpPort
from firmware_sim.places import LinePlan, Served, lay_out
from settings.errors import ConfigError

log = logging.getLogger(__name__)
_REPORT_SECONDS: Final = 60.0
_MOST_NAMED: Final = 8


@dataclass(frozen=True, slots=True)
class Setup:
    """What a service needs besides its meters: where they are, what goes wrong from the start, and the run-time socket.

    `file` is what problems name.
    """

    simulate: SimulateSection = field(default_factory=SimulateSection)
    lines: Sequence[LineSection] = ()
    faults: Sequence[FaultSpec] = ()
    timezone: str = "Asia/Shanghai"
    seed: int = 1
    control: Path | None = None
    file: str = "station"


class Service:
    """The lines of a set of meters. ConfigError when they can't be as the setup has them."""

    def __init__(
        self, meters: Sequence[Served], clock: Clock, setup: Setup | None = None, faces: Faces = FaceBuilder
    ) -> None:
        setup = setup or Setup()
        self._clock = clock
        self._setup = setup
        self._plans = lay_out(meters, setup.simulate, setup.lines, setup.file)
        served_lines = {plan.section.name for plan in self._plans}
        for line in setup.lines:
            if line.name not in served_lines:
                log.warning("%s: line %s has no meters and is not opened", setup.file, line.name)
        self.book = FaultBook(_targets(self._plans), setup.timezone)
        self.meters = {served.section.id: FaultyMeter(served.section.id, served.meter, self.book) for served in meters}
        builder = faces(self.meters, setup.timezone)
        self._lines = [self._line(plan, builder) for plan in self._plans]
        self.ports = [_port(plan.section, line) for plan, line in zip(self._plans, self._lines, strict=True)]
        self._order = [served.section.id for served in meters]
        self._control: ControlServer | None = None

    def _line(self, plan: LinePlan, builder: FaceBuilder) -> Line:
        section = plan.section
        turnarounds = {
            member.served.section.id: member.served.section.turnaround_ms
            for member in plan.members
            if member.served.section.turnaround_ms is not None
        }
        octet_ms = _serial_settings(section).octet_ms if section.timed else 0.0
        return Line(
            section.name,
            builder.of(plan),
            self.book,
            self._clock,
            timing=Timing(octet_ms, section.turnaround_ms, seed=self._setup.seed),
            turnarounds=turnarounds,
            is_dark=self._is_dark,
            hands_over=section.transport == "tcp",
        )

    def _is_dark(self, meter: str, now_ms: int) -> bool:
        return meter in self.meters and self.meters[meter].is_dark(now_ms)

    def set_faults(self, start_ms: int) -> None:
        """Set the faults of the setup, before the meters are worked out from `start_ms` on; ConfigError."""
        problems = []
        for number, spec in enumerate(self._setup.faults, 1):
            try:
                self.book.set(spec, self._clock.now_ms(), earliest_ms=start_ms)
            except FaultError as error:
                problems += [f"{self._setup.file}: fault[#{number}].{problem}" for problem in error.problems]
        if problems:
            raise ConfigError(problems)

    def _faults_changed(self, meters: Sequence[str], now_ms: int) -> None:
        """Let what begins or ends now do so, whether or not somebody reads."""
        for name in meters:
            self.meters[name].advance(now_ms)

    def catch_up(self, now_ms: int) -> None:
        """Work out everything up to an instant, so that the first reading is as quick as the others."""
        for meter in self.meters.values():
            meter.values(now_ms)

    async def start(self) -> None:
        """Open every line; PortError when one is not to be had, and then none is."""
        try:
            for port in self.ports:
                await port.start()
            if self._setup.control is not None:
                self._control = ControlServer(
                    self._setup.control, Control(self.book, self._clock, self._faults_changed)
                )
                await self._control.start()
        except OSError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Close the lines."""
        if self._control is not None:
            await self._control.stop()
        for port in self.ports:
            await port.stop()
        for line in self._lines:
            line.close()

    def addresses(self) -> list[dict[str, Any]]:
        """Return where each meter answers, as the ready file has it."""
        found = {}
        for plan, port in zip(self._plans, self.ports, strict=True):
            where = port.where()
            for member in plan.members:
                section, profile = member.served.section, member.served.profile
                kind = "unit" if isinstance(member.address, int) else "address"
                found[section.id] = {
                    "id": section.id,
                    "line": plan.section.name,
                    **where,
                    kind: member.address,
                    "profile": section.profile,
                    "protocol": profile.protocol,
                }
        return [found[name] for name in self._order]

    @property
    def requests(self) -> int:
        """Return how many requests have been served."""
        return sum(line.requests for line in self._lines)


def _targets(plans: Sequence[LinePlan]) -> dict[str, Target]:
    return {
        member.served.section.id: Target(
            plan.section.name,
            member.served.profile.protocol,
            plan.section.transport != "modbus-tcp",
            frozenset(member.served.profile.points),
            isinstance(member.served.meter, Charger),
        )
        for plan in plans
        for member in plan.members
    }


def _serial_settings(section: LineSection) -> SerialSettings:
    return SerialSettings(section.baud, section.parity, section.data_bits, section.stop_bits)


def _port(section: LineSection, line: Line) -> Port:
    if section.transport == "pty":
        return PtyPort(line, section.path)
    if section.transport == "serial":
        assert section.device is not None
        return SerialPort(line, section.device, _serial_settings(section))
    if section.transport == "dial-out":
        return DialPort(line, section.host, section.port, int(section.retry_seconds * 1000))
    return TcpPort(line, section.host, section.port, section.transport)


def run(service: Service, ready_file: Path | None, control: Path | None = None) -> None:
    """Serve until SIGTERM or SIGINT."""
    if ready_file is not None:
        # One that an earlier run left behind would call this run ready before it is.
        ready_file.unlink(missing_ok=True)
    asyncio.run(_run(service, ready_file, control))


async def _run(service: Service, ready_file: Path | None, control: Path | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await service.start()
    try:
        addresses = service.addresses()
        log.info("serving %d meters on %s", len(addresses), "; ".join(_summary(addresses)))
        if ready_file is not None:
            write_ready(ready_file, addresses, control)
        while not stop.is_set():
            try:
                await asyncio.wait_for(stop.wait(), _REPORT_SECONDS)
            except TimeoutError:
                log.info("%d requests served", service.requests)
    finally:
        await service.stop()
        log.info("stopped after %d requests", service.requests)


def _summary(addresses: Sequence[dict[str, Any]]) -> list[str]:
    """Return the places where somebody can reach the meters, each once."""
    places = [f"{item['host']}:{item['port']}" if "host" in item else str(item["path"]) for item in addresses]
    places = list(dict.fromkeys(places))
    more = len(places) - _MOST_NAMED
    return places if more <= 0 else [*places[:_MOST_NAMED], f"and {more} more"]


def write_ready(path: Path, addresses: Sequence[dict[str, Any]], control: Path | None = None) -> None:
    """Write the ready file whole or not at all."""
    document: dict[str, Any] = {"meters": list(addresses)}
    if control is not None:
        document["control"] = str(control)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    os.replace(partial, path)  # noqa: PTH105 - the atomic step deserves its plain name
