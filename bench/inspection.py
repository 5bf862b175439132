"""All load points of T/CIMA 0079.4, 5.6.2, by both methods on the simulated bench, beside the limit of a minute."""

import asyncio
import time

from bench.limits import LimitError
from firmware_sim.inspection.bench import Item
from firmware_sim.inspection.metering.carbon import DynamicFactor, FixedFactor
from firmware_sim.inspection.metering.limits import FileLimits
from firmware_sim.inspection.parts.simulated import simulated_bench
from firmware_sim.inspection.points import Rating
from firmware_sim.inspection.result import Verdict

LIMIT_S = 60.0
_RATING = Rating("B", 220_000, 250, 500, 60_000, 20, constant=1000, carbon_constant=1000)


async def _measure() -> tuple[float, int, int, int]:
    async with simulated_bench(_RATING, FileLimits.load()) as bench:
        await bench.standard.start()
        items: list[Item] = [FixedFactor(), DynamicFactor()]
        began = time.perf_counter()
        results = [await item.run(bench) for item in items]
        seconds = time.perf_counter() - began
    if any(result.verdict is not Verdict.PASSED for result in results):
        raise RuntimeError("a meter without error does not pass")
    readings = [reading for result in results for point in result.points for reading in point.readings]
    places = {(r.method, r.factor, r.balance, r.power_factor, r.current) for r in readings if r.factor != "all"}
    simulated_ms = sum(result.ended_ms - result.started_ms for result in results)
    return seconds, len(places), len(readings), simulated_ms


def run() -> list[str]:
    """Return the result's lines; LimitError when the limit is not kept."""
    seconds, places, readings, simulated_ms = asyncio.run(_measure())
    hours = simulated_ms / 3_600_000
    lines = [
        f"inspection: {places} load points of both methods, {readings} readings, {hours:.1f} h of the bench's time",
        f"  {seconds:.2f} s; limit {LIMIT_S:.0f} s, ratio {LIMIT_S / seconds:.1f}",
    ]
    if seconds > LIMIT_S:
        raise LimitError(lines)
    return lines


if __name__ == "__main__":
    print("\n".join(run()))
