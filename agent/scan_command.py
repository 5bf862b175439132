"""`diantan-agent scan`: finds the meters of a line and says how to configure them."""

import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from agent.config_lines import Line, ModbusTcpLine, SerialLine
from agent.connection import Connection, connection
from agent.opened import connect
from agent.suggest import Candidate, Suggestion, suggest
from clock import Clock
from fieldbus.drivers.base import Driver, Found
from fieldbus.drivers.modbus import ModbusDriver
from fieldbus.exchange import LineDownError, LineError

# The usual rates and forms of an octet, the likeliest first: DL/T meters have even parity, many Modbus ones none.
USUAL: Final[Sequence[tuple[int, str]]] = (
    (9600, "even"),
    (9600, "none"),
    (2400, "even"),
    (4800, "even"),
    (19_200, "even"),
    (19_200, "none"),
    (1200, "even"),
    (115_200, "none"),
    (4800, "none"),
    (2400, "none"),
)
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Meter:
    """A meter that was found, and the profiles that fit it, the best first."""

    found: Found
    suggestions: list[Suggestion] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Scan:
    """What is looked for on a line."""

    protocols: Sequence[str]
    units: Sequence[int]
    candidates: Mapping[str, Sequence[Candidate]]  # by protocol
    timezone: str
    thorough: bool = False


def protocols_of(line: Line) -> tuple[str, ...]:
    """Return what meters on such a line may speak; both DL/T protocols first, since asking for them takes least."""
    if isinstance(line, ModbusTcpLine):
        return ("modbus",)
    return ("dlt698",) if line.transport == "dial-in" else ("dlt645", "dlt698", "modbus")


def rates(line: Line, baud: str | None) -> list[Line]:
    """Return the line in each form in which it is to be scanned: as given, or with the usual rates and parities."""
    if baud != "auto" or not isinstance(line, SerialLine):
        return [line]
    return [line.model_copy(update={"baud": rate, "parity": parity}) for rate, parity in USUAL]


async def scan_line(line: Line, scan: Scan, clock: Clock, progress: Progress) -> list[Meter]:
    """Return the meters of a line in one form; LineDownError when it can't be opened or is lost."""
    carried = connection(line, {}, clock, scan.protocols, timezone=scan.timezone, patient=True)
    meters = []
    try:
        await connect(carried.bus, line, progress)
        async for found in _found(carried, scan, progress):
            progress(f"found {found.protocol} {found.address}")
            meters.append(Meter(found))
        for meter in meters:
            driver = carried.drivers[meter.found.protocol]
            await _reopened(carried)
            known = scan.candidates[meter.found.protocol]
            meter.suggestions.extend(await suggest(driver, meter.found, known, scan.timezone, progress))
    finally:
        carried.bus.close()
    return meters


async def _found(carried: Connection, scan: Scan, progress: Progress) -> AsyncIterator[Found]:
    for protocol in scan.protocols:
        await _reopened(carried)
        async for found in _driver_scan(carried, carried.drivers[protocol], scan, progress):
            yield found


async def _driver_scan(carried: Connection, driver: Driver, scan: Scan, progress: Progress) -> AsyncIterator[Found]:
    if isinstance(driver, ModbusDriver):
        async for found in _units(carried, driver, scan.units, progress):
            yield found
        return
    progress(f"{driver.protocol}: asking by wildcard address")
    try:
        async for found in _dlt(driver, scan, progress):
            yield found
    except LineDownError:
        raise
    except LineError as error:
        progress(f"{driver.protocol}: {error}")


def _dlt(driver: Driver, scan: Scan, progress: Progress) -> AsyncIterator[Found]:
    from fieldbus.drivers.dlt645 import Dlt645Driver  # noqa: PLC0415 - only where the line carries it

    if isinstance(driver, Dlt645Driver):
        return driver.scan(
            thorough=scan.thorough,
            progress=lambda at: progress(f"dlt645: asking {at.address}, {at.requests} requests, {at.found} found"),
        )
    return driver.scan()


async def _units(
    carried: Connection, driver: ModbusDriver, units: Iterable[int], progress: Progress
) -> AsyncIterator[Found]:
    """Yield the units that answer; one at a time, since the sweep of a silent line takes minutes."""
    units = list(units)
    for number, unit in enumerate(units, 1):
        progress(f"modbus: unit {unit}, {number} of {len(units)}")
        await _reopened(carried)
        async for found in driver.scan([unit]):
            yield found


async def _reopened(carried: Connection) -> None:
    """Connect again where the bus has given the connection up for its silence."""
    if not carried.bus.connected:
        await carried.bus.connect()


def as_json(line: Line, meters: Sequence[Meter]) -> str:
    """Return what was found as JSON."""
    entries: list[dict[str, Any]] = [
        {
            "protocol": meter.found.protocol,
            "address": meter.found.address,
            "details": meter.found.details,
            "suggestions": [
                {"profile": each.profile, "sure": each.sure, "why": each.why, "parameters": list(each.parameters)}
                for each in meter.suggestions
            ],
        }
        for meter in meters
    ]
    keys = line.model_dump(exclude={"meter", "name"}, exclude_defaults=True)
    return json.dumps({"line": {"transport": line.transport, **keys}, "meters": entries}, ensure_ascii=False, indent=2)
