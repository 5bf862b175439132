"""Whatever is changed in a proof, it fails: bits, batches, keys, topics, and what a lying centre could state."""

import hashlib
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from proof_support import Centre, batches, failures, filled, records, restated
from receiver_support import FakeGateway
from sqlalchemy import Engine

from cloud_receiver.registry import Registry
from wire import topics
from wire.envelope import Signer
from wire.proof import form
from wire.proof.form import Signed
from wire.proof.statement import Statement
from wire.proof.trust import Keys
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
