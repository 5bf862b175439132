"""The driver and the simulated meter beside the package `dlt645` 3.2.0, over TCP; tests/core has its deviations.

It puts an address on the wire the wrong way round, and its meter has no blocks, freezes and follow-up frames.
"""

import asyncio
from collections.abc import Iterator

import pytest
from dlt645 import MeterClientService, MeterServerService
from dlt645_support import NOW, ZONE, face, meter, served
from line_support import FarEnd, over_tcp

from clock import ManualClock
from fieldbus.bus import LineBus
from fieldbus.channels.tcp import TcpChannel
from fieldbus.drivers.dlt645 import Dlt645Driver
from fieldbus.exchange import RefusedError
from fieldbus.line_timing import LineTiming
from profiles import load

SET, WIRE = "112233445566", "665544332211"
VALUES = {
    "energy_forward": (0x00010000, 123456.78, 123_456_780_000),
    "energy_forward_t1": (0x00010100, 0.01, 10_000),
    "energy_forward_t4": (0x00010400, 99.5, 99_500_000),
    "energy_reverse": (0x00020000, 0.25, 250_000),
    "voltage_a": (0x02010100, 220.3, 220_300),
    "voltage_c": (0x02010300, 219.9, 219_900),
    "current_b": (0x02020200, -5.123, -5_123),
    "power": (0x02030000, -12.3456, -12_345_600),
    "power_a": (0x02030100, 4.1, 4_100_000),
    "frequency": (0x02800002, 50.02, 50_020),
}
LIMIT_S = 20


@pytest.fixture
def their_meter() -> Iterator[MeterServerService]:
    service = MeterServerService.new_tcp_server("127.0.0.1", 0, 1.0)
    assert service.start()
    service.set_address(SET)
    for di, value, _ in VALUES.values():
        assert (service.set_00 if di >> 24 == 0 else service.set_02)(di, value)
    yield service
    assert service.stop()


def test_its_meter_is_read_by_a_profile(their_meter: MeterServerService) -> None:
    """Blocks that it refuses are read in parts, and not asked for a second time."""
    profile = load("dlt645-three-phase")
    blocks = profile.plan([profile.points[name] for name in VALUES], ZONE)
    assert len(blocks) < len(VALUES)

    async def main() -> None:
        channel = TcpChannel("127.0.0.1", their_meter.server.port, LIMIT_S)
        bus = LineBus(channel, LineTiming(timeout_s=LIMIT_S), ManualClock(NOW))
        driver = Dlt645Driver(bus)
        await bus.connect()
        try:
            for refused in (3, 3):  # three blocks the first time, and none the second
                found: dict[str, int] = {}
                for block in blocks:
                    found |= block.decode(await driver.read(WIRE, block))
                assert found == {name: value for name, (_, _, value) in VALUES.items()}
                assert bus.counters.exception == refused
            assert (bus.counters.foreign, bus.counters.corrupt, bus.counters.timeout) == (0, 0, 0)
            assert [item.address async for item in driver.scan()] == [WIRE]
            with pytest.raises(RefusedError, match="ERR 02H"):
                await driver.query(WIRE, 0x0001FF00)
        finally:
            bus.close()

    asyncio.run(main())


def test_its_client_reads_a_simulated_meter() -> None:
    shown = meter().values(NOW)

    def ask(port: int) -> list[object]:
        client = MeterClientService.new_tcp_client("127.0.0.1", port, LIMIT_S)
        assert client.set_address(SET)
        assert client.connect()
        try:
            read = (client.read_00(0x00010000), client.read_02(0x02010100), client.read_02(0x02030000))
            items = (*read, client.read_04(0x04000102))
            assert all(item is not None for item in items)
            return [item.value for item in items]
        finally:
            assert client.disconnect()

    async def main() -> list[object]:
        async with over_tcp(FarEnd(served(face(WIRE)))) as channel:
            return await asyncio.to_thread(ask, int(channel.name.rpartition(":")[2]))

    energy, voltage, power, time = asyncio.run(main())
    assert energy == pytest.approx((shown["energy_forward"] or 0) / 10**6)
    assert voltage == pytest.approx((shown["voltage_a"] or 0) / 10**3)
    assert power == pytest.approx((shown["power"] or 0) / 10**6, abs=5e-5)
    assert time == "120004"
