"""The factors in a proof: the messages in which they were dispatched."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from key_support import BOTH_ALGORITHMS, new_key
from proof_support import (
    LATER,
    SOLVE_ID,
    Centre,
    batches,
    check,
    failures,
    filled,
    messages,
    outcome,
    records,
    restated,
)
from receiver_support import DAY_MS, FACTOR, SLOT_MS, FakeGateway, interval
from sqlalchemy import Engine, delete, update

from clock import ManualClock
from cloud_receiver import database
from cloud_receiver.config import Dispatch
from cloud_receiver.dispatch import Dispatcher
from cloud_receiver.registry import Registry
from cloud_receiver.schema import factor, factor_message
from wire import topics
from wire.envelope import Signer
from wire.keys import PrivateKey
from wire.messages import Factors
from wire.proof import form
from wire.proof.form import ProofError, Signed
from wire.proof.trust import Keys
from wire.proof.verdict import Outcome
from wire.proof.verify import verify

pytestmark = BOTH_ALGORITHMS


@pytest.fixture
def centre(engine: Engine, registry: Registry, gateway: FakeGateway) -> Centre:
    return filled(engine, registry, gateway)


@pytest.fixture
def bare(engine: Engine, registry: Registry, gateway: FakeGateway) -> Centre:
    """Make a store without records."""
    return Centre(engine, registry, gateway, new_key())


def test_the_messages_are_those_that_were_dispatched(centre: Centre) -> None:
    data = centre.prove(2)
    (message,) = messages(data)
    assert (message.issued_ms, message.factors) == (DAY_MS, (FACTOR,) * 8)
    with database.reading(centre.engine) as connection:
        stored = connection.execute(factor_message.select()).one()
    assert form.decode(data).factor_messages == (Signed("diantan/1/factor/node1", bytes(stored.envelope)),)
    verdict = verify(data, centre.keys)
    assert check(verdict, "factors as dispatched").details == (
        "1 in the message that said it first, 0 in one that repeats it",
    )
    assert "as they were dispatched" in check(verdict, "factors' signature").text


def test_only_the_messages_that_the_intervals_need_come_along(bare: Centre) -> None:
    bare.take(*batches(records(8)))
    bare.dispatch(*range(4))
    bare.dispatch(*range(4, 8), issued_ms=DAY_MS + 1)
    bare.dispatch(*range(8), issued_ms=DAY_MS + 2, node="node2")
    assert [message.first_start_ms for message in messages(bare.prove(2))] == [DAY_MS]
    assert [message.first_start_ms for message in messages(bare.prove(6))] == [DAY_MS + 4 * SLOT_MS]
    both = bare.prove(3, 4)
    assert [message.issued_ms for message in messages(both)] == [DAY_MS, DAY_MS + 1]
    assert verify(both, bare.keys).proved


def test_a_day_as_it_was_dispatched_is_proved(bare: Centre, tmp_path: Path) -> None:
    """By the clock: a message every quarter of an hour, a correction at noon of two slots in the morning."""

    def write(**corrected: str) -> None:
        times = [f"{slot // 4:02}:{slot % 4 * 15:02}" for slot in range(96)]
        lines = [f"node1,2026-07-01T{time}:00+08:00,{corrected.get('at' + time[:2], '0.570300')}" for time in times]
        path.write_text("\n".join(["node,start,factor", *lines]) + "\n")

    path = tmp_path / "factors.csv"
    write()
    settings = Dispatch(schedule=path, slots=16)
    link: Any = None  # nothing is published
    dispatcher = Dispatcher(bare.engine, Signer(bare.key), link, ManualClock(), settings)
    sent = [*dispatcher.messages(DAY_MS + 5)]
    for slot in range(1, 96):
        if slot == 48:
            write(at11="0.600000")
            dispatcher._reload()
        sent += dispatcher.messages(DAY_MS + slot * SLOT_MS + 5)
    assert len(sent) == 96
    bare.take(*batches([interval(slot) for slot in range(96)], 24))
    data = bare.prove(0, 95)
    verdict = verify(data, bare.keys)
    assert {item.outcome for item in verdict.checks} == {Outcome.PASSED}
    carried = [item.envelope for item in form.decode(data).factor_messages]
    # One in 16, of which one was the last before the correction, and the one that brought it.
    assert len(carried) == 7
    assert set(carried) <= {item.envelope for item in sent}
    assert check(verdict, "factor").details[0].startswith("92 of 96 interval(s) stand")
    assert "100 factor(s) stand in messages" in check(verdict, "factors as dispatched").text


def test_a_store_of_before_messages_were_kept_is_told_plainly(bare: Centre) -> None:
    bare.take(*batches(records(8)))
    bare.dispatch(*range(8), kept=False)
    data = bare.prove(2)
    verdict = verify(data, bare.keys)
    assert messages(data) == []
    assert verdict.proved
    assert outcome(verdict, "factors as dispatched") is Outcome.NOT_CHECKED
    assert "the file has no message as it was dispatched" in check(verdict, "factors' signature").text
    alone = "1 of 1 factor(s) used stand in the centre's statement alone"
    assert alone in check(verdict, "factor").details
    # With the first correction since, the factor before it stands in the statement alone.
    bare.dispatch(2, value=FACTOR + 1, issued_ms=LATER)
    mixed = verify(bare.prove(2), bare.keys)
    assert mixed.proved
    assert outcome(mixed, "factors as dispatched") is Outcome.NOT_CHECKED
    assert "1 of 2 factor(s) stand in no message" in check(mixed, "factors as dispatched").text
    assert alone in check(mixed, "factor").details


def test_without_factors_of_the_centre_the_factor_is_not_checked(bare: Centre) -> None:
    bare.take(*batches(records(8)))
    verdict = verify(bare.prove(2), bare.keys)
    assert verdict.proved
    for name in ("factor", "factors' signature", "factors as dispatched"):
        assert outcome(verdict, name) is Outcome.NOT_CHECKED


def test_a_factor_that_was_never_dispatched_fails(bare: Centre) -> None:
    bare.take(*batches(records(8)))
    bare.dispatch(*range(8), value=FACTOR + 1)
    verdict = verify(bare.prove(2), bare.keys)
    assert failures(verdict) == ["factor"]
    bare.dispatch(2, value=FACTOR, issued_ms=DAY_MS + 1)
    assert verify(bare.prove(2), bare.keys).proved
    assert failures(verify(bare.prove(3), bare.keys)) == ["factor"]


def test_what_the_store_says_and_what_was_signed_must_agree(centre: Centre) -> None:
    """Somebody who can write to the store and has no key changes a factor."""
    with database.writing(centre.engine) as connection:
        connection.execute(update(factor).where(factor.c.start_ms == DAY_MS + 2 * SLOT_MS).values(factor=FACTOR - 1))
    with pytest.raises(ProofError, match=r"has 570299 mg/kWh at .*, the message that was signed then says 570300"):
        centre.prove(2)
    assert verify(centre.prove(3), centre.keys).proved
    with database.writing(centre.engine) as connection:
        connection.execute(update(factor_message).values(slots=7))
    with pytest.raises(ProofError, match="for other slots"):
        centre.prove(3)


def test_a_factor_that_somebody_added_to_the_store_is_in_no_message(centre: Centre) -> None:
    with database.writing(centre.engine) as connection:
        row = {"node": "node1", "start_ms": DAY_MS + 2 * SLOT_MS, "issued_ms": DAY_MS + 9, "slot_ms": SLOT_MS}
        connection.execute(factor.insert().values(**row, factor=1, solve_id=SOLVE_ID))
    verdict = verify(centre.prove(2), centre.keys)
    assert failures(verdict) == ["factors as dispatched"]
    (detail,) = check(verdict, "factors as dispatched").details
    assert "1 mg/kWh (issued 2026-06-30T16:00:00.009+00:00), in no signed message" in detail


def test_a_factor_that_somebody_took_from_the_store_stands_in_its_message(centre: Centre) -> None:
    centre.dispatch(2, value=FACTOR + 1, issued_ms=DAY_MS + 1)
    with database.writing(centre.engine) as connection:
        connection.execute(delete(factor).where(factor.c.issued_ms == DAY_MS + 1))
    with pytest.raises(ProofError, match="contradicts itself"):
        centre.prove(2)


def with_messages(
    centre: Centre, key: PrivateKey, node: str = "node1", value: int = FACTOR, topic_node: str | None = None
) -> bytes:
    """Return a proof with another factor message, and no factors in the statement."""
    topic = topics.factor(topic_node or node)
    message = Factors(node, SOLVE_ID, DAY_MS, SLOT_MS, DAY_MS, (value,) * 8)
    file = replace(
        form.decode(centre.prove(2)), factor_messages=(Signed(topic, Signer(key).sign(message.encode(), topic)),)
    )
    return restated(centre, file, file.batches, issues=())


def test_each_message_must_be_the_centres_and_of_the_node(centre: Centre) -> None:
    verdict = verify(with_messages(centre, centre.key), centre.keys)
    assert verdict.proved
    assert outcome(verdict, "factor") is Outcome.PASSED
    assert failures(verify(with_messages(centre, centre.key, value=FACTOR + 1), centre.keys)) == ["factor"]
    assert failures(verify(with_messages(centre, centre.gateway.key), centre.keys)) == ["factors' signature"]
    assert failures(verify(with_messages(centre, centre.key, "node2"), centre.keys)) == ["factors' signature"]
    other_topic = with_messages(centre, centre.key, topic_node="node2")
    assert failures(verify(other_topic, centre.keys)) == ["factors' signature"]
    taken = replace(form.decode(with_messages(centre, centre.key)), factor_messages=())
    assert failures(verify(taken.encode(), centre.keys)) == ["contents"]


def test_the_messages_of_a_former_key_of_the_centre(centre: Centre) -> None:
    former = centre.key
    centre.key = new_key()
    centre.dispatch(2, value=FACTOR + 1, issued_ms=LATER)
    data = centre.prove(2)
    assert len(messages(data)) == 2
    # Given as a former key, or beside the present one.
    present = centre.key.public_key()
    for keys in (Keys([present], former=[former.public_key()]), Keys([present, former.public_key()])):
        verdict = verify(data, keys)
        assert {item.outcome for item in verdict.checks} == {Outcome.PASSED}
    # Without it nothing is wrong, and it is said what nobody has checked.
    verdict = verify(data, centre.keys)
    assert verdict.proved
    assert [item.name for item in verdict.checks if item.outcome is Outcome.NOT_CHECKED] == [
        "factors' signature",
        "factors as dispatched",
    ]
    assert (
        "1 of 2 factor message(s) are signed by a key that was not given" in check(verdict, "factors' signature").text
    )
    # A former key says nothing of the proof itself: whoever stole it could have made it.
    assert failures(verify(data, Keys([former.public_key()], former=[present]))) == ["centre's statement"]


def test_a_message_that_nobody_checked_may_be_the_one_that_is_missing(centre: Centre) -> None:
    present = centre.key
    centre.key = new_key()
    centre.dispatch(2, value=FACTOR + 1, issued_ms=LATER)
    centre.key = present
    verdict = verify(centre.prove(2), centre.keys)
    assert failures(verdict) == []
    assert outcome(verdict, "factors as dispatched") is Outcome.NOT_CHECKED
