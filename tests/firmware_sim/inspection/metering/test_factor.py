"""Factors on a line that takes its time: at the end of a slot, and with a device that takes them by and by."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any

import pytest
from slow import slow

from firmware_sim.inspection.bench import Dut, DutError
from firmware_sim.inspection.metering import factor
from firmware_sim.inspection.metering.limits import FileLimits
from firmware_sim.inspection.parts.simulated import START, SimulatedBench, simulated_bench
from firmware_sim.inspection.points import Rating

RATING = Rating("B", 220_000, 250, 500, 60_000, 20)
START_MS = int(START.timestamp() * 1000)


def on_bench(work: Callable[[SimulatedBench], Awaitable[None]], **keys: Any) -> None:
    async def run() -> None:
        async with simulated_bench(RATING, FileLimits.load(), **keys) as bench:
            await work(bench)

    asyncio.run(run())


class Lagging:
    """A device that shows a former factor for so many more looks, or with fewer digits."""

    def __init__(self, inner: Dut, looks: int, step: int = 1) -> None:
        self._inner = inner
        self._looks = looks
        self._step = step

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def resolution(self, point: str) -> int:
        return self._step

    async def read(self, *points: str) -> Mapping[str, int]:
        values = dict(await self._inner.read(*points))
        if "carbon_factor" in values:
            self._looks -= 1
            values["carbon_factor"] = 7 if self._looks >= 0 else values["carbon_factor"] // self._step * self._step
        return values


@pytest.mark.parametrize("before_ms", [5, 50, 150, 400, 5_000])
def test_a_factor_given_just_before_a_slot_begins_holds_in_it(before_ms: int) -> None:
    async def work(bench: SimulatedBench) -> None:
        slow(bench, 200)
        await factor.give(bench, 300_000, holds_ms=factor.SLOT_MS)
        await bench.time.wait_until(START_MS + factor.SLOT_MS - before_ms)
        await factor.give(bench, 500_000)
        await factor.expect(bench, 500_000)
        await bench.time.wait(10_000)
        await factor.expect(bench, 500_000)

    on_bench(work)


def test_a_factor_that_comes_into_force_by_and_by_is_waited_for() -> None:
    async def work(bench: SimulatedBench) -> None:
        await factor.give(bench, 500_000)
        assert not await factor.expect(bench, 500_000)
        bench.dut = Lagging(bench.dut, 8)
        assert await factor.expect(bench, 500_000)
        bench.dut = Lagging(bench.dut, 1_000)
        with pytest.raises(DutError, match="expected the factor 500000 mg/kWh in force, the device shows 7"):
            await factor.expect(bench, 500_000)

    on_bench(work)


def test_a_display_of_four_digits_shows_a_factor_of_six() -> None:
    async def work(bench: SimulatedBench) -> None:
        await factor.give(bench, int(Decimal("0.123456") * 10**6))
        bench.dut = Lagging(bench.dut, 0, step=100)
        assert not await factor.expect(bench, 123_456)
        with pytest.raises(DutError, match="shows 123400"):
            await factor.expect(bench, 123_556)

    on_bench(work)


@pytest.mark.parametrize("profile", ["sim-carbon-meter", "dlt698-carbon-meter"])
def test_a_clock_hours_off_gets_factors_for_its_own_slots(profile: str) -> None:
    async def work(bench: SimulatedBench) -> None:
        now_ms = int(bench.time.now())
        await bench.dut.write("clock", {"time": now_ms - 7 * 3_600_000 // 1000 * 1000})
        for given in (200_000, 700_000):
            await factor.give(bench, given, holds_ms=2 * factor.SLOT_MS)
            for _ in range(3):
                await factor.expect(bench, given)
                await bench.time.wait(factor.SLOT_MS * 2 // 3)

    on_bench(work, profile=profile)
