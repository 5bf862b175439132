"""The demonstration of the grid with real processes: an hour of the sample, from meters to books that close."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest
from centre_support import SAMPLE

from demo.grid import store
from demo.grid.files import GridFiles
from demo.grid.plan import load
from demo.grid.run import run
from demo.grid.tables import SLOT, SLOT_MS, Day, write_day
from demo.processes import output_of


def an_hour(day: Day) -> Day:
    """Return the slots of the sample as if they followed each other."""
    starts = [day.starts[0] + number * SLOT for number in range(len(day.starts))]
    return Day(starts, day.branches, day.generators, day.loads, day.storages)


@pytest.mark.timeout(600)  # eleven processes on the cores that other tests use, too
def test_the_books_of_an_hour_close(tmp_path: Path, day: Day) -> None:
    """Six gateways meter with the factors they received, late ones adjusted; the centre's store proves the balance."""
    files = GridFiles(tmp_path)
    shutil.copytree(SAMPLE / "topology", files.power_flow / "topology")
    shutil.copy(SAMPLE / "day.json", files.power_flow)
    write_day(files.power_flow / "series", an_hour(day))
    plan = load(files.power_flow, users=4)
    asyncio.run(run(plan, files, 12))
    books, records = store.read(files.store, plan)
    assert books.closed, (books.complaints, books.amounts)
    assert [slot.start_ms for slot in books.slots] == list(plan.slots_ms)
    assert len(books.slots) == 4
    amounts = books.amounts
    assert 0 < amounts.bound < 1e-6 * amounts.sources
    assert abs(amounts.correction) < 1e-3 * amounts.sources
    assert amounts.sources == pytest.approx(
        sum(emission for values in day.generators.values() for _, emission in values) / 4 / 1e9, rel=0.01
    )
    # A factor is solved when its slot has ended: every interval was metered with one before it, and adjusted.
    assert sum(slot.held for slot in books.slots) == 4 * 4
    assert amounts.adjusted != 0
    for gateway in plan.gateways:
        exported = output_of("diantan-agent", "journal", "export", "--config", str(files.agent(gateway)))
        rows = [json.loads(line) for line in exported.splitlines()]
        for meter in gateway.meters:
            for start_ms in plan.slots_ms:
                own = [
                    row
                    for row in rows
                    if row.get("meter") == meter.id
                    and "carbon_forward_ug" in row
                    and start_ms <= row["start_ms"] < start_ms + SLOT_MS
                ]
                assert sum(row["carbon_forward_ug"] for row in own) == records[start_ms][meter.element_id].settled_ug
