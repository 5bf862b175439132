"""The signed envelope: opens for its topic and key only, and every refusal says why."""

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from wire.envelope import MAX_ENVELOPE_BYTES, EnvelopeError, KeyRing, Opened, Reason, Signer, open_envelope
from wire.keys import key_id

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
TOPIC = "diantan/1/up/gw/records"


def ring(*keys: Ed25519PrivateKey) -> KeyRing:
    result = KeyRing()
    for index, key in enumerate(keys or (KEY,)):
        result.add(key.public_key(), f"gw-{index}")
    return result


def refused(envelope: bytes, topic: str = TOPIC, keys: KeyRing | None = None) -> EnvelopeError:
    with pytest.raises(EnvelopeError) as caught:
        open_envelope(envelope, topic, ring() if keys is None else keys)
    return caught.value


@given(st.binary(max_size=300), st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_it_opens_for_its_topic_and_key(payload: bytes, topic: str) -> None:
    signed = Signer(KEY).sign(payload, topic)
    assert open_envelope(signed, topic, ring()) == Opened(payload, key_id(KEY.public_key()), "gw-0")


@pytest.mark.parametrize("size", [0, 1, 23, 24, 255, 256, 65_535, 65_536, 200_000])
def test_it_is_cose_sign1_as_a_generic_reader_sees_it(size: int) -> None:
    payload = bytes(size)
    signed = Signer(KEY).sign(payload, TOPIC)
    tag = cbor2.loads(signed)
    assert tag.tag == 18
    protected, unprotected, inner, signature = tag.value
    assert (unprotected, inner) == ({}, payload)
    assert cbor2.loads(protected) == {1: -8, 4: key_id(KEY.public_key())}
    # RFC 9052, 4.4, built by the book.
    KEY.public_key().verify(signature, cbor2.dumps(["Signature1", protected, TOPIC.encode(), payload]))
    assert cbor2.dumps(tag) == signed
    assert open_envelope(signed, TOPIC, ring()).payload == payload


def test_on_another_topic_it_is_refused() -> None:
    error = refused(Signer(KEY).sign(b"x", TOPIC), "diantan/1/up/other/records")
    assert error.reason is Reason.BAD_SIGNATURE
    assert "gw-0" in str(error)
    assert "diantan/1/up/other/records" in str(error)


def test_an_unknown_key_is_named() -> None:
    error = refused(Signer(OTHER).sign(b"x", TOPIC))
    assert error.reason is Reason.UNKNOWN_KEY
    assert key_id(OTHER.public_key()).hex() in str(error)


def test_a_removed_key_is_unknown() -> None:
    keys = ring()
    keys.remove(key_id(KEY.public_key()))
    keys.remove(b"unknown!")
    assert refused(Signer(KEY).sign(b"x", TOPIC), keys=keys).reason is Reason.UNKNOWN_KEY


def test_another_keys_signature_under_this_key_id_is_refused() -> None:
    forged = Signer(OTHER).sign(b"x", TOPIC).replace(key_id(OTHER.public_key()), key_id(KEY.public_key()))
    assert refused(forged).reason is Reason.BAD_SIGNATURE


@pytest.mark.parametrize("algorithm", [-7, -65_537, 0, 5])
def test_another_algorithm_is_named(algorithm: int) -> None:
    protected = cbor2.dumps({1: algorithm, 4: key_id(KEY.public_key())}, canonical=True)
    error = refused(cbor2.dumps(cbor2.CBORTag(18, [protected, {}, b"x", bytes(64)])))
    assert error.reason is Reason.WRONG_ALGORITHM
    assert str(algorithm) in str(error)


@given(st.data())
def test_no_byte_can_be_changed(data: st.DataObject) -> None:
    signed = bytearray(Signer(KEY).sign(b"payload", TOPIC))
    index = data.draw(st.integers(0, len(signed) - 1))
    signed[index] ^= data.draw(st.integers(1, 255))
    refused(bytes(signed))


def test_truncated_or_longer_it_is_malformed() -> None:
    signed = Signer(KEY).sign(b"payload", TOPIC)
    for end in range(len(signed)):
        assert refused(signed[:end]).reason is Reason.MALFORMED
    assert refused(signed + b"\x00").reason is Reason.MALFORMED


@given(st.binary(max_size=200))
def test_garbage_is_malformed(data: bytes) -> None:
    assert refused(data).reason is Reason.MALFORMED
    assert refused(b"\xd2\x84" + data).reason in (Reason.MALFORMED, Reason.WRONG_ALGORITHM)


@pytest.mark.parametrize(
    "protected",
    [
        b"",
        cbor2.dumps({1: -8}),
        cbor2.dumps({4: key_id(KEY.public_key()), 1: -8}),  # keys in descending order
        cbor2.dumps({1: -8, 4: key_id(KEY.public_key()), 5: 1}),
        cbor2.dumps({1: "EdDSA", 4: key_id(KEY.public_key())}),
        cbor2.dumps({1: -8, 4: b"short"}),
        cbor2.dumps({1: True, 4: key_id(KEY.public_key())}),
        b"\xa2\x01\x38\x07\x04\x48" + key_id(KEY.public_key()),  # -8 not in its shortest form
        cbor2.dumps([]),
        b"\xbf\xff",
        b"\x9f" * 50,
    ],
)
def test_other_headers_are_malformed(protected: bytes) -> None:
    assert refused(cbor2.dumps(cbor2.CBORTag(18, [protected, {}, b"x", bytes(64)]))).reason is Reason.MALFORMED


def test_headers_of_any_size_are_not_even_read() -> None:
    # A general reader would make a rational of these two numbers, for minutes.
    number = b"\xc2\x5a\x00\x06\x00\x00" + b"\xff" * (6 << 16)
    headers = b"\xd8\x1e\x82" + number + number[:-1] + b"\xfe"
    envelope = b"\xd2\x84\x5a" + len(headers).to_bytes(4, "big") + headers + b"\xa0\x40\x40"
    with pytest.raises(EnvelopeError, match=f"got {len(headers)} bytes") as caught:
        open_envelope(envelope, "topic", KeyRing())
    assert caught.value.reason is Reason.MALFORMED


def test_other_forms_of_the_same_envelope_are_malformed() -> None:
    tag = cbor2.loads(Signer(KEY).sign(b"x", TOPIC))
    protected, _, payload, signature = tag.value
    for envelope in (
        cbor2.dumps(tag.value),  # without its tag
        cbor2.dumps(cbor2.CBORTag(18, [protected, {4: b"x"}, payload, signature])),
        cbor2.dumps(cbor2.CBORTag(18, [protected, {}, None, signature])),
        cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, signature[:-1]])),
        cbor2.dumps(cbor2.CBORTag(18, [protected, {}, payload, signature, b""])),
        cbor2.dumps(cbor2.CBORTag(18, [protected, {}, "x", signature])),
        b"\xd2\x84" + cbor2.dumps(protected) + b"\xa0\x58\x01x" + cbor2.dumps(signature),
        b"\xd2\x84" + cbor2.dumps(protected) + b"\xa0\x5b" + b"\xff" * 8,
    ):
        assert refused(envelope).reason is Reason.MALFORMED


def test_size_is_bounded_both_ways() -> None:
    assert refused(bytes(MAX_ENVELOPE_BYTES + 1)).reason is Reason.TOO_LARGE
    with pytest.raises(EnvelopeError) as caught:
        Signer(KEY).sign(bytes(MAX_ENVELOPE_BYTES), TOPIC)
    assert caught.value.reason is Reason.TOO_LARGE


def test_a_ring_knows_its_owners() -> None:
    keys = ring(KEY, OTHER)
    assert keys.owner(key_id(KEY.public_key())) == "gw-0"
    assert keys.owner(key_id(OTHER.public_key())) == "gw-1"
    assert keys.owner(b"12345678") is None
    assert len(keys) == 2
    keys.add(KEY.public_key(), "gw-0")  # again: no harm
    with pytest.raises(ValueError, match="already belongs to 'gw-0'"):
        keys.add(KEY.public_key(), "gw-1")


def test_other_kinds_of_key_are_refused() -> None:
    with pytest.raises(TypeError, match="signs with a str"):
        Signer("key")  # type: ignore[arg-type]  # the mistake under test
    with pytest.raises(TypeError, match="verifies with a str"):
        KeyRing().add("key", "gw")  # type: ignore[arg-type]  # the mistake under test


# Kept in databases for years: what was signed by version 0.1 must stay verifiable.
KNOWN = """
    d2844da20127044856475aa75463474ca043a100015840e35b571df7fd5711254deec87b8571737968ab167169f8bf3b
    9c3e8bd793f8a7f808f7f04a617b50f63106a20e8fa2fe460e4585a2985ce04d650831236a860b
"""


def test_a_known_envelope_opens_for_ever() -> None:
    known = bytes.fromhex(KNOWN)
    assert open_envelope(known, TOPIC, ring()).payload == b"\xa1\x00\x01"
    assert Signer(KEY).sign(b"\xa1\x00\x01", TOPIC) == known  # Ed25519 is deterministic
