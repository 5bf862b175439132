"""Telemetry goes to the centre slot by slot, when a slot has ended, once more when nobody answered, and never early."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from clock import ManualClock
from cloud_receiver import database
from cloud_receiver.grid import series, shelf
from cloud_receiver.grid.model import Grid
from cloud_receiver.grid.series_told import Check, Told
from demo.grid.tables import SLOT, SLOT_MS, Day, write_day
from demo.grid.telemetry import PATH, TelemetryFeed, document
from demo.processes import DemoError, free_port


@dataclass
class Centre:
    """What was posted, and what is answered, the last answer for ever."""

    answers: list[int] = field(default_factory=lambda: [200])
    bodies: list[dict[str, Any]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def post(self, request: web.Request) -> web.Response:
        assert request.content_type == "application/json"
        self.bodies.append(await request.json())
        self.tokens.add(request.headers["Authorization"])
        self.asked.set()
        status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return web.Response(status=status, text="because")


@asynccontextmanager
async def serving(centre: Centre, port: int) -> AsyncIterator[None]:
    application = web.Application()
    application.router.add_post(PATH, centre.post)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield
    finally:
        await runner.cleanup()


async def told(feed: TelemetryFeed, count: int) -> None:
    """Wait until so many slots are stored."""
    while True:
        if feed.told == count:
            return
        assert not feed.over
        await asyncio.sleep(0.001)


def start_of(day: Day) -> int:
    return round(day.starts[0].timestamp()) * 1000


def test_a_slot_is_told_when_it_has_ended(day: Day) -> None:
    """Not a moment before; those that ended long ago at once."""
    starts = [day.starts[0] + number * SLOT for number in range(len(day.starts))]
    hour = Day(starts, day.branches, day.generators, day.loads, day.storages)
    clock, centre, port = ManualClock(start_of(day) + 2 * SLOT_MS - 1), Centre(), free_port()

    async def test() -> None:
        async with serving(centre, port), TelemetryFeed(port, "secret", hour, clock) as feed:
            await told(feed, 1)
            assert [body["time"] for body in centre.bodies] == [hour.starts[0].isoformat()]
            await clock.advance(1)
            await told(feed, 2)
            await clock.advance(2 * SLOT_MS)
            await told(feed, 4)
        assert [body["time"] for body in centre.bodies] == [start.isoformat() for start in hour.starts]
        assert centre.tokens == {"Bearer secret"}
        assert 899.999 <= feed.latest_s <= 900

    asyncio.run(asyncio.wait_for(test(), 30))


def test_what_was_not_answered_is_told_again(day: Day) -> None:
    """The centre starts after the feed, and can't use its store at first."""
    clock, centre, port = ManualClock(start_of(day) + SLOT_MS), Centre([503, 429, 200]), free_port()

    async def test() -> None:
        async with TelemetryFeed(port, "secret", day.first(1), clock) as feed:
            await asyncio.sleep(0)
            async with serving(centre, port):
                await told(feed, 1)
        assert len(centre.bodies) == 3
        assert centre.bodies[0] == centre.bodies[1] == centre.bodies[2]

    asyncio.run(asyncio.wait_for(test(), 30))


def test_a_slot_that_is_refused_ends_the_demonstration(day: Day) -> None:
    """With what the centre said of it."""
    clock, port = ManualClock(start_of(day) + SLOT_MS), free_port()

    async def test() -> None:
        async with serving(Centre([422]), port), TelemetryFeed(port, "secret", day, clock) as feed:
            with pytest.raises(DemoError, match="did not take slot 1: 422: because"):
                await told(feed, 1)

    asyncio.run(asyncio.wait_for(test(), 30))


def test_a_centre_that_never_answers_ends_it_too(day: Day) -> None:
    """After a while, by real time."""
    clock, port = ManualClock(start_of(day) + SLOT_MS), free_port()

    async def test() -> None:
        async with TelemetryFeed(port, "secret", day, clock, patience_s=0.3) as feed:
            with pytest.raises(DemoError, match="did not take slot 1: Cannot connect"):
                await told(feed, 1)

    asyncio.run(asyncio.wait_for(test(), 30))


def test_the_centre_reads_the_same_from_it_as_from_a_series(tmp_path: Path, day: Day, grid: Grid) -> None:
    """To the bit: every kind of element, in every field."""
    write_day(tmp_path / "series", day)
    documents = tmp_path / "day.json"
    documents.write_text(json.dumps([document(day, slot) for slot in range(len(day.starts))]))
    engine = database.open_store("sqlite:///centre.sqlite", tmp_path)
    database.upgrade(engine)
    with database.writing(engine) as connection:
        shelf.enter_grid(connection, grid, start_of(day), "ieee-118", 0)
    with database.reading(engine) as connection:
        check = Check(shelf.grids(connection), Told(), 10.0)
    engine.dispose()
    told, written = (list(series.read(path, check)) for path in (documents, tmp_path / "series"))
    assert len(told) == len(day.starts)
    assert told == written
    snapshot = told[0][1]
    assert all((snapshot.flows, snapshot.generators, snapshot.loads, snapshot.storages))
