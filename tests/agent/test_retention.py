"""What is forgotten, and that it is told where the centre did not have it."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agent.config import JournalSettings
from agent.journal import DAY_MS, Append, Journal, event, to_row
from agent.journal_schema import StorageFullError
from agent.retention import prune
from wire.records import DetailKey, EventCode

START = 1_767_196_800_000
KEEP = JournalSettings(days=400, megabytes=1)


def writer_of(journal: Any) -> Any:
    """Return a writer that has no thread."""

    async def call(function: Any, *arguments: Any) -> Any:
        return function(*arguments)

    return SimpleNamespace(journal=journal, call=call)


def run(journal: Any, now_ms: int | None) -> list[tuple[EventCode, Mapping[DetailKey, int | str]]]:
    """Prune; return what was told."""
    told: list[tuple[EventCode, Mapping[DetailKey, int | str]]] = []
    asyncio.run(prune(writer_of(journal), KEEP, lambda: now_ms, lambda code, details: told.append((code, details))))
    return told


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

    def step(now_ms: int | None, **_: int) -> tuple[int, None]:
        times.append(now_ms)
        return next(steps)

    assert run(SimpleNamespace(prune=step), None) == []
    assert times == [None] * 4


def test_what_the_centre_has_goes_silently(tmp_path: Path) -> None:
    """By age."""
    journal = kept(tmp_path, 10, 10)
    assert run(journal, START + 401 * DAY_MS) == []
    assert journal.read(1, 10).records == []
    journal.close()


def test_what_had_to_go_before_the_centre_had_it_is_told(tmp_path: Path) -> None:
    """With the sequences: they are one range."""
    journal = kept(tmp_path, 30_000, 0)
    assert journal.used_bytes() > 1 << 20
    told = run(journal, None)
    assert {code for code, _ in told} == {EventCode.RECORDS_DROPPED}
    ranges = [(details[DetailKey.FIRST_SEQUENCE], details[DetailKey.LAST_SEQUENCE]) for _, details in told]
    assert ranges[0][0] == 1
    assert [first for first, _ in ranges[1:]] == [int(last) + 1 for _, last in ranges[:-1]]
    assert sum(int(details[DetailKey.COUNT]) for _, details in told) == journal.header.dropped
    journal.close()


def test_a_disk_that_refuses_is_said_and_tried_again_later(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing else happens."""

    def step(_: int | None, **__: int) -> None:
        raise StorageFullError("journal.db: disk I/O error")

    assert run(SimpleNamespace(prune=step), START) == []
    assert "can't be removed" in caplog.text
