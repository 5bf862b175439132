"""The device under test on its line."""

import asyncio
import struct
from collections.abc import Mapping
from typing import Any

import pytest
from bench_support import FULL, SLOT_MS, on_bench, send_factor
from sim_support import dlt645_read, dlt698_get, mbap, read_pdu, rtu

from clock import SystemClock
from fieldbus.lines import ModbusTcpLine
from firmware_sim.faults.model import parse_fault
from firmware_sim.inspection.bench import Ability, DutError, DutRefusedError
from firmware_sim.inspection.parts.dut import LineDut, abilities_of
from firmware_sim.inspection.parts.simulated import SimulatedBench
from profiles import load

RATIOS = {"parameters": {"pt": 1, "ct": 1}}
MODBUS: dict[str, Any] = {}
RTU: dict[str, Any] = {"transport": "tcp"}
DLT645: dict[str, Any] = {"profile": "dlt645-three-phase", **RATIOS}
DLT698: dict[str, Any] = {"profile": "dlt698-carbon-meter"}


def test_abilities_are_those_of_the_profile_with_what_the_bench_adds_and_the_plan_takes_away() -> None:
    line = ModbusTcpLine(name="x", transport="modbus-tcp", host="127.0.0.1", port=502)
    profile = load("eastron-sdm120")
    assert abilities_of(profile) == {Ability.RAW, Ability.REVERSE}
    dut = LineDut(
        line,
        1,
        profile,
        SystemClock(),
        timezone="Asia/Shanghai",
        more=frozenset({Ability.PULSES}),
        less=frozenset({Ability.REVERSE}),
    )
    assert dut.abilities == {Ability.RAW, Ability.PULSES}
    assert dut.resolution("energy_forward") == profile.points["energy_forward"].resolution
    with pytest.raises(KeyError, match="carbon_forward"):
        dut.resolution("carbon_forward")


@pytest.mark.parametrize("keys", [MODBUS, RTU, {"transport": "pty"}])
def test_reading_writing_and_rows(keys: dict[str, Any]) -> None:
    async def scenario(bench: SimulatedBench) -> None:
        dut = bench.dut
        assert "carbon_factor" not in await dut.read("carbon_factor", "energy_forward")  # it has none yet
        await send_factor(bench, 250_000)
        assert (await dut.read("carbon_factor"))["carbon_factor"] == 250_000
        assert await dut.row("daily_freezes", 1) == {}
        await dut.write("factor_history_day", {"day": 0})
        slot = int(bench.time.now()) % 86_400_000
        found = await dut.row("factor_history", (slot + 8 * 3_600_000) % 86_400_000 // SLOT_MS + 1)
        assert found["carbon_factor"] == 250_000
        with pytest.raises(DutRefusedError, match=r"line dut, address 1, write factor: .*exception 3"):
            await dut.write("factor", {"time": 1_000, "carbon_factor": 1})
        with pytest.raises(DutError, match="can't say time = 1: "):
            await dut.write("factor", {"time": 1})
        with pytest.raises(KeyError):
            await dut.read("no_such_point")
        with pytest.raises(IndexError):
            await dut.row("daily_freezes", 31)
        with pytest.raises(KeyError):
            await dut.write("no_such_write", {})

    on_bench(scenario, **keys)


FOREIGN: list[tuple[dict[str, Any], bytes]] = [
    (MODBUS, b"\xff" * 40),
    (MODBUS, mbap(77, read_pdu(0, 4))),
    (MODBUS, mbap(1, read_pdu(0, 60))[:7]),
    (RTU, b"\x00\x55" * 30),
    (RTU, rtu(77, read_pdu(0, 4))),
    (RTU, rtu(1, read_pdu(0, 60))),  # one that it answers, to whoever asked
    (RTU, rtu(1, read_pdu(0, 4))[:-1] + b"\x00"),
    ({"transport": "pty"}, dlt645_read("000000000009", 0x0001_0000)),
    (DLT645, rtu(1, read_pdu(0, 4))),
    (DLT645, dlt645_read("000000000009", 0x0001_0000)),
    (DLT645, dlt645_read("000000000001", 0x0001_0000)[:-2]),
    (DLT698, bytes(range(256))),
    (DLT698, dlt698_get("000000000009", 0x0010_0201)),
    ({**DLT698, "transport": "dial-out"}, b"\x68\x00\x00garbage"),
]


@pytest.mark.parametrize(("keys", "octets"), FOREIGN)
def test_after_anything_on_the_line_the_device_answers_rightly(keys: dict[str, Any], octets: bytes) -> None:
    async def scenario(bench: SimulatedBench) -> Mapping[str, int]:
        await bench.source.set(FULL)
        await bench.time.wait(3_600_000)
        await bench.dut.raw(octets)
        return await bench.dut.read("energy_forward")

    assert on_bench(scenario, **keys) == {"energy_forward": 39_600_000}


def test_a_lost_reply_is_asked_for_again_when_the_plan_says_so() -> None:
    fault = parse_fault({"kind": "silent", "meter": "dut", "count": 1})

    async def scenario(bench: SimulatedBench) -> Mapping[str, int]:
        bench.dut._retries = 1  # type: ignore[attr-defined] # the factory has no need of it
        return await bench.dut.read("energy_forward")

    assert on_bench(scenario, faults=[fault], timeout_ms=500) == {"energy_forward": 0}

    async def once(bench: SimulatedBench) -> None:
        with pytest.raises(DutError, match="no reply"):
            await bench.dut.read("energy_forward")

    on_bench(once, faults=[fault], timeout_ms=100)


async def modbus_server(answers: list[bytes]) -> tuple[asyncio.Server, int]:
    """Serve PDUs in turn, each on a connection of its own."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readexactly(7)
        number, _, length, unit = struct.unpack(">HHHB", head)
        await reader.readexactly(length - 1)
        pdu = answers.pop(0)
        writer.write(struct.pack(">HHHB", number, 0, len(pdu) + 1, unit) + pdu)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    return server, int(server.sockets[0].getsockname()[1])


async def hung_up(dut: LineDut) -> None:
    """Wait until the bench has noticed."""
    while dut.bus.connected:  # noqa: ASYNC110 - the bus tells nobody
        await asyncio.sleep(0)


def test_a_device_that_hangs_up_is_reached_again_and_one_that_is_gone_is_told() -> None:
    async def main() -> None:
        good = b"\x04\x08" + (5_000).to_bytes(8, "big")
        server, port = await modbus_server([good, good])
        line = ModbusTcpLine(name="bus", transport="modbus-tcp", host="127.0.0.1", port=port, timeout_ms=500)
        dut = LineDut(line, 9, load("sim-carbon-meter"), SystemClock(), timezone="Asia/Shanghai")
        for _ in range(2):
            assert await dut.read("energy_forward") == {"energy_forward": 5_000}
            await hung_up(dut)
        server.close()
        await server.wait_closed()
        for asked in (dut.read("energy_forward"), dut.write("clock", {"time": 0}), dut.raw(b"x")):
            with pytest.raises(DutError, match=r"line bus, address 9, .*Connection refused"):
                await asked
        with pytest.raises(DutError, match="Connection refused"):
            await dut.open()
        dut.close()

    asyncio.run(main())


def test_a_block_that_is_refused_is_refused() -> None:
    async def main() -> None:
        server, port = await modbus_server([b"\x84\x02", b"\x84\x0b"])
        line = ModbusTcpLine(name="bus", transport="modbus-tcp", host="127.0.0.1", port=port, timeout_ms=500)
        dut = LineDut(line, 9, load("sim-carbon-meter"), SystemClock(), timezone="Asia/Shanghai")
        with pytest.raises(DutRefusedError, match=r"line bus, address 9, read power: .*exception 2"):
            await dut.read("power")
        await hung_up(dut)
        with pytest.raises(DutError, match="exception 11") as silent:
            await dut.read("power")
        assert not isinstance(silent.value, DutRefusedError)  # a gateway says that the device is silent
        dut.close()
        server.close()
        await server.wait_closed()

    asyncio.run(main())
