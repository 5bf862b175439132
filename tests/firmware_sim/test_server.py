"""Real sockets: a Modbus client reads and writes meters and gets the right exceptions."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from pymodbus import ModbusException
from pymodbus.client import AsyncModbusTcpClient

from clock import ManualClock
from firmware_sim.circuit import Circuit
from firmware_sim.curves import ConstantCurve
from firmware_sim.layout import Layout
from firmware_sim.meter import Meter, MeterSettings
from firmware_sim.registers import RegisterMap
from firmware_sim.server import MeterServer, ServerError
from profiles import load
from profiles.modbus.codec import pack_words
from profiles.modbus.plan import plan_reads

START = int(datetime(2026, 6, 15, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp() * 1000)
PROFILE = load("sim-carbon-meter")


def registers(power_mw: int) -> RegisterMap:
    meter = Meter(ConstantCurve(START, power_mw), Circuit(), MeterSettings(default_factor=581_000))
    return RegisterMap(meter, Layout(PROFILE))


def on_a_server(
    work: Callable[[AsyncModbusTcpClient, ManualClock], Awaitable[None]], *, silent: bool = False
) -> MeterServer:
    async def run() -> MeterServer:
        clock = ManualClock(START)
        server = MeterServer("127.0.0.1", 0, {1: registers(6_600_000), 7: registers(1_000)}, clock, silent=silent)
        await server.start()
        client = AsyncModbusTcpClient("127.0.0.1", port=server.port, timeout=0.5, retries=0, reconnect_delay=0)
        try:
            assert await client.connect()
            await work(client, clock)
        finally:
            client.close()
            await server.stop()
        return server

    return asyncio.run(run())


def test_a_block_is_of_one_instant_and_units_are_separate() -> None:
    async def work(client: AsyncModbusTcpClient, clock: ManualClock) -> None:
        clock.wall_ms = START + 3_600_000
        (block, *_) = plan_reads(PROFILE.points.values(), PROFILE.max_registers)
        for unit, energy in ((1, 6_600_000), (7, 1_000)):
            reply = await client.read_input_registers(block.address, count=block.count, device_id=unit)
            values = block.decode(pack_words(reply.registers, block.count))
            assert values["energy_forward"] == energy
            assert values["carbon_forward"] == energy * 581_000 // 10**6 * 10**6
            assert values["device_time"] == START + 3_600_000

    assert on_a_server(work).requests == 2


def test_writes_are_taken_and_echoed() -> None:
    async def work(client: AsyncModbusTcpClient, clock: ManualClock) -> None:
        clock.wall_ms = START + 10_000
        write = PROFILE.writes["factor"]
        words = [*PROFILE.command("factor", {"time": START, "carbon_factor": 400_000}, "Asia/Shanghai").words]
        reply = await client.write_registers(write.address, words, device_id=1)
        assert not reply.isError()
        reply = await client.read_input_registers(0x10, count=2, device_id=1)
        assert reply.registers == [400_000 >> 16, 400_000 & 0xFFFF]
        select = PROFILE.writes["factor_history_day"]
        single = await client.write_register(select.address, 200, device_id=1)
        assert not single.isError()
        assert single.registers == [200]

    on_a_server(work)


@pytest.mark.parametrize(
    ("request_name", "arguments", "code"),
    [
        ("read_input_registers", {"address": 0x3000, "count": 4, "device_id": 9}, 11),
        ("read_input_registers", {"address": 0x0800, "count": 1, "device_id": 1}, 2),
        ("read_input_registers", {"address": 58, "count": 4, "device_id": 1}, 2),
        ("read_holding_registers", {"address": 0, "count": 4, "device_id": 1}, 2),
        ("read_coils", {"address": 0, "count": 1, "device_id": 1}, 1),
        ("write_register", {"address": 0, "value": 1, "device_id": 1}, 2),
        ("write_registers", {"address": 0x4000, "values": [0, 1, 0, 1], "device_id": 1}, 3),
        ("write_register", {"address": 0x4020, "value": 999, "device_id": 1}, 3),
        ("write_coil", {"address": 0, "value": True, "device_id": 1}, 1),
    ],
)
def test_what_is_not_there_is_answered_with_an_exception(
    request_name: str, arguments: dict[str, int], code: int
) -> None:
    async def work(client: AsyncModbusTcpClient, _: ManualClock) -> None:
        reply = await getattr(client, request_name)(**arguments)
        assert reply.isError()
        assert reply.exception_code == code

    on_a_server(work)


def test_a_silent_bus_leaves_an_unknown_unit_without_an_answer() -> None:
    async def work(client: AsyncModbusTcpClient, _: ManualClock) -> None:
        with pytest.raises(ModbusException, match="No response"):
            await client.read_input_registers(0, count=2, device_id=9)

    on_a_server(work, silent=True)


def test_several_clients_are_served_at_once() -> None:
    async def work(client: AsyncModbusTcpClient, _: ManualClock) -> None:
        address, port = client.comm_params.host, client.comm_params.port
        others = [AsyncModbusTcpClient(address, port=port, reconnect_delay=0) for _ in range(5)]
        assert all(await asyncio.gather(*(other.connect() for other in others)))
        replies = await asyncio.gather(
            *(other.read_input_registers(0x12, count=2, device_id=1) for other in others for _ in range(20))
        )
        for other in others:
            other.close()
        assert {tuple(reply.registers) for reply in replies} == {(660_000 >> 16, 660_000 & 0xFFFF)}

    on_a_server(work)


def test_a_port_in_use_is_named() -> None:
    async def run() -> None:
        first = MeterServer("127.0.0.1", 0, {}, ManualClock(START))
        await first.start()
        second = MeterServer("127.0.0.1", first.port, {}, ManualClock(START))
        try:
            with pytest.raises(ServerError, match=f"can't listen on 127.0.0.1:{first.port}"):
                await second.start()
        finally:
            await second.stop()
            await first.stop()

    asyncio.run(run())
