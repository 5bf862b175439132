"""Metering items performed on a simulated bench."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

from firmware_sim.inspection.bench import Item, Selection
from firmware_sim.inspection.metering.carbon import DynamicFactor, FixedFactor
from firmware_sim.inspection.metering.clock import DailyClock
from firmware_sim.inspection.metering.electricity import Electricity, Repeatability
from firmware_sim.inspection.metering.limits import FileLimits
from firmware_sim.inspection.metering.limits_of_load import Constant, NoLoad, Starting
from firmware_sim.inspection.metering.reverse import Reverse
from firmware_sim.inspection.parts.simulated import SimulatedBench, simulated_bench
from firmware_sim.inspection.points import Rating
from firmware_sim.inspection.result import ItemResult
from firmware_sim.meter import MeterSettings

RATING = Rating("B", 220_000, 250, 500, 60_000, 20, constant=1000, carbon_constant=1000)
LIMITS = FileLimits.load()
FEW = Selection(factors=(100_000, 1_000_000), power_factors=("1.0", "0.5L"), currents=("Imax", "Itr", "Imin"))
QUICK = Selection(balances=("balanced",), dwell_ms=30, settle_ms=0)

ALL: list[Callable[[], Item]] = [
    Electricity,
    FixedFactor,
    DynamicFactor,
    Repeatability,
    Starting,
    NoLoad,
    Constant,
    DailyClock,
    Reverse,
]

Change = Callable[[SimulatedBench], None]


def perform(
    item: Item, *, selection: Selection = FEW, rating: Rating = RATING, change: Change | None = None, **more: Any
) -> ItemResult:
    """Perform an item on a simulated bench, changed before it begins."""

    async def run() -> ItemResult:
        async with simulated_bench(rating, LIMITS, **more) as bench:
            bench.selection = selection
            if change is not None:
                change(bench)
            await bench.standard.start()
            return await item.run(bench)

    return asyncio.run(run())


def with_gain(gain: Fraction) -> Callable[[MeterSettings], MeterSettings]:
    """Return what gives a meter an error of its gain."""
    return lambda settings: replace(settings, gain_error=gain)
