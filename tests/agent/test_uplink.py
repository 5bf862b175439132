"""The uplink against a link that misbehaves."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from agent.journal import Append, Journal, event, to_row
from agent.uplink import Uplink, UplinkSettings
from agent.writer import JournalWriter
from clock import ManualClock
from wire import keys
from wire.connection import LinkError
from wire.envelope import KeyRing, Signer
from wire.records import EventCode

SETTINGS = UplinkSettings("gw-1", batch=10, window=3, linger_ms=0.0, timeout_ms=1000.0, longest_timeout_ms=1000.0)


class Mute:
    """A link to a broker that takes nothing."""

    def __init__(self) -> None:
        self.connected = True
        self.futures: list[asyncio.Future[None]] = []

    def publish(self, _topic: str, _payload: bytes, _qos: int, *, retain: bool = False) -> "asyncio.Future[None]":
        """Keep."""
        assert not retain
        self.futures.append(asyncio.get_running_loop().create_future())
        return self.futures[-1]


@asynccontextmanager
async def sending(
    tmp_path: Path, link: Any, clock: Any, *, records: int
) -> AsyncIterator[tuple[Uplink, JournalWriter]]:
    """Run an uplink over a journal of events."""
    journal = Journal.open(tmp_path / "journal.db", now_ms=0, entropy=lambda n: random.Random().randbytes(n))
    journal.commit([Append([to_row(event(number, EventCode.GAP)) for number in range(records)])])
    writer = JournalWriter(journal, clock, lambda: 0, memory_records=10)
    uplink = Uplink(
        SETTINGS,
        writer,
        link,
        Signer(keys.generate()),
        KeyRing(),
        clock=clock,
        now_ms=lambda: 0,
        chance=random.Random(1),
    )
    task = asyncio.create_task(uplink.run())
    try:
        yield uplink, writer
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await writer.close()


async def turns(writer: JournalWriter) -> None:
    """Let the uplink and the journal's thread do what they have to."""
    for _ in range(20):
        await writer.call(lambda: None)
        await asyncio.sleep(0)


def test_a_broker_that_takes_nothing_does_not_fill_the_memory(tmp_path: Path) -> None:
    """Batches fall due again and again; their copies are bounded, and all goes on when the link breaks."""

    async def scenario() -> None:
        clock, link = ManualClock(), Mute()
        async with sending(tmp_path, link, clock, records=40) as (_, writer):
            for _ in range(30):
                await turns(writer)
                await clock.advance(2000)
            stuck = len(link.futures)
            assert 6 <= stuck <= 9
            for future in link.futures:
                future.set_exception(LinkError("broken"))
            await turns(writer)
            await clock.advance(2000)
            await turns(writer)
            assert len(link.futures) > stuck

    asyncio.run(scenario())


def test_waiting_for_an_acknowledgement_costs_nothing(tmp_path: Path) -> None:
    """Woken in the middle of its wait, the uplink looks once and waits on."""

    async def scenario() -> None:
        clock, link = ManualClock(), Mute()
        async with sending(tmp_path, link, clock, records=10) as (uplink, writer):
            await turns(writer)
            uplink.records_written()
            looked = 0
            due = uplink.window.next_due_ms

            def counted() -> float | None:
                nonlocal looked
                looked += 1
                return due()

            uplink.window.next_due_ms = counted  # type: ignore[method-assign]  # counts how often it looks
            await turns(writer)
            assert looked == 1

    asyncio.run(scenario())
