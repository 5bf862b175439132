"""The intake on a store of its own, with the link played by the test."""

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import cbor2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from intake_support import FAST, Bench, FakeLink, Message, batch
from key_support import BOTH_ALGORITHMS, new_key
from receiver_support import DAY_MS, FakeGateway, enrol, interval, stored_sequences, until
from sqlalchemy import Engine, event, func, select, update
from sqlalchemy.exc import IntegrityError, OperationalError

from cloud_receiver import database, enrolment
from cloud_receiver.intake import QUEUE_LIMIT
from cloud_receiver.refusal import Reason
from cloud_receiver.schema import dirty, gateway_key, message, meter, quarantine, set_aside
from cloud_receiver.schema import interval as interval_table
from wire import keys, topics
from wire.envelope import Signer
from wire.link import LinkError
from wire.messages import Acknowledgement

pytestmark = BOTH_ALGORITHMS


def test_a_batch_is_stored_acknowledged_and_kept_as_it_came(engine: Engine, gateway: FakeGateway) -> None:
    bench = Bench(engine)
    item = batch(gateway, 1, 64)
    bench.take(item)
    assert stored_sequences(engine) == list(range(1, 65))
    (row, *_) = bench.rows(interval_table)
    assert (row.start_ms, row.forward_mwh, row.carbon_forward_ug, row.factor) == (
        DAY_MS,
        1_000_000,
        570_300_000,
        570_300,
    )
    (kept,) = bench.rows(message)
    assert (kept.topic, bytes(kept.envelope), kept.first, kept.count) == (item.topic, item.payload, 1, 64)
    assert bench.acknowledgements() == [Acknowledgement("gw1", gateway.context, 64, (), DAY_MS)]
    assert item.acked == ["ack"]
    # The journal is new, and so are its records.
    assert {(row.first_ms, row.last_ms) for row in bench.rows(dirty)} == {
        (DAY_MS, DAY_MS),
        (DAY_MS, DAY_MS + 63 * 900_000),
    }


def test_gaps_are_named_and_close(engine: Engine, gateway: FakeGateway) -> None:
    bench = Bench(engine)
    bench.take(batch(gateway, 3, 2), batch(gateway, 9, 1))
    assert bench.acknowledgements()[-1].up_to == 0
    assert bench.acknowledgements()[-1].missing == ((1, 2), (5, 8))
    bench.take(batch(gateway, 1, 8))
    assert bench.acknowledgements()[-1].up_to == 9
    assert stored_sequences(engine) == list(range(1, 10))


def test_at_most_64_gaps_are_named(engine: Engine, gateway: FakeGateway) -> None:
    bench = Bench(engine)
    bench.take(*(batch(gateway, number, 1) for number in range(2, 160, 2)))
    assert len(bench.acknowledgements()[-1].missing) == 64


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 12)), min_size=1, max_size=15), st.integers(1, 4))
def test_exactly_once_whatever_comes_in_which_order(
    engine: Engine, gateway: FakeGateway, runs: list[tuple[int, int]], size: int
) -> None:
    # A context of its own for each example: the store is shared by all of them.
    context = keys.public_bytes(new_key().public_key())[:8]
    bench = Bench(engine, FAST.model_copy(update={"commit_batches": size}))
    bench.take(
        *(
            Message(
                gateway.topic,
                gateway.envelope(
                    first, [interval(number - 1) for number in range(first, first + count)], context=context
                ),
            )
            for first, count in runs
        )
    )
    expected = sorted({number for first, count in runs for number in range(first, first + count)})
    assert stored_sequences(engine, context) == expected
    assert bench.intake.counters.records == len(expected)
    assert bench.intake.counters.refused == {}


def test_two_receivers_with_one_store(engine: Engine, gateway: FakeGateway) -> None:
    one, two = Bench(engine), Bench(engine)
    for number in range(0, 40, 4):
        one.take(batch(gateway, number + 1, 4), batch(gateway, number + 3, 4))
        two.take(batch(gateway, number + 2, 4))
    assert stored_sequences(engine) == list(range(1, 43))
    assert two.acknowledgements()[-1].up_to == 42
    assert len(bench_meters(engine)) == 4  # both resolved the same meter


def bench_meters(engine: Engine) -> list[Any]:
    with database.reading(engine) as connection:
        return list(connection.execute(select(meter)).all())


def test_only_the_newest_acknowledgement_follows_one_under_way(engine: Engine, gateway: FakeGateway) -> None:
    bench = Bench(engine, FAST.model_copy(update={"commit_batches": 1}))
    answers: list[asyncio.Future[None]] = []

    class SlowLink(FakeLink):
        def publish(self, topic: str, payload: bytes, qos: int, *, retain: bool = False) -> "asyncio.Future[None]":
            super().publish(topic, payload, qos, retain=retain)
            answers.append(asyncio.get_running_loop().create_future())
            return answers[-1]

    bench.link = SlowLink()
    bench.intake._link = bench.link

    async def run() -> None:
        running = asyncio.create_task(bench.intake.run())
        items = [batch(gateway, first, 1) for first in range(1, 6)]
        for item in items:
            bench.intake.receive(item)
        await until(lambda: bool(items[-1].acked))
        assert [item.up_to for item in bench.acknowledgements()] == [1]
        answers[0].set_exception(LinkError("the link broke"))  # lost: the newest follows all the same
        bench.intake.stop()
        await until(lambda: len(answers) > 1)
        assert not running.done()
        answers[1].set_result(None)
        await running

    asyncio.run(run())
    assert [item.up_to for item in bench.acknowledgements()] == [1, 5]
    assert bench.intake.counters.acknowledgements == 2


def test_a_broken_link_and_another_journal_hold_no_acknowledgement_back(engine: Engine, gateway: FakeGateway) -> None:
    bench = Bench(engine, FAST.model_copy(update={"commit_batches": 1}))
    down = True
    held: list[asyncio.Future[None]] = []

    class BreakingLink(FakeLink):
        def publish(self, topic: str, payload: bytes, qos: int, *, retain: bool = False) -> "asyncio.Future[None]":
            future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            if down:
                future.set_exception(LinkError("not connected"))  # done before anybody can wait for it
                return future
            super().publish(topic, payload, qos, retain=retain)
            held.append(future)
            return future

    bench.link = BreakingLink()
    bench.intake._link = bench.link

    async def run() -> None:
        nonlocal down
        running = asyncio.create_task(bench.intake.run())
        first = [batch(gateway, number, 1) for number in (1, 2, 3)]
        for item in first:
            bench.intake.receive(item)
        await until(lambda: bool(first[-1].acked))
        assert bench.acknowledgements() == []
        down = False
        bench.intake.receive(batch(gateway, 4, 1))
        await until(lambda: len(held) == 1)
        # While that one is on its way the gateway makes a new journal: it waits for no answer to the old one.
        bench.intake.receive(Message(gateway.topic, gateway.envelope(1, [interval(5)], context=b"journal2")))
        await until(lambda: len(held) == 2)
        for future in held:
            future.set_result(None)
        bench.intake.stop()
        await running

    asyncio.run(run())
    assert [(item.context, item.up_to) for item in bench.acknowledgements()] == [(gateway.context, 4), (b"journal2", 1)]


def test_another_context_is_another_journal(engine: Engine, gateway: FakeGateway) -> None:
    bench = Bench(engine)
    other = Message(gateway.topic, gateway.envelope(1, [interval(5)], context=b"journal2"))
    bench.take(batch(gateway, 1, 2), other)
    assert {(item.context, item.up_to) for item in bench.acknowledgements()} == {(b"journal1", 2), (b"journal2", 1)}


def bad_signature(gateway: FakeGateway) -> Message:
    good = bytearray(batch(gateway, 1, 1).payload)
    good[-1] ^= 1
    return Message(gateway.topic, bytes(good))


def other_payload(gateway: FakeGateway, payload: bytes) -> Message:
    return Message(gateway.topic, Signer(gateway.key).sign(payload, gateway.topic))


def future_schema(gateway: FakeGateway) -> Message:
    content = cbor2.loads(gateway.payload(1, [interval(0)]))
    return other_payload(gateway, cbor2.dumps(content | {0: 2}, canonical=True))


def of_other_gateway(gateway: FakeGateway) -> Message:
    return other_payload(gateway, FakeGateway("gw9", gateway.key).payload(1, [interval(0)]))


def of_unknown_key(gateway: FakeGateway) -> Message:
    return batch(FakeGateway("gw1", new_key()), 1, 1)


def of_unknown_gateway(gateway: FakeGateway) -> Message:
    return batch(FakeGateway("gw9", new_key()), 1, 1)


def on_other_topic(gateway: FakeGateway) -> Message:
    return Message(topics.records("gw9"), batch(gateway, 1, 1).payload)


HOSTILE: list[tuple[Callable[[FakeGateway], Message], Reason]] = [
    (lambda gateway: Message(gateway.topic, b"\xff\x00garbage"), Reason.MALFORMED),
    (lambda gateway: Message(gateway.topic, b""), Reason.MALFORMED),
    (lambda gateway: Message(gateway.topic, bytes(2 << 20)), Reason.TOO_LARGE),
    (lambda gateway: Message("diantan/1/up/gw1/other", batch(gateway, 1, 1).payload), Reason.TOPIC),
    (lambda gateway: other_payload(gateway, b"\x9f" * 100), Reason.PAYLOAD),
    (lambda gateway: other_payload(gateway, cbor2.dumps({0: 1, 1: 5})), Reason.PAYLOAD),
    (bad_signature, Reason.BAD_SIGNATURE),
    (future_schema, Reason.FUTURE_SCHEMA),
    (of_other_gateway, Reason.GATEWAY_MISMATCH),
    (of_unknown_key, Reason.UNKNOWN_KEY),
    (of_unknown_gateway, Reason.UNKNOWN_GATEWAY),
    (on_other_topic, Reason.BAD_SIGNATURE),
]


@pytest.mark.parametrize(("make", "reason"), HOSTILE, ids=[f"{place}-{item[1]}" for place, item in enumerate(HOSTILE)])
def test_a_bad_message_is_quarantined_and_the_good_ones_go_on(
    make: Callable[[FakeGateway], Message], reason: Reason, engine: Engine, gateway: FakeGateway
) -> None:
    bench = Bench(engine)
    bad, good = make(gateway), batch(gateway, 2, 3)
    bench.take(bad, good)
    (row,) = bench.rows(quarantine)
    assert (row.topic, row.reason, row.size) == (bad.topic, reason.value, len(bad.payload))
    assert bytes(row.envelope) == bad.payload[: 64 * 1024]
    assert row.detail
    assert stored_sequences(engine) == [2, 3, 4]
    assert bench.intake.counters.refused == {reason.value: 1}
    # The broker may forget it; the gateway is told nothing about it.
    assert bad.acked == good.acked == ["ack"]
    assert [item.missing for item in bench.acknowledgements()] == [((1, 1),)]


def test_a_topic_can_not_write_lines_into_the_log(
    engine: Engine, gateway: FakeGateway, caplog: pytest.LogCaptureFixture
) -> None:
    Bench(engine).take(Message("diantan/1/up/gw1\n2026-07-01 all is well/records", b"junk"))
    assert "all is well" in caplog.text
    assert "\n2026-07-01 all is well" not in caplog.text


def test_a_foreign_key_can_not_speak_for_another_gateway(engine: Engine, gateway: FakeGateway) -> None:
    other = enrol(engine, "gw2")
    bench = Bench(engine)
    bench.take(batch(FakeGateway("gw1", other.key), 1, 1))
    assert [row.reason for row in bench.rows(quarantine)] == [Reason.FOREIGN_KEY]
    assert stored_sequences(engine) == []


def test_a_revoked_key_is_refused_and_its_past_stays(engine: Engine, gateway: FakeGateway) -> None:
    bench = Bench(engine)
    bench.take(batch(gateway, 1, 2))
    with database.writing(engine) as connection:
        enrolment.revoke(connection, "gw1", None, DAY_MS)
    bench.clock.elapsed_ms += 5000
    bench.take(batch(gateway, 3, 1))
    assert [row.reason for row in bench.rows(quarantine)] == [Reason.REVOKED_KEY]
    assert stored_sequences(engine) == [1, 2]


def test_a_key_enrolled_by_another_process_is_found_when_it_is_needed(engine: Engine, gateway: FakeGateway) -> None:
    bench = Bench(engine)
    bench.take(batch(gateway, 1, 1))
    late = enrol(engine, "gw2")
    bench.clock.elapsed_ms += 1000
    bench.take(batch(late, 1, 1))
    assert bench.rows(quarantine) == []
    assert {item.gateway for item in bench.acknowledgements()} == {"gw1", "gw2"}


def test_a_reused_sequence_with_another_record_is_a_conflict(engine: Engine, gateway: FakeGateway) -> None:
    bench = Bench(engine)
    bench.take(batch(gateway, 1, 3))
    forged = Message(gateway.topic, gateway.envelope(2, [interval(1), interval(2, energy=5), interval(3)]))
    bench.take(forged)
    (row,) = bench.rows(quarantine)
    assert row.reason == Reason.CONFLICT
    assert row.detail.endswith("under 1 sequences: 3")
    assert stored_sequences(engine) == [1, 2, 3, 4]
    energies = {item.sequence: item.forward_mwh for item in bench.rows(interval_table)}
    assert energies[3] == 1_000_000


def test_a_meter_nobody_registered_keeps_its_records(engine: Engine, gateway: FakeGateway) -> None:
    bench = Bench(engine)
    bench.take(Message(gateway.topic, gateway.envelope(1, [interval(0, "X99")])))
    assert stored_sequences(engine) == [1]
    assert {row.name: row.role for row in bench_meters(engine)}["X99"] == "unknown"


def test_the_quarantine_is_limited_in_rate_and_number(engine: Engine, gateway: FakeGateway) -> None:
    bench = Bench(engine, FAST.model_copy(update={"quarantine_per_minute": 3, "quarantine_rows": 4}))
    junk = [Message(gateway.topic, bytes([number])) for number in range(10)]
    bench.take(*junk)
    assert len(bench.rows(quarantine)) == 3
    assert bench.intake.counters.refused == {"malformed": 10}
    bench.clock.wall_ms += 60_000
    bench.take(*junk[:2])
    rows = bench.rows(quarantine)
    assert len(rows) == 4
    assert [row.count for row in rows][-2:] == [8, 1]  # the first after the pause stands for the seven not kept


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


@pytest.mark.parametrize("statement", ["INSERT INTO interval", "INSERT INTO message", "received_range", "BEGIN"])
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


@contextmanager
def rejecting(engine: Engine, sequence: int) -> Iterator[None]:
    """Let the store reject a record, as a constraint does."""

    def reject(_conn: Any, _cursor: Any, sql: str, parameters: Any, *_: Any) -> None:
        if sql.startswith("INSERT INTO interval") and any(row[0] == sequence for row in parameters):
            raise IntegrityError(sql, None, sqlite3.IntegrityError("constraint failed"))

    event.listen(engine, "before_cursor_execute", reject)
    yield
    event.remove(engine, "before_cursor_execute", reject)


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
