"""The signed envelope: opens for its topic and key only, and every refusal says why."""

import functools
from collections.abc import Callable

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from key_support import BOTH_ALGORITHMS, current_algorithm

from wire.envelope import (
    EDDSA,
    MAX_ENVELOPE_BYTES,
    SM2_WITH_SM3,
    EnvelopeError,
    KeyRing,
    Opened,
    Reason,
    Signer,
    open_envelope,
)
from wire.keys import AlgorithmName, PrivateKey, key_id
from wire.sm2 import Sm2PrivateKey

pytestmark = BOTH_ALGORITHMS

TOPIC = "diantan/1/up/gw/records"
NUMBERS = {"ed25519": -8, "sm2": -66_037}  # what stands in envelopes that databases keep

# Private numbers and points: of the example in GB/T 32918.5-2017, annex A.2, and another one.
SM2_KEYS = {
    "3945208f7b2144b13f36e38ac6d39f95889393692860b51a42fb81ef4df7c5b8": (
        "09f9df311e5421a150dd7d161e4bc5c672179fad1833fc076bb08ff356f35020"
        "ccea490ce26775a52dc6ea718cc1aa600aed05fbf35e084a6632f6072da9ad13"
    ),
    "c43f241f485151676b0aa3d51fd76bb7ea0930ce67661b3a6f475933ef98932a": (
        "8ec9759def7b916d233b90d3ddfaa45593116038fc7754759af96c70c63e980c"
        "253a79f2ee31fadabf7a16669545d4a8885743b711f9c65546f99f74b9bf3dc6"
    ),
}
PKCS8 = "308187020100301306072a8648ce3d020106082a811ccf5501822d046d306b0201010420{}a14403420004{}"


@functools.cache
def keys_of(algorithm: AlgorithmName) -> tuple[PrivateKey, PrivateKey]:
    if algorithm == "sm2":
        first, second = (Sm2PrivateKey.from_der(bytes.fromhex(PKCS8.format(*item))) for item in SM2_KEYS.items())
        return first, second
    return Ed25519PrivateKey.from_private_bytes(bytes(range(32))), Ed25519PrivateKey.from_private_bytes(
        bytes(range(1, 33))
    )


def the_key() -> PrivateKey:
    return keys_of(current_algorithm())[0]


def the_other() -> PrivateKey:
    return keys_of(current_algorithm())[1]


def kid() -> bytes:
    return key_id(the_key().public_key())


def ring(*keys: PrivateKey) -> KeyRing:
    result = KeyRing()
    for index, key in enumerate(keys or (the_key(),)):
        result.add(key.public_key(), f"gw-{index}")
    return result


def refused(envelope: bytes, topic: str = TOPIC, keys: KeyRing | None = None) -> EnvelopeError:
    with pytest.raises(EnvelopeError) as caught:
        open_envelope(envelope, topic, ring() if keys is None else keys)
    return caught.value


@given(st.binary(max_size=300), st.text(st.characters(exclude_categories=["Cs"]), max_size=80))
def test_it_opens_for_its_topic_and_key(payload: bytes, topic: str) -> None:
    signed = Signer(the_key()).sign(payload, topic)
    assert open_envelope(signed, topic, ring()) == Opened(payload, kid(), "gw-0")


@pytest.mark.parametrize("size", [0, 1, 23, 24, 255, 256, 65_535, 65_536, 200_000])
def test_it_is_cose_sign1_as_a_generic_reader_sees_it(size: int) -> None:
    payload = bytes(size)
    signed = Signer(the_key()).sign(payload, TOPIC)
    tag = cbor2.loads(signed)
    assert tag.tag == 18
    protected, unprotected, inner, signature = tag.value
    assert (unprotected, inner) == ({}, payload)
    assert cbor2.loads(protected) == {1: NUMBERS[current_algorithm()], 4: kid()}
    # RFC 9052, 4.4, built by the book.
    the_key().public_key().verify(signature, cbor2.dumps(["Signature1", protected, TOPIC.encode(), payload]))
    assert cbor2.dumps(tag) == signed
    assert open_envelope(signed, TOPIC, ring()).payload == payload


def test_on_another_topic_it_is_refused() -> None:
    error = refused(Signer(the_key()).sign(b"x", TOPIC), "diantan/1/up/other/records")
    assert error.reason is Reason.BAD_SIGNATURE
    assert "gw-0" in str(error)
    assert "diantan/1/up/other/records" in str(error)


def test_an_unknown_key_is_named() -> None:
    error = refused(Signer(the_other()).sign(b"x", TOPIC))
    assert error.reason is Reason.UNKNOWN_KEY
    assert key_id(the_other().public_key()).hex() in str(error)


def test_a_removed_key_is_unknown() -> None:
    keys = ring()
    keys.remove(kid())
    keys.remove(b"unknown!")
    assert refused(Signer(the_key()).sign(b"x", TOPIC), keys=keys).reason is Reason.UNKNOWN_KEY


def test_another_keys_signature_under_this_key_id_is_refused() -> None:
    forged = Signer(the_other()).sign(b"x", TOPIC).replace(key_id(the_other().public_key()), kid())
    assert refused(forged).reason is Reason.BAD_SIGNATURE


@pytest.mark.parametrize("number", [-7, -65_537, -66_036, -66_038, 0, 5])
def test_another_algorithm_is_named(number: int) -> None:
    protected = cbor2.dumps({1: number, 4: kid()}, canonical=True)
    error = refused(cbor2.dumps(cbor2.CBORTag(18, [protected, {}, b"x", bytes(64)])))
    assert error.reason is Reason.WRONG_ALGORITHM
    assert str(number) in str(error)


@given(st.binary(max_size=120), st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40), st.data())
def test_no_bit_can_be_changed(payload: bytes, topic: str, data: st.DataObject) -> None:
    signed = bytearray(Signer(the_key()).sign(payload, topic))
    other = data.draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=40).filter(lambda text: text != topic))
    refused(bytes(signed), other)
    place = data.draw(st.integers(0, 8 * len(signed) - 1))
    signed[place // 8] ^= 1 << place % 8
    refused(bytes(signed), topic)


def test_no_bit_of_a_short_one_can_be_changed() -> None:
    signed, keys = Signer(the_key()).sign(b"payload", TOPIC), ring()
    for place in range(8 * len(signed)):
        changed = bytearray(signed)
        changed[place // 8] ^= 1 << place % 8
        refused(bytes(changed), keys=keys)
    for place in range(8 * len(TOPIC)):
        topic = bytearray(TOPIC.encode())
        topic[place // 8] ^= 1 << place % 8
        assert refused(signed, topic.decode("latin-1"), keys).reason is Reason.BAD_SIGNATURE


def test_truncated_or_longer_it_is_malformed() -> None:
    signed = Signer(the_key()).sign(b"payload", TOPIC)
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
        lambda _number, _kid: b"",
        lambda number, _kid: cbor2.dumps({1: number}),
        lambda number, kid: cbor2.dumps({4: kid, 1: number}),  # keys in descending order
        lambda number, kid: cbor2.dumps({1: number, 4: kid, 5: 1}),
        lambda _number, kid: cbor2.dumps({1: "EdDSA", 4: kid}),
        lambda number, _kid: cbor2.dumps({1: number, 4: b"short"}),
        lambda _number, kid: cbor2.dumps({1: True, 4: kid}),
        lambda number, kid: b"\xa2\x01\x3b" + (-1 - number).to_bytes(8, "big") + b"\x04\x48" + kid,  # not the shortest
        lambda _number, _kid: cbor2.dumps([]),
        lambda _number, _kid: b"\xbf\xff",
        lambda _number, _kid: b"\x9f" * 50,
    ],
)
def test_other_headers_are_malformed(protected: Callable[[int, bytes], bytes]) -> None:
    headers = protected(NUMBERS[current_algorithm()], kid())
    assert refused(cbor2.dumps(cbor2.CBORTag(18, [headers, {}, b"x", bytes(64)]))).reason is Reason.MALFORMED


def test_headers_of_any_size_are_not_even_read() -> None:
    # A general reader would make a rational of these two numbers, for minutes.
    number = b"\xc2\x5a\x00\x06\x00\x00" + b"\xff" * (6 << 16)
    headers = b"\xd8\x1e\x82" + number + number[:-1] + b"\xfe"
    envelope = b"\xd2\x84\x5a" + len(headers).to_bytes(4, "big") + headers + b"\xa0\x40\x40"
    with pytest.raises(EnvelopeError, match=f"got {len(headers)} bytes") as caught:
        open_envelope(envelope, "topic", KeyRing())
    assert caught.value.reason is Reason.MALFORMED


def test_other_forms_of_the_same_envelope_are_malformed() -> None:
    tag = cbor2.loads(Signer(the_key()).sign(b"x", TOPIC))
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
        Signer(the_key()).sign(bytes(MAX_ENVELOPE_BYTES), TOPIC)
    assert caught.value.reason is Reason.TOO_LARGE


def test_a_ring_knows_its_owners() -> None:
    keys = ring(the_key(), the_other())
    assert keys.owner(kid()) == "gw-0"
    assert keys.owner(key_id(the_other().public_key())) == "gw-1"
    assert keys.owner(b"12345678") is None
    assert len(keys) == 2
    keys.add(the_key().public_key(), "gw-0")  # again: no harm
    with pytest.raises(ValueError, match="already belongs to 'gw-0'"):
        keys.add(the_key().public_key(), "gw-1")


def test_other_kinds_of_key_are_refused() -> None:
    with pytest.raises(TypeError, match="signs with a str"):
        Signer("key")  # type: ignore[arg-type]  # the mistake under test
    with pytest.raises(TypeError, match="verifies with a str"):
        KeyRing().add("key", "gw")  # type: ignore[arg-type]  # the mistake under test


def test_the_key_of_one_algorithm_says_nothing_under_the_other() -> None:
    number = EDDSA if current_algorithm() == "sm2" else SM2_WITH_SM3
    protected = cbor2.dumps({1: number, 4: kid()}, canonical=True)
    error = refused(cbor2.dumps(cbor2.CBORTag(18, [protected, {}, b"x", bytes(64)])))
    assert error.reason is Reason.WRONG_ALGORITHM
    assert f"key {kid().hex()} is for" in str(error)


# Kept in databases for years: what was signed by version 0.1 must stay verifiable.
KNOWN = {
    "ed25519": """
        d2844da20127044856475aa75463474ca043a100015840e35b571df7fd5711254deec87b8571737968ab167169f8bf3b
        9c3e8bd793f8a7f808f7f04a617b50f63106a20e8fa2fe460e4585a2985ce04d650831236a860b
    """,
    "sm2": """
        d28451a2013a000101f404487ad64964540082dda043a100015840e6bdc7c71ff01dc8fd3185ff73b0d110a54c9ade3f
        1c229752b8d36cb17787ec0578c2ac705e7f873388c1a6a53ac53b6dd7dfb5447c47cbc92ccb157818c35e
    """,
}


def test_a_known_envelope_opens_for_ever(algorithm: AlgorithmName) -> None:
    known = bytes.fromhex(KNOWN[algorithm])
    assert open_envelope(known, TOPIC, ring()).payload == b"\xa1\x00\x01"
    # Ed25519 is deterministic, SM2 takes a random k each time.
    assert (Signer(the_key()).sign(b"\xa1\x00\x01", TOPIC) == known) is (algorithm == "ed25519")
