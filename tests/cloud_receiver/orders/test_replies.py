"""Replies through the intake: kept once, as they came; what is none goes to quarantine with its reason."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import cbor2
import pytest
from intake_support import FAST, Bench, Message, batch
from key_support import BOTH_ALGORITHMS, new_key
from orders_support import ORDERS, Desk, reasons, reply, reply_payload
from receiver_support import DAY_MS, FakeGateway, enrol, stored_sequences
from sqlalchemy import Engine, event, update
from sqlalchemy.exc import OperationalError

from cloud_receiver import database, enrolment
from cloud_receiver.refusal import Reason
from cloud_receiver.schema import gateway_key, verification
from wire import topics
from wire.commands import Outcome
from wire.envelope import Signer
from wire.orders import Verb
from wire.results import Figures

pytestmark = BOTH_ALGORITHMS


@pytest.mark.parametrize("verb", list(Verb))
@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_reply_is_kept_as_it_came(
    engine: Engine, gateway: FakeGateway, verb: Verb, outcome: Outcome, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    bench, desk = Bench(engine), Desk(engine)
    number = desk.issue("gw1", ORDERS[verb])
    bench.clock.wall_ms += 7
    message = reply(gateway, number, outcome, verb=verb, text="说明")
    bench.take(message)
    stored = desk.stored(number)
    assert (stored.reply, stored.reply_kid) == (message.payload, Signer(gateway.key).kid)
    assert (stored.entry.outcome, stored.entry.reply_ms) == (outcome, DAY_MS + 7)
    assert stored.entry.state(DAY_MS + 7) == outcome.name.lower()
    assert stored.entry.final == (outcome is not Outcome.UNDER_WAY)
    assert message.acked == ["ack"]
    assert reasons(bench) == []
    assert bench.intake.counters.replies == {outcome.name.lower(): 1}
    assert f"gateway gw1: command {number.hex()}: {outcome.name.lower()}" in caplog.text
    # Nothing is sent in answer to it.
    assert bench.link.published == []


def test_the_final_reply_takes_the_place_of_under_way_and_nothing_takes_its_own(
    engine: Engine, gateway: FakeGateway
) -> None:
    bench, desk = Bench(engine), Desk(engine)
    number = desk.issue()
    first = reply(gateway, number, Outcome.UNDER_WAY, text="one")
    bench.take(first, reply(gateway, number, Outcome.UNDER_WAY, text="two"))
    assert desk.stored(number).reply == first.payload
    final = reply(gateway, number)
    bench.take(final)
    bench.take(first, reply(gateway, number, Outcome.UNDER_WAY, text="three"))
    assert desk.stored(number).reply == final.payload
    assert reasons(bench) == []
    assert bench.intake.counters.replies == {"under_way": 1, "done": 1, "duplicate": 3}


def test_both_in_one_transaction(engine: Engine, gateway: FakeGateway) -> None:
    bench, desk = Bench(engine), Desk(engine)
    number = desk.issue()
    final = reply(gateway, number)
    bench.take(reply(gateway, number, Outcome.UNDER_WAY), final, reply(gateway, number, Outcome.UNDER_WAY))
    assert desk.stored(number).reply == final.payload
    assert desk.entry(number).outcome == Outcome.DONE
    assert bench.intake.counters.replies == {"under_way": 1, "done": 1, "duplicate": 1}


def test_a_late_duplicate_is_harmless(engine: Engine, gateway: FakeGateway) -> None:
    bench, desk = Bench(engine), Desk(engine)
    number = desk.issue()
    final = reply(gateway, number)
    # The same bytes, the same signed anew at another time, and the outcome alone, the result being forgotten.
    bench.take(final)
    bench.take(final, reply(gateway, number, time_ms=DAY_MS + 5), reply(gateway, number, result=None))
    assert desk.stored(number).reply == final.payload
    assert reasons(bench) == []
    assert bench.intake.counters.replies == {"done": 1, "duplicate": 3}
    (row,) = bench.rows(verification)
    assert (row.gateway, row.result, row.messages) == ("gw1", "verified", 4)


@pytest.mark.parametrize(
    "fields", [{"result": Figures({"version": "2.0"})}, {"outcome": Outcome.FAILED}, {"outcome": Outcome.REFUSED}]
)
def test_another_final_reply_is_a_conflict_and_the_first_stands(
    engine: Engine, gateway: FakeGateway, fields: dict[str, Any]
) -> None:
    bench, desk = Bench(engine), Desk(engine)
    number = desk.issue()
    final = reply(gateway, number)
    bench.take(final)
    bench.take(reply(gateway, number, **fields))
    assert desk.stored(number).reply == final.payload
    assert reasons(bench) == [Reason.CONFLICT]
    assert bench.intake.counters.replies_refused == 1


def test_a_gateway_that_has_forgotten_an_expired_command_refuses_its_repetition_and_that_is_no_conflict(
    engine: Engine, gateway: FakeGateway
) -> None:
    bench, desk = Bench(engine), Desk(engine)
    number = desk.issue(minutes=1)
    final, expired = reply(gateway, number), reply(gateway, number, Outcome.REFUSED, text="it expired")
    bench.take(final)
    bench.clock.wall_ms += 60_000
    bench.take(expired)
    assert reasons(bench) == []
    assert desk.stored(number).reply == final.payload
    bench.clock.wall_ms -= 1
    bench.take(expired)
    assert reasons(bench) == [Reason.CONFLICT]


def test_what_comes_long_after_the_final_reply_was_replayed(engine: Engine, gateway: FakeGateway) -> None:
    bench, desk = Bench(engine), Desk(engine)
    number = desk.issue()
    final, busy = reply(gateway, number), reply(gateway, number, Outcome.UNDER_WAY)
    bench.take(busy, final)
    bench.clock.wall_ms += FAST.replay_after_s * 1000
    bench.take(final, busy)
    assert reasons(bench) == []
    bench.clock.wall_ms += 1
    bench.take(final, busy)
    assert reasons(bench) == [Reason.REPLAYED] * 2
    assert desk.stored(number).reply == final.payload


def test_a_reply_after_the_expiry_is_the_truth(engine: Engine, gateway: FakeGateway) -> None:
    bench, desk = Bench(engine), Desk(engine)
    number = desk.issue(minutes=1)
    bench.clock.wall_ms += 3_600_000
    assert desk.entry(number).state(bench.clock.wall_ms) == "expired"
    bench.take(reply(gateway, number))
    assert desk.entry(number).state(bench.clock.wall_ms) == "done"


def test_a_reply_of_an_unknown_verb_is_kept(engine: Engine, gateway: FakeGateway) -> None:
    bench, desk = Bench(engine), Desk(engine)
    number = desk.issue()
    bench.take(reply(gateway, number, Outcome.REFUSED, verb=None, text="no such verb"))
    assert desk.entry(number).outcome == Outcome.REFUSED


def refused(gateway: FakeGateway, other: FakeGateway, mine: bytes, theirs: bytes) -> dict[str, Message]:
    """Return messages that are no replies of gw1 to the command `mine`, by what is wrong with them."""
    good, payload = reply(gateway, mine), reply_payload("gw1", mine)
    topic, sign = good.topic, Signer(gateway.key).sign
    later = cbor2.dumps(cbor2.loads(payload) | {0: 2}, canonical=True)
    return {
        "unsigned": Message(topic, payload),
        "badly signed": Message(topic, good.payload[:-1] + bytes([good.payload[-1] ^ 1])),
        "of a stranger": reply(FakeGateway("gw1", new_key()), mine),
        "of another gateway's key": reply(FakeGateway("gw1", other.key), mine),
        "signed for another topic": Message(topic, sign(payload, topics.status("gw1"))),
        "in another gateway's name": Message(topic, sign(reply_payload("gw2", mine), topic)),
        "to another gateway's command": reply(gateway, theirs),
        "to no command": reply(gateway, bytes(16)),
        "of another verb": reply(gateway, mine, verb=Verb.RESEND),
        "a batch": Message(topic, sign(batch(gateway, 1, 1).payload, topic)),
        "a map of a later schema": Message(topic, sign(later, topic)),
        "too large": Message(topic, bytes((1 << 20) + 1)),
        "a reply on the topic of records": Message(gateway.topic, sign(payload, gateway.topic)),
    }


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("unsigned", Reason.MALFORMED),
        ("badly signed", Reason.BAD_SIGNATURE),
        ("of a stranger", Reason.UNKNOWN_KEY),
        ("of another gateway's key", Reason.FOREIGN_KEY),
        ("signed for another topic", Reason.BAD_SIGNATURE),
        ("in another gateway's name", Reason.GATEWAY_MISMATCH),
        ("to another gateway's command", Reason.FOREIGN_COMMAND),
        ("to no command", Reason.UNKNOWN_COMMAND),
        ("of another verb", Reason.PAYLOAD),
        ("a batch", Reason.PAYLOAD),
        ("a map of a later schema", Reason.FUTURE_SCHEMA),
        ("too large", Reason.TOO_LARGE),
        ("a reply on the topic of records", Reason.PAYLOAD),
    ],
)
def test_what_is_no_reply_goes_to_quarantine_and_the_good_ones_go_on(
    engine: Engine, gateway: FakeGateway, kind: str, reason: Reason
) -> None:
    bench, desk = Bench(engine), Desk(engine)
    other = enrol(engine, "gw2")
    mine, theirs, another = desk.issue("gw1"), desk.issue("gw2"), desk.issue("gw1")
    bad, good, records = refused(gateway, other, mine, theirs)[kind], reply(gateway, another), batch(gateway, 1, 3)
    bench.take(bad, good, records)
    assert reasons(bench) == [reason]
    assert bench.intake.counters.refused == {reason.value: 1}
    assert bench.intake.counters.replies_refused == (bad.topic == topics.reply("gw1"))
    assert [desk.entry(number).outcome for number in (mine, theirs, another)] == [None, None, Outcome.DONE]
    assert bad.acked == good.acked == records.acked == ["ack"]
    assert stored_sequences(engine) == [1, 2, 3]


def test_a_revoked_key_answers_nothing(engine: Engine, gateway: FakeGateway) -> None:
    bench, desk = Bench(engine), Desk(engine)
    number = desk.issue()
    with database.writing(engine) as connection:
        enrolment.revoke(connection, "gw1", None, DAY_MS)
    bench.take(reply(gateway, number))
    assert reasons(bench) == [Reason.REVOKED_KEY]
    assert desk.entry(number).outcome is None


def test_a_stored_reply_under_a_key_that_this_receiver_can_not_use_is_compared_all_the_same(
    engine: Engine, gateway: FakeGateway
) -> None:
    """As under SM2 where another receiver of the store has its library and this one has not."""
    bench, desk = Bench(engine), Desk(engine)
    number, other = desk.issue(), desk.issue()
    bench.take(reply(gateway, number), reply(gateway, other))
    with database.writing(engine) as connection:
        later = FakeGateway("gw1", new_key())
        enrolment.rotate(connection, "gw1", later.key.public_key(), DAY_MS, 0)
        former = gateway_key.c.kid == Signer(gateway.key).kid
        connection.execute(update(gateway_key).where(former).values(public_key=b"?"))
    bench = Bench(engine)
    message = reply(later, number)
    bench.take(message, reply(later, other, Outcome.FAILED, text="another"), batch(later, 1, 2))
    assert reasons(bench) == [Reason.CONFLICT]
    assert message.acked == ["ack"]
    assert stored_sequences(engine) == [1, 2]


def test_a_duplicate_under_a_key_revoked_since_is_refused_and_the_reply_stays(
    engine: Engine, gateway: FakeGateway
) -> None:
    bench, desk = Bench(engine), Desk(engine)
    number = desk.issue()
    final = reply(gateway, number)
    bench.take(final)
    with database.writing(engine) as connection:
        key = new_key()
        enrolment.rotate(connection, "gw1", key.public_key(), DAY_MS, 0)
    bench.clock.elapsed_ms += 5000
    bench.take(final)
    # Signed with the new key it says the same: compared with what the former one has signed.
    bench.take(reply(FakeGateway("gw1", key), number))
    assert reasons(bench) == [Reason.REVOKED_KEY]
    assert bench.intake.counters.replies == {"done": 1, "duplicate": 1}
    assert desk.stored(number).reply == final.payload


@contextmanager
def failing_commits(engine: Engine, times: int) -> Iterator[None]:
    left = times

    def fail(_connection: object) -> None:
        nonlocal left
        if left:
            left -= 1
            raise OperationalError("COMMIT", {}, RuntimeError("disk full"))

    event.listen(engine, "commit", fail)
    try:
        yield
    finally:
        event.remove(engine, "commit", fail)


def test_the_broker_is_told_only_when_the_reply_is_stored(engine: Engine, gateway: FakeGateway) -> None:
    bench, desk = Bench(engine), Desk(engine)
    number = desk.issue()
    message = reply(gateway, number)
    bench.intake.stop()  # a receiver that is stopping gives up after one failure
    with failing_commits(engine, 1):
        bench.take(message)
    assert message.acked == []
    assert desk.entry(number).outcome is None
    assert bench.intake.counters.replies == {}
    bench.take(message)
    assert message.acked == ["ack"]
    assert desk.entry(number).outcome == Outcome.DONE


def test_two_receivers_take_the_same_reply(engine: Engine, gateway: FakeGateway) -> None:
    one, two, desk = Bench(engine), Bench(engine), Desk(engine)
    number = desk.issue()
    message = reply(gateway, number)
    one.take(message)
    two.take(message)
    assert (one.intake.counters.replies, two.intake.counters.replies) == ({"done": 1}, {"duplicate": 1})
    assert reasons(one) == []


def test_large_replies_let_others_have_their_turn(engine: Engine, gateway: FakeGateway) -> None:
    bench, desk = Bench(engine), Desk(engine)
    figures = Figures({f"{number:04}": "x" * 240 for number in range(2400)})
    messages = [reply(gateway, desk.issue(), result=figures) for _ in range(4)]
    assert all(550_000 < len(message.payload) < 700_000 for message in messages)
    bench.take(*messages)
    assert bench.intake.counters.transactions == 2 + 1  # and the counts, at the end
    assert bench.intake.counters.replies == {"done": 4}
    assert all(message.acked == ["ack"] for message in messages)


def test_a_gateway_that_sends_too_many_bytes_of_replies_is_put_off_alone(engine: Engine, gateway: FakeGateway) -> None:
    bench, desk = Bench(engine), Desk(engine)
    other = enrol(engine, "gw2")
    figures = Figures({f"{number:04}": "x" * 240 for number in range(4000)})
    number, theirs = desk.issue(), desk.issue("gw2")
    bad = [reply(gateway, bytes(16), result=figures) for _ in range(9)]
    assert all(900_000 < len(message.payload) < 1_000_000 for message in bad)
    bench.take(*bad[:4])
    final = reply(gateway, number)
    bench.take(*bad[4:], final, reply(other, theirs))
    assert [desk.entry(number).outcome, desk.entry(theirs).outcome] == [None, Outcome.DONE]
    assert bench.intake.counters.refused == {Reason.UNKNOWN_COMMAND: 5}
    assert bench.intake.counters.displaced == 4 + 1
    assert all(message.acked == ["ack"] for message in [*bad, final])
    # The centre repeats its command, and the gateway its reply.
    bench.clock.elapsed_ms += 4000
    bench.take(final)
    assert desk.entry(number).outcome == Outcome.DONE


def test_what_nobody_has_signed_spends_nothing_of_a_gateway(engine: Engine, gateway: FakeGateway) -> None:
    bench, desk = Bench(engine), Desk(engine)
    number = desk.issue()
    final = reply(gateway, number)
    junk = bytes([*final.payload[:-1], final.payload[-1] ^ 1])
    bench.take(*(Message(final.topic, bytes(1_000_000)) for _ in range(10)))
    bench.take(*(Message(final.topic, junk) for _ in range(10)), final)
    assert desk.entry(number).outcome == Outcome.DONE
    assert bench.intake.counters.displaced == 0


def test_a_flood_of_refused_replies_is_counted_and_displaces_nobody_else(engine: Engine, gateway: FakeGateway) -> None:
    bench, desk = Bench(engine), Desk(engine)
    other = enrol(engine, "gw2")
    number = desk.issue()
    bench.take(batch(other, 1, 1))  # the gateways are known now, and have lanes of their own
    bad = [reply(other, number) for _ in range(2)]
    bench.take(*(bad * 3000), reply(gateway, number))
    assert desk.entry(number).outcome == Outcome.DONE
    counters = bench.intake.counters
    assert counters.refused[Reason.FOREIGN_COMMAND] + counters.displaced == 6000
    assert counters.replies_refused == counters.refused[Reason.FOREIGN_COMMAND]
    assert len(reasons(bench)) == FAST.quarantine_per_minute
