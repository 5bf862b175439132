"""The sample stream, with the example firmware in a process of its own."""

import asyncio
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
from firmware_sim.inspection.bench import Ability, Bench, BenchError, DutError, Item, Selection
from firmware_sim.inspection.metering.carbon import DynamicFactor, FixedFactor
from firmware_sim.inspection.metering.electricity import Electricity
from firmware_sim.inspection.metering.limits import DEFAULT_FILE, FileLimits
from firmware_sim.inspection.parts.dut import LineDut
from firmware_sim.inspection.parts.fast import JumpForward
from firmware_sim.inspection.parts.stream import SampleStream
from firmware_sim.inspection.parts.stream_frames import HEAD, Can, Takes
from firmware_sim.inspection.parts.stream_parts import (
    StreamPulses,
    StreamRegisters,
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


def hello(version: int = 1, takes: int = 1, can: int = 7) -> bytes:
    return HEAD.pack(b"HELO", 12) + b"".join(value.to_bytes(4, "little") for value in (version, takes, can))


def ack(index: int) -> bytes:
    return HEAD.pack(b"ACK ", 8) + index.to_bytes(8, "little")


def pulse(index: int, kind: int = 1) -> bytes:
    return HEAD.pack(b"PULS", 16) + index.to_bytes(8, "little") + kind.to_bytes(4, "little") + bytes(4)


async def crooked(said: bytes, **keys: Any) -> tuple[SampleStream, bytes]:
    """Connect to a stream, say something and hang up; return the stream after an attempt to run, and what it said."""
    stream = SampleStream(RATING, START_MS, connect_s=5, patience_s=0.2, **keys)
    await stream.listen()
    reader, writer = await asyncio.open_connection("127.0.0.1", stream.port)
    writer.write(said)
    try:
        await stream.open()
        stream.set(FULL)
        await stream.run(1_000)
    finally:
        await stream.close()
        heard = await reader.read(1 << 20)
        writer.close()
    return stream, heard


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (hello(version=9), "expected version 1 of the stream, got 9"),
        (hello(takes=0), "expected firmware that takes SAMP"),
        (hello() + hello(), "expected one HELO, got another"),
        (ack(0), "expected HELO first"),
        (hello() + ack(10**9), "expected ACK from 0 to"),
        (hello() + pulse(10**9), "expected a pulse in a sample from 0 to"),
        (HEAD.pack(b"HELO", 4) + bytes(4), "expected 12 octets in HELO, got 4"),
        (HEAD.pack(b"HELO", 1 << 30), "expected a frame of at most"),
        (HEAD.pack(b"FAIL", 3) + b"why", "the firmware says: why"),
        (hello(), "has metered 0 of 1000 samples, and for 0.2 s no more"),
        (HEAD.pack(b"NEWS", 3) + b"abc" + hello(), "has metered 0 of 1000 samples"),
    ],
)
def test_firmware_that_does_not_keep_to_the_protocol_is_told_so(said: bytes, told: str) -> None:
    with pytest.raises(DutError, match=told):
        asyncio.run(crooked(said))


def test_firmware_that_goes_away_is_told_with_how_far_it_came() -> None:
    async def main() -> None:
        stream = SampleStream(RATING, START_MS, connect_s=5)
        await stream.listen()
        reader, writer = await asyncio.open_connection("127.0.0.1", stream.port)
        other, stranger = await asyncio.open_connection("127.0.0.1", stream.port)
        assert b"another firmware is on the stream" in await other.read()
        stranger.close()
        with pytest.raises(BenchError, match="not open"):
            stream.set(FULL)
        writer.write(hello() + ack(0))
        await stream.open()
        with pytest.raises(BenchError, match="expected a load point of 3 phases, got 1"):
            stream.set(LoadPoint(220_000, 1, phases=1))
        with pytest.raises(BenchError, match="the load point has peaks of"):
            stream.set(LoadPoint(3_000_000, 1))
        with pytest.raises(BenchError, match="repeat only after"):
            stream.set(LoadPoint(220_000, 1, frequency_mhz=49_999))
        stream.set(FULL)
        running = asyncio.ensure_future(stream.run(3 * 640))
        await reader.readexactly(8 + 48 + 8 + 8 + 640 * 24)
        writer.write(ack(640))
        writer.close()
        with pytest.raises(DutError, match="after 640 samples: the firmware closed the connection"):
            await running
        with pytest.raises(DutError, match="closed the connection"):
            await stream.run(4 * 640)
        await stream.close()

    asyncio.run(main())


def test_firmware_that_reads_no_more_is_told() -> None:
    async def main() -> None:
        stream = SampleStream(RATING, START_MS, rate=4_000_000, connect_s=5, patience_s=0.2)
        await stream.listen()
        _, writer = await asyncio.open_connection("127.0.0.1", stream.port)
        writer.write(hello())
        await stream.open()
        stream.set(FULL)
        with pytest.raises(DutError, match=r"the firmware has (read nothing|metered 0 of)"):
            await stream.run(40_000_000)
        await stream.close()
        writer.transport.abort()

    asyncio.run(main())


def test_nobody_connects_or_the_port_is_taken() -> None:
    async def main() -> None:
        first = SampleStream(RATING, START_MS, connect_s=0.05)
        with pytest.raises(BenchError, match="no firmware has connected"):
            await first.open()
        with pytest.raises(BenchError, match="can't listen"):
            await SampleStream(RATING, START_MS, port=first.port).listen()
        await first.close()

    asyncio.run(main())


@pytest.mark.parametrize("rate", [10, 1_000_000])
def test_frames_have_room_in_65536_octets_at_any_rate(rate: int) -> None:
    async def main() -> None:
        stream = SampleStream(RATING, START_MS, rate=rate, connect_s=5)
        await stream.listen()
        reader, writer = await asyncio.open_connection("127.0.0.1", stream.port)
        writer.write(hello())
        await stream.open()
        stream.set(FULL)
        wanted = rate // 10 + 3
        running = asyncio.ensure_future(stream.run(wanted))
        index = 0
        while index < wanted:
            letters, length = HEAD.unpack(await reader.readexactly(HEAD.size))
            rest = await reader.readexactly(length)
            assert length <= 1 << 16
            if letters == b"SAMP":
                assert int.from_bytes(rest[:8], "little") == index
                index += (length - 8) // 24
                writer.write(ack(index))
        await running
        assert stream.now == wanted
        await stream.close()
        writer.close()

    asyncio.run(main())


def test_registers_are_set_where_the_firmware_takes_that() -> None:
    profile = load("dlt645-three-phase", {"pt": 1, "ct": 1})

    async def main() -> bytes:
        stream = SampleStream(RATING, START_MS, connect_s=5, patience_s=0.2)
        await stream.listen()
        reader, writer = await asyncio.open_connection("127.0.0.1", stream.port)
        writer.write(hello(can=8))
        await stream.open()
        assert abilities_of(stream) == {Ability.FAST, Ability.ROLLOVER}
        registers = StreamRegisters(stream, profile)
        end = registers.end("energy_forward")
        assert end == profile.points["energy_forward"].rollover
        with pytest.raises(KeyError):
            registers.end("voltage_a")
        for wrong in ({"power": 1}, {"energy_forward": -1}, {"carbon_forward": 2**63}):
            with pytest.raises(BenchError, match="expected energy_forward"):
                await registers.preset(wrong)
        setting = asyncio.ensure_future(registers.preset({"energy_forward": end - 10_000, "carbon_reverse": 7}))
        await reader.readexactly(8 + 48)
        got = await reader.readexactly(8 + 32)
        assert not setting.done()
        writer.write(ack(0))
        await setting
        with pytest.raises(DutError, match=r"for 0\.2 s no more"):
            await registers.preset({})
        await stream.close()
        writer.close()
        return got

    wanted = b"".join(value.to_bytes(8, "little", signed=True) for value in (10**12 - 10_000, -1, -1, 7))
    assert asyncio.run(main()) == HEAD.pack(b"REGS", 32) + wanted


def test_a_firmware_that_takes_phasors_gets_them_and_their_truth_is_that_of_the_load_point() -> None:
    async def main() -> list[tuple[bytes, int, int]]:
        stream = SampleStream(RATING, START_MS, connect_s=5)
        await stream.listen()
        reader, writer = await asyncio.open_connection("127.0.0.1", stream.port)
        writer.write(hello(takes=2, can=0))
        got: list[tuple[bytes, int, int]] = []

        async def firmware() -> None:
            while len(got) < 4:
                letters, length = HEAD.unpack(await reader.readexactly(HEAD.size))
                rest = await reader.readexactly(length)
                index, count = (int.from_bytes(rest[at : at + 8], "little") for at in (0, 8))
                got.append((letters, index, count))
                if letters != b"HELO":
                    writer.write(ack(index + count))

        task = asyncio.ensure_future(firmware())
        await stream.open()
        assert stream.hello is not None
        assert stream.hello.takes is Takes.PHASORS
        assert stream.can is Can(0)
        time = StreamTime(stream)
        source, standard = StreamSource(stream), StreamStandard(stream, time)
        await standard.start()
        point = LoadPoint(220_000, 1_001, 500_000, Character.INDUCTIVE, reverse=True)
        await source.set(point)
        await time.wait_until(START_MS + 1_000_000)
        truth = await standard.between(Fraction(START_MS), time.now())
        assert truth.reverse_mwh == -point.power_mw * 1_000 / 3_600
        with pytest.raises(BenchError, match="energy pulses"):
            await StreamPulses(stream, time).next("energy", Fraction(1))
        with pytest.raises(BenchError, match="without supply"):
            await source.cut()
        with pytest.raises(BenchError, match="has not said in its HELO that it takes REGS"):
            await StreamRegisters(stream, load("sim-carbon-meter")).preset({"energy_forward": 1})
        dut: Any = None
        assert isinstance(forward_of(stream, source, time, dut), JumpForward)
        await source.set(None)
        await time.wait(10)
        await task
        await stream.close()
        writer.close()
        return got[1:]

    rate = 6_400
    assert asyncio.run(main()) == [
        (b"PHAS", 0, 900 * rate),  # up to a quarter of an hour
        (b"PHAS", 900 * rate, 100 * rate),
        (b"PASS", 1_000 * rate, rate // 100),
    ]


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
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
