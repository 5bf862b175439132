"""What tests on a simulated bench share: a rating, load points, limits that nobody asks, and running a scenario."""

import asyncio
from collections.abc import Awaitable, Callable
from fractions import Fraction
from typing import Any, TypeVar

from firmware_sim.inspection.parts.simulated import SimulatedBench, simulated_bench
from firmware_sim.inspection.points import LoadPoint, Rating

RATING = Rating("B", 220_000, 250, 500, 60_000, 20, constant=1_000, carbon_constant=1_000)
FULL = LoadPoint(220_000, 60_000)
LIMIT_S = 60
SLOT_MS = 900_000
T = TypeVar("T")


class NoLimits:
    """For benches on which nothing is judged."""

    name = "none"
    clock_seconds_per_day = Fraction(0)

    def energy_percent(self, *_: object) -> Fraction:
        raise AssertionError("nobody judges here")

    carbon_percent = interval_percent = repeatability_percent = energy_percent


def on_bench(scenario: Callable[[SimulatedBench], Awaitable[T]], rating: Rating = RATING, **keys: Any) -> T:
    """Run a scenario on a simulated bench, and return what it returns."""

    async def main() -> T:
        async with asyncio.timeout(LIMIT_S), simulated_bench(rating, NoLimits(), **keys) as bench:
            return await scenario(bench)

    return asyncio.run(main())


async def send_factor(bench: SimulatedBench, factor: int | None) -> None:
    """Send the meter the factor of the present slot; it is in force from now on."""
    now_ms = int(bench.time.now())
    await bench.dut.write("factor", {"time": now_ms - now_ms % SLOT_MS, "carbon_factor": factor})
