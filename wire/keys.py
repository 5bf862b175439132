"""Key files: Ed25519 keys as PEM (PKCS #8 private, SubjectPublicKeyInfo public), and the key id derived from them."""

import hashlib
import os
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

KEY_ID_BYTES = 8
MAX_FILE_BYTES = 16 * 1024


class KeyFileError(Exception):
    """A key file can't be read, written or trusted; the message names it."""


def generate() -> Ed25519PrivateKey:
    """Return a new private key from the operating system's randomness."""
    return Ed25519PrivateKey.generate()


def key_id(public_key: Ed25519PublicKey) -> bytes:
    """Return the first 8 bytes of SHA-256 of the raw 32-byte public key: the `kid` of an envelope."""
    return hashlib.sha256(public_key.public_bytes_raw()).digest()[:KEY_ID_BYTES]


def save_private(private_key: Ed25519PrivateKey, path: Path | str) -> None:
    """Write the private key, readable by its owner only; KeyFileError rather than overwrite a file."""
    pem = private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write_new(Path(path), pem, 0o600)


def save_public(public_key: Ed25519PublicKey, path: Path | str) -> None:
    """Write the public key; KeyFileError rather than overwrite a file."""
    pem = public_key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    _write_new(Path(path), pem, 0o644)


def load_private(path: Path | str) -> Ed25519PrivateKey:
    """Return the private key; KeyFileError when the file is no Ed25519 key or others than its owner may read it."""
    path = Path(path)
    data = _read(path, private=True)
    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"{path}: expected an unencrypted PEM private key: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyFileError(f"{path}: expected an Ed25519 private key, got {type(key).__name__}")
    return key


def load_public(path: Path | str) -> Ed25519PublicKey:
    """Return the public key; KeyFileError when the file is no Ed25519 public key."""
    path = Path(path)
    data = _read(path, private=False)
    try:
        key = serialization.load_pem_public_key(data)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        hint = " (this is a private key: give the file with .pub)" if b"PRIVATE KEY" in data else ""
        raise KeyFileError(f"{path}: expected a PEM public key{hint}: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise KeyFileError(f"{path}: expected an Ed25519 public key, got {type(key).__name__}")
    return key


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
