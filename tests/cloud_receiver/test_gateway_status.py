"""The statuses of gateways: verified, the newest kept, whatever the clocks say."""

from collections.abc import Callable
from typing import Any

import cbor2
import pytest
from intake_support import Bench, Message, batch
from key_support import BOTH_ALGORITHMS, new_key
from receiver_support import DAY_MS, FakeGateway, interval, stored_sequences
from sqlalchemy import Engine

from cloud_receiver.refusal import Reason
from cloud_receiver.schema import dirty, gateway_status, journal, quarantine
from wire import topics
from wire.envelope import Signer
from wire.messages import Status, StatusState
from wire.records import ClockState

pytestmark = BOTH_ALGORITHMS


def status(gateway: FakeGateway, sequence: int = 1, **more: Any) -> Message:
    """Return a gateway's status as the broker delivers it."""
    values = {"state": StatusState.HEALTH, "time_ms": DAY_MS, "context": gateway.context, "next_sequence": sequence}
    values |= {"unacknowledged": 0, "clock_state": ClockState.SYNCHRONISED, "dropped": 0}
    retained = bool(more.pop("retained", False))
    payload = Status(gateway.name, **values | more).encode()
    topic = topics.status(gateway.name)
    return Message(topic, Signer(gateway.key).sign(payload, topic), retained=retained)


def test_the_newest_status_of_a_gateway_is_kept(engine: Engine, gateway: FakeGateway) -> None:
    bench = Bench(engine)
    will = status(gateway, 1, state=StatusState.OFFLINE)
    bench.take(status(gateway, 5, unacknowledged=4), status(gateway, 3), will)
    (row,) = bench.rows(gateway_status)
    assert (row.state, row.next_sequence, row.unacknowledged) == (StatusState.OFFLINE, 5, 4)
    assert will.acked == ["ack"]
    assert bench.link.published == []
    # The gateway's clock went back: its journal tells that this is newer all the same.
    bench.take(status(gateway, 6, state=StatusState.BIRTH, time_ms=1000, clock_state=ClockState.UNKNOWN))
    (row,) = bench.rows(gateway_status)
    assert (row.state, row.next_sequence, row.time_ms) == (StatusState.BIRTH, 6, 1000)
    bench.take(status(gateway, 1, context=b"journal2"))
    (row,) = bench.rows(gateway_status)
    assert (bytes(row.context), row.next_sequence) == (b"journal2", 1)


def test_a_gateway_was_last_seen_when_it_spoke(engine: Engine, gateway: FakeGateway) -> None:
    bench = Bench(engine)

    def seen(item: Message) -> int:
        bench.take(item)
        return int(bench.rows(gateway_status)[0].seen_ms)

    # What the broker had kept was sent whenever it was sent, but not in the future.
    assert seen(status(gateway, 1, time_ms=DAY_MS - 5000, retained=True)) == DAY_MS - 5000
    assert seen(status(gateway, 1, time_ms=DAY_MS + 5000, retained=True)) == DAY_MS
    bench.clock.wall_ms += 1000
    assert seen(status(gateway, 2, time_ms=DAY_MS + 7000)) == DAY_MS + 1000
    # A will speaks of the gateway, which is silent.
    bench.clock.wall_ms += 60_000
    assert seen(status(gateway, 1, state=StatusState.OFFLINE)) == DAY_MS + 1000


def test_dropped_records_are_told_to_the_checks_once(engine: Engine, gateway: FakeGateway) -> None:
    bench = Bench(engine)
    bench.take(status(gateway, 5, dropped=3), status(gateway, 6, dropped=3))
    assert bench.rows(gateway_status)[0].dropped_ms == DAY_MS
    assert len(bench.rows(dirty)) == 1
    bench.clock.wall_ms += 1000
    bench.take(status(gateway, 7, dropped=3))
    bench.take(status(gateway, 1, dropped=1, context=b"journal2"))
    assert bench.rows(gateway_status)[0].dropped_ms == DAY_MS + 1000
    assert len(bench.rows(dirty)) == 2


def told(bench: Bench) -> dict[bytes, int]:
    return {bytes(row.context): row.told_next for row in bench.rows(journal)}


def test_how_far_a_journal_has_got_is_kept_of_each(engine: Engine, gateway: FakeGateway) -> None:
    bench = Bench(engine)
    bench.take(status(gateway, 5), status(gateway, 3))
    assert told(bench) == {b"journal1": 5}
    # With its first records it stays; what is older, or of a journal given up since, never lowers or hides it.
    bench.take(batch(gateway, 1, 2), status(gateway, 9), status(gateway, 1, state=StatusState.OFFLINE))
    bench.take(Message(gateway.topic, gateway.envelope(1, [interval(0)], context=b"journal2")))
    bench.take(status(gateway, 2, context=b"journal2"), status(gateway, 12))
    assert told(bench) == {b"journal1": 12, b"journal2": 2}
    assert [row.reason for row in bench.rows(quarantine)] == [Reason.REPLAYED]


def test_a_journal_that_was_only_told_of_makes_no_status_of_another_a_replayed_one(
    engine: Engine, gateway: FakeGateway
) -> None:
    """A thief may play a status that the centre never got: it must not lock out the journal in use."""
    bench = Bench(engine)
    bench.take(batch(gateway, 1, 2), status(gateway, 3))
    bench.take(status(gateway, 700, context=b"journal0"))
    bench.take(status(gateway, 4))
    assert bench.rows(quarantine) == []
    (row,) = bench.rows(gateway_status)
    assert (bytes(row.context), row.next_sequence) == (b"journal1", 4)


def other_status(gateway: FakeGateway, payload: bytes) -> Message:
    topic = topics.status("gw1")
    return Message(topic, Signer(gateway.key).sign(payload, topic))


def of_another(gateway: FakeGateway) -> Message:
    payload = cbor2.loads(cbor2.loads(status(gateway).payload).value[2])
    return other_status(gateway, cbor2.dumps(payload | {1: "gw9"}, canonical=True))


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda gateway: Message(topics.status("gw1"), b"junk"), Reason.MALFORMED),
        (lambda gateway: status(FakeGateway("gw1", new_key())), Reason.UNKNOWN_KEY),
        (lambda gateway: Message(topics.status("gw1"), batch(gateway, 1, 1).payload), Reason.BAD_SIGNATURE),
        (lambda gateway: other_status(gateway, b"\xa1\x00\x01"), Reason.PAYLOAD),
        (lambda gateway: other_status(gateway, cbor2.dumps({0: 2})), Reason.FUTURE_SCHEMA),
        (of_another, Reason.GATEWAY_MISMATCH),
        (lambda gateway: Message(gateway.topic, status(gateway).payload), Reason.BAD_SIGNATURE),
    ],
)
def test_a_status_that_is_not_the_gateways_is_refused(
    make: Callable[[FakeGateway], Message], reason: Reason, engine: Engine, gateway: FakeGateway
) -> None:
    bench = Bench(engine)
    bench.take(make(gateway), batch(gateway, 1, 2))
    assert [row.reason for row in bench.rows(quarantine)] == [reason]
    assert bench.rows(gateway_status) == []
    assert stored_sequences(engine) == [1, 2]
