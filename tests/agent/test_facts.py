"""What the centre is told of a gateway: backlog as the journal has it, overdue meters, and reasons of drops."""

import asyncio
import sqlite3
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from gateway_support import Running, until

from agent import facts as facts_module
from agent.facts import Facts, measure
from agent.journal import Journal
from agent.journal_entry import Append, event, to_row
from clock import ManualClock
from wire.envelope import KeyRing, open_envelope
from wire.messages import Status, StatusState
from wire.records import AdjustmentRecord, EventCode
from wire.status_facts import MAX_WORST, Backlog, Dropped, Overdue

START = 1_767_196_800_000


@pytest.fixture
def journal(tmp_path: Path) -> Any:
    opened = Journal.open(tmp_path / "journal.db", now_ms=START, entropy=bytes)
    yield opened
    opened.close()


def writer_of(journal: Any, waiting: int = 0, beyond: int = 0) -> Any:
    async def call(function: Any, *arguments: Any) -> Any:
        return function(*arguments)

    return SimpleNamespace(
        journal=journal,
        call=call,
        waiting_records=waiting,
        next_sequence=journal.header.next_sequence,
        acknowledged=journal.header.acknowledged,
        unacknowledged=journal.header.next_sequence - 1 - journal.header.acknowledged - beyond,
    )


def facts_of(journal: Any, clock: ManualClock, meters: Any = ("a",), last: Any = None, **more: Any) -> Facts:
    return Facts(
        dict.fromkeys(meters, 60_000),
        last or {},
        writer_of(journal, **more),
        clock,
        clock.now_ms,
        limit_ms=900_000,
        held_back=lambda: 5,
        stale=lambda: 6,
        resent=lambda: 7,
    )


def test_the_backlog_is_what_the_centre_has_not_acknowledged(journal: Journal) -> None:
    old = AdjustmentRecord("a", START - 9_999_999, 900_000, 3, 4, None, 6, 7, -8, b"s")
    rows = [to_row(event(START + n, EventCode.GAP, "a")) for n in range(4)] + [to_row(old)]
    rows += [to_row(event(START + n, EventCode.GAP, "a")) for n in (100, 200)]
    journal.commit([Append(rows)], acknowledged=4)
    clock = ManualClock(wall_ms=START + 1100)
    facts = facts_of(journal, clock, waiting=9)
    # The adjustment is of long ago, and yet new: the age is that of the event behind it.
    assert facts.backlog() == Backlog(3 + 9, sum(len(row.body) for row in rows[4:]), 1000)
    assert facts.fields()["backlog"] == facts.backlog()
    journal.commit([], acknowledged=7)
    facts = facts_of(journal, clock)
    assert facts.backlog() == Backlog(0, 0, 0)


def test_a_large_backlog_is_estimated(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts_module, "_SAMPLED", 10)
    row = to_row(event(START, EventCode.GAP, "a"))
    journal.commit([Append([row] * 100)])
    assert measure(journal, 0, 100).backlog_bytes == 100 * len(row.body)
    assert measure(journal, 95, 5).backlog_bytes == 5 * len(row.body)


def test_what_the_centre_has_beyond_a_gap_is_no_backlog(journal: Journal) -> None:
    row = to_row(event(START, EventCode.GAP, "a"))
    journal.commit([Append([row] * 100)], acknowledged=20)
    facts = facts_of(journal, ManualClock(wall_ms=START + 500), beyond=70)
    assert facts.backlog() == Backlog(10, 10 * len(row.body), 500)


def test_what_was_measured_stays_while_the_disk_refuses(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    journal.commit([Append([to_row(event(START, EventCode.GAP, "a"))])])
    facts = facts_of(journal, ManualClock(wall_ms=START))
    before = facts.measured

    class Refusing:
        def execute(self, *_: Any) -> Any:
            error = sqlite3.OperationalError("disk I/O error")
            error.sqlite_errorcode = sqlite3.SQLITE_IOERR
            raise error

    with monkeypatch.context() as patched:
        patched.setattr(journal, "connection", Refusing())
        asyncio.run(facts.measure())
    assert facts.measured == before
    assert before.backlog_bytes > 0
    assert "the backlog can't be measured" in caplog.text


def test_the_worst_meters_are_named_and_the_others_counted(journal: Journal) -> None:
    clock = ManualClock(wall_ms=START)
    meters = [f"m{number:02}" for number in range(40)]
    facts = facts_of(journal, clock, meters, {"m01": START - 5_000_000, "m02": START - 800_000})
    assert facts.overdue() == Overdue(40, 1, 900_000, (("m01", 5_000_000),))
    clock.wall_ms += 86_400_000  # a leap of the wall clock makes no meter overdue
    assert facts.overdue().overdue == 1
    clock.elapsed_ms += 900_000
    for meter in meters[10:]:
        facts.read(meter)
    assert facts.overdue().overdue == 2  # those that were never read have had 900 s, not longer
    clock.elapsed_ms += 1
    found = facts.overdue()
    assert found.overdue == 10
    assert found.worst[:8] == tuple((name, None) for name in ("m00", *meters[3:10]))
    assert found.worst[8:] == (("m01", 5_900_001), ("m02", 1_700_001))
    clock.elapsed_ms += 900_000
    assert facts.overdue().overdue == 40
    assert len(facts.overdue().worst) == MAX_WORST


def test_the_reasons_of_drops_and_the_clock_are_told(journal: Journal) -> None:
    clock = ManualClock(wall_ms=START)
    facts = facts_of(journal, clock)
    facts.unfit, facts.unusable = 1, 2
    assert facts.dropped_by() == {
        Dropped.STORAGE: 0,
        Dropped.UNFIT: 1,
        Dropped.STALE: 6,
        Dropped.HELD_BACK: 5,
        Dropped.UNUSABLE: 2,
    }
    assert facts.fields()["resent"] == 7
    assert facts.clock_offset_ms() == 0
    facts._now_ms = lambda: START + 7_200_000
    assert facts.fields()["clock_offset_ms"] == 7_200_000


def test_the_status_tells_the_facts(site: Any, responder: Any, fast_clock: Any) -> None:
    """All but the will, which the broker keeps for a time when they no longer hold."""
    ring = KeyRing()
    ring.add(site.gateway_public, "gw-1")

    async def scenario() -> tuple[Status, Status]:
        async with responder.listening():
            running = Running(site.configure(broker_port=1, meter_ports=[responder.port]), fast_clock)
            reporter = running.gateway.status
            will = running.gateway.link._will
            assert will is not None
            async with running as gateway:
                await until(lambda: gateway.writer.unacknowledged > 2)
                await gateway.facts.measure()
                envelope = reporter.envelope(StatusState.HEALTH)
        return tuple(  # type: ignore[return-value]  # two
            Status.decode(open_envelope(data, reporter.topic, ring).payload) for data in (will.payload, envelope)
        )

    will, health = asyncio.run(scenario())
    assert (will.backlog, will.overdue) == (None, None)
    assert health.backlog is not None
    assert health.backlog.records >= health.unacknowledged > 2
    assert health.backlog.size > 20 * 2
    assert health.overdue == Overdue(1, 0, 900_000)
    assert health.dropped_by == dict.fromkeys(range(5), 0)
    assert health.resent == 0
    assert health.clock_offset_ms is not None
    assert abs(health.clock_offset_ms) < 60_000  # a fast clock moves between two looks
