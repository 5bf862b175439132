"""What intervals and adjustments in a proof claim of their factors, and what the statement says was issued."""

from dataclasses import replace

import pytest
from key_support import BOTH_ALGORITHMS, new_key
from proof_support import LATER, SOLVE_ID, Centre, batches, check, failures, filled, messages, records, restated
from receiver_support import DAY_MS, FACTOR, SLOT_MS, FakeGateway, interval
from sqlalchemy import Engine, delete

from cloud_receiver import database
from cloud_receiver.registry import Registry
from cloud_receiver.schema import factor
from wire.batch import carbon_of
from wire.proof import form
from wire.proof.statement import Issue, Statement
from wire.proof.verdict import Outcome
from wire.proof.verify import verify
from wire.records import AdjustmentRecord, FactorQuality, IntervalRecord, Record

pytestmark = BOTH_ALGORITHMS


@pytest.fixture
def centre(engine: Engine, registry: Registry, gateway: FakeGateway) -> Centre:
    return filled(engine, registry, gateway)


@pytest.fixture
def bare(engine: Engine, registry: Registry, gateway: FakeGateway) -> Centre:
    """Make a store without records."""
    return Centre(engine, registry, gateway, new_key())


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
