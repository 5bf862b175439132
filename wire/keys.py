"""Key files: Ed25519 and SM2 keys as PEM (PKCS #8 private, SubjectPublicKeyInfo public), and the key id of either."""

import base64
import binascii
import hashlib
import os
import re
import stat
import textwrap
from pathlib import Path
from typing import Literal, TypeAlias, overload

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from wire import sm2
from wire.sm2_library import Sm2Error, Sm2MissingError

KEY_ID_BYTES = 8
ED25519_BYTES = 32
MAX_FILE_BYTES = 16 * 1024

PrivateKey: TypeAlias = Ed25519PrivateKey | sm2.Sm2PrivateKey
PublicKey: TypeAlias = Ed25519PublicKey | sm2.Sm2PublicKey
AlgorithmName: TypeAlias = Literal["ed25519", "sm2"]

ALGORITHMS: tuple[AlgorithmName, ...] = ("ed25519", "sm2")

_FIELD = (1 << 255) - 19
_ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_SMALL_ORDER = frozenset((0, 1, _FIELD - 1, _ORDER_8, _FIELD - _ORDER_8))
"""The y of the points of order 1, 2, 4 and 8 (RFC 8032, 5.1): under such a key anybody finds signatures that verify."""

_PEM = re.compile(rb"-----BEGIN (PRIVATE|PUBLIC) KEY-----\s([A-Za-z0-9+/=\s]+)-----END \1 KEY-----")


class KeyFileError(Exception):
    """A key file can't be read, written or trusted; the message names it."""


class InvalidKeyError(KeyFileError):
    """These bytes are no public key."""


class MissingLibraryError(KeyFileError):
    """The key is of an algorithm whose library is not installed; the message says what to install."""


@overload
def generate(algorithm: Literal["ed25519"] = ...) -> Ed25519PrivateKey: ...
@overload
def generate(algorithm: Literal["sm2"]) -> sm2.Sm2PrivateKey: ...
@overload
def generate(algorithm: AlgorithmName) -> PrivateKey: ...
def generate(algorithm: AlgorithmName = "ed25519") -> PrivateKey:
    """Return a new private key from the operating system's randomness; MissingLibraryError without SM2's extra."""
    if algorithm == "ed25519":
        return Ed25519PrivateKey.generate()
    try:
        return sm2.Sm2PrivateKey.generate()
    except Sm2MissingError as error:
        raise MissingLibraryError(str(error)) from error


def algorithm_name(key: PrivateKey | PublicKey) -> AlgorithmName:
    """Return the algorithm of a key, as `generate` takes it."""
    return "sm2" if isinstance(key, sm2.Sm2PrivateKey | sm2.Sm2PublicKey) else "ed25519"


def public_bytes(public_key: PublicKey) -> bytes:
    """Return the bytes that stand for a public key in the store and in proofs.

    Ed25519: the 32 bytes of RFC 8032; SM2: the uncompressed point 04 || X || Y, 65 bytes.
    """
    return public_key.public_bytes_raw()


def public_from_bytes(data: bytes) -> PublicKey:
    """Return the public key of `public_bytes`, told by its length.

    InvalidKeyError when the bytes are no public key; MissingLibraryError for SM2 without its extra.
    """
    if len(data) == ED25519_BYTES:
        if _anybody_signs_for(data):
            raise InvalidKeyError("an Ed25519 key of small order: anybody could sign in its name")
        return Ed25519PublicKey.from_public_bytes(data)
    if len(data) != sm2.POINT_BYTES:
        raise InvalidKeyError(
            f"expected a public key of {ED25519_BYTES} bytes (Ed25519) or {sm2.POINT_BYTES} (SM2), got {len(data)}"
        )
    try:
        return sm2.Sm2PublicKey.from_public_bytes(data)
    except Sm2MissingError as error:
        raise MissingLibraryError(str(error)) from error
    except Sm2Error as error:
        raise InvalidKeyError(f"expected a point of the SM2 curve: {error}") from error


def _anybody_signs_for(point: bytes) -> bool:
    """Tell a point of small order, whichever way its y is written; the highest bit is the sign of x."""
    return (int.from_bytes(point, "little") & ((1 << 255) - 1)) % _FIELD in _SMALL_ORDER


def key_id(public_key: PublicKey) -> bytes:
    """Return the first 8 bytes of SHA-256 of `public_bytes`: the `kid` of an envelope."""
    return hashlib.sha256(public_bytes(public_key)).digest()[:KEY_ID_BYTES]


def save_private(private_key: PrivateKey, path: Path | str) -> None:
    """Write the private key, readable by its owner only; KeyFileError rather than overwrite a file."""
    if isinstance(private_key, sm2.Sm2PrivateKey):
        pem = _pem(private_key.der(), "PRIVATE KEY")
    else:
        pem = private_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    _write_new(Path(path), pem, 0o600)


def save_public(public_key: PublicKey, path: Path | str) -> None:
    """Write the public key; KeyFileError rather than overwrite a file."""
    if isinstance(public_key, sm2.Sm2PublicKey):
        pem = _pem(public_key.der(), "PUBLIC KEY")
    else:
        pem = public_key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    _write_new(Path(path), pem, 0o644)


def load_private(path: Path | str) -> PrivateKey:
    """Return the private key; KeyFileError when the file is no key for us or others than its owner may read it.

    MissingLibraryError for an SM2 key without the extra.
    """
    path = Path(path)
    data = _read(path, private=True)
    der = _sm2_der(data, b"PRIVATE")
    if der is not None:
        try:
            return sm2.Sm2PrivateKey.from_der(der)
        except Sm2MissingError as error:
            raise MissingLibraryError(f"{path}: {error}") from error
        except Sm2Error as error:
            raise KeyFileError(f"{path}: expected an SM2 private key: {error}") from error
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        hint = ""
        if b"BEGIN EC PRIVATE KEY" in data:
            hint = " in PKCS #8 (`openssl pkcs8 -topk8 -nocrypt` makes one)"
        raise KeyFileError(f"{path}: expected an unencrypted PEM private key{hint}: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{path}: expected an Ed25519 or SM2 private key, got {type(key).__name__}")
    return key


def load_public(path: Path | str) -> PublicKey:
    """Return the public key; KeyFileError when the file is no public key for us, MissingLibraryError as above."""
    path = Path(path)
    data = _read(path, private=False)
    der = _sm2_der(data, b"PUBLIC")
    if der is not None:
        try:
            return sm2.Sm2PublicKey.from_der(der)
        except Sm2MissingError as error:
            raise MissingLibraryError(f"{path}: {error}") from error
        except Sm2Error as error:
            raise KeyFileError(f"{path}: expected an SM2 public key: {error}") from error
    try:
        key = serialization.load_pem_public_key(data)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        hint = " (this is a private key: give the file with .pub)" if b"PRIVATE KEY" in data else ""
        raise KeyFileError(f"{path}: expected a PEM public key{hint}: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise KeyFileError(f"{path}: expected an Ed25519 or SM2 public key, got {type(key).__name__}")
    if _anybody_signs_for(public_bytes(key)):
        raise KeyFileError(f"{path}: an Ed25519 key of small order: anybody could sign in its name")
    return key


def _sm2_der(data: bytes, kind: bytes) -> bytes | None:
    """Return the content of a PEM key of this kind that says it is for SM2, None of any other file."""
    found = _PEM.search(data)
    if found is None or found[1] != kind:
        return None
    try:
        der = base64.b64decode(b"".join(found[2].split()), validate=True)
    except binascii.Error:
        return None
    return der if sm2.ALGORITHM_IDENTIFIER in der else None


def _pem(der: bytes, kind: str) -> bytes:
    """RFC 7468: lines of 64 characters."""
    body = "\n".join(textwrap.wrap(base64.b64encode(der).decode(), 64))
    return f"-----BEGIN {kind}-----\n{body}\n-----END {kind}-----\n".encode()


def _write_new(path: Path, data: bytes, mode: int) -> None:
    try:
        # O_EXCL: neither an existing key nor the target of a planted link is ever overwritten.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError as error:
        raise KeyFileError(f"{path}: exists, and a key is never overwritten") from error
    except OSError as error:
        raise KeyFileError(f"{path}: can't be written: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        # Half a key would be in the way of the next attempt.
        path.unlink(missing_ok=True)
        raise KeyFileError(f"{path}: can't be written: {error.strerror}") from error


def _read(path: Path, *, private: bool) -> bytes:
    try:
        with path.open("rb") as file:
            if private:
                # Of the open file, so that it can't be exchanged between check and use.
                mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
                if mode & 0o077:
                    raise KeyFileError(
                        f"{path}: expected a key that only its owner can access (mode 0600), got mode {mode:04o}"
                    )
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise KeyFileError(f"{path}: can't be read: {error.strerror}") from error
    if len(data) > MAX_FILE_BYTES:
        raise KeyFileError(f"{path}: expected a key, got more than {MAX_FILE_BYTES} bytes")
    return data
