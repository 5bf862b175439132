"""Whatever is changed in a proof, it fails: bits, batches, keys, topics, and what a lying centre could state."""

import hashlib
import itertools
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from proof_support import Centre, batches, failures, filled, outcome, records, restated
from receiver_support import DAY_MS, FACTOR, SLOT_MS, FakeGateway
from sqlalchemy import Engine

from cloud_receiver.registry import Registry
from wire import topics
from wire.envelope import Signer
from wire.keys import KEY_ID_BYTES
from wire.messages import Factors
from wire.proof import form
from wire.proof.form import Signed
from wire.proof.statement import Statement
from wire.proof.trust import Keys
from wire.proof.verdict import Outcome
from wire.proof.verify import verify


@pytest.fixture
def centre(engine: Engine, registry: Registry, gateway: FakeGateway) -> Centre:
    return filled(engine, registry, gateway)


# One store for all examples: they only read it.
READS = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


@READS
@given(data=st.data())
def test_any_flipped_bit_fails(centre: Centre, data: st.DataObject) -> None:
    file = bytearray(centre.prove(2))
    place = data.draw(st.integers(0, 8 * len(file) - 1))
    file[place // 8] ^= 1 << place % 8
    for keys in (centre.keys, Keys(gateway=[centre.gateway.key.public_key()])):
        verdict = verify(bytes(file), keys)
        assert not verdict.proved
        assert not verdict.intervals


def sealed(body: bytes) -> bytes:
    """Return the body with a checksum that is right: what somebody who changes a file on purpose would write."""
    return body + b"\x58\x20" + hashlib.sha256(body).digest()


@READS
@given(data=st.data())
def test_any_flipped_bit_fails_also_under_a_new_checksum(centre: Centre, data: st.DataObject) -> None:
    body = bytearray(centre.prove(2)[:-34])
    place = data.draw(st.integers(0, 8 * len(body) - 1))
    body[place // 8] ^= 1 << place % 8
    verdict = verify(sealed(bytes(body)), centre.keys)
    assert not verdict.proved
    assert not verdict.intervals


def test_the_new_checksum_is_what_makes_the_unchanged_body_valid(centre: Centre) -> None:
    data = centre.prove(2)
    assert sealed(data[:-34]) == data


@READS
@given(data=st.data())
def test_any_other_choice_or_order_of_batches_fails(centre: Centre, data: st.DataObject) -> None:
    file = form.decode(centre.prove(0, 7))
    chosen = data.draw(st.lists(st.sampled_from(file.batches), max_size=6).filter(lambda own: own != [*file.batches]))
    changed = replace(file, batches=tuple(chosen)).encode()
    assert not verify(changed, centre.keys).proved
    # Without the statement's word: what is left must still be without a gap, in order, and nothing twice.
    verdict = verify(restated(centre, file, tuple(chosen)), centre.keys) if chosen else None
    if verdict is not None:
        places = [file.batches.index(item) for item in chosen]
        if places != list(range(places[0], places[0] + len(places))):
            assert "sequence continuity" in failures(verdict)


@READS
@given(size=st.integers(0, 3000), cut=st.binary(max_size=40))
def test_anything_else_is_no_proof(centre: Centre, size: int, cut: bytes) -> None:
    data = centre.prove(2)
    assert failures(verify(cut, centre.keys)) == ["file"]
    assert failures(verify(data + cut + b"x", centre.keys)) == ["file"]
    if size < len(data):
        assert failures(verify(data[:size], centre.keys)) == ["file"]
    assert failures(verify(sealed(data[:-34] + cut + b"x"), centre.keys)) == ["file"]


def test_another_key_fails(centre: Centre) -> None:
    """Somebody signs the batches anew and puts the own key in place of the gateway's."""
    file = form.decode(centre.prove(2))
    forger = FakeGateway("gw1", Ed25519PrivateKey.generate())
    forged = tuple(Signed(forger.topic, forger.envelope(first, own)) for first, own in batches(records(8))[:2])
    # Without the centre's key the statement can't be made to fit; with the gateway's key no statement helps.
    assert "contents" in failures(verify(replace(file, batches=forged).encode(), centre.keys))
    statement = Statement.decode(form.unverified_payload(file.statement))
    key = replace(statement.keys[0], public_key=forger.key.public_key().public_bytes_raw())
    lied = restated(centre, file, forged, keys=(key,))
    assert failures(verify(lied, Keys(gateway=[centre.gateway.key.public_key()]))) == ["signatures"]
    by_forger = restated(replace(centre, key=forger.key), file, forged, keys=(key,))
    assert failures(verify(by_forger, centre.keys)) == ["centre's statement"]


@pytest.mark.parametrize("topic", [topics.records("gw2"), topics.status("gw1"), ""])
def test_another_topic_fails(centre: Centre, topic: str) -> None:
    file = form.decode(centre.prove(2))
    moved = (replace(file.batches[0], topic=topic), *file.batches[1:])
    assert "signatures" in failures(verify(replace(file, batches=moved).encode(), centre.keys))


def test_batches_of_another_gateway_fail(centre: Centre) -> None:
    """The topic, the payload and the claim must name one gateway, even where the centre says otherwise."""
    file = form.decode(centre.prove(2))
    impostor = FakeGateway("gw2", centre.gateway.key)
    strange = tuple(
        Signed(topic, Signer(impostor.key).sign(impostor.payload(first, own), topic))
        for topic in (topics.records("gw1"), topics.records("gw2"))
        for first, own in batches(records(8))[:2]
    )
    for chosen in (strange[:2], strange[2:]):
        assert failures(verify(restated(centre, file, chosen), centre.keys)) == ["context"]


def test_batches_that_the_gateway_signed_for_another_topic_fail(centre: Centre) -> None:
    file = form.decode(centre.prove(2))
    topic = topics.live("gw1")
    elsewhere = tuple(
        Signed(topic, Signer(centre.gateway.key).sign(centre.gateway.payload(first, own), topic))
        for first, own in batches(records(8))[:2]
    )
    assert failures(verify(restated(centre, file, elsewhere), centre.keys)) == ["context"]


def corrected(centre: Centre) -> form.ProofFile:
    """Return the proof of a slot whose factor was dispatched, repeated and corrected."""
    centre.dispatch(2, value=FACTOR + 7, issued_ms=DAY_MS + SLOT_MS)
    centre.dispatch(2, value=FACTOR, issued_ms=DAY_MS + 2 * SLOT_MS)
    file = form.decode(centre.prove(2))
    assert len(file.factor_messages) == 3
    return file


def test_any_other_choice_or_order_of_factor_messages_fails(centre: Centre) -> None:
    file = corrected(centre)
    for size in range(4):
        for chosen in itertools.product(file.factor_messages, repeat=size):
            changed = replace(file, factor_messages=chosen)
            verdict = verify(changed.encode(), centre.keys)
            assert failures(verdict)[:1] == ([] if chosen == file.factor_messages else ["contents"])


def test_any_flipped_bit_of_a_factor_message_fails_under_every_statement(centre: Centre) -> None:
    """Even where the centre's key of today were in the wrong hands: the bytes of back then are signed."""
    file = corrected(centre)
    kid = file.factor_messages[1].envelope.index(Signer(centre.key).kid)
    for place in range(8 * len(file.factor_messages[1].envelope)):
        envelope = bytearray(file.factor_messages[1].envelope)
        envelope[place // 8] ^= 1 << place % 8
        messages = (file.factor_messages[0], Signed(file.factor_messages[1].topic, bytes(envelope)))
        changed = replace(file, factor_messages=messages)
        assert "contents" in failures(verify(changed.encode(), centre.keys))
        verdict = verify(restated(centre, changed, file.batches), centre.keys)
        if kid <= place // 8 < kid + KEY_ID_BYTES:
            # The name of a key that nobody knows: nothing is wrong, but it is said that it was not checked.
            assert outcome(verdict, "factors' signature") is Outcome.NOT_CHECKED
        else:
            assert "factors' signature" in failures(verdict)


def test_factor_messages_of_another_key_fail(centre: Centre) -> None:
    """Somebody signs messages anew with a key of the own, or with the gateway's."""
    file = corrected(centre)
    payloads = [form.unverified_payload(item.envelope) for item in file.factor_messages]
    topic = file.factor_messages[0].topic
    for key in (Ed25519PrivateKey.generate(), centre.gateway.key):
        forged = tuple(Signed(topic, Signer(key).sign(payload, topic)) for payload in payloads)
        changed = replace(file, factor_messages=forged)
        assert "contents" in failures(verify(changed.encode(), centre.keys))
        verdict = verify(restated(centre, changed, file.batches), centre.keys)
        if key is centre.gateway.key:
            assert failures(verdict) == ["factors' signature"]
        else:
            assert outcome(verdict, "factors' signature") is Outcome.NOT_CHECKED
            assert outcome(verdict, "factors as dispatched") is Outcome.NOT_CHECKED


@pytest.mark.parametrize("topic", [topics.factor("node2"), topics.records("gw1"), "diantan/1/proof", ""])
def test_a_factor_message_on_another_topic_fails(centre: Centre, topic: str) -> None:
    file = corrected(centre)
    moved = (replace(file.factor_messages[0], topic=topic), *file.factor_messages[1:])
    verdict = verify(restated(centre, replace(file, factor_messages=moved), file.batches), centre.keys)
    assert failures(verdict) == ["factors' signature"]


@pytest.mark.parametrize(
    ("changes", "failing"),
    [
        ({"node": "node2"}, ["factors' signature", "factors as dispatched"]),
        ({"factors": (FACTOR + 8,)}, ["factors as dispatched"]),
        ({"factors": (None,)}, ["factors as dispatched"]),
        ({"factors": (FACTOR,)}, ["factors as dispatched"]),
        ({"solve_id": b"another"}, ["factors as dispatched"]),
        ({"issued_ms": DAY_MS - 1}, ["factors as dispatched"]),
        ({"issued_ms": DAY_MS + 1}, ["factors as dispatched"]),
        ({"issued_ms": DAY_MS + 3 * SLOT_MS}, ["factors as dispatched"]),
        # For another slot: then the statement's correction stands in no message.
        ({"first_start_ms": DAY_MS}, ["factors as dispatched"]),
        ({"slot_ms": SLOT_MS // 3}, ["factors as dispatched"]),
    ],
)
def test_another_message_under_a_stolen_key_of_the_centre_fails(
    centre: Centre, changes: dict[str, object], failing: list[str]
) -> None:
    """Whoever has the key that dispatched makes another correction: it is not what the statement has."""
    file = corrected(centre)
    item = file.factor_messages[1]
    message = replace(Factors.decode(form.unverified_payload(item.envelope)), **changes)  # type: ignore[arg-type]
    forged = replace(item, envelope=Signer(centre.key).sign(message.encode(), item.topic))
    changed = replace(file, factor_messages=(file.factor_messages[0], forged, file.factor_messages[2]))
    assert "contents" in failures(verify(changed.encode(), centre.keys))
    assert failures(verify(restated(centre, changed, file.batches), centre.keys)) == failing


def test_a_statement_without_a_message_that_contradicts_it_is_not_believed_in_full(centre: Centre) -> None:
    """A centre that leaves the correction's message out, to state another one, has a factor in no message."""
    file = corrected(centre)
    statement = Statement.decode(form.unverified_payload(file.statement))
    first, second, third = statement.issues
    lie = (first, replace(second, factor=1), third)
    without = replace(file, factor_messages=(file.factor_messages[0], file.factor_messages[2]))
    verdict = verify(restated(centre, without, file.batches, issues=lie), centre.keys)
    assert failures(verdict) == ["factors as dispatched"]


def test_a_former_key_does_not_sign_proofs(centre: Centre) -> None:
    """The thief of the key that the centre had before makes a proof of his own."""
    data = centre.prove(2)
    present = Ed25519PrivateKey.generate().public_key()
    keys = Keys([present], former=[centre.key.public_key()])
    assert failures(verify(data, keys)) == ["centre's statement"]
    assert verify(data, keys).intervals == ()
