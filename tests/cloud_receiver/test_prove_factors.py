"""The factors in a proof: the messages in which they were dispatched, and what intervals and adjustments claim."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from key_support import BOTH_ALGORITHMS, new_key
from proof_support import SOLVE_ID, Centre, batches, check, failures, filled, outcome, records, restated
from receiver_support import DAY_MS, FACTOR, SLOT_MS, FakeGateway, interval
from sqlalchemy import Engine, delete, update

from clock import ManualClock
from cloud_receiver import database
from cloud_receiver.config import Dispatch
from cloud_receiver.dispatch import Dispatcher
from cloud_receiver.registry import Registry
from cloud_receiver.schema import factor, factor_message
from wire import topics
from wire.batch import carbon_of
from wire.envelope import Signer
from wire.keys import PrivateKey
from wire.messages import Factors
from wire.proof import form
from wire.proof.form import ProofError, Signed
from wire.proof.statement import Issue, Statement
from wire.proof.trust import Keys
from wire.proof.verdict import Outcome
from wire.proof.verify import verify
from wire.records import AdjustmentRecord, FactorQuality, IntervalRecord, Record

pytestmark = BOTH_ALGORITHMS

LATER = DAY_MS + 5 * SLOT_MS


@pytest.fixture
def centre(engine: Engine, registry: Registry, gateway: FakeGateway) -> Centre:
    return filled(engine, registry, gateway)


@pytest.fixture
def bare(engine: Engine, registry: Registry, gateway: FakeGateway) -> Centre:
    """Make a store without records."""
    return Centre(engine, registry, gateway, new_key())


def messages(data: bytes) -> list[Factors]:
    return [Factors.decode(form.unverified_payload(item.envelope)) for item in form.decode(data).factor_messages]


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


def adjusted(**changes: object) -> list[Record]:
    """Return eight intervals, the third with a held factor, and then the adjustment that settles it."""
    found: list[Record] = [interval(slot) for slot in range(8)]
    found[2] = replace(interval(2), factor_quality=FactorQuality.HELD)
    settled = AdjustmentRecord(
        "C01", DAY_MS + 2 * SLOT_MS, SLOT_MS, 1_000_000, 0, FACTOR, FACTOR + 7, carbon_of(1_000_000, 7), 0, SOLVE_ID
    )
    return [*found, replace(settled, **changes)]  # type: ignore[arg-type]


def dispatch_late(centre: Centre) -> None:
    """Dispatch the factors of two slots in time and that of the third when it is over."""
    centre.dispatch(0, 1)
    centre.dispatch(2, value=FACTOR + 7, issued_ms=LATER)


def test_an_adjustment_comes_with_the_interval(bare: Centre) -> None:
    bare.take(*batches(adjusted()))
    dispatch_late(bare)
    data = bare.prove(2)
    verdict = verify(data, bare.keys)
    assert {item.outcome for item in verdict.checks} == {Outcome.PASSED}
    assert len(form.decode(data).batches) == 2  # sequences 1 to 4, and 9
    assert [message.issued_ms for message in messages(data)] == [DAY_MS, LATER]
    assert check(verdict, "factor").details == (
        "1 of 1 interval(s) stand, with their adjustments, at the factor dispatched last",
        "1 interval(s) held a factor that was dispatched for a slot before",
    )


def test_intervals_of_a_batch_that_is_there_for_an_adjustment_are_no_gap(bare: Centre) -> None:
    found = adjusted()
    bare.take(*batches([*found[:8], *(interval(slot) for slot in range(8, 14)), found[8], interval(14)]))
    dispatch_late(bare)
    verdict = verify(bare.prove(2), bare.keys)
    assert verdict.proved
    registers = check(verdict, "register continuity")
    assert registers.details == ()
    assert "5 step(s)" in registers.text  # slots 0 to 3 around the reading, 12 to 14 around the adjustment


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"carbon_forward_ug": 7002}, ["carbon arithmetic"]),
        ({"forward_mwh": 1_000_001}, ["carbon arithmetic"]),
        ({"factor_used": FACTOR + 1, "factor_now": FACTOR + 8}, ["carbon arithmetic", "factor"]),
        ({"factor_now": FACTOR + 8, "carbon_forward_ug": 8000}, ["factor"]),
    ],
)
def test_a_wrong_adjustment_fails(bare: Centre, changes: dict[str, object], expected: list[str]) -> None:
    bare.take(*batches(adjusted(**changes)))
    dispatch_late(bare)
    assert failures(verify(bare.prove(2), bare.keys)) == expected


def test_a_correction_is_proved_in_its_order(bare: Centre) -> None:
    """The interval used what was dispatched then; that another factor came later is signed, too."""
    settled = adjusted()
    settled[2] = interval(2)
    bare.take(*batches(settled))
    bare.dispatch(*range(8))
    bare.dispatch(2, value=FACTOR + 7, issued_ms=LATER)
    verdict = verify(bare.prove(2), bare.keys)
    assert {item.outcome for item in verdict.checks} == {Outcome.PASSED}
    assert check(verdict, "factor").details == (
        "1 of 1 interval(s) stand, with their adjustments, at the factor dispatched last",
    )
    # Corrected back: then the adjustment no longer stands at the last factor.
    bare.dispatch(2, value=FACTOR, issued_ms=LATER + 1)
    data = bare.prove(2)
    assert [message.issued_ms for message in messages(data)] == [DAY_MS, LATER, LATER + 1]
    verdict = verify(data, bare.keys)
    assert verdict.proved
    assert check(verdict, "factor").details[0].startswith("0 of 1 interval(s) stand")


@pytest.mark.parametrize("kept", [True, False])
def test_a_held_factor_must_have_been_dispatched_for_a_slot_before(bare: Centre, kept: bool) -> None:
    found: list[Record] = [interval(slot) for slot in range(8)]
    found[5] = replace(interval(5), factor_quality=FactorQuality.HELD)
    bare.take(*batches(found))
    bare.dispatch(0, 1, 2, kept=kept)
    bare.dispatch(3, 4, 5, value=FACTOR + 1, issued_ms=DAY_MS + 1, kept=kept)
    data = bare.prove(5)
    assert verify(data, bare.keys).proved
    # Its last slot before comes along, all that was dispatched for it, and no other.
    statement = Statement.decode(form.unverified_payload(form.decode(data).statement))
    assert [(item.start_ms - DAY_MS) // SLOT_MS for item in statement.issues] == [2, 5]
    assert len(messages(data)) == (2 if kept else 0)
    # A factor that no slot had before: told in any case, and a fault where the file should have it.
    bare.dispatch(0, 1, 2, value=FACTOR + 2, issued_ms=DAY_MS + 2, kept=kept)
    with database.writing(bare.engine) as connection:
        connection.execute(delete(factor).where(factor.c.start_ms < DAY_MS + 3 * SLOT_MS))
    verdict = verify(bare.prove(5), bare.keys)
    assert failures(verdict) == (["factor"] if kept else [])
    assert any("held" in detail for detail in check(verdict, "factor").details)


def test_a_slots_own_factor_is_not_held_from_a_slot_before(bare: Centre) -> None:
    found: list[Record] = [interval(slot) for slot in range(8)]
    found[5] = replace(interval(5), factor_quality=FactorQuality.HELD)
    bare.take(*batches(found))
    bare.dispatch(5, 6)
    assert failures(verify(bare.prove(5), bare.keys)) == ["factor"]


def undefined(slot: int, quality: FactorQuality = FactorQuality.UNDEFINED) -> IntervalRecord:
    return replace(
        interval(slot),
        factor=None,
        factor_quality=quality,
        carbon_forward_ug=0,
        carbon_forward_total_ug=interval(slot - 1).carbon_forward_total_ug,
    )


def test_what_did_without_a_factor_that_was_there_is_told(bare: Centre) -> None:
    default = replace(interval(7), factor_quality=FactorQuality.DEFAULT)
    bare.take(*batches([*(interval(slot) for slot in range(6)), undefined(6), default]))
    bare.dispatch(*range(8))
    verdict = verify(bare.prove(6, 7), bare.keys)
    assert "factor" not in failures(verdict)
    assert "2 interval(s) did without the factor that was issued before they ended" in check(verdict, "factor").details


def test_an_undefined_factor_as_it_was_dispatched_is_nothing_to_tell(bare: Centre) -> None:
    bare.take(*batches([*(interval(slot) for slot in range(6)), undefined(6)]))
    bare.dispatch(*range(6), issued_ms=DAY_MS - 1)
    bare.dispatch(6, value=None)
    verdict = verify(bare.prove(6), bare.keys)
    assert {item.outcome for item in verdict.checks} == {Outcome.PASSED}
    assert check(verdict, "factor").details == (
        "1 of 1 interval(s) stand, with their adjustments, at the factor dispatched last",
    )


def test_an_interval_that_was_stored_before_its_factor_was_issued_is_told(bare: Centre) -> None:
    bare.take(*batches(records(8)))  # at DAY_MS by the centre's clock
    bare.dispatch(*range(8), issued_ms=DAY_MS + 1)
    verdict = verify(bare.prove(2, 3), bare.keys)
    assert verdict.proved
    assert check(verdict, "factor").details[-1] == (
        "2 interval(s) were stored before their factor was issued, by the centre's clock"
    )


def lied(centre: Centre, *issues: Issue) -> list[str]:
    """Return what fails when the centre's key signs a statement with other factors."""
    file = form.decode(centre.prove(2))
    return failures(verify(restated(centre, file, file.batches, issues=issues), centre.keys))


def test_a_statement_that_is_not_what_was_signed_before_fails(centre: Centre) -> None:
    """The key of today can't rewrite what was dispatched: the messages of back then are in the file."""
    true = Issue(DAY_MS + 2 * SLOT_MS, SLOT_MS, DAY_MS, FACTOR, SOLVE_ID)
    assert lied(centre, true) == []
    for lie in (
        (replace(true, factor=FACTOR - 1),),
        (replace(true, factor=None),),
        (replace(true, issued_ms=DAY_MS + 1),),
        (replace(true, solve_id=b"another"),),
        (true, replace(true, issued_ms=DAY_MS + 1, factor=FACTOR - 1)),
        (replace(true, issued_ms=DAY_MS - 1), replace(true, factor=FACTOR - 1)),
    ):
        assert "factors as dispatched" in lied(centre, *lie)


def test_an_issue_of_before_the_messages_is_the_statements_word(centre: Centre) -> None:
    true = Issue(DAY_MS + 2 * SLOT_MS, SLOT_MS, DAY_MS, FACTOR, SOLVE_ID)
    assert lied(centre, replace(true, issued_ms=DAY_MS - 1, factor=FACTOR - 1), true) == []
