"""Proofs exported from a store and verified without it: what goes in, and whose keys and which records prove it."""

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from intake_support import Bench, Message
from key_support import SM2
from proof_support import Centre, batches, check, failures, filled, records, restated
from receiver_support import DAY_MS, FACTOR, SLOT_MS, FakeGateway, enrol, interval
from sqlalchemy import Engine

from cloud_receiver import database, enrolment
from cloud_receiver.registry import Registry
from wire.envelope import Signer
from wire.keys import ALGORITHMS, AlgorithmName, generate
from wire.proof import form
from wire.proof.form import ProofError
from wire.proof.statement import TOPIC, Statement
from wire.proof.trust import Keys
from wire.proof.verdict import Outcome
from wire.proof.verify import verify
from wire.records import (
    EventCode,
    EventRecord,
)

CHECKS = [
    "file",
    "centre's statement",
    "contents",
    "signatures",
    "context",
    "enrolment",
    "factors' signature",
    "factors as dispatched",
    "readings",
    "sequence continuity",
    "register continuity",
    "carbon arithmetic",
    "factor",
]


@pytest.fixture
def centre(engine: Engine, registry: Registry, gateway: FakeGateway) -> Centre:
    return filled(engine, registry, gateway)


@pytest.fixture
def bare(engine: Engine, registry: Registry, gateway: FakeGateway) -> Centre:
    """Make a store without records."""
    return Centre(engine, registry, gateway, Ed25519PrivateKey.generate())


def test_one_reading_is_proved_with_its_neighbours(centre: Centre) -> None:
    data = centre.prove(2)
    verdict = verify(data, centre.keys)
    assert [check.name for check in verdict.checks] == CHECKS
    assert {check.outcome for check in verdict.checks} == {Outcome.PASSED}
    assert [item.start_ms for item in verdict.intervals] == [DAY_MS + 2 * SLOT_MS]
    assert verdict.intervals[0].forward_total_mwh == 3_000_000
    assert verdict.intervals[0].factor == FACTOR
    # Slots 0 to 3: the batches of the slot, the one before and the one after.
    assert len(form.decode(data).batches) == 2
    assert "3 step(s)" in next(check.text for check in verdict.checks if check.name == "register continuity")


KINDS = [
    pytest.param(centre, gateway, marks=SM2.marks if "sm2" in {centre, gateway} else (), id=f"{centre}-{gateway}")
    for centre in ALGORITHMS
    for gateway in ALGORITHMS
]


@pytest.mark.parametrize(("centre_kind", "gateway_kind"), KINDS)
def test_keys_of_either_algorithm_prove(
    engine: Engine, registry: Registry, centre_kind: AlgorithmName, gateway_kind: AlgorithmName
) -> None:
    gateway = FakeGateway("gw1", generate(gateway_kind))
    with database.writing(engine) as connection:
        enrolment.add(connection, "gw1", gateway.key.public_key(), "S1", 0)
    centre = Centre(engine, registry, gateway, generate(centre_kind))
    centre.take(*batches(records(8)))
    centre.dispatch(*range(8))
    data = centre.prove(2)
    statement = Statement.decode(form.unverified_payload(form.decode(data).statement))
    assert [len(item.public_key) for item in statement.keys] == [{"ed25519": 32, "sm2": 65}[gateway_kind]]
    verdict = verify(data, centre.keys)
    assert {check.outcome for check in verdict.checks} == {Outcome.PASSED}
    assert verify(data, Keys(gateway=[gateway.key.public_key()])).proved
    for keys in (Keys([generate(centre_kind).public_key()]), Keys(gateway=[generate(gateway_kind).public_key()])):
        assert not verify(data, keys).proved


def test_a_key_in_the_statement_that_is_none_or_has_no_library_is_told(centre: Centre) -> None:
    """The centre signed it, but nothing can be verified with it: neither by this machine nor by any other."""
    file = form.decode(centre.prove(2))
    statement = Statement.decode(form.unverified_payload(file.statement))
    off_curve = replace(statement.keys[0], public_key=b"\x04" + bytes(63) + b"\x01")
    verdict = verify(restated(centre, file, file.batches, keys=(off_curve,)), centre.keys)
    assert "signatures" in failures(verdict)
    told = next(check.details for check in verdict.checks if check.name == "signatures")
    assert told[0].startswith("a key of the gateway in the statement: ")
    assert not verdict.intervals


def test_the_envelopes_are_those_that_came(centre: Centre) -> None:
    assert [item.envelope for item in form.decode(centre.prove(0, 7)).batches] == [
        centre.gateway.envelope(first, own) for first, own in batches(records(8))
    ]


@pytest.mark.parametrize(("slot", "firsts"), [(0, [1]), (1, [1, 5]), (2, [1, 5]), (3, [5, 9]), (7, [13])])
def test_the_batches_of_the_intervals_before_and_after_come_along(centre: Centre, slot: int, firsts: list[int]) -> None:
    own = dict(batches(records(8)))
    wanted = [centre.gateway.envelope(first, own[first]) for first in firsts]
    data = centre.prove(slot)
    assert [item.envelope for item in form.decode(data).batches] == wanted
    assert verify(data, centre.keys).proved


def test_the_batch_that_brought_a_record_first_is_taken(bare: Centre) -> None:
    found = records(8)
    bare.take((1, found[:4]), (1, found[:8]))
    bare.dispatch(*range(8))
    data = bare.prove(0, 1)
    assert [item.envelope for item in form.decode(data).batches][:1] == [bare.gateway.envelope(1, found[:4])]
    assert verify(data, bare.keys).proved


def test_a_range_is_proved(centre: Centre) -> None:
    verdict = verify(centre.prove(1, 6), centre.keys)
    assert verdict.proved
    assert len(verdict.intervals) == 6


def test_the_gateways_key_alone_proves_the_reading_and_says_what_it_leaves_open(centre: Centre) -> None:
    verdict = verify(centre.prove(2), Keys(gateway=[centre.gateway.key.public_key()]))
    assert verdict.proved
    open_ = [check.name for check in verdict.checks if check.outcome is Outcome.NOT_CHECKED]
    assert open_ == ["centre's statement", "enrolment", "factors' signature", "factors as dispatched", "factor"]
    assert len(verdict.intervals) == 1


def test_both_keys_must_agree(centre: Centre) -> None:
    data = centre.prove(2)
    assert verify(data, Keys([centre.key.public_key()], [centre.gateway.key.public_key()])).proved
    other = Ed25519PrivateKey.generate().public_key()
    assert failures(verify(data, Keys([centre.key.public_key()], [other]))) == ["signatures"]
    assert failures(verify(data, Keys([other]))) == ["centre's statement"]
    with pytest.raises(ValueError, match="expected a public key"):
        verify(data, Keys())


def test_a_key_of_the_gateway_does_not_stand_for_the_centres(centre: Centre) -> None:
    assert not verify(centre.prove(2), Keys([centre.gateway.key.public_key()])).proved


def test_records_that_have_not_arrived_are_no_proof(bare: Centre) -> None:
    own = batches(records(8))
    bare.take(own[0], *own[2:])
    with pytest.raises(ProofError, match="records 5 to 8 of journal 6a6f75726e616c31 have not arrived"):
        bare.prove(0, 7)


def test_records_that_the_gateway_gave_up_are_told_by_itself(bare: Centre) -> None:
    own = batches(records(8))
    dropped = EventRecord(None, DAY_MS, EventCode.RECORDS_DROPPED, {4: 4, 5: 5, 6: 8})
    bare.take(own[0], *own[2:], (17, [dropped]))
    bare.dispatch(*range(8))
    data = bare.prove(0, 7)
    verdict = verify(data, bare.keys)
    assert verdict.proved
    note = next(check.details for check in verdict.checks if check.name == "sequence continuity")
    assert note == ("journal 6a6f75726e616c31: the gateway gave up 5 to 8, as it says itself",)
    file = form.decode(data)
    without = restated(bare, file, file.batches[:-1])
    assert failures(verify(without, bare.keys)) == ["sequence continuity"]


def test_what_several_events_tell_together_is_told(bare: Centre) -> None:
    """A gateway drops a part of its journal at a time."""
    own = batches(records(8))
    told = [
        EventRecord(None, DAY_MS, EventCode.RECORDS_DROPPED, {4: last - first + 1, 5: first, 6: last})
        for first, last in ((5, 7), (7, 10), (11, 12))
    ]
    bare.take(own[0], own[3], (17, [told[0]]), (18, [told[1]]), (19, [interval(8, "C02")]))
    bare.dispatch(*range(9))
    with pytest.raises(ProofError, match="records 11 to 12 of journal 6a6f75726e616c31 have not arrived"):
        bare.prove(0, 7)
    bare.take((20, [told[2]]))
    data = bare.prove(0, 7)
    assert verify(data, bare.keys).proved
    assert [len(form.decode(data).batches)] == [5]  # not the one that tells nothing


def test_a_batch_that_was_sent_again_in_other_pieces_counts_once(bare: Centre) -> None:
    found = records(8)
    bare.take((1, found[:6]), (5, found[4:12]), (9, found[8:16]))
    bare.dispatch(*range(8))
    data = bare.prove(0, 7)
    assert len(form.decode(data).batches) == 3
    verdict = verify(data, bare.keys)
    assert verdict.proved
    assert len(verdict.intervals) == 8


def test_two_records_under_one_sequence_fail(bare: Centre) -> None:
    """As from a journal restored from a copy: the batch that also brought new records shows it."""
    found = records(8)
    again = [replace(item, readings=3) for item in found[4:]]  # type: ignore[type-var]
    bare.take((1, found[:6]), (5, list(again)))
    bare.dispatch(*range(8))
    assert failures(verify(bare.prove(0, 7), bare.keys)) == ["sequence continuity"]


def test_readings_are_shown_in_the_order_of_time(bare: Centre) -> None:
    """Contexts are random: that of the later journal may be the smaller."""
    later = replace(bare.gateway, context=b"journal0")
    bare.take((1, [interval(slot) for slot in range(2)]))
    bare.take((1, [interval(slot) for slot in range(2, 4)]), gateway=later)
    bare.dispatch(*range(4))
    found = verify(bare.prove(0, 3), bare.keys).intervals
    assert [item.start_ms for item in found] == [DAY_MS + slot * SLOT_MS for slot in range(4)]


def test_time_that_two_journals_claim_is_told(bare: Centre) -> None:
    """As after the loss of a journal, or from two gateways with one key."""
    second = replace(bare.gateway, context=b"journal2")
    bare.take((1, [interval(slot) for slot in range(4)]))
    bare.take((1, [interval(slot) for slot in range(2, 6)]), gateway=second)
    bare.dispatch(*range(8))
    verdict = verify(bare.prove(0, 5), bare.keys)
    assert verdict.proved
    assert len(verdict.intervals) == 8
    assert check(verdict, "readings").details == (
        "1800.000 s of the range are in more than one interval: not to be added up",
    )


def test_a_gap_in_time_is_told(bare: Centre) -> None:
    bare.take((1, [interval(slot) for slot in (0, 1, 4, 5)]))
    bare.dispatch(*range(8))
    verdict = verify(bare.prove(0, 5), bare.keys)
    assert verdict.proved
    readings = next(check for check in verdict.checks if check.name == "readings")
    assert readings.details == ("1800.000 s of the range have no interval",)


def test_both_keys_of_a_rotation_are_enrolled(bare: Centre) -> None:
    new = replace(bare.gateway, key=Ed25519PrivateKey.generate())
    with database.writing(bare.engine) as connection:
        enrolment.add(connection, "gw1", new.key.public_key(), "S1", 1)
    own = batches(records(8))
    bare.take(*own[:2])
    bare.take(*own[2:], gateway=new)
    bare.dispatch(*range(8))
    data = bare.prove(0, 7)
    assert verify(data, bare.keys).proved
    # One of the two is not enough for the batches of the other.
    assert failures(verify(data, Keys(gateway=[new.key.public_key()]))) == ["signatures"]
    assert verify(data, Keys(gateway=[new.key.public_key(), bare.gateway.key.public_key()])).proved


def test_a_batch_stored_after_the_revocation_fails_and_one_before_does_not(bare: Centre) -> None:
    bare.take(*batches(records(8)))
    with database.writing(bare.engine) as connection:
        enrolment.revoke(connection, "gw1", None, DAY_MS + 1)
    data = bare.prove(2)
    assert verify(data, bare.keys).proved
    file = form.decode(data)
    statement = Statement.decode(form.unverified_payload(file.statement))
    late = replace(statement.batches[0], received_ms=DAY_MS + 60_002)
    early = replace(statement.keys[0], added_ms=late.received_ms + 1, revoked_ms=None)
    for changes in ({"batches": (late, *statement.batches[1:])}, {"keys": (early,)}, {"keys": other_key(statement)}):
        lied = Signer(bare.key).sign(replace(statement, **changes).encode(), TOPIC)  # type: ignore[arg-type]
        keys = Keys([bare.key.public_key()], [bare.gateway.key.public_key()])
        assert failures(verify(replace(file, statement=lied).encode(), keys)) == ["enrolment"]


def other_key(statement: Statement) -> tuple[object, ...]:
    key = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    return (replace(statement.keys[0], public_key=key),)


def test_a_meter_of_several_gateways_is_asked_for(centre: Centre) -> None:
    second = enrol(centre.engine, "gw2")
    Bench(centre.engine).take(Message(second.topic, second.envelope(1, [interval(2)])))
    with pytest.raises(ProofError, match="on gateways gw1, gw2: say which"):
        centre.prove(2)
    assert verify(centre.prove(2, gateway="gw2"), centre.keys).proved
    with pytest.raises(ProofError, match="on gateway gw3"):
        centre.prove(2, gateway="gw3")
    with pytest.raises(ProofError, match="no records of a meter 'C99'"):
        centre.prove(2, meter="C99")


def test_what_the_store_does_not_have_is_said(centre: Centre) -> None:
    with pytest.raises(ProofError, match=r"no interval of meter 'C01' in 2026-07-01T00:30:00\.001"):
        centre.prove(34)
