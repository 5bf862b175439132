"""Key files: written once, readable by their owner only, and every refusal names the file."""

import base64
import contextlib
import errno
import hashlib
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from key_support import BOTH_ALGORITHMS, new_key

from wire.keys import (
    AlgorithmName,
    InvalidKeyError,
    KeyFileError,
    algorithm_name,
    generate,
    key_id,
    load_private,
    load_public,
    public_bytes,
    public_from_bytes,
    save_private,
    save_public,
)

pytestmark = BOTH_ALGORITHMS


def test_keys_come_back(tmp_path: Path) -> None:
    key = new_key()
    save_private(key, tmp_path / "gw.key")
    save_public(key.public_key(), tmp_path / "gw.pub")
    again = load_private(tmp_path / "gw.key")
    save_private(again, tmp_path / "again.key")
    assert (tmp_path / "again.key").read_bytes() == (tmp_path / "gw.key").read_bytes()
    assert again.public_key() == key.public_key()
    assert load_public(str(tmp_path / "gw.pub")) == key.public_key()
    assert (tmp_path / "gw.key").stat().st_mode & 0o777 == 0o600


def test_keys_are_of_the_algorithm_asked_for(algorithm: AlgorithmName) -> None:
    key = generate(algorithm)
    assert algorithm_name(key) == algorithm_name(key.public_key()) == algorithm
    assert key.public_key() == key.public_key()
    assert key.public_key() != generate(algorithm).public_key()


def test_the_key_id_is_the_beginning_of_sha_256(algorithm: AlgorithmName) -> None:
    public = new_key().public_key()
    raw = public_bytes(public)
    assert len(raw) == {"ed25519": 32, "sm2": 65}[algorithm]
    assert key_id(public) == hashlib.sha256(raw).digest()[:8]


def test_a_public_key_comes_back_from_its_bytes(algorithm: AlgorithmName) -> None:
    public = new_key().public_key()
    again = public_from_bytes(public_bytes(public))
    assert again == public
    assert algorithm_name(again) == algorithm


@pytest.mark.parametrize("size", [0, 31, 33, 64, 66])
def test_bytes_of_another_length_are_no_public_key(size: int) -> None:
    with pytest.raises(InvalidKeyError, match=f"32 bytes .Ed25519. or 65 .SM2., got {size}"):
        public_from_bytes(bytes(size))


def test_no_key_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "gw.key"
    key = new_key()
    save_private(key, path)
    before = path.read_bytes()
    for save in (lambda: save_private(new_key(), path), lambda: save_public(key.public_key(), path)):
        with pytest.raises(KeyFileError, match=r"gw\.key: exists"):
            save()
    assert path.read_bytes() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o777])
def test_a_private_key_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "gw.key"
    save_private(new_key(), path)
    path.chmod(mode)
    with pytest.raises(KeyFileError, match=rf"gw\.key.*mode 0{mode:o}"):
        load_private(path)


def test_faults_name_the_file(tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    for load in (load_private, load_public):
        with pytest.raises(KeyFileError, match=r"missing: can't be read"):
            load(missing)
    with pytest.raises(KeyFileError, match="can't be written"):
        save_private(new_key(), tmp_path / "no" / "folder")
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"garbage")
    garbage.chmod(0o600)
    for load in (load_private, load_public):
        with pytest.raises(KeyFileError, match="garbage: expected"):
            load(garbage)
    garbage.write_bytes(bytes(20_000))
    with pytest.raises(KeyFileError, match="more than 16384 bytes"):
        load_private(garbage)


def test_a_private_key_is_no_public_key(tmp_path: Path) -> None:
    save_private(new_key(), tmp_path / "gw.key")
    with pytest.raises(KeyFileError, match=r"this is a private key"):
        load_public(tmp_path / "gw.key")


def test_another_algorithms_key_is_refused(tmp_path: Path) -> None:
    key = generate_private_key(SECP256R1())
    path = tmp_path / "ec.key"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="expected an Ed25519 or SM2 private key"):
        load_private(path)
    public = tmp_path / "ec.pub"
    public.write_bytes(
        key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    with pytest.raises(KeyFileError, match="expected an Ed25519 or SM2 public key"):
        load_public(public)


def test_a_key_of_a_curve_the_library_does_not_know_is_refused(tmp_path: Path) -> None:
    # Of the same length as P-256's: c2pnb163v1, a curve nobody uses any more.
    p256, other = bytes.fromhex("2a8648ce3d030107"), bytes.fromhex("2a8648ce3d030001")
    key = generate_private_key(SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    path = tmp_path / "other.key"
    for der, kind, load in ((private, "PRIVATE KEY", load_private), (public, "PUBLIC KEY", load_public)):
        body = base64.encodebytes(der.replace(p256, other)).decode()
        path.write_text(f"-----BEGIN {kind}-----\n{body}-----END {kind}-----\n")
        path.chmod(0o600)
        with pytest.raises(KeyFileError, match=rf"other.key: expected .*PEM {kind.lower()}: Curve 1.2.840.10045.3.0.1"):
            load(path)


def test_a_damaged_key_is_refused_or_read_as_one(tmp_path: Path, algorithm: AlgorithmName) -> None:
    """Whatever letter of its text is another one: not every damage can be seen, but nothing else comes of it."""
    key = new_key()
    save_private(key, tmp_path / "gw.key")
    save_public(key.public_key(), tmp_path / "gw.pub")
    for load, path in ((load_private, tmp_path / "gw.key"), (load_public, tmp_path / "gw.pub")):
        good = path.read_bytes()
        for place in range(good.index(b"\n") + 1, good.rindex(b"-----END") - 1):
            path.write_bytes(good[:place] + (b"B" if good[place] == ord("A") else b"A") + good[place + 1 :])
            with contextlib.suppress(KeyFileError):
                assert algorithm_name(load(path)) == algorithm


def test_a_full_disk_leaves_no_half_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "gw.key"
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(KeyFileError, match=r"gw.key: can't be written: No space left"):
            save_private(new_key(), path)
    save_private(new_key(), path)
    load_private(path)


def test_an_encrypted_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gw.key"
    path.write_bytes(
        generate_private_key(SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"secret"),
        )
    )
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="unencrypted"):
        load_private(path)


def _points_of_small_order() -> list[bytes]:
    """Return every encoding of a point that 8 times itself leads to the neutral one (RFC 8032, 5.1.4: the sum)."""
    p = 2**255 - 19
    d = -121665 * pow(121666, -1, p) % p

    def double(x: int, y: int) -> tuple[int, int]:
        product = d * x * x * y * y
        return 2 * x * y * pow(1 + product, -1, p) % p, (y * y + x * x) * pow(1 - product, -1, p) % p

    # Doubled, one of order 8 has y = 0: x^2 = -y^2, so that d*y^4 + 2*y^2 - 1 = 0.
    root = pow(1 + d, (p + 3) // 8, p)
    root = root if root * root % p == (1 + d) % p else root * pow(2, (p - 1) // 4, p) % p
    found = [0, 1, p - 1, p, p + 1]  # the last two: 0 and 1, written otherwise
    for square in ((-1 + root) * pow(d, -1, p) % p, (-1 - root) * pow(d, -1, p) % p):
        y = pow(square, (p + 3) // 8, p)
        y = y if y * y % p == square else y * pow(2, (p - 1) // 4, p) % p
        if y * y % p != square:
            continue  # no square: no point
        point = (y * pow(2, (p - 1) // 4, p) % p, y)
        for _ in range(3):
            point = double(*point)
        assert point == (0, 1)
        found += [y, p - y]
    return [(y | sign << 255).to_bytes(32, "little") for y in found for sign in (0, 1)]


def test_a_key_for_which_anybody_could_sign_is_refused(tmp_path: Path) -> None:
    points = _points_of_small_order()
    assert len(points) == 14  # 5 + 2 values of y, with either sign
    head = bytes.fromhex("302a300506032b6570032100")  # RFC 8410, 10.1
    for number, point in enumerate(points):
        with pytest.raises(InvalidKeyError, match="anybody could sign"):
            public_from_bytes(point)
        file = tmp_path / f"{number}.pub"
        body = base64.b64encode(head + point).decode()
        file.write_text(f"-----BEGIN PUBLIC KEY-----\n{body}\n-----END PUBLIC KEY-----\n")
        with pytest.raises(KeyFileError, match=r"anybody could sign") as found:
            load_public(file)
        assert str(file) in str(found.value)
