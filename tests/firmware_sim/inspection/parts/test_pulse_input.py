"""Pulses of a real device over TCP: each counts once, at its instant, and only while somebody waits."""

import asyncio
from collections.abc import Awaitable, Callable
from fractions import Fraction

import pytest

from clock import ManualClock
from firmware_sim.inspection.bench import BenchError
from firmware_sim.inspection.parts.pulse_input import PulseInput
from firmware_sim.inspection.parts.time import ClockTime

START = 10**12
Play = Callable[[PulseInput, ManualClock, asyncio.StreamWriter], Awaitable[None]]


def with_head(play: Play) -> None:
    async def main() -> None:
        clock = ManualClock(START)
        pulses = PulseInput(ClockTime(clock), host="127.0.0.1", port=0)
        await pulses.open()
        _, writer = await asyncio.open_connection("127.0.0.1", pulses.port)
        try:
            async with asyncio.timeout(30):
                await play(pulses, clock, writer)
        finally:
            writer.close()
            await pulses.close()

    asyncio.run(main())


async def waiting(pulses: PulseInput, kind: str, longest: int = 10_000) -> "asyncio.Task[Fraction | None]":
    task = asyncio.ensure_future(pulses.next(kind, Fraction(longest)))
    for _ in range(5):
        await asyncio.sleep(0)
    return task


def test_a_pulse_has_the_instant_of_its_line_less_its_age() -> None:
    async def play(pulses: PulseInput, clock: ManualClock, head: asyncio.StreamWriter) -> None:
        task = await waiting(pulses, "energy")
        await clock.advance(300)
        head.write(b"energy 1500\r\n")
        assert await task == START + 300 - Fraction(3, 2)
        task = await waiting(pulses, "carbon")
        head.write(b"energy\n")
        head.write(b"carbon\n")
        assert await task == START + 300

    with_head(play)


def test_a_gate_misses_no_pulse_between_two_questions() -> None:
    async def play(pulses: PulseInput, clock: ManualClock, head: asyncio.StreamWriter) -> None:
        task = await waiting(pulses, "energy")
        head.write(b"energy\nenergy 7\nenergy\n")
        found = [await task, await pulses.next("energy", Fraction(10)), await pulses.next("energy", Fraction(10))]
        assert found == [START, START - Fraction(7, 1000), START]

    with_head(play)


def test_what_came_while_nobody_waited_is_forgotten() -> None:
    async def play(pulses: PulseInput, clock: ManualClock, head: asyncio.StreamWriter) -> None:
        first = await waiting(pulses, "energy")
        head.write(b"energy\n")
        await first
        # The carbon pulse shows that the line before it has come.
        seen = await waiting(pulses, "carbon")
        head.write(b"energy\ncarbon\n")
        await seen
        await clock.advance(501)
        task = await waiting(pulses, "energy", 1_000)
        await clock.advance(1_000)
        assert await task is None

    with_head(play)


@pytest.mark.parametrize("sent", [b"engery\n", b"energy -1\n", b"x" * 200, b"energy 1234567890\n", b"\n"])
def test_what_is_no_pulse_is_the_benchs_failure(sent: bytes) -> None:
    async def play(pulses: PulseInput, clock: ManualClock, head: asyncio.StreamWriter) -> None:
        task = await waiting(pulses, "energy")
        head.write(sent)
        with pytest.raises(BenchError, match="expected a line such as"):
            await task

    with_head(play)


def test_without_a_head_nobody_blames_the_device() -> None:
    async def main() -> None:
        clock = ManualClock(START)
        pulses = PulseInput(ClockTime(clock), host="127.0.0.1", port=0)
        await pulses.open()
        task = await waiting(pulses, "energy", 100)
        await clock.advance(100)
        with pytest.raises(BenchError, match="no pulse head is connected"):
            await task
        other = PulseInput(ClockTime(clock), host="127.0.0.1", port=pulses.port)
        with pytest.raises(BenchError, match="can't listen"):
            await other.open()
        await pulses.close()

    asyncio.run(main())
