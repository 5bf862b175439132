"""What the tests of simulated lines share: meters to serve, masters that send octets, and frames."""

import asyncio
import json
import os
import subprocess
import sys
import time
import tty
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import pytest

from clock import Clock, ManualClock
from diantan_core import (
    Dlt645Frame,
    Dlt645Parser,
    Dlt698Frame,
    Dlt698Parser,
    dlt645_build,
    dlt645_parse,
    dlt698_encode_apdu,
)
from firmware_sim.circuit import Circuit
from firmware_sim.config import MeterSection, SimulateSection
from firmware_sim.curves import ConstantCurve
from firmware_sim.faults.model import parse_fault
from firmware_sim.line_config import LineSection
from firmware_sim.meter import Meter, MeterSettings
from firmware_sim.places import Served, address_of
from firmware_sim.serve import Service, Setup
from firmware_sim.station import multi_function, resolution_of
from profiles import load
from profiles.dlt645.plan import join
from profiles.model import Profile, ProfileError
from protocols.modbus.crc import crc16

START = int(datetime(2026, 6, 15, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp() * 1000)
ZONE = "Asia/Shanghai"
HOUR = 3_600_000
LIMIT_S = 30
DLT645, DLT698 = "dlt645-three-phase", "dlt698-three-phase"


_RATIOS = {"pt": 1, "ct": 40}
_PARAMETERS = {"dlt698-carbon-meter": {"connect": 0}}  # the masters of these tests ask for no association


def profile_of(name: str) -> Profile:
    """Load a profile, with the parameters that these tests need and those that have no default."""
    try:
        return load(name, _PARAMETERS.get(name))
    except ProfileError:
        return load(name, _RATIOS)


def served(name: str, profile: str = "sim-carbon-meter", *, power_mw: int = 6_600_000, **keys: Any) -> Served:
    """Return a meter with a constant load, on the line "bus" unless told otherwise."""
    model = profile_of(profile)
    section = MeterSection(id=name, profile=profile, **{"line": "bus", **keys})
    address = address_of(section, model.protocol, 1)
    settings = MeterSettings(
        default_factor=581_000,
        resolution_mwh=resolution_of(section, model),
        multi_function=multi_function(model, address),
        parameters={"pt": Decimal(1), "ct": Decimal(1)},
    )
    return Served(section, model, Meter(ConstantCurve(START, power_mw), Circuit(), settings), address)


def service_of(
    *meters: Served, clock: Clock | None = None, faults: list[dict[str, Any]] | None = None, **keys: Any
) -> Service:
    """Return a service of one line "bus" with these keys, by default on a free port of TCP."""
    line = LineSection(**{"name": "bus", "transport": "tcp", **keys})
    lines = [line] if any(meter.section.line == "bus" for meter in meters) else []
    setup = Setup(SimulateSection(), lines, [parse_fault(fault) for fault in faults or []])
    service = Service(meters, clock or ManualClock(START), setup)
    service.set_faults(START)
    return service


class Master(Protocol):
    """The other end of a line."""

    def send(self, octets: bytes) -> None: ...
    async def receive(self, count: int) -> bytes: ...
    def close(self) -> None: ...


class TcpMaster:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def send(self, octets: bytes) -> None:
        self._writer.write(octets)

    async def receive(self, count: int) -> bytes:
        """Return exactly so many octets."""
        async with asyncio.timeout(LIMIT_S):
            return await self._reader.readexactly(count)

    async def burst(self) -> bytes:
        """Return what comes in one piece."""
        async with asyncio.timeout(LIMIT_S):
            return await self._reader.read(4096)

    def close(self) -> None:
        self._writer.close()


class TtyMaster:
    """A program that opened a serial device."""

    def __init__(self, path: str) -> None:
        self.attach(os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK))
        tty.setraw(self._file)

    def attach(self, file: int) -> None:
        """Take over an open descriptor."""
        os.set_blocking(file, False)
        self._file = file
        self._heard = bytearray()
        self._more = asyncio.Event()
        asyncio.get_running_loop().add_reader(self._file, self._read)

    def _read(self) -> None:
        self._heard += os.read(self._file, 4096)
        self._more.set()

    def send(self, octets: bytes) -> None:
        assert os.write(self._file, octets) == len(octets)

    async def receive(self, count: int) -> bytes:
        """Return exactly so many octets."""
        async with asyncio.timeout(LIMIT_S):
            while len(self._heard) < count:
                self._more.clear()
                await self._more.wait()
        octets = bytes(self._heard[:count])
        del self._heard[:count]
        return octets

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._file)
        os.close(self._file)


@asynccontextmanager
async def master_of(service: Service, meter: int = 0) -> AsyncIterator[Any]:
    """Serve, and yield a master on the line of a meter."""
    await service.start()
    master: Any = None
    try:
        where = service.addresses()[meter]
        if "path" in where:
            master = TtyMaster(where["path"])
        else:
            master = TcpMaster(*await asyncio.open_connection(where["host"], where["port"]))
        yield master
    finally:
        if master is not None:
            master.close()
        await service.stop()


def rtu(unit: int, pdu: bytes) -> bytes:
    """Return an RTU frame."""
    frame = bytes((unit,)) + pdu
    return frame + crc16(frame).to_bytes(2, "little")


def mbap(unit: int, pdu: bytes, transaction: int = 1) -> bytes:
    """Return an MBAP frame."""
    return transaction.to_bytes(2, "big") + b"\0\0" + (1 + len(pdu)).to_bytes(2, "big") + bytes((unit,)) + pdu


def read_pdu(address: int, count: int, function: int = 4) -> bytes:
    """Return the PDU of a read."""
    return bytes((function,)) + address.to_bytes(2, "big") + count.to_bytes(2, "big")


def dlt645_read(address: str, di: int) -> bytes:
    """Return a read request of DL/T 645."""
    return dlt645_build(address, {"kind": "read", "reply": False, "di": di}).encode()


def dlt698_get(address: str, oad: int) -> bytes:
    """Return a GET request of DL/T 698.45."""
    apdu = dlt698_encode_apdu(("get_request", ("normal", {"piid": 1, "oad": oad, "time_tag": None})))
    return Dlt698Frame(0x43, address, 0, apdu).encode()


async def _frame(master: Master, parser: Dlt645Parser | Dlt698Parser) -> Any:
    while True:
        for found in parser.feed(await master.receive(1)):
            if isinstance(found, Dlt645Frame | Dlt698Frame):
                return found


async def dlt645_reply(master: Master) -> Dlt645Frame:
    """Return the next frame of DL/T 645 that comes."""
    frame: Dlt645Frame = await _frame(master, Dlt645Parser())
    return frame


async def dlt698_reply(master: Master) -> Dlt698Frame:
    """Return the next frame of DL/T 698.45 that comes."""
    frame: Dlt698Frame = await _frame(master, Dlt698Parser())
    return frame


async def read_block(master: Master, protocol: str, place: dict[str, Any], block: Any) -> dict[str, int]:
    """Ask a meter for a block of its profile's reading plan, and return the values."""
    if protocol == "modbus":
        pdu = read_pdu(block.address, block.count, block.function)
        over_tcp = place["transport"] == "modbus-tcp"
        master.send((mbap if over_tcp else rtu)(place["unit"], pdu))
        head = await master.receive(9 if over_tcp else 3)
        assert head[-2] == block.function, head
        data = await master.receive(2 * block.count)
        if not over_tcp:
            assert crc16(head + data + await master.receive(2)) == 0
        return _values(block.decode(data))
    if protocol == "dlt645":
        replies: list[bytes | None] = []
        while (query := block.next_query(replies)) is not None:
            replies.append(await _read_645(master, place["address"], query))
        return _values(block.decode(join(replies)))
    choice, body = block.request
    apdu = dlt698_encode_apdu(("get_request", (choice, {"piid": 1, **body, "time_tag": None})))
    master.send(Dlt698Frame(0x43, place["address"], block.association.client, apdu).encode())
    reply = await dlt698_reply(master)
    assert reply.address == place["address"].lower()
    return _values(block.decode(reply.user_data))


def _values(values: dict[str, int]) -> dict[str, int]:
    return values


async def _read_645(master: Master, address: str, query: Any) -> bytes | None:
    master.send(dlt645_read(address, query.di))
    reply = dlt645_parse(await dlt645_reply(master))
    assert not reply.get("more"), "these tests read nothing that follows up"
    return reply.get("data")


@contextmanager
def program(tmp_path: Path, *arguments: str) -> Iterator[tuple[dict[str, Any], subprocess.Popen[str]]]:
    """Run `diantan-sim` until it is ready; yield its ready file and the process, which has to end well."""
    ready = tmp_path / "ready.json"
    command = [sys.executable, "-m", "firmware_sim.cli", *arguments, "--ready-file", str(ready)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            deadline = time.monotonic() + LIMIT_S
            while not _is_ready(ready):
                if process.poll() is not None or time.monotonic() > deadline:
                    pytest.fail(f"not ready: {process.communicate()[1]}")
                time.sleep(0.02)
            yield json.loads(ready.read_text()), process
            process.terminate()
            assert process.wait(LIMIT_S) == 0
        finally:
            process.kill()


def _is_ready(path: Path) -> bool:
    try:
        return path.read_text().startswith("{")
    except FileNotFoundError:
        return False
