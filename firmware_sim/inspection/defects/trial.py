"""One trial: firmware, with a defect or without, on a bench of its own, and what the items say of it."""

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from firmware_sim.inspection import catalogue
from firmware_sim.inspection.bench import Item
from firmware_sim.inspection.defects.catalogue import BY_ID
from firmware_sim.inspection.defects.defect import RATING, Conditions, Defect
from firmware_sim.inspection.functions import Expectations
from firmware_sim.inspection.metering.limits import FileLimits
from firmware_sim.inspection.parts.simulated import simulated_bench
from firmware_sim.inspection.result import ItemResult, Verdict
from firmware_sim.inspection.runner import run
from firmware_sim.inspection.store import Record

_HEALTHY: Final = Defect("", "Healthy meter", "正常电表", "", "")


@dataclass(frozen=True, slots=True)
class Trial:
    """What is tried: a defect by its id (None: the healthy meter) before items, under conditions."""

    defect: str | None
    items: tuple[str, ...]
    conditions: Conditions


@dataclass(frozen=True, slots=True)
class Finding:
    """What an item said, and the first thing that it found wrong."""

    item: str
    verdict: Verdict
    why: str


def every_item(expectations: Expectations | None = None) -> list[Item]:
    """Return every item that this bench performs, for a device of which this is expected."""
    return catalogue.items("type", expectations)


def tried(trial: Trial) -> list[Finding]:
    """Perform a trial; return what its items said, in their order. KeyError for an id that there is none of."""
    items = {item.info.id: item for item in every_item(trial.conditions.expectations)}
    defect = _HEALTHY if trial.defect is None else BY_ID[trial.defect]
    results = asyncio.run(_run(defect, [items[name] for name in trial.items], trial.conditions))
    return [Finding(result.id, result.verdict, why(result)) for result in results]


async def _run(defect: Defect, items: Sequence[Item], conditions: Conditions) -> list[ItemResult]:
    results = []
    for item in items:
        # Each on a bench of its own, so that no item sees what another one left behind.
        with tempfile.TemporaryDirectory() as directory:
            record = Record(Path(directory) / "record", defect.id)
            try:
                async with simulated_bench(
                    RATING,
                    FileLimits.load(),
                    transport=conditions.transport,
                    firmware=defect.firmware,
                    faces=defect.faces,
                    adjust=defect.adjust,
                ) as bench:
                    bench.selection = conditions.selection
                    results += await run(bench, [item], record)
            finally:
                record.close()
    return results


def why(result: ItemResult) -> str:
    """Return the first step or load point that is not good, else the note; empty for an item that passed."""
    if result.verdict is Verdict.PASSED:
        return ""
    for step in result.steps:
        if not step.good:
            return f"{step.what}: expected {step.expected}, found {step.found}"
    for point in result.points:
        if not point.good:
            return f"{point.key}: {point.rounded_percent} %, limit {point.limit_percent} %"
    return result.note
