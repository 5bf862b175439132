"""Real sockets: a Modbus client reads and writes meters and gets the right exceptions."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from pymodbus import ModbusException
from pymodbus.client import AsyncModbusTcpClient
from sim_support import LIMIT_S, master_of, mbap, read_pdu, served, service_of

from clock import ManualClock
from firmware_sim.lines.port import PortError
from firmware_sim.serve import Service
from profiles import load
from profiles.modbus.codec import pack_words
from profiles.modbus.plan import plan_reads

START = int(datetime(2026, 6, 15, tzinfo=ZoneInfo("Asia/Shanghai")).timestamp() * 1000)
PROFILE = load("sim-carbon-meter")


def on_a_server(
    work: Callable[[AsyncModbusTcpClient, ManualClock], Awaitable[None]], *, silent: bool = False
) -> Service:
    async def run() -> Service:
        clock = ManualClock(START)
        meters = (served("a", unit=1), served("b", unit=7, power_mw=1_000))
        absent = "silent" if silent else "exception"
        server = service_of(*meters, clock=clock, transport="modbus-tcp", absent=absent)
        await server.start()
        client = AsyncModbusTcpClient(
            "127.0.0.1", port=server.addresses()[0]["port"], timeout=0.5, retries=0, reconnect_delay=0
        )
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
        first = service_of(served("a"))
        await first.start()
        port = first.addresses()[0]["port"]
        second = service_of(served("b"), port=port)
        try:
            with pytest.raises(PortError, match=f"can't listen on 127.0.0.1:{port}: Address already in use"):
                await second.start()
        finally:
            await second.stop()
            await first.stop()

    asyncio.run(run())


def test_an_address_of_somebody_else_is_named() -> None:
    async def run() -> None:
        service = service_of(served("a"), host="203.0.113.1")  # an address for documentation
        with pytest.raises(PortError, match=r"can't listen on 203\.0\.113\.1:0: Cannot assign requested address"):
            await service.start()
        await service.stop()

    asyncio.run(run())


def test_requests_in_one_burst_and_in_single_octets_are_answered_in_order() -> None:
    async def run() -> tuple[bytes, bytes]:
        request = b"".join(mbap(1, read_pdu(0x12, 2), number) for number in range(1, 51))
        async with master_of(service_of(served("a"), transport="modbus-tcp")) as master:
            master.send(request)
            burst = await master.receive(50 * 13)
            for octet in request[:24]:
                master.send(bytes((octet,)))
                await asyncio.sleep(0)
            return burst, await master.receive(26)

    burst, single = asyncio.run(run())
    replies = [burst[start : start + 13] for start in range(0, len(burst), 13)]
    assert [int.from_bytes(reply[:2], "big") for reply in replies] == list(range(1, 51))
    assert single == burst[:26]


def test_a_client_that_never_reads_is_not_listened_to_any_more() -> None:
    async def run() -> int:
        service = service_of(served("a"), transport="modbus-tcp")
        await service.start()
        port = service.addresses()[0]["port"]
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
        reader, writer = await asyncio.open_connection(sock=connection, limit=1)
        requests = mbap(1, read_pdu(0, 60)) * 1000
        try:
            async with asyncio.timeout(LIMIT_S):
                # Replies are ten times as long as requests: what nobody takes must not pile up in the simulator.
                before = -1
                while service.requests != before:
                    before = service.requests
                    writer.write(requests)
                    for _ in range(50):
                        await asyncio.sleep(0.001)
            return service.requests
        finally:
            writer.transport.abort()
            await service.stop()
            del reader

    assert 0 < asyncio.run(run()) < 10**6
