"""Who answers where: ports and units of meters on Modbus TCP, addresses of meters on the lines of a station file."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from firmware_sim.config import MeterSection, SimulateSection
from firmware_sim.faces.modbus_requests import LAST_UNIT
from firmware_sim.line_config import LineSection
from firmware_sim.meter import Meter
from profiles import Profile
from settings.errors import ConfigError

_DIGITS_645: Final = 12


@dataclass(frozen=True, slots=True)
class Place:
    """Which server a meter answers on, and its unit there."""

    server: int
    unit: int


@dataclass(frozen=True, slots=True)
class Served:
    """A meter that is served; `address` is that of a DL/T meter."""

    section: MeterSection
    profile: Profile
    meter: Meter
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A meter on a line, and its unit or address there."""

    served: Served
    address: int | str


@dataclass(frozen=True, slots=True)
class LinePlan:
    """A line and its meters."""

    section: LineSection
    members: tuple[Member, ...]


def address_of(section: MeterSection, protocol: str, number: int) -> str | None:
    """Return the address of a DL/T meter: as given, or its number; None for a meter on Modbus. ValueError."""
    if protocol == "modbus":
        if section.address is not None:
            raise ValueError(f"address: expected unit for a meter on Modbus, found {section.address!r}")
        return None
    if section.unit is not None:
        raise ValueError(f"unit: expected address for a meter on {protocol}, found {section.unit}")
    digits = str(number) if section.address is None else section.address
    if protocol == "dlt645":
        if not digits.isdecimal() or len(digits) > _DIGITS_645 or digits.zfill(_DIGITS_645) == "9" * _DIGITS_645:
            raise ValueError(
                f"address: expected up to 12 decimal digits and not the broadcast address, found {digits!r}"
            )
        return digits.zfill(_DIGITS_645)
    if len(digits) <= _DIGITS_645:
        digits = digits.zfill(_DIGITS_645)
    if len(digits) % 2:
        raise ValueError(f"address: expected an even number of hexadecimal digits, found {len(digits)} of them")
    return digits.upper()


def lay_out(
    meters: Sequence[Served], simulate: SimulateSection, lines: Sequence[LineSection], file: str
) -> list[LinePlan]:
    """Return every line with its meters: first those of Modbus TCP that the station file does not name.

    ConfigError for a meter that can't be where it is said to be.
    """
    unnamed = [served for served in meters if served.section.line is None]
    problems = [
        f"{file}: meter {served.section.id}: line: expected one, because {served.profile.name} speaks "
        f"{served.profile.protocol}, found nothing"
        for served in unnamed
        if served.profile.protocol != "modbus"
    ]
    if problems:
        raise ConfigError(problems)
    plans = _modbus_tcp(unnamed, simulate, {line.name for line in lines}, file)
    for line in lines:
        members = [served for served in meters if served.section.line == line.name]
        plans.append(LinePlan(line, tuple(_on_a_line(line, members, file))))
    return [plan for plan in plans if plan.members]


def _modbus_tcp(meters: Sequence[Served], simulate: SimulateSection, taken: set[str], file: str) -> list[LinePlan]:
    sections = [served.section for served in meters]
    listen, places = assign(sections, simulate.port, simulate.ports, file)
    plans = []
    for number, port in enumerate(listen):
        name = next(name for name in (f"{stem}{number + 1}" for stem in _stems()) if name not in taken)
        section = LineSection(
            name=name,
            transport="modbus-tcp",
            host=simulate.host,
            port=port,
            absent="silent" if simulate.silent_units else "exception",
        )
        members = [
            Member(served, place.unit) for served, place in zip(meters, places, strict=True) if place.server == number
        ]
        plans.append(LinePlan(section, tuple(members)))
    return plans


def _stems() -> "itertools.chain[str]":
    return itertools.chain(["modbus-tcp-"], (f"modbus-tcp-{number}-" for number in itertools.count(2)))


def _on_a_line(line: LineSection, meters: Sequence[Served], file: str) -> list[Member]:
    problems = []
    if line.transport == "modbus-tcp":
        problems = [
            f"{file}: meter {served.section.id}: line: expected a meter on Modbus on {line.name}, which is Modbus TCP; "
            f"{served.profile.name} speaks {served.profile.protocol}"
            for served in meters
            if served.profile.protocol != "modbus"
        ]
    registers = [served for served in meters if served.profile.protocol == "modbus"]
    units = iter(_units([served.section for served in registers], [0] * len(registers), file))
    members: list[Member] = []
    seen: dict[tuple[str, int | str], str] = {}
    for served in meters:
        name, address = served.section.id, served.address if served.address is not None else next(units)
        other = seen.setdefault((served.profile.protocol, address), name)
        if other != name:
            problems.append(f"{file}: meter {name}: address: {address} is that of {other} on line {line.name}")
        members.append(Member(served, address))
    if problems:
        raise ConfigError(problems)
    return members


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
        unit = section.unit or next((number for number in range(1, LAST_UNIT + 1) if number not in own), 0)
        if unit == 0:
            problems.append(f"{file}: meter {section.id}: all {LAST_UNIT} units of its port are taken: more ports")
        own.setdefault(unit, section.id)
        units.append(unit)
    if problems:
        raise ConfigError(problems)
    return units
