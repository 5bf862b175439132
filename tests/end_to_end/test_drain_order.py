"""A backlog drains behind fresh records, from both ends: the order in which a real centre stores it."""

import random
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from agent.journal import Journal
from agent.journal_entry import Append, event, to_row
from demo import plan as demo_plan
from wire.records import EventCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Thread

    from demo.files import Broker
    from demo.plan import Plan

pytestmark = pytest.mark.mosquitto

BACKLOG = 4000
RATE = 1  # records a second of the gateway's clock: 900 in an interval, so fresh records come before the half is sent
MINUTE_MS = 60_000


def fill(thread: "Thread") -> None:
    """Write the journal that the gateway finds: records of before its start."""
    first_ms = thread.plan.origin_ms - BACKLOG * MINUTE_MS
    path = thread.files.directory / "gateway" / "journal.db"
    journal = Journal.open(path, now_ms=first_ms, entropy=random.Random(1).randbytes)
    rows = [to_row(event(first_ms + number * MINUTE_MS, EventCode.GAP, "c01")) for number in range(BACKLOG)]
    journal.commit([Append(rows)])
    journal.close()


def limit(thread: "Thread") -> None:
    """Let the backlog drain so slowly that fresh records are made meanwhile."""
    text = thread.files.agent.read_text()
    thread.files.agent.write_text(f"[uplink]\ndrain_records_per_second = {RATE}\n{text}")


def messages(thread: "Thread") -> list[tuple[int, int]]:
    """Return (first, count) of the signed messages in the order in which the centre stored them."""
    with closing(sqlite3.connect(f"file:{thread.database}?mode=ro", uri=True)) as store:
        return store.execute("SELECT first, count FROM message ORDER BY id").fetchall()


def place(found: list[tuple[int, int]], sequence: int) -> int:
    """Return which of the messages brought a record."""
    (only,) = (number for number, (first, count) in enumerate(found) if first <= sequence < first + count)
    return only


def test_fresh_records_are_stored_before_the_middle_of_the_backlog(
    make_thread: "Callable[[Plan, int], Thread]", mosquitto: "Broker"
) -> None:
    """Real agent, broker and receiver; by the order of the centre's messages, whatever the machine's speed."""
    thread = make_thread(demo_plan.generated(chargers=3, hours=2, seed=1), mosquitto.port)
    thread.start_station()
    thread.start_receiver()
    fill(thread)
    limit(thread)
    thread.start_agent()
    thread.wait_until("the backlog's delivery", lambda: thread.stored_count() > BACKLOG)
    thread.wait_until("delivery of everything", lambda: thread.journal_summary()["unacknowledged"] == 0)
    thread.stop()
    found = messages(thread)
    fresh = [number for number, (first, _) in enumerate(found) if first > BACKLOG]
    newest, middle, oldest = (place(found, sequence) for sequence in (BACKLOG, BACKLOG // 2, 1))
    assert sum(number < middle for number in fresh) > 1  # what the start made, and at least one interval
    assert newest < middle
    assert oldest < middle
    # What was the cumulative acknowledgement's next sequence had its share all the time.
    assert place(found, 200) < len(found) // 2
    assert sum(count for _, count in found) == len({n for first, count in found for n in range(first, first + count)})
    assert thread.stored().keys() >= set(range(1, BACKLOG + 1))
