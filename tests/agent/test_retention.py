"""What is forgotten, and that it is told where the centre did not have it."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.config import JournalSettings
from agent.journal import Journal
from agent.journal_check import verify
from agent.journal_entry import Append, StoredCommand, event, to_row
from agent.journal_pruning import DAY_MS, used_bytes
from agent.journal_schema import StorageFullError
from agent.retention import prune
from wire.commands import Outcome
from wire.records import ClockState, DetailKey, EventCode, EventRecord

START = 1_767_196_800_000
KEEP = JournalSettings(days=400, megabytes=1)


def writer_of(journal: Any) -> Any:
    """Return a writer that has no thread."""

    async def call(function: Any, *arguments: Any) -> Any:
        return function(*arguments)

    return SimpleNamespace(journal=journal, call=call, on_written=lambda: None)


def run(journal: Any, now_ms: int | None) -> None:
    """Prune."""
    asyncio.run(prune(writer_of(journal), KEEP, lambda: now_ms, lambda: START, lambda: ClockState.UNKNOWN))


def told(journal: Journal) -> list[tuple[int, int, int]]:
    """Return what the journal tells of records dropped: how many, first and last sequence."""
    first = journal.read(1, 1).first
    found = []
    for record in journal.read(first, 100_000).records:
        if isinstance(record, EventRecord) and record.code == EventCode.RECORDS_DROPPED:
            keys = (DetailKey.COUNT, DetailKey.FIRST_SEQUENCE, DetailKey.LAST_SEQUENCE)
            count, low, high = (int(record.details[int(key)]) for key in keys)
            found.append((count, low, high))
    return found


def kept(tmp_path: Path, count: int, acknowledged: int) -> Journal:
    """Return a journal with events."""
    journal = Journal.open(tmp_path / "journal.db", now_ms=START, entropy=bytes)
    rows = [to_row(event(START + n, EventCode.GAP, "m", {DetailKey.TEXT: "x" * 80})) for n in range(count)]
    journal.commit([Append(rows)], acknowledged=acknowledged)
    return journal


def test_old_records_go_in_as_many_steps_as_it_takes() -> None:
    """And only while the clock can be trusted."""
    times: list[int | None] = []
    steps = iter([(5_000, None), (5_000, None), (17, None), (0, None)])

    def step(now_ms: int | None, **_: object) -> tuple[int, None]:
        times.append(now_ms)
        return next(steps)

    run(SimpleNamespace(prune=step), None)
    assert times == [None] * 4


def test_what_the_centre_has_goes_silently(tmp_path: Path) -> None:
    """By age."""
    journal = kept(tmp_path, 10, 10)
    run(journal, START + 401 * DAY_MS)
    assert journal.read(1, 10).records == []
    journal.close()


def test_what_had_to_go_before_the_centre_had_it_is_told(tmp_path: Path) -> None:
    """With the sequences: each event has all that had gone by then, since those before it may go as well."""
    journal = kept(tmp_path, 30_000, 50)
    assert used_bytes(journal.connection) > 1 << 20
    run(journal, None)
    found = told(journal)
    assert len(found) > 1
    assert found == [(high - 50, 51, high) for high in sorted(high for _, _, high in found)]
    assert journal.read(1, 1).first == found[-1][2] + 1
    assert journal.header.dropped == found[-1][0]
    assert journal.header.next_sequence == 30_001 + len(found)
    journal.close()
    assert verify(tmp_path / "journal.db").problems == []


def test_a_journal_that_something_else_fills_ends_with_what_tells_of_it(tmp_path: Path) -> None:
    """Removing what takes its place would never end."""
    journal = kept(tmp_path, 100, 0)
    journal.commit([Append(states={"m": bytes(2 << 20)})])
    run(journal, None)
    assert told(journal)[-1][1:] == (1, journal.read(1, 1).first - 1)
    assert len(journal.read(1, 100).records) == 2
    journal.close()


def test_no_record_goes_for_the_replies_to_commands(tmp_path: Path) -> None:
    """They are kept for up to a week, and bounded by themselves."""
    journal = kept(tmp_path, 100, 0)
    reply = bytes(2 << 20)
    journal.commit([Append(command=StoredCommand(bytes(16), START, START + DAY_MS, 4, Outcome.DONE, reply))])
    run(journal, None)
    assert told(journal) == []
    assert len(journal.read(1, 200).records) == 100
    journal.close()


def test_a_power_cut_leaves_no_gap_of_which_nobody_tells(tmp_path: Path) -> None:
    """Whatever step is the last one."""
    journal = kept(tmp_path, 30_000, 0)
    steps = 0
    while used_bytes(journal.connection) > 1 << 20:
        steps += 1

        async def once(function: Any, *arguments: Any) -> Any:
            function(*arguments)
            raise StorageFullError("the power is off")

        writer = SimpleNamespace(journal=journal, call=once)
        asyncio.run(prune(writer, KEEP, lambda: None, lambda: START, lambda: ClockState.UNKNOWN))  # type: ignore[arg-type]  # what it needs of one
        after = Journal.open(tmp_path / "journal.db", now_ms=START, entropy=bytes) if steps == 1 else journal
        count, first, last = told(after)[-1]
        assert (first, last) == (1, after.read(1, 1).first - 1)
        assert count == after.header.dropped
        if after is not journal:
            after.close()
    assert steps > 1
    journal.close()


def test_a_disk_that_refuses_is_said_and_tried_again_later(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing else happens."""

    def step(_: int | None, **__: object) -> None:
        raise StorageFullError("journal.db: disk I/O error")

    run(SimpleNamespace(prune=step), START)
    assert "can't be removed" in caplog.text
