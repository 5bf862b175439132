"""An import from a file to the store: read and checked whole, compared with what is stored, made records of, committed.

Nothing is stored while any line is wrong, unless such lines are to be left out. What is stored already is passed over,
so the same import again stores nothing, and one that was interrupted goes on.
"""

import asyncio
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Final

from sqlalchemy import select

from cloud_receiver.database import reading
from cloud_receiver.delimited.source import digest
from cloud_receiver.enrolment import GatewayRow
from cloud_receiver.grid.series_told import Told
from cloud_receiver.metered_import import signing
from cloud_receiver.metered_import.journal import Writer, turn
from cloud_receiver.metered_import.plan import Plan
from cloud_receiver.metered_import.series import Limits, Reader, Series
from cloud_receiver.metered_import.source import Source, table
from cloud_receiver.metered_import.wish import Outcome, Surroundings, Wish
from cloud_receiver.mistakes import Mistake
from cloud_receiver.schema import gateway as gateway_table

AHEAD_MS: Final = 900_000
"""How far ahead of the centre's clock an interval may end: clocks differ."""


async def run(
    path: Path,
    wish: Wish,
    around: Surroundings,
    progress: Callable[[str], None] = lambda _: None,
    source: Source | None = None,
) -> Outcome:
    """Import a file. InputError with every mistake, and nothing is stored; EnrolmentError where nobody may sign.

    `source`: its rows, if it is no CSV.
    """
    told = Told(skip_bad=wish.skip_bad)
    sha256 = digest(path)
    series = await _read(path, wish, around, told, source=source, progress=progress)
    outcome = Outcome(series, sha256, told=told)
    if not series.steps and series.first is None:
        return outcome
    if series.steps:
        outcome.first_ms = series.steps[0].start_ms
        outcome.end_ms = series.steps[-1].start_ms + wish.interval_ms
    elif series.first is not None:
        outcome.first_ms = outcome.end_ms = series.first.time_ms
    outcome.gaps = sum(after.start_ms - before.start_ms > wish.interval_ms for before, after in pairwise(series.steps))
    if wish.dry_run:
        with reading(around.engine) as connection:
            plan = Plan(connection, wish, around, outcome)
            await plan.make()
        outcome.records = len(plan.records) + len(plan.place.opening)
        return outcome
    name, station = wish.meter.gateway, wish.station.id
    if wish.enrol:
        kid = signing.enrol(
            around.engine, name, station, data_dir=around.data_dir, centre_key=around.key, now_ms=around.clock.now_ms()
        )
        outcome.key = "" if kid is None else kid.hex()
    signer = signing.signer(around.engine, name, around.data_dir, around.key, around.clock.now_ms())
    async with turn(around.data_dir, around.pace.wait_s):
        with reading(around.engine) as connection:
            plan = Plan(connection, wish, around, outcome)
            await plan.make()
            owner = connection.execute(select(gateway_table).where(gateway_table.c.name == name)).one()
        if not plan.records:
            return outcome
        writer = Writer(around.engine, around.registry, around.intake, around.clock, signer, pace=around.pace)
        total = len(plan.records)
        outcome.records = await writer.write(
            GatewayRow(owner.id, owner.name, owner.station),
            plan.place,
            plan.records,
            lambda done: progress(f"storing: {done:,} of {total:,} records"),
        )
    outcome.context, outcome.begun = plan.place.context.hex(), bool(plan.place.opening)
    return outcome


async def _read(
    path: Path,
    wish: Wish,
    around: Surroundings,
    told: Told,
    *,
    source: Source | None,
    progress: Callable[[str], None],
) -> Series:
    size = 0

    def on_bytes(count: int) -> None:
        nonlocal size
        size += count

    limits = Limits(wish.interval_ms, around.clock.now_ms() + AHEAD_MS, wish.most_mwh, wish.rollover_mwh)
    if source is None:
        source = table(path, wish.form, wish.name, on_bytes)
    reader = Reader(source, wish.form, limits, told, wish.name)
    for _ in reader.steps():
        progress(f"reading: {reader.series.lines:,} lines, {size / 1e6:,.1f} MB")
        await asyncio.sleep(0)  # in which an interrupt is heard
    told.raise_any()
    if not reader.series.lines:
        told.refuse(Mistake.FORM, "expected lines with readings, found none", file=wish.name)
        told.raise_any()
    return reader.series
