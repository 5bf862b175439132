"""The sample stream, with firmware that says what a test wants."""

import asyncio
from fractions import Fraction
from typing import Any

import pytest

from firmware_sim.inspection.bench import Ability, BenchError, DutError
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
from firmware_sim.inspection.points import Character, LoadPoint, Rating
from profiles import load

RATING = Rating("B", 220_000, 250, 500, 60_000, 20, constant=1_000, carbon_constant=1_000)
START_MS = 1_781_049_600_000  # 08:00 in Shanghai
FULL = LoadPoint(220_000, 60_000)


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


def test_the_firmware_is_told_when_pulses_are_waited_for_and_others_are_dropped() -> None:
    async def main() -> list[tuple[bytes, int]]:
        stream = SampleStream(RATING, START_MS, connect_s=5)
        await stream.listen()
        reader, writer = await asyncio.open_connection("127.0.0.1", stream.port)
        writer.write(hello(takes=2))
        got: list[tuple[bytes, int]] = []

        async def firmware() -> None:
            """Tell a pulse of each kind in each frame, also those that nobody waits for."""
            while True:
                letters, length = HEAD.unpack(await reader.readexactly(HEAD.size))
                rest = await reader.readexactly(length)
                first = int.from_bytes(rest[:8], "little")
                got.append((letters, first if letters == b"WANT" else 0))
                if letters in (b"PHAS", b"PASS"):
                    index = first + int.from_bytes(rest[8:16], "little")
                    # In pieces as a network may cut them.
                    for octet in pulse(first, kind=1) + pulse(first + 1, kind=2) + ack(index):
                        writer.write(bytes([octet]))
                        await writer.drain()

        task = asyncio.ensure_future(firmware())
        await stream.open()
        stream.set(FULL)
        await stream.run(1_000)
        await stream.run(2_000)
        assert not stream.pulses
        assert await stream.run_to_pulse(1, 3_000) == 2_000
        assert await stream.run_to_pulse(2, 4_000) == 2_001  # that was told with the other
        assert await stream.run_to_pulse(2, 4_000) == 3_001
        stream.set(None)
        await stream.run(5_000)
        await stream.close()
        task.cancel()
        writer.close()
        return got

    load, off = (b"PHAS", 0), (b"PASS", 0)
    expected = [(b"HELO", 0), (b"WANT", 0), load, load, (b"WANT", 3), load, load, (b"WANT", 0), off]
    assert asyncio.run(main()) == expected


def test_firmware_without_pulses_is_not_asked_for_any() -> None:
    async def main() -> bytes:
        stream = SampleStream(RATING, START_MS, connect_s=5)
        await stream.listen()
        reader, writer = await asyncio.open_connection("127.0.0.1", stream.port)
        writer.write(hello(can=4) + ack(0))
        await stream.open()
        running = asyncio.ensure_future(stream.run(1_000))
        await reader.readexactly(8 + 48)
        letters, length = HEAD.unpack(await reader.readexactly(HEAD.size))
        await reader.readexactly(length)
        writer.write(ack(1_000))
        await running
        await stream.close()
        writer.close()
        return bytes(letters)

    assert asyncio.run(main()) == b"PASS"


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
        writer.write(ack(641))
        writer.close()
        with pytest.raises(DutError, match="after 641 samples: the firmware closed the connection"):
            await running
        with pytest.raises(DutError, match="closed the connection"):
            await stream.run(4 * 640)
        await StreamSource(stream).set(None)  # inside of a ms; that the firmware is gone is no fault of the source
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
