"""The intake while its store fails, is full or rejects a record: nothing acknowledged is lost, nothing doubled."""

import asyncio
import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from intake_support import FAST, Bench, Message, batch, rejecting
from key_support import BOTH_ALGORITHMS
from receiver_support import DAY_MS, FakeGateway, enrol, stored_sequences, until
from sqlalchemy import Engine, event, func, select, update
from sqlalchemy.exc import OperationalError

from cloud_receiver import database
from cloud_receiver.intake import QUEUE_LIMIT
from cloud_receiver.schema import gateway_key, message, quarantine, set_aside
from wire import keys
from wire.envelope import Signer
from wire.messages import Acknowledgement

pytestmark = BOTH_ALGORITHMS


@contextmanager
def failing(engine: Engine, failures: int, statement: str) -> Iterator[list[str]]:
    """Let the store fail as SQLite does when the disk is full, a number of times, at a kind of statement."""
    failed: list[str] = []

    def before(_conn: Any, _cursor: Any, sql: str, *_: Any) -> None:
        if len(failed) < failures and statement in sql:
            failed.append(sql)
            raise OperationalError(sql, None, sqlite3.OperationalError("database or disk is full"))

    event.listen(engine, "before_cursor_execute", before)
    yield failed
    event.remove(engine, "before_cursor_execute", before)


@pytest.mark.parametrize(
    "statement",
    [
        *("INSERT INTO interval", "INSERT INTO message", "received_range"),
        pytest.param("BEGIN", marks=pytest.mark.sqlite),
    ],
)
def test_while_the_disk_is_full_nothing_is_acknowledged_and_nothing_lost(
    statement: str, engine: Engine, gateway: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    bench = Bench(engine)
    item = batch(gateway, 1, 5)
    seen: list[tuple[int, int]] = []

    def failed_thrice() -> bool:
        seen.append((len(bench.link.published), len(item.acked)))
        return len(failed) == 3

    async def run() -> None:
        task = asyncio.create_task(bench.intake.run())
        bench.intake.receive(item)
        await until(failed_thrice)
        await until(lambda: bool(item.acked))
        bench.intake.stop()
        await task

    with failing(engine, 3, statement) as failed, caplog.at_level(logging.INFO):
        asyncio.run(run())
    assert set(seen) == {(0, 0)}
    assert stored_sequences(engine) == [1, 2, 3, 4, 5]
    assert bench.acknowledgements()[0].up_to == 5
    assert bench.intake.counters.store_errors == 3
    assert "database or disk is full" in caplog.text
    assert "1 messages stay unacknowledged" in caplog.text
    assert "works again after 3 failures" in caplog.text


def test_messages_that_come_again_while_the_store_fails_do_not_fill_the_memory(
    engine: Engine, gateway: FakeGateway
) -> None:
    bench = Bench(engine)
    old, new = batch(gateway, 1, 1), batch(gateway, 2, 1)
    bench.intake.receive(old)
    for _ in range(QUEUE_LIMIT):
        bench.intake.receive(new)
    assert (bench.intake.backlog, bench.intake.counters.displaced) == (QUEUE_LIMIT, 1)
    bench.take()
    # Only the broker is told that it is done with what was displaced: the gateway still has it, and knows.
    assert (len(old.acked), len(new.acked)) == (1, QUEUE_LIMIT)
    assert bench.acknowledgements()[-1].missing == ((1, 1),)


@pytest.mark.sqlite
def test_a_really_full_database(engine: Engine, gateway: FakeGateway) -> None:
    with engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages + 4}")
    bench = Bench(engine)
    items = [batch(gateway, 1 + 500 * number, 500) for number in range(6)]

    async def run() -> None:
        task = asyncio.create_task(bench.intake.run())
        for item in items:
            bench.intake.receive(item)
        await until(lambda: bench.intake.counters.store_errors > 0)
        acknowledged = bench.acknowledgements()[-1].up_to if bench.link.published else 0
        assert set(range(1, acknowledged + 1)) <= set(stored_sequences(engine))
        assert not any(item.acked for item in items[acknowledged // 500 :])
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count=100000")
        await until(lambda: bool(items[-1].acked))
        bench.intake.stop()
        await task

    asyncio.run(run())
    assert stored_sequences(engine) == list(range(1, 3001))


def test_a_crash_between_commit_and_acknowledgement_repeats_but_never_doubles(
    engine: Engine, gateway: FakeGateway
) -> None:
    class Crash(BaseException):
        """The process dies."""

    bench = Bench(engine)
    item = batch(gateway, 1, 5)

    def die(*_: object, **__: object) -> Any:
        raise Crash

    bench.link.publish = die  # type: ignore[method-assign]  # the injected crash
    with pytest.raises(Crash):
        bench.take(item)
    assert item.acked == []
    again = Bench(engine)
    redelivered = Message(item.topic, item.payload)
    again.take(redelivered)
    assert stored_sequences(engine) == [1, 2, 3, 4, 5]
    assert again.acknowledgements() == [Acknowledgement("gw1", gateway.context, 5, (), DAY_MS)]
    assert (again.intake.counters.records, again.intake.counters.duplicates) == (0, 5)
    with database.reading(engine) as connection:
        assert connection.execute(select(func.count()).select_from(message)).scalar() == 1


def test_a_batch_the_store_rejects_is_set_aside_and_entered_later(engine: Engine, gateway: FakeGateway) -> None:
    bench = Bench(engine)
    # The second overlaps the first: only what is new of it is set aside.
    items = [batch(gateway, 1, 2), batch(gateway, 2, 3), batch(gateway, 5, 2)]
    with rejecting(engine, 3):
        bench.take(*items)
        assert stored_sequences(engine) == [1, 2, 5, 6]
        # It is kept whole, so the gateway need not send it for ever.
        assert bench.acknowledgements()[-1] == Acknowledgement("gw1", gateway.context, 6, (), DAY_MS)
        assert all(item.acked for item in items)
        assert [bytes(row.envelope) for row in bench.rows(message)] == [item.payload for item in items]
        (aside,) = bench.rows(set_aside)
        assert (aside.new, "constraint failed" in aside.detail) == ("[[3, 4]]", True)
        assert bench.rows(quarantine) == []
        bench.take(batch(gateway, 2, 3))
        bench.intake.take_back()
        assert (len(bench.rows(set_aside)), bench.intake.counters.set_aside) == (1, 1)
    again = Bench(engine)
    again.intake.take_back()
    again.intake.take_back()
    assert stored_sequences(engine) == [1, 2, 3, 4, 5, 6]
    assert bench.rows(set_aside) == []


def test_what_is_set_aside_under_a_key_that_this_receiver_can_not_use_waits_for_one_that_can(
    engine: Engine, gateway: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    other = enrol(engine, "gw2")
    bench = Bench(engine)
    with rejecting(engine, 3):
        bench.take(batch(gateway, 3, 2), batch(other, 3, 2))
    assert len(bench.rows(set_aside)) == 2
    own = gateway_key.c.kid == Signer(gateway.key).kid
    with database.writing(engine) as connection:
        connection.execute(update(gateway_key).where(own).values(public_key=b"?"))
    Bench(engine).intake.take_back()
    assert len(bench.rows(set_aside)) == 1
    assert "diantan/1/up/gw1/records stays set aside: unknown key" in caplog.text
    with database.writing(engine) as connection:
        connection.execute(
            update(gateway_key).where(own).values(public_key=keys.public_bytes(gateway.key.public_key()))
        )
    Bench(engine).intake.take_back()
    assert bench.rows(set_aside) == []


def test_what_is_set_aside_is_as_durable_as_a_record(engine: Engine, gateway: FakeGateway) -> None:
    bench = Bench(engine)
    item = batch(gateway, 3, 2)

    async def run() -> None:
        task = asyncio.create_task(bench.intake.run())
        bench.intake.receive(item)
        await until(lambda: len(failed) == 2)
        assert (bench.link.published, item.acked) == ([], [])
        await until(lambda: bool(item.acked))
        bench.intake.stop()
        await task

    with rejecting(engine, 3), failing(engine, 2, "INSERT INTO set_aside") as failed:
        asyncio.run(run())
    assert len(bench.rows(set_aside)) == 1


def test_the_quarantine_is_not_charged_for_what_was_rolled_back(engine: Engine, gateway: FakeGateway) -> None:
    bench = Bench(engine, FAST.model_copy(update={"quarantine_per_minute": 2}))
    junk = Message(gateway.topic, b"junk")

    async def run() -> None:
        task = asyncio.create_task(bench.intake.run())
        bench.intake.receive(junk)
        await until(lambda: bool(junk.acked))
        bench.intake.stop()
        await task

    with failing(engine, 5, "DELETE FROM quarantine"):
        asyncio.run(run())
    assert [(row.reason, row.count) for row in bench.rows(quarantine)] == [("malformed", 1)]
