"""The writer between the event loop and the journal: order, groups, a disk that is full for a while."""

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest

from agent.journal import Journal
from agent.journal_entry import Append, event, to_row
from agent.journal_schema import JournalError, StorageFullError
from agent.writer import JournalWriter
from clock import ManualClock
from wire.records import EventCode, EventRecord


def gap(number: int) -> Append:
    """Return an operation that can be recognised."""
    return Append([to_row(event(number, EventCode.GAP))])


def opened(tmp_path: Path) -> Journal:
    """Return a new journal."""
    return Journal.open(tmp_path / "journal.db", now_ms=0, entropy=lambda n: random.Random().randbytes(n))


def times(journal: Journal, code: EventCode = EventCode.GAP) -> list[int]:
    """Return the times of the events of a kind, in order of sequence."""
    _, records, _ = journal.read(1, 100_000)
    return [record.time_ms for record in records if isinstance(record, EventRecord) and record.code == code]


async def settle(writer: JournalWriter) -> None:
    """Wait for the writer's first outcome."""
    async with asyncio.timeout(20):
        await writer.flush()


def test_whoever_asks_is_told_when_it_is_on_the_disk(tmp_path: Path) -> None:
    """Not before; and the centre's newest time goes with whatever is written next."""

    async def scenario() -> None:
        journal = opened(tmp_path)
        writer = JournalWriter(journal, ManualClock(), lambda: 0, memory_records=10)
        kept: list[int] = []
        commit = journal.commit

        def committing(operations: Any, **counters: int) -> int:
            assert not kept
            return commit(operations, **counters)

        journal.commit = committing  # type: ignore[method-assign]
        task = asyncio.create_task(writer.run())
        writer.note_centre_time(9)
        writer.note_centre_time(8)
        writer.submit(Append(gap(1).rows, on_kept=lambda: kept.append(journal.header.next_sequence)))
        await settle(writer)
        assert kept == [2]
        assert journal.header.centre_ms == 9
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        journal.commit = commit  # type: ignore[method-assign]
        await writer.close()

    asyncio.run(scenario())


def test_operations_are_written_in_order(tmp_path: Path) -> None:
    """However they are grouped into transactions; whoever waits is told."""

    async def scenario() -> None:
        journal = opened(tmp_path)
        writer = JournalWriter(journal, ManualClock(), lambda: 0, memory_records=10)
        told = []
        writer.on_written = lambda: told.append(writer.next_sequence)
        task = asyncio.create_task(writer.run())
        for number in range(1000):
            writer.submit(gap(number))
            if number % 97 == 0:
                await asyncio.sleep(0)
        assert not writer.has_room
        await settle(writer)
        assert writer.has_room
        assert times(journal) == list(range(1000))
        assert told[-1] == 1001
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await writer.close()

    asyncio.run(scenario())


def test_records_wait_while_the_disk_is_full_and_are_written_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost or reordered; the condition itself becomes an event."""

    async def scenario() -> None:
        journal = opened(tmp_path)
        clock = ManualClock()
        writer = JournalWriter(journal, clock, lambda: 77, memory_records=5)
        commit, full = journal.commit, True

        def refuse(*arguments: Any, **options: Any) -> int:
            if full:
                raise StorageFullError("no room")
            return commit(*arguments, **options)

        monkeypatch.setattr(journal, "commit", refuse)
        task = asyncio.create_task(writer.run())
        for number in range(6):
            writer.submit(gap(number))
        await settle(writer)
        assert writer.full
        assert not writer.has_room
        assert not await writer.flush()
        full = False
        async with asyncio.timeout(20):
            while writer.waiting_records:
                await clock.advance(1000)
                await asyncio.sleep(0.001)
        assert not writer.full
        assert times(journal) == list(range(6))
        assert times(journal, EventCode.STORAGE_FULL) == [77]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await writer.close()

    asyncio.run(scenario())


def test_counters_are_stored_when_nothing_else_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else `journal ls` would show the acknowledgements of the last interval only; no transaction without news."""

    async def scenario() -> None:
        journal = opened(tmp_path)
        commits = []
        commit = journal.commit
        monkeypatch.setattr(journal, "commit", lambda *args, **more: commits.append(1) or commit(*args, **more))
        writer = JournalWriter(journal, ManualClock(), lambda: 0, memory_records=10)
        task = asyncio.create_task(writer.run())
        writer.submit(gap(1))
        await settle(writer)
        writer.note_sent(1)
        writer.note_acknowledged(1)
        for _ in range(3):
            writer.store_counters()
            await settle(writer)
        assert len(commits) == 2
        stored = journal.connection.execute("SELECT acknowledged, sent FROM header").fetchone()
        assert stored == (1, 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await writer.close()

    asyncio.run(scenario())


def test_a_damaged_journal_ends_the_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That does not pass by waiting."""

    async def scenario() -> None:
        journal = opened(tmp_path)
        writer = JournalWriter(journal, ManualClock(), lambda: 0, memory_records=5)

        def fail(*_: Any, **__: Any) -> int:
            raise JournalError("damaged")

        monkeypatch.setattr(journal, "commit", fail)
        writer.submit(gap(0))
        with pytest.raises(JournalError):
            await writer.run()
        monkeypatch.undo()
        await writer.close()

    asyncio.run(scenario())


def test_cancelled_in_the_middle_of_a_commit_writes_it_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The transaction ends before the writer does, and is not repeated."""

    async def scenario() -> None:
        journal = opened(tmp_path)
        writer = JournalWriter(journal, ManualClock(), lambda: 0, memory_records=5)
        loop = asyncio.get_running_loop()
        started, commit = asyncio.Event(), journal.commit

        def slow(*arguments: Any, **options: Any) -> int:
            loop.call_soon_threadsafe(started.set)
            return commit(*arguments, **options)

        monkeypatch.setattr(journal, "commit", slow)
        writer.submit(gap(1))
        task = asyncio.create_task(writer.run())
        await started.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert writer.waiting_records == 0
        assert times(journal) == [1]
        await writer.close()

    asyncio.run(scenario())


def test_acknowledgements_are_stored_with_the_next_transaction(tmp_path: Path) -> None:
    """And at the end."""

    async def scenario() -> None:
        writer = JournalWriter(opened(tmp_path), ManualClock(), lambda: 0, memory_records=5)
        task = asyncio.create_task(writer.run())
        writer.submit(gap(1))
        await settle(writer)
        writer.note_sent(1)
        writer.note_acknowledged(1)
        assert writer.unacknowledged == 0
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await writer.close()

    asyncio.run(scenario())
    journal = opened(tmp_path)
    assert (journal.header.acknowledged, journal.header.sent) == (1, 1)
    journal.close()
