"""The uplink against a link that misbehaves."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import cbor2
import pytest
from key_support import BOTH_ALGORITHMS, key_of, new_key

from agent.journal import Journal
from agent.journal_entry import Append, event, to_row
from agent.uplink import Resend, Uplink, UplinkSettings
from agent.writer import JournalWriter
from clock import ManualClock
from wire import topics
from wire.connection import LinkError
from wire.envelope import KeyRing, Signer
from wire.messages import Acknowledgement
from wire.records import EventCode

SETTINGS = UplinkSettings("gw-1", batch=10, window=3, linger_ms=0.0, timeout_ms=1000.0, longest_timeout_ms=1000.0)

pytestmark = BOTH_ALGORITHMS


def centre_ring() -> KeyRing:
    """Return what the gateway believes."""
    ring = KeyRing()
    ring.add(key_of("centre").public_key(), "centre")
    return ring


class Mute:
    """A link to a broker that takes nothing."""

    def __init__(self) -> None:
        self.connected = True
        self.futures: list[asyncio.Future[None]] = []
        self.sent: list[tuple[int, int]] = []  # (first, count) of each batch

    def publish(self, _topic: str, payload: bytes, _qos: int, *, retain: bool = False) -> "asyncio.Future[None]":
        """Keep."""
        assert not retain
        batch = cbor2.loads(cbor2.loads(payload).value[2])
        self.sent.append((batch[3], batch[4]))
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
        Signer(new_key()),
        centre_ring(),
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


class Taking(Mute):
    """A link to a broker that takes everything."""

    def publish(self, topic: str, payload: bytes, qos: int, *, retain: bool = False) -> "asyncio.Future[None]":
        """Take."""
        future = super().publish(topic, payload, qos, retain=retain)
        future.set_result(None)
        return future


def acknowledge(uplink: Uplink, up_to: int, *missing: tuple[int, int], time_ms: int, highest: int = 0) -> None:
    """Bring an acknowledgement of the centre."""
    topic = topics.acknowledgement("gw-1")
    message = Acknowledgement("gw-1", uplink._context, up_to, missing, time_ms, highest)
    assert uplink.acknowledgement(topic, Signer(key_of("centre")).sign(message.encode(), topic))


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


def test_what_the_centre_asks_for_is_sent_once_more(tmp_path: Path) -> None:
    """Acknowledged or not; what the journal has forgotten is named, what was never written is in neither list."""

    async def scenario() -> None:
        clock, link = ManualClock(), Taking()
        async with sending(tmp_path, link, clock, records=40) as (uplink, writer):
            await turns(writer)
            acknowledge(uplink, 40, time_ms=1)
            assert (uplink.window.acknowledged, link.sent) == (40, [(1, 10)])
            await writer.call(writer.journal.connection.execute, "DELETE FROM records WHERE sequence <= 8")
            link.sent.clear()
            assert await uplink.resend(5, 22) == Resend(queued=((9, 22),), gone=((5, 8),))
            assert await uplink.resend(41, 50) == Resend((), ())
            assert await uplink.resend(1, 3) == Resend((), gone=((1, 3),))
            await turns(writer)
            assert link.sent == [(9, 10), (19, 4)]
            await clock.advance(3100)
            await turns(writer)
            assert sorted(link.sent) == [(9, 10), (9, 10), (19, 4), (19, 4)]
            acknowledge(uplink, 40, time_ms=10)
            await turns(writer)
            await clock.advance(60_000)
            await turns(writer)
            assert sorted(link.sent) == [(9, 10), (9, 10), (19, 4), (19, 4)]
            assert len(uplink.window) == 0
            with pytest.raises(ValueError, match="resend of 3 to 2"):
                await uplink.resend(3, 2)

    asyncio.run(scenario())


def test_an_old_acknowledgement_does_not_end_what_was_asked_for_again(tmp_path: Path) -> None:
    """It was written before the centre had a reason to ask, and may come late or be replayed."""

    async def scenario() -> None:
        clock, link = ManualClock(), Taking()
        async with sending(tmp_path, link, clock, records=10) as (uplink, writer):
            await turns(writer)
            acknowledge(uplink, 10, time_ms=100)
            await uplink.resend(1, 10)
            await turns(writer)
            acknowledge(uplink, 10, time_ms=99)
            acknowledge(uplink, 10, time_ms=100)
            assert (uplink.stale, len(uplink.window)) == (2, 1)
            acknowledge(uplink, 10, time_ms=101)
            assert len(uplink.window) == 0

    asyncio.run(scenario())


async def write(uplink: Uplink, writer: JournalWriter, count: int) -> None:
    """Let the journal grow as the writer does."""
    rows = [to_row(event(number, EventCode.GAP)) for number in range(count)]
    await writer.call(writer.journal.commit, [Append(rows)])
    uplink.records_written()


def test_after_an_outage_fresh_records_go_first_and_the_newest_of_the_backlog_next(tmp_path: Path) -> None:
    """What was made while the link was down for longer than a time-out waits behind what is made now; no probe."""

    async def scenario() -> None:
        clock, link = ManualClock(), Taking()
        async with sending(tmp_path, link, clock, records=10) as (uplink, writer):
            await turns(writer)
            acknowledge(uplink, 10, time_ms=1)
            link.connected = False
            await write(uplink, writer, 100)
            await clock.advance(60_000)
            await write(uplink, writer, 5)
            link.sent.clear()
            link.connected = True
            uplink.connected()
            await turns(writer)
            assert link.sent == [(111, 5), (101, 10), (91, 10)]
            acknowledge(uplink, 10, (11, 90), time_ms=2, highest=115)
            await turns(writer)
            assert link.sent[3:] == [(11, 10), (81, 10)]
            assert uplink.window.resent == 0

    asyncio.run(scenario())


def test_receivers_with_clocks_apart_are_both_understood(tmp_path: Path) -> None:
    """What the one behind says is stored counts; what it says is missing is not sent again."""

    async def scenario() -> None:
        clock, link = ManualClock(), Taking()
        async with sending(tmp_path, link, clock, records=0) as (uplink, writer):
            for _ in range(3):
                await write(uplink, writer, 10)
                await turns(writer)
            assert link.sent == [(1, 10), (11, 10), (21, 10)]
            acknowledge(uplink, 10, time_ms=100_000)
            acknowledge(uplink, 10, (11, 20), time_ms=40_000, highest=30)
            assert [batch.first for batch in uplink.window.due(1e9)] == [11]
            await clock.advance(1900)
            await turns(writer)
            assert len(link.sent) == 3
            acknowledge(uplink, 10, (11, 20), time_ms=101_000, highest=30)
            await turns(writer)
            assert link.sent[3:] == [(11, 10)]
            assert uplink.stale == 1

    asyncio.run(scenario())


def test_a_centre_whose_clock_was_set_back_is_believed_again(tmp_path: Path) -> None:
    """After the longest time-out without a newer message; until then only what it has stored is."""

    async def scenario() -> None:
        clock, link = ManualClock(), Taking()
        async with sending(tmp_path, link, clock, records=10) as (uplink, writer):
            await turns(writer)
            acknowledge(uplink, 10, time_ms=9_000_000)
            await uplink.resend(1, 10)
            await turns(writer)
            acknowledge(uplink, 10, time_ms=1000)
            assert len(uplink.window) == 1
            await clock.advance(3000)
            acknowledge(uplink, 10, time_ms=4000)
            assert len(uplink.window) == 0

    asyncio.run(scenario())
