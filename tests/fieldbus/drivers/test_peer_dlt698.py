"""The driver of DL/T 698.45 against the server of the package `dlt698` 1.0.1, over TCP."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from dlt698 import ConnectionProfile, Data, Oad, Server, ServerOptions
from dlt698 import protocol as theirs
from dlt698_support import NOW, ZONE

from clock import ManualClock
from fieldbus.bus import LineBus
from fieldbus.channels.tcp import TcpChannel
from fieldbus.drivers.dlt698 import Dlt698Driver
from fieldbus.exchange import RefusedError
from fieldbus.line_timing import LineTiming
from profiles import load
from profiles.dlt698.plan import ObjectsBlock
from profiles.dlt698.profile import Dlt698Profile

METER = "060504030201"
WIRE = bytes.fromhex("010203040506")  # it holds an address as the line does
ENERGIES = (123456, 12345, 23456, 34567, 53088)
VOLTAGES = (2203, 2211, 2198)
POINTS = ("energy_forward", "energy_forward_t1", "energy_forward_t4", "voltage_a", "voltage_b", "voltage_c", "power")
EXPECTED = {
    "energy_forward": 1_234_560_000,
    "energy_forward_t1": 123_450_000,
    "energy_forward_t4": 530_880_000,
    "voltage_a": 220_300,
    "voltage_b": 221_100,
    "voltage_c": 219_800,
}
Use = Callable[[Dlt698Driver, Dlt698Profile, LineBus], Awaitable[None]]


def oad(number: int) -> Oad:
    return Oad(oi=number >> 16, attribute=number >> 8 & 0xFF, index=number & 0xFF)


def with_server(connection: ConnectionProfile, use: Use) -> None:
    """Run something with a driver on a connection to their server."""
    options = ServerOptions()
    session = options.protocol
    session.server = theirs.link.ServerAddress(bytes=WIRE)
    options.protocol = session
    server = Server(options=options)
    server.set(oad(0x0010_0200), Data.array([Data.uint32(value) for value in ENERGIES]))
    server.set(oad(0x2000_0200), Data.array([Data.uint16(value) for value in VOLTAGES]))
    server.start_tcp("127.0.0.1", 0, connection)
    connects = 0 if connection == ConnectionProfile.local_preset else 1
    profile = load("dlt698-carbon-meter", {"connect": connects, "client": 0})
    assert isinstance(profile, Dlt698Profile)

    async def main() -> None:
        channel = TcpChannel("127.0.0.1", server.local_port, 10.0)
        bus = LineBus(channel, LineTiming(timeout_s=10.0), ManualClock(NOW))
        driver = Dlt698Driver(bus, lambda: NOW, timezone=ZONE)
        await bus.connect()
        try:
            await use(driver, profile, bus)
        finally:
            bus.close()
            await asyncio.sleep(0)

    try:
        asyncio.run(main())
    finally:
        server.close()


async def read(driver: Dlt698Driver, profile: Dlt698Profile) -> dict[str, int]:
    other = load("dlt698-three-phase")
    (block,) = other.plan([other.points[name] for name in POINTS], ZONE)
    assert isinstance(block, ObjectsBlock)
    block = replace(block, association=profile.association)  # the points of the one, the manners of the other
    return block.decode(await driver.read(METER, block))


@pytest.mark.parametrize(
    "connection", [ConnectionProfile.local_preset, ConnectionProfile.local_public], ids=["preset", "association"]
)
def test_its_meter_is_read(connection: ConnectionProfile) -> None:
    async def use(driver: Dlt698Driver, profile: Dlt698Profile, bus: LineBus) -> None:
        for _ in range(3):
            assert await read(driver, profile) == EXPECTED
        await driver.release(METER)
        assert await read(driver, profile) == EXPECTED
        counters = bus.counters
        assert (counters.timeout, counters.late, counters.foreign, counters.corrupt) == (0, 0, 0, 0)

    with_server(connection, use)


def test_its_meter_that_forgot_the_association_is_connected_to() -> None:
    async def use(driver: Dlt698Driver, profile: Dlt698Profile, bus: LineBus) -> None:
        assert await read(driver, profile) == EXPECTED
        bus.close()
        await bus.connect()
        assert await read(driver, profile) == EXPECTED
        driver._meters[METER].connection = bus.counters.connects
        assert await read(driver, profile) == EXPECTED

    with_server(ConnectionProfile.local_public, use)


def test_its_meter_logs_in_and_is_read() -> None:
    async def use(driver: Dlt698Driver, profile: Dlt698Profile, bus: LineBus) -> None:
        login = asyncio.Event()
        bus.tap = lambda traced: login.set() if traced.verdict == "response" else None
        async with asyncio.timeout(10):
            await login.wait()
        assert await read(driver, profile) == EXPECTED

    with_server(ConnectionProfile.remote_public, use)


def test_its_refusals_are_ours() -> None:
    async def use(driver: Dlt698Driver, profile: Dlt698Profile, bus: LineBus) -> None:
        (row,) = profile.plan_row("daily_freezes", 1, ZONE)
        with pytest.raises(RefusedError, match="DAR 4"):
            await driver.read(METER, row)
        with pytest.raises(RefusedError, match="set 40000200: refused, DAR"):
            await driver.time_sync(METER, NOW, ZONE)

    with_server(ConnectionProfile.local_preset, use)
