"""SM2 with SM3 (国密; GB/T 32918.2-2016, GB/T 32905-2016): keys on the recommended curve, signatures r || s.

The face is that of `cryptography`'s Ed25519 keys, so that an envelope treats both alike. The algorithm is the
library's (`wire.sm2_library`); here are its forms and the bounds of r and s.
"""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from wire.sm2_library import SUBJECT_PUBLIC_KEY, Pointer, Sm2Error, Sm2MissingError, library

POINT_BYTES = 65
"""Bytes of an uncompressed point: 04 || X || Y."""

SIGNATURE_BYTES = 64

ORDER = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
"""n of the recommended curve (GB/T 32918.5-2017, clause 2)."""

ALGORITHM_IDENTIFIER = SUBJECT_PUBLIC_KEY[2:23]
"""DER of id-ecPublicKey with the curve's name, as it stands in PKCS #8 and in SubjectPublicKeyInfo."""

_HALF = SIGNATURE_BYTES // 2


def available() -> bool:
    """Tell whether this machine has a library for SM2."""
    try:
        library()
    except Sm2MissingError:
        return False
    return True


class Sm2PublicKey:
    """A public key; equal to another one of the same point."""

    __slots__ = ("_key", "_point")

    def __init__(self, key: Pointer) -> None:
        self._key = key
        self._point = library().point(key)

    @classmethod
    def from_public_bytes(cls, data: bytes) -> "Sm2PublicKey":
        """Return the key of an uncompressed point, 65 bytes; Sm2Error when that is not on the curve."""
        if len(data) != POINT_BYTES or data[0] != 4:  # noqa: PLR2004  # SEC 1, 2.3.3: the uncompressed form
            raise Sm2Error(f"expected 04 || X || Y in {POINT_BYTES} bytes, got {len(data)} bytes")
        return cls(library().public_key(data))

    @classmethod
    def from_der(cls, der: bytes) -> "Sm2PublicKey":
        """Return the key of a SubjectPublicKeyInfo; Sm2Error when it is none for SM2."""
        return cls(library().public_key_from_der(der))

    def public_bytes_raw(self) -> bytes:
        """Return the uncompressed point, 65 bytes."""
        return self._point

    def der(self) -> bytes:
        """Return the SubjectPublicKeyInfo."""
        return SUBJECT_PUBLIC_KEY + self._point

    def verify(self, signature: bytes, data: bytes) -> None:
        """Raise InvalidSignature unless r || s is the key's signature of the data, by the default user id."""
        r, s = int.from_bytes(signature[:_HALF], "big"), int.from_bytes(signature[_HALF:], "big")
        # GB/T 32918.2-2016, 7.1, B1 and B2: numbers beyond n would be second forms of one signature.
        in_range = len(signature) == SIGNATURE_BYTES and 0 < r < ORDER and 0 < s < ORDER
        if not in_range or not library().verify(self._key, encode_dss_signature(r, s), data):
            raise InvalidSignature

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sm2PublicKey) and self._point == other._point

    def __hash__(self) -> int:
        return hash(self._point)


class Sm2PrivateKey:
    """A private key."""

    __slots__ = ("_key",)

    def __init__(self, key: Pointer) -> None:
        self._key = key

    @classmethod
    def generate(cls) -> "Sm2PrivateKey":
        """Return a new key from the library's generator, which the operating system seeds."""
        return cls(library().generate())

    @classmethod
    def from_der(cls, der: bytes) -> "Sm2PrivateKey":
        """Return the key in PKCS #8; Sm2Error when it is none for SM2, or its public half isn't its own."""
        return cls(library().private_key(der))

    def public_key(self) -> Sm2PublicKey:
        """Return the public half."""
        return Sm2PublicKey.from_public_bytes(library().point(self._key))

    def der(self) -> bytes:
        """Return the key in PKCS #8, unencrypted."""
        return library().pkcs8(self._key)

    def sign(self, data: bytes) -> bytes:
        """Return r || s, 64 bytes, over SM3(Z_A || data), Z_A of the default user id.

        k is random, as GB/T 32918.2-2016, 6.1, A3 has it: no two signatures of the same data are alike.
        """
        r, s = decode_dss_signature(library().sign(self._key, data))
        return r.to_bytes(_HALF, "big") + s.to_bytes(_HALF, "big")
