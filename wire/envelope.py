"""The signed envelope: COSE_Sign1 (RFC 9052, section 4.2) whose external_aad is the topic.

The bytes are what is kept: years later a reading is proved with the envelope, its topic and the public key alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from wire import sm2
from wire.keys import KEY_ID_BYTES, PrivateKey, PublicKey, key_id

MAX_ENVELOPE_BYTES = 1 << 20

EDDSA = -8
"""COSE algorithm EdDSA, here with Ed25519 (RFC 9053, section 2.2)."""

SM2_WITH_SM3 = -66_037
"""COSE algorithm SM2 with SM3: Diantan's own number, as COSE has none.

It is of the range for private use, below -65536 (RFC 9053, section 8.1): -65536 - 501, after the last arc of the
signature's object identifier 1.2.156.10197.1.501 (GM/T 0006-2012). r || s of 32 bytes each; the user id in Z_A is
`wire.sm2_library.USER_ID`.
"""

_HEADER_BYTES = 32
_HEADER_ALGORITHM = 1  # RFC 9052, table 2
_HEADER_KID = 4


class Reason(Enum):
    """Why an envelope was refused."""

    MALFORMED = "malformed"
    UNKNOWN_KEY = "unknown key"
    BAD_SIGNATURE = "bad signature"
    WRONG_ALGORITHM = "wrong algorithm"
    TOO_LARGE = "too large"


class EnvelopeError(Exception):
    """An envelope that can't be trusted; `reason` says of which kind the fault is, the message what was found."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Algorithm:
    """A signature algorithm an envelope may name; another one is added with `register`."""

    id: int  # COSE algorithm number; private use below -65536 (RFC 9053, section 8.1)
    name: str
    private_type: type
    public_type: type
    signature_bytes: int
    sign: Callable[[Any, bytes], bytes]
    verifier: Callable[[Any], Callable[[bytes, bytes], None]]  # of a public key; raises InvalidSignature
    kid: Callable[[Any], bytes]
    available: Callable[[], bool] = lambda: True  # whether its library is installed


_algorithms: dict[int, Algorithm] = {}
_by_prefix: dict[bytes, Algorithm] = {}


def register(algorithm: Algorithm) -> None:
    """Make an algorithm known; ValueError when its number is taken by another one."""
    known = _algorithms.get(algorithm.id)
    if known is not None and known != algorithm:
        raise ValueError(f"COSE algorithm {algorithm.id} is already {known.name}")
    _algorithms[algorithm.id] = algorithm
    _by_prefix[_protected(algorithm.id, bytes(KEY_ID_BYTES))[:-KEY_ID_BYTES]] = algorithm


def _protected(algorithm: int, kid: bytes) -> bytes:
    return cbor2.dumps({_HEADER_ALGORITHM: algorithm, _HEADER_KID: kid}, canonical=True)


def _verifier(key: PublicKey) -> Callable[[bytes, bytes], None]:
    return key.verify


register(
    Algorithm(
        id=EDDSA,
        name="EdDSA (Ed25519)",
        private_type=Ed25519PrivateKey,
        public_type=Ed25519PublicKey,
        signature_bytes=64,
        sign=lambda key, data: key.sign(data),
        verifier=_verifier,
        kid=key_id,
    )
)
register(
    Algorithm(
        id=SM2_WITH_SM3,
        name="SM2 with SM3",
        private_type=sm2.Sm2PrivateKey,
        public_type=sm2.Sm2PublicKey,
        signature_bytes=sm2.SIGNATURE_BYTES,
        sign=lambda key, data: key.sign(data),
        verifier=_verifier,
        kid=key_id,
        available=sm2.available,
    )
)


def _bstr(data: bytes) -> bytes:
    size = len(data)
    if size < 24:  # noqa: PLR2004  # RFC 8949, section 3: the argument's five widths
        return bytes((0x40 | size,)) + data
    if size < 1 << 8:
        return bytes((0x58, size)) + data
    if size < 1 << 16:
        return b"\x59" + size.to_bytes(2, "big") + data
    return b"\x5a" + size.to_bytes(4, "big") + data


def _to_be_signed(protected: bytes, topic: str, payload: bytes) -> bytes:
    """Return Sig_structure (RFC 9052, section 4.4): what is signed is never sent, both sides build it."""
    return b"\x84\x6aSignature1" + _bstr(protected) + _bstr(topic.encode()) + _bstr(payload)


class Signer:
    """Signs with one private key."""

    def __init__(self, private_key: PrivateKey) -> None:
        for algorithm in _algorithms.values():
            if isinstance(private_key, algorithm.private_type):
                break
        else:
            raise TypeError(f"no registered algorithm signs with a {type(private_key).__name__}")
        self._algorithm = algorithm
        self._key = private_key
        self.kid = algorithm.kid(private_key.public_key())
        self._header = _protected(algorithm.id, self.kid)

    def sign(self, payload: bytes, topic: str) -> bytes:
        """Return the envelope of the payload for this topic; EnvelopeError (TOO_LARGE) beyond 1 MiB."""
        signature = self._algorithm.sign(self._key, _to_be_signed(self._header, topic, payload))
        envelope = b"".join((b"\xd2\x84", _bstr(self._header), b"\xa0", _bstr(payload), _bstr(signature)))
        if len(envelope) > MAX_ENVELOPE_BYTES:
            raise EnvelopeError(Reason.TOO_LARGE, f"expected at most {MAX_ENVELOPE_BYTES} bytes, got {len(envelope)}")
        return envelope


@dataclass(frozen=True, slots=True)
class _Entry:
    owner: str
    algorithm: Algorithm
    public_key: Any
    verify: Callable[[bytes, bytes], None]


class KeyRing:
    """The public keys that are trusted, and whose they are. One owner may have several (key change)."""

    def __init__(self) -> None:
        self._entries: dict[bytes, _Entry] = {}

    def add(self, public_key: PublicKey, owner: str) -> bytes:
        """Trust a key as its owner's and return its key id; ValueError when that id is another owner's or key's."""
        for algorithm in _algorithms.values():
            if isinstance(public_key, algorithm.public_type):
                break
        else:
            raise TypeError(f"no registered algorithm verifies with a {type(public_key).__name__}")
        kid = algorithm.kid(public_key)
        known = self._entries.get(kid)
        if known is not None and (known.owner != owner or known.public_key != public_key):
            raise ValueError(f"key id {kid.hex()} of {owner!r} already belongs to {known.owner!r}")
        self._entries[kid] = _Entry(owner, algorithm, public_key, algorithm.verifier(public_key))
        return kid

    def remove(self, kid: bytes) -> None:
        """Trust a key no longer; an unknown id is no error."""
        self._entries.pop(kid, None)

    def owner(self, kid: bytes) -> str | None:
        """Return whose key this is, None when it is not trusted."""
        entry = self._entries.get(kid)
        return None if entry is None else entry.owner

    def entry(self, kid: bytes) -> _Entry | None:
        """Return what `open_envelope` needs to verify with the key."""
        return self._entries.get(kid)

    def __len__(self) -> int:
        return len(self._entries)


@dataclass(frozen=True, slots=True)
class Opened:
    """A verified envelope's content."""

    payload: bytes
    kid: bytes
    owner: str


def open_envelope(envelope: bytes, topic: str, keys: KeyRing) -> Opened:
    """Verify an envelope that came on a topic and return its payload; EnvelopeError with the reason otherwise.

    Only the one deterministic form is read: definite lengths in the shortest head, two protected headers in order,
    no unprotected ones, nothing behind the signature.
    """
    if len(envelope) > MAX_ENVELOPE_BYTES:
        raise EnvelopeError(Reason.TOO_LARGE, f"expected at most {MAX_ENVELOPE_BYTES} bytes, got {len(envelope)}")
    if envelope[:2] != b"\xd2\x84":
        raise EnvelopeError(Reason.MALFORMED, "expected a COSE_Sign1 (tag 18 and an array of 4) at byte 0")
    protected, offset = _read_bstr(envelope, 2, "protected headers")
    if envelope[offset : offset + 1] != b"\xa0":
        raise EnvelopeError(Reason.MALFORMED, f"expected an empty map of unprotected headers at byte {offset}")
    payload, offset = _read_bstr(envelope, offset + 1, "payload")
    signature, offset = _read_bstr(envelope, offset, "signature")
    if offset != len(envelope):
        raise EnvelopeError(Reason.MALFORMED, f"{len(envelope) - offset} bytes behind the signature")
    kid = protected[-KEY_ID_BYTES:]
    algorithm = _algorithm(protected)
    if len(signature) != algorithm.signature_bytes:
        raise EnvelopeError(
            Reason.MALFORMED, f"expected a signature of {algorithm.signature_bytes} bytes, got {len(signature)}"
        )
    entry = keys.entry(kid)
    if entry is None:
        raise EnvelopeError(Reason.UNKNOWN_KEY, f"no trusted key has the id {kid.hex()}")
    if entry.algorithm is not algorithm:
        raise EnvelopeError(
            Reason.WRONG_ALGORITHM, f"key {kid.hex()} is for {entry.algorithm.name}, the envelope says {algorithm.name}"
        )
    try:
        entry.verify(signature, _to_be_signed(protected, topic, payload))
    except InvalidSignature:
        raise EnvelopeError(
            Reason.BAD_SIGNATURE, f"not signed by key {kid.hex()} of {entry.owner!r} for topic {topic!r}"
        ) from None
    return Opened(payload, kid, entry.owner)


def _algorithm(protected: bytes) -> Algorithm:
    algorithm = _by_prefix.get(protected[:-KEY_ID_BYTES])
    if algorithm is None:
        raise _header_fault(protected)
    if not algorithm.available():
        raise EnvelopeError(Reason.WRONG_ALGORITHM, f"the library for {algorithm.name} is not installed here")
    return algorithm


_HEAD_BYTES = {0x58: 1, 0x59: 2, 0x5A: 4}
_SHORTEST = {1: 24, 2: 1 << 8, 4: 1 << 16}


def _read_bstr(data: bytes, offset: int, what: str) -> tuple[bytes, int]:
    head = data[offset] if offset < len(data) else -1
    width = _HEAD_BYTES.get(head)
    if width is not None:
        start = offset + 1 + width
        size = int.from_bytes(data[offset + 1 : start], "big")
        if size < _SHORTEST[width]:
            raise EnvelopeError(Reason.MALFORMED, f"length of the {what} at byte {offset} is not in its shortest form")
    elif 0x40 <= head <= 0x57:  # noqa: PLR2004  # RFC 8949, section 3: major type 2, length in the initial byte
        start = offset + 1
        size = head & 0x1F
    else:
        raise EnvelopeError(Reason.MALFORMED, f"expected the {what} as a byte string at byte {offset}")
    end = start + size
    if end > len(data):
        raise EnvelopeError(
            Reason.MALFORMED, f"the {what} at byte {offset} ends {end - len(data)} bytes behind the end"
        )
    return data[start:end], end


def _header_fault(protected: bytes) -> EnvelopeError:
    """Say whether unknown protected headers are an algorithm nobody registered, or no headers at all."""
    expected = "expected the protected headers {1: algorithm, 4: key id of 8 bytes}"
    if len(protected) > _HEADER_BYTES:
        # Nobody has signed them yet: a general reader would build numbers of any size for anybody.
        return EnvelopeError(Reason.MALFORMED, f"{expected}, got {len(protected)} bytes")
    try:
        headers = cbor2.loads(protected, max_depth=2, allow_indefinite=False, allow_duplicate_keys=False)
    except (cbor2.CBORError, ValueError, TypeError, ArithmeticError) as error:
        return EnvelopeError(Reason.MALFORMED, f"{expected}: {error}")
    if isinstance(headers, dict) and list(headers) == [_HEADER_ALGORITHM, _HEADER_KID]:
        algorithm, kid = headers.values()
        well_formed = type(algorithm) is int and type(kid) is bytes and len(kid) == KEY_ID_BYTES
        if well_formed and _protected(algorithm, kid) == protected:
            return EnvelopeError(
                Reason.WRONG_ALGORITHM, f"COSE algorithm {algorithm} is not one of {sorted(_algorithms)}"
            )
    return EnvelopeError(Reason.MALFORMED, expected)
