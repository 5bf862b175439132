"""Serving a set of meters until somebody says stop: ports and units, the ready file, signals."""

import asyncio
import itertools
import json
import logging
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from clock import Clock
from firmware_sim.config import ConfigError, MeterSection
from firmware_sim.registers import RegisterMap
from firmware_sim.server import MeterServer

log = logging.getLogger(__name__)
_REPORT_SECONDS: Final = 60.0
_LAST_UNIT: Final = 247  # Modbus over serial line 1.02, 2.2


@dataclass(frozen=True, slots=True)
class Place:
    """Which server a meter answers on, and its unit there."""

    server: int
    unit: int


def assign(sections: Sequence[MeterSection], port: int, ports: int, file: str) -> tuple[list[int], list[Place]]:
    """Return the ports to listen on (0: any free one) and the place of each meter.

    A meter with a port shares it with the others that name the same; port 0 gives it one of its own. The rest are
    spread over `ports` ports from `port` on. Units not given count up from 1 on each port. ConfigError for a unit
    taken twice.
    """
    listen, servers = _servers(sections, port, ports)
    units = _units(sections, servers, file)
    used = sorted(set(servers))
    places = [Place(used.index(server), unit) for server, unit in zip(servers, units, strict=True)]
    return [listen[index] for index in used], places


def _servers(sections: Sequence[MeterSection], port: int, ports: int) -> tuple[list[int], list[int]]:
    """Return the ports, and the index of each meter's port in them."""
    listen = [port + number if port else 0 for number in range(ports)]
    named = {number: index for index, number in enumerate(listen) if number}
    servers: list[int] = []
    spread = itertools.cycle(range(ports))
    for section in sections:
        if section.port is None:
            servers.append(next(spread))
        elif section.port in named:
            servers.append(named[section.port])
        else:
            listen.append(section.port)
            servers.append(len(listen) - 1)
            if section.port:
                named[section.port] = len(listen) - 1
    return listen, servers


def _units(sections: Sequence[MeterSection], servers: Sequence[int], file: str) -> list[int]:
    """Return the unit of each meter on its server: those that were given first, then the free ones in order."""
    taken: dict[int, dict[int, str]] = {server: {} for server in servers}
    problems: list[str] = []
    for section, server in zip(sections, servers, strict=True):
        if section.unit is not None:
            other = taken[server].setdefault(section.unit, section.id)
            if other != section.id:
                problems.append(f"{file}: meter {section.id}: unit: {section.unit} is that of {other} on its port")
    units: list[int] = []
    for section, server in zip(sections, servers, strict=True):
        own = taken[server]
        unit = section.unit or next((number for number in range(1, _LAST_UNIT + 1) if number not in own), 0)
        if unit == 0:
            problems.append(f"{file}: meter {section.id}: all {_LAST_UNIT} units of its port are taken: more ports")
        own.setdefault(unit, section.id)
        units.append(unit)
    if problems:
        raise ConfigError(problems)
    return units


class Service:
    """The servers of a set of meters."""

    def __init__(
        self,
        meters: Sequence[tuple[MeterSection, RegisterMap]],
        clock: Clock,
        *,
        host: str,
        port: int = 0,
        ports: int = 1,
        silent_units: bool = False,
        file: str = "station",
    ) -> None:
        listen, self._places = assign([section for section, _ in meters], port, ports, file)
        self._meters = list(meters)
        units: list[dict[int, RegisterMap]] = [{} for _ in listen]
        for (_, registers), place in zip(meters, self._places, strict=True):
            units[place.server][place.unit] = registers
        self.servers = [
            MeterServer(host, number, units[index], clock, silent=silent_units) for index, number in enumerate(listen)
        ]

    async def start(self) -> None:
        """Listen on every port; ServerError when one is not to be had, and then on none."""
        try:
            for server in self.servers:
                await server.start()
        except OSError:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop listening."""
        for server in self.servers:
            await server.stop()

    def addresses(self) -> list[dict[str, Any]]:
        """Return where each meter answers, as the ready file has it."""
        return [
            {
                "id": section.id,
                "host": self.servers[place.server].host,
                "port": self.servers[place.server].port,
                "unit": place.unit,
                "profile": section.profile,
            }
            for (section, _), place in zip(self._meters, self._places, strict=True)
        ]

    @property
    def requests(self) -> int:
        """Return how many requests have been served."""
        return sum(server.requests for server in self.servers)


def run(service: Service, ready_file: Path | None) -> None:
    """Serve until SIGTERM or SIGINT."""
    if ready_file is not None:
        # One that an earlier run left behind would call this run ready before it is.
        ready_file.unlink(missing_ok=True)
    asyncio.run(_run(service, ready_file))


async def _run(service: Service, ready_file: Path | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await service.start()
    try:
        addresses = service.addresses()
        ports = sorted({item["port"] for item in addresses})
        span = str(ports[0]) if len(ports) == 1 else f"{ports[0]}..{ports[-1]}"
        log.info("serving %d meters on %s, port %s", len(addresses), addresses[0]["host"], span)
        if ready_file is not None:
            write_ready(ready_file, addresses)
        while not stop.is_set():
            try:
                await asyncio.wait_for(stop.wait(), _REPORT_SECONDS)
            except TimeoutError:
                log.info("%d requests served", service.requests)
    finally:
        await service.stop()
        log.info("stopped after %d requests", service.requests)


def write_ready(path: Path, addresses: Sequence[dict[str, Any]]) -> None:
    """Write the ready file whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps({"meters": list(addresses)}, indent=2) + "\n", encoding="utf-8")
    os.replace(partial, path)  # noqa: PTH105 - the atomic step deserves its plain name
