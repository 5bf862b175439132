"""The intake on a store of its own, with the link played by the test: what is stored, and what acknowledged."""

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from intake_support import FAST, Bench, FakeLink, Message, batch
from key_support import BOTH_ALGORITHMS, new_key
from receiver_support import DAY_MS, FakeGateway, enrol, interval, stored_sequences, until
from sqlalchemy import Engine

from cloud_receiver.schema import dirty, message, meter, quarantine
from cloud_receiver.schema import interval as interval_table
from wire import keys
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
    assert len(one.rows(meter)) == 4  # both resolved the same meter


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


def test_a_key_enrolled_by_another_process_is_found_when_it_is_needed(engine: Engine, gateway: FakeGateway) -> None:
    bench = Bench(engine)
    bench.take(batch(gateway, 1, 1))
    late = enrol(engine, "gw2")
    bench.clock.elapsed_ms += 1000
    bench.take(batch(late, 1, 1))
    assert bench.rows(quarantine) == []
    assert {item.gateway for item in bench.acknowledgements()} == {"gw1", "gw2"}


def test_a_meter_nobody_registered_keeps_its_records(engine: Engine, gateway: FakeGateway) -> None:
    bench = Bench(engine)
    bench.take(Message(gateway.topic, gateway.envelope(1, [interval(0, "X99")])))
    assert stored_sequences(engine) == [1]
    assert {row.name: row.role for row in bench.rows(meter)}["X99"] == "unknown"
