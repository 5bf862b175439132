"""What the tests of the function items share: performing one on a simulated bench."""

import asyncio
from collections.abc import Callable
from typing import Any

from firmware_sim.inspection.bench import Item
from firmware_sim.inspection.functions import Expectations, function_items
from firmware_sim.inspection.metering.limits import FileLimits
from firmware_sim.inspection.parts.simulated import SimulatedBench, simulated_bench
from firmware_sim.inspection.points import Rating
from firmware_sim.inspection.result import ItemResult, Verdict

RATING = Rating("B", 220_000, 250, 500, 60_000, 20, constant=1000, carbon_constant=1000)
LIMITS = FileLimits.load()
DAYS = 6  # of the year, where it is not the year itself that is tested
PROFILES = ("sim-carbon-meter", "dlt698-carbon-meter", "dlt645-three-phase")

Change = Callable[[SimulatedBench], None]


def item_of(name: str, expectations: Expectations | None = None) -> Item:
    """Return the item with this id."""
    for item in function_items(expectations or Expectations(year_days=DAYS)):
        if item.info.id == name:
            return item
    raise LookupError(name)


def perform(
    *names: str,
    expectations: Expectations | None = None,
    change: Change | None = None,
    rating: Rating = RATING,
    **keys: Any,
) -> list[ItemResult]:
    """Perform items one after the other on one simulated meter, as the runner does."""

    async def main() -> list[ItemResult]:
        async with simulated_bench(rating, LIMITS, **keys) as bench:
            if change is not None:
                change(bench)
            await bench.standard.start()
            return [await _perform(bench, item_of(name, expectations)) for name in names]

    return asyncio.run(main())


async def _perform(bench: SimulatedBench, item: Item) -> ItemResult:
    now = int(bench.time.now())
    missing = sorted(item.info.needs - bench.dut.abilities)
    if missing:
        return ItemResult(item.info.id, Verdict.SKIPPED, now, now, note=f"needs {', '.join(missing)}")
    result = await item.run(bench)
    await bench.source.set(None)
    return result


def failed(result: ItemResult) -> list[str]:
    """Return what of an item was not as expected."""
    return [step.what for step in result.steps if not step.good]
