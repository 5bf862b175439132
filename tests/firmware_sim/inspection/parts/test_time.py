"""The bench's time."""

import asyncio
from fractions import Fraction

from clock import ManualClock
from clock.virtual import VirtualClock
from firmware_sim.inspection.parts.time import ClockTime, VirtualTime


def test_virtual_time_stands_on_whole_ms_and_passes_at_once() -> None:
    async def main() -> list[Fraction]:
        time = VirtualTime(VirtualClock(1_000))
        seen = []
        for wait in (Fraction(1, 3), 5, 0, -4):
            await time.wait(wait)
            seen.append(time.now())
        await time.wait_until(Fraction(30_001, 2))
        await time.wait_until(12)
        return [*seen, time.now()]

    assert asyncio.run(main()) == [1_001, 1_006, 1_006, 1_006, 15_001]


def test_paced_time_keeps_to_its_pace_and_makes_up_for_what_was_late() -> None:
    async def main() -> tuple[int, int, int]:
        pace, clock = ManualClock(77, 500), VirtualClock(1_000)
        time = VirtualTime(clock, pace)
        waiting = asyncio.ensure_future(time.wait(1_000))
        await pace.advance(400)
        assert not waiting.done()
        on_the_way = clock.now_ms()
        await pace.advance(900)  # late
        assert waiting.done()
        reached = clock.now_ms()
        waiting = asyncio.ensure_future(time.wait(500))
        await pace.advance(199)
        assert not waiting.done()
        await pace.advance(20)
        assert waiting.done()
        return on_the_way, reached, clock.now_ms()

    on_the_way, reached, after = asyncio.run(main())
    assert 1_380 <= on_the_way <= 1_400
    assert (reached, after) == (2_000, 2_500)


def test_the_time_of_a_clock_goes_evenly_when_the_clock_is_set() -> None:
    async def main() -> list[Fraction]:
        clock = ManualClock(10_000, 3)
        time = ClockTime(clock)
        seen = [time.now()]
        waiting = asyncio.ensure_future(time.wait_until(11_000))
        clock.step_wall(-5_000)
        await clock.advance(999)
        assert not waiting.done()
        await clock.advance(1)
        assert waiting.done()
        await time.wait_until(5)  # past
        return [*seen, time.now()]

    assert asyncio.run(main()) == [10_000, 11_000]
