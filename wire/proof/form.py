"""The file of a proof: statement, batches and factor messages, each in its envelope as it came, and a checksum."""

import hashlib
from dataclasses import dataclass

import cbor2

from wire.keys import KEY_ID_BYTES
from wire.proof.reader import Reader, ReadError
from wire.proof.statement import DIGEST_BYTES

MAGIC = "diantan-proof"
VERSION = 1
MAX_FILE_BYTES = 256 << 20
_PARTS = 6
_CHECKSUM_HEAD = b"\x58\x20"  # a byte string of 32 bytes


class ProofError(ValueError):
    """A file that is no proof, or a proof that can't be made; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Signed:
    """An envelope as it came, and the topic it came on."""

    topic: str
    envelope: bytes

    @property
    def digest(self) -> bytes:
        """SHA-256 of the envelope."""
        return hashlib.sha256(self.envelope).digest()


@dataclass(frozen=True, slots=True)
class ProofFile:
    """What a proof file holds, nothing of it verified."""

    statement: bytes
    """The envelope of the centre's statement."""
    batches: tuple[Signed, ...]
    factor_messages: tuple[Signed, ...] = ()

    def encode(self) -> bytes:
        """Return the bytes of the file; ProofError when it is too large."""
        content = [
            MAGIC,
            VERSION,
            self.statement,
            [[item.topic, item.envelope] for item in self.batches],
            [[item.topic, item.envelope] for item in self.factor_messages],
        ]
        body = bytes((0x80 | _PARTS,)) + b"".join(cbor2.dumps(item, canonical=True) for item in content)
        data = body + _CHECKSUM_HEAD + hashlib.sha256(body).digest()
        if len(data) > MAX_FILE_BYTES:
            raise ProofError(
                f"a proof has at most {MAX_FILE_BYTES} bytes, this one {len(data)}: ask for a shorter range"
            )
        return data


def decode(data: bytes) -> ProofFile:
    """Return what the bytes of a file hold; ProofError when they are no proof, were changed or are cut short."""
    if len(data) > MAX_FILE_BYTES:
        raise ProofError(f"expected at most {MAX_FILE_BYTES} bytes, got {len(data)}")
    reader = Reader(data)
    try:
        reader.literal(bytes((0x80 | _PARTS,)) + cbor2.dumps(MAGIC), "the beginning of a proof")
        version = reader.uint()
        if version != VERSION:
            raise ProofError(f"the file is of version {version}, this program reads {VERSION}")
        statement = reader.octets()
        batches, messages = _signed(reader), _signed(reader)
        body_bytes = reader.offset
        checksum = reader.octets()
        reader.end()
    except ReadError as error:
        raise ProofError(f"not a proof, or damaged: {error}") from error
    if len(checksum) != DIGEST_BYTES or checksum != hashlib.sha256(data[:body_bytes]).digest():
        raise ProofError("the checksum at the end is not that of the file: it was damaged or changed")
    return ProofFile(statement, batches, messages)


def _signed(reader: Reader) -> tuple[Signed, ...]:
    found = []
    for _ in range(reader.array()):
        start = reader.offset
        if reader.array() != 2:  # noqa: PLR2004  # topic and envelope
            raise ReadError(f"expected a topic and an envelope at byte {start}")
        found.append(Signed(reader.text(), reader.octets()))
    return tuple(found)


def unverified_payload(envelope: bytes) -> bytes:
    """Return the payload of an envelope whose signature nobody has checked; ProofError when it is none."""
    return _unverified(envelope)[1]


def unverified_kid(envelope: bytes) -> bytes:
    """Return the id of the key that an envelope says has signed it; ProofError when it is none."""
    return _unverified(envelope)[0][-KEY_ID_BYTES:]


def _unverified(envelope: bytes) -> tuple[bytes, bytes]:
    """Return protected headers and payload."""
    reader = Reader(envelope)
    try:
        reader.literal(b"\xd2\x84", "a COSE_Sign1")
        protected = reader.octets()
        reader.literal(b"\xa0", "no unprotected headers")
        payload = reader.octets()
        reader.octets()
        reader.end()
    except ReadError as error:
        raise ProofError(f"not an envelope: {error}") from error
    return protected, payload
