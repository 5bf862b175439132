"""Time, source, standard and pulses of the sample stream, with the example firmware in processes of their own."""

import asyncio
import os
import shutil
import socket
import struct
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from sim_support import mbap

from clock import SystemClock
from fieldbus.lines import ModbusTcpLine
from firmware_sim import examples
from firmware_sim.inspection.bench import Ability, Bench, DutError, Item, Selection
from firmware_sim.inspection.metering.carbon import DynamicFactor, FixedFactor
from firmware_sim.inspection.metering.electricity import Electricity
from firmware_sim.inspection.metering.limits import DEFAULT_FILE, FileLimits
from firmware_sim.inspection.parts.dut import LineDut
from firmware_sim.inspection.parts.stream import SampleStream
from firmware_sim.inspection.parts.stream_parts import (
    StreamPulses,
    StreamSource,
    StreamStandard,
    StreamTime,
    abilities_of,
    forward_of,
)
from firmware_sim.inspection.points import Balance, Character, LoadPoint, Rating
from firmware_sim.inspection.result import ItemResult, Verdict
from profiles import load

FOLDER = Path(examples.__file__).parent
RATING = Rating("B", 220_000, 250, 500, 60_000, 20, constant=1_000, carbon_constant=1_000)
START_MS = 1_781_049_600_000  # 08:00 in Shanghai
LIMIT_S = 60
FULL = LoadPoint(220_000, 60_000)


@dataclass
class HostBench:
    stream: SampleStream
    dut: LineDut
    time: StreamTime
    source: StreamSource
    standard: StreamStandard
    pulses: StreamPulses


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@asynccontextmanager
async def host_bench(**keys: Any) -> AsyncIterator[HostBench]:
    """Start the example firmware, and give a bench around it."""
    stream = SampleStream(RATING, START_MS, **keys)
    await stream.listen()
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, FOLDER / "host_firmware.py", f"127.0.0.1:{stream.port}", str(port)
    )
    try:
        await stream.open()
        line = ModbusTcpLine(name="host", transport="modbus-tcp", host="127.0.0.1", port=port)
        profile = load(str(FOLDER / "host_firmware.toml"))
        dut = LineDut(line, 1, profile, SystemClock(), timezone="Asia/Shanghai", more=abilities_of(stream))
        await dut.open()
        time = StreamTime(stream)
        parts = StreamSource(stream), StreamStandard(stream, time), StreamPulses(stream, time)
        yield HostBench(stream, dut, time, *parts)
        dut.close()
    finally:
        await stream.close()
        assert await process.wait() == 0


def on_host(scenario: Callable[[HostBench], Awaitable[Any]], **keys: Any) -> Any:
    async def main() -> Any:
        async with asyncio.timeout(LIMIT_S), host_bench(**keys) as bench:
            return await scenario(bench)

    return asyncio.run(main())


async def send_factor(bench: HostBench, factor: int) -> None:
    now_ms = int(bench.time.now())
    await bench.dut.write("factor", {"time": now_ms - now_ms % 900_000, "carbon_factor": factor})


@pytest.mark.parametrize("item", [Electricity(), FixedFactor(), DynamicFactor()], ids=lambda item: str(item.info.id))
def test_the_example_passes_the_metering_inspection(item: Item) -> None:
    async def scenario(bench: HostBench) -> ItemResult:
        await bench.standard.start()
        few = Selection((500_000, 1_000_000), ("0.5L",), ("Imax", "10Itr"), ("a",), dwell_ms=10_000)
        parts = bench.time, bench.source, bench.standard, bench.dut
        whole = Bench(RATING, "Asia/Shanghai", *parts, FileLimits.load(DEFAULT_FILE), bench.pulses, selection=few)
        return await item.run(whole)

    result = on_host(scenario)
    assert result.verdict is Verdict.PASSED
    readings = [reading for point in result.points for reading in point.readings]
    assert {reading.by for reading in readings} == {"register", "pulse"}
    # It sums up the very samples that the standard does: nothing is left but what counting adds.
    assert all(abs(Decimal(reading.error_percent)) <= Decimal(reading.count_error_percent) for reading in readings)


POINTS = [
    FULL,
    LoadPoint(220_000, 250, 500_000, Character.INDUCTIVE),
    LoadPoint(220_000, 10_000, 800_000, Character.CAPACITIVE, Balance.A),
    LoadPoint(176_000, 5_000, 500_000, Character.INDUCTIVE, reverse=True),
]


def test_firmware_that_sums_up_every_sample_registers_what_the_standard_measured() -> None:
    async def scenario(bench: HostBench) -> None:
        assert bench.dut.abilities >= {Ability.PULSES, Ability.CARBON_PULSES, Ability.POWER_CUT, Ability.FAST}
        await bench.standard.start()
        begin = bench.time.now()
        for point in POINTS:
            await bench.source.set(point)
            first = bench.time.now()
            await bench.time.wait(Fraction(1_000_001, 100))
            truth = await bench.standard.between(first, bench.time.now())
            flowed = truth.reverse_mwh if point.reverse else truth.forward_mwh
            assert abs(flowed / (abs(point.power_mw) * (bench.time.now() - first) / 3_600_000) - 1) < Fraction(1, 5_000)
        whole = await bench.standard.between(begin, bench.time.now())
        read = await bench.dut.read("energy_forward", "energy_reverse", "device_time")
        assert (read["energy_forward"], read["energy_reverse"]) == (int(whole.forward_mwh), int(whole.reverse_mwh))
        assert read["device_time"] == int(bench.time.now())

    on_host(scenario)


def test_pulses_come_when_the_standard_has_measured_another_step() -> None:
    async def scenario(bench: HostBench) -> None:
        await bench.standard.start()
        begin = bench.time.now()
        await send_factor(bench, 500_000)
        await bench.source.set(LoadPoint(220_000, 20_000, 500_000, Character.INDUCTIVE))
        instants = [await bench.pulses.next("energy", Fraction(60_000)) for _ in range(20)]
        for number, instant in enumerate(instants, 1):
            assert instant is not None
            truth = await bench.standard.between(begin, instant)
            # 1 imp/Wh; the fraction of a sample has 32 bits.
            assert abs(truth.forward_mwh - number * 1_000) < Fraction(1, 1_000)
        carbon = [await bench.pulses.next("carbon", Fraction(60_000)) for _ in range(2)]
        assert None not in carbon
        truth = await bench.standard.between(*carbon)  # type: ignore[arg-type] # they are instants
        assert abs(truth.forward_mwh * 500_000 - 10**9) < 1_000
        await bench.source.set(None)
        assert await bench.pulses.next("energy", Fraction(60_000)) is None

    on_host(scenario)


def test_days_pass_in_seconds_and_freeze_at_midnight() -> None:
    async def scenario(bench: HostBench) -> None:
        await bench.source.set(FULL)
        await bench.time.wait(10_000)
        await send_factor(bench, 581_000)
        await bench.standard.start()
        await forward_of(bench.stream, bench.source, bench.time, bench.dut).to(START_MS + 40 * 86_400_000)
        await bench.time.wait(1_000)  # the load is back
        rows = [await bench.dut.row("daily_freezes", number) for number in (1, 30)]
        assert [row["time"] for row in rows] == [START_MS + days * 86_400_000 - 28_800_000 for days in (40, 11)]
        assert rows[0]["energy_forward"] == rows[1]["energy_forward"] > 0
        assert (await bench.dut.read("carbon_factor"))["carbon_factor"] == 581_000
        truth = await bench.standard.between(bench.time.now() - 2_000, bench.time.now())
        assert abs(truth.forward_mwh - 11_000) < 10

    on_host(scenario)


def test_a_factor_of_a_later_slot_is_in_force_from_its_start() -> None:
    async def scenario(bench: HostBench) -> int:
        await bench.dut.write("factor", {"time": START_MS + 900_000, "carbon_factor": 100_000})
        await bench.time.wait(899_999)
        assert (await bench.dut.read("carbon_factor")) == {}
        await bench.time.wait(1)
        found = (await bench.dut.read("carbon_factor"))["carbon_factor"]
        await bench.dut.write("factor", {"time": START_MS, "carbon_factor": 200_000})  # too late
        await bench.dut.raw(mbap(2, bytes.fromhex("10 4000 0004 08") + struct.pack(">II", START_MS // 1000 + 900, 1)))
        assert (await bench.dut.read("carbon_factor"))["carbon_factor"] == found
        return found

    assert on_host(scenario) == 100_000


def test_garbage_and_a_power_cut_do_not_end_the_bench() -> None:
    async def scenario(bench: HostBench) -> None:
        await bench.dut.raw(b"\x00\x01garbage")
        await bench.dut.raw(b"\x00\x01")
        await bench.source.set(FULL)
        await bench.source.cut()
        await bench.time.wait(5_000)
        with pytest.raises(DutError, match="no reply"):
            await bench.dut.read("energy_forward")
        await bench.source.restore()
        await bench.time.wait(5_000)
        values = await bench.dut.read("energy_forward", "device_time")
        assert abs(values["energy_forward"] - 55_000) < 20
        assert values["device_time"] == START_MS + 10_000

    on_host(scenario)


def test_with_a_pace_the_firmware_is_given_its_time() -> None:
    async def scenario(bench: HostBench) -> float:
        await bench.source.set(FULL)
        loop = asyncio.get_running_loop()
        begun = loop.time()
        await bench.time.wait(500)
        return loop.time() - begun

    assert on_host(scenario, pace=SystemClock()) >= 0.39


def test_a_load_begins_with_a_ms_and_no_later_than_it_must() -> None:
    async def scenario(bench: HostBench) -> None:
        for point in (FULL, None):
            await bench.time.wait(Fraction(101, 10))
            assert bench.time.now() % 5 != 0
            await bench.source.set(point)
            # At 6400 samples a second one begins with a ms every 5 ms.
            assert bench.time.now() % 5 == 0
        assert bench.time.now() == START_MS + 30
        await bench.time.wait(Fraction(101, 10))
        await bench.source.cut()
        assert bench.time.now() == START_MS + 45
        await bench.time.wait(Fraction(101, 10))
        await bench.source.restore()
        assert bench.time.now() == START_MS + 60

    on_host(scenario)


@pytest.mark.skipif(
    not os.environ.get("DIANTAN_REQUIRE_ALL") and shutil.which("cc") is None, reason="needs a C compiler"
)
def test_the_example_in_c_meters_each_sample(tmp_path: Path) -> None:
    async def main() -> None:
        build = ["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", "host_stream", str(FOLDER / "host_stream.c")]
        assert await (await asyncio.create_subprocess_exec(*build, cwd=tmp_path)).wait() == 0
        stream = SampleStream(RATING, START_MS)
        await stream.listen()
        process = await asyncio.create_subprocess_exec(tmp_path / "host_stream", str(stream.port))
        await stream.open()
        assert abilities_of(stream) == {Ability.FAST, Ability.PULSES}
        time = StreamTime(stream)
        source, standard, pulses = StreamSource(stream), StreamStandard(stream, time), StreamPulses(stream, time)
        await standard.start()
        begin = time.now()
        await source.set(FULL)
        for number in range(1, 30):
            instant = await pulses.next("energy", Fraction(10_000))
            assert instant is not None
            truth = await standard.between(begin, instant)
            # It says in which sample a pulse comes, and always that it is in the middle.
            assert abs(truth.forward_mwh - number * 1_000) < FULL.power_mw / 3_600_000 * 1_000 / stream.rate
        await stream.close()
        assert await process.wait() == 0

    asyncio.run(main())
