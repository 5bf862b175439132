"""Whatever is sent to the intake, it raises nothing and stores nothing that no gateway has signed."""

from typing import Any

import pytest
from intake_support import FAST, Bench, Message, batch
from key_support import BOTH_ALGORITHMS, new_key
from receiver_support import FakeGateway, enrol, interval, stored_sequences
from sqlalchemy import Engine, func, select

from bench.hostile_messages import Hostile, corpus, tiny
from cloud_receiver import database, schema
from cloud_receiver.refusal import Reason
from wire.envelope import Signer

pytestmark = BOTH_ALGORITHMS

READINGS = (schema.interval, schema.freeze, schema.adjustment, schema.event, schema.message, schema.received_range)


def hostile(engine: Engine, gateway: FakeGateway) -> list[Hostile]:
    other = enrol(engine, "gw2")
    good = gateway.payload(1000, [interval(999)])
    return corpus(
        gateway.name,
        good,
        signer=Signer(gateway.key),
        stranger=Signer(new_key()),
        other=other.name,
        other_signer=Signer(other.key),
    )


def counts(engine: Engine) -> list[int]:
    with database.reading(engine) as connection:
        return [connection.execute(select(func.count()).select_from(table)).scalar_one() for table in READINGS]


def test_each_hostile_message_is_refused_for_its_reason(engine: Engine, gateway: FakeGateway) -> None:
    messages = hostile(engine, gateway)
    bench = Bench(engine, FAST.model_copy(update={"quarantine_per_minute": 10_000}))
    items = [Message(item.topic, item.payload) for item in messages]
    for start in range(0, len(items), 100):
        bench.take(*items[start : start + 100])
    found = {(row.topic, bytes(row.envelope)): row.reason for row in bench.rows(schema.quarantine)}
    wrong = []
    for item in messages:
        reason = found.get((item.topic[:256], item.payload[: 64 * 1024]))
        if reason not in item.reasons:
            wrong.append((item.name, reason))
    assert wrong == []
    assert sum(bench.intake.counters.refused.values()) == len(messages)
    assert counts(engine) == [0] * len(READINGS)
    assert bench.rows(schema.gateway_status) == []
    # Everything is done with, for the broker; the gateways are told nothing.
    assert all(item.acked == ["ack"] for item in items)
    assert bench.link.published == []


def test_each_reason_of_a_signed_or_unsigned_message_is_in_the_corpus(engine: Engine, gateway: FakeGateway) -> None:
    covered = {reason for item in hostile(engine, gateway) for reason in item.reasons}
    # The others need a history: test_quarantine, test_intake_refusals, orders/test_replies.
    history = {Reason.REVOKED_KEY, Reason.CONFLICT, Reason.REPLAYED, Reason.FRAGMENTED, Reason.FOREIGN_COMMAND}
    assert set(Reason) - covered == history


def test_good_messages_among_hostile_ones_are_stored(engine: Engine, gateway: FakeGateway) -> None:
    bench = Bench(engine)
    mixed: list[Any] = []
    good = 0
    for number, item in enumerate(hostile(engine, gateway)):
        mixed.append(Message(item.topic, item.payload))
        if number % 25 == 0:
            good += 1
            mixed.append(batch(gateway, good, 1))
    for topic, payload in tiny(2000, ["gw1", "gw2"]):
        mixed.append(Message(topic, payload))
    for start in range(0, len(mixed), 500):
        bench.take(*mixed[start : start + 500])
    assert stored_sequences(engine) == list(range(1, good + 1))
    assert bench.acknowledgements()[-1].up_to == good


@pytest.mark.parametrize("seed", range(3))
def test_tiny_messages_are_refused_and_counted(engine: Engine, gateway: FakeGateway, seed: int) -> None:
    bench = Bench(engine)
    bench.take(*(Message(topic, payload) for topic, payload in tiny(3000, ["gw1"], seed)))
    assert bench.intake.counters.refused.total() == 3000
    assert sum(row.messages for row in bench.rows(schema.verification)) == 3000
    assert counts(engine) == [0] * len(READINGS)
