"""What the intake refuses and keeps in quarantine, and that the good messages beside it go on."""

from collections.abc import Callable

import cbor2
import pytest
from intake_support import FAST, Bench, Message, batch
from key_support import BOTH_ALGORITHMS, new_key
from receiver_support import DAY_MS, FakeGateway, enrol, interval, stored_sequences
from sqlalchemy import Engine

from cloud_receiver import database, enrolment
from cloud_receiver.refusal import Reason
from cloud_receiver.schema import interval as interval_table
from cloud_receiver.schema import quarantine
from wire import topics
from wire.envelope import Signer

pytestmark = BOTH_ALGORITHMS


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
