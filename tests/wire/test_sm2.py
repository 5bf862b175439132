"""SM2 with SM3: the published example, two independent implementations, the forms and bounds of keys and signatures."""

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from hypothesis import given
from hypothesis import strategies as st
from key_support import needs_sm2
from sm2_by_the_book import (
    MESSAGE,
    POINT,
    PRIVATE,
    G,
    K,
    P,
    R,
    S,
    Z,
    holds_by_the_book,
    octets,
    pem,
    private_der,
    signed_by_the_book,
    sm3,
    times,
    z_of,
)

from wire import sm2
from wire.keys import (
    InvalidKeyError,
    KeyFileError,
    generate,
    load_private,
    load_public,
    public_bytes,
    public_from_bytes,
    save_private,
    save_public,
)
from wire.sm2 import ORDER, Sm2PrivateKey, Sm2PublicKey
from wire.sm2_library import Sm2Error


def public_key(point: tuple[int, int] = POINT) -> Sm2PublicKey:
    return Sm2PublicKey.from_public_bytes(b"\x04" + octets(*point))


def coordinates(key: Sm2PublicKey) -> tuple[int, int]:
    raw = key.public_bytes_raw()
    return int.from_bytes(raw[1:33], "big"), int.from_bytes(raw[33:], "big")


def test_the_book_gives_the_published_example() -> None:
    assert times(PRIVATE, G) == POINT
    assert z_of(POINT).hex() == Z
    assert signed_by_the_book(PRIVATE, K, MESSAGE) == octets(R, S)
    assert holds_by_the_book(POINT, octets(R, S), MESSAGE)
    assert not holds_by_the_book(POINT, octets(R, S), b"message digest.")


@needs_sm2
def test_the_published_example_is_verified() -> None:
    public_key().verify(octets(R, S), MESSAGE)
    with pytest.raises(InvalidSignature):
        public_key().verify(octets(R, S), b"message digest.")
    assert Sm2PrivateKey.from_der(private_der(PRIVATE, POINT)).public_key() == public_key()


@needs_sm2
@given(st.binary(max_size=300))
def test_what_the_library_signs_holds_by_the_book_and_the_other_way_round(message: bytes) -> None:
    key = Sm2PrivateKey.generate()
    assert holds_by_the_book(coordinates(key.public_key()), key.sign(message), message)
    public_key().verify(signed_by_the_book(PRIVATE, K, message), message)


@needs_sm2
def test_another_user_id_makes_another_signature() -> None:
    point, commitment = POINT, times(K, G)
    assert commitment is not None
    r = (int.from_bytes(sm3(z_of(point, b"ALICE123@YAHOO.COM"), MESSAGE), "big") + commitment[0]) % ORDER
    signature = octets(r, pow(1 + PRIVATE, -1, ORDER) * (K - r * PRIVATE) % ORDER)
    with pytest.raises(InvalidSignature):
        public_key().verify(signature, MESSAGE)


@needs_sm2
@pytest.mark.parametrize(
    "signature",
    [
        b"",
        octets(R, S)[:-1],
        octets(R, S) + b"\x00",
        octets(0, S),
        octets(R, 0),
        octets(0, 0),
        octets(ORDER, S),
        octets(R, ORDER),
        octets(R, ORDER - R),  # t = 0
        octets(R, ORDER - S),  # of ECDSA a second form of the same signature
        octets(ORDER - R, S),
        octets(S, R),
        b"\xff" * 64,
    ],
)
def test_one_signature_has_one_form(signature: bytes) -> None:
    with pytest.raises(InvalidSignature):
        public_key().verify(signature, MESSAGE)


@needs_sm2
def test_no_two_signatures_are_alike() -> None:
    key = Sm2PrivateKey.generate()
    found = {key.sign(MESSAGE) for _ in range(20)}
    assert len(found) == len({signature[:32] for signature in found}) == 20


@needs_sm2
@pytest.mark.parametrize(
    "data",
    [
        b"\x04" + octets(POINT[0], POINT[1] ^ 1),  # not on the curve
        b"\x04" + octets(P, POINT[1]),
        b"\x04" + octets((1 << 256) - 1, POINT[1]),
        b"\x04" + octets(0, 0),
        b"\x06" + octets(*POINT),  # the hybrid form
        b"\x07" + octets(*POINT),
        b"\x00" * 65,
        b"\x04" + octets(*G[::-1]),
    ],
)
def test_what_is_no_point_is_no_public_key(data: bytes) -> None:
    with pytest.raises(InvalidKeyError, match="expected a point of the SM2 curve"):
        public_from_bytes(data)


@needs_sm2
def test_a_private_key_with_another_public_half_is_refused(tmp_path: Path) -> None:
    """It would sign what nobody can verify."""
    path = tmp_path / "gw.key"
    path.write_bytes(pem(private_der(PRIVATE, G), "PRIVATE KEY"))
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match=r"gw\.key: expected an SM2 private key"):
        load_private(path)


@needs_sm2
@pytest.mark.parametrize("private", [0, ORDER - 1, ORDER, ORDER + 1])
def test_a_private_number_out_of_range_is_refused(private: int) -> None:
    """GB/T 32918.1-2016, 6.1: 1 to n - 2."""
    with pytest.raises(Sm2Error):
        Sm2PrivateKey.from_der(private_der(private, times(private, G) or G))


@needs_sm2
def test_keys_of_another_curve_and_bytes_behind_a_key_are_refused() -> None:
    key = generate_private_key(SECP256R1())
    other = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(Sm2Error, match="not for SM2"):
        Sm2PublicKey.from_der(other)
    for der, load in (
        (public_key().der(), Sm2PublicKey.from_der),
        (private_der(PRIVATE, POINT), Sm2PrivateKey.from_der),
    ):
        load(der)
        with pytest.raises(Sm2Error, match="bytes behind the key"):
            load(der + b"\x00")
        for end in range(len(der)):
            with pytest.raises(Sm2Error):
                load(der[:end])


@pytest.fixture
def openssl(tmp_path: Path) -> str:
    """Return the path of an OpenSSL command that has SM2."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("no openssl command to compare with")
    command = [program, "genpkey", "-algorithm", "SM2", "-out", str(tmp_path / "probe.key")]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this openssl command has no SM2")
    return program


def run(*command: str | Path) -> None:
    subprocess.run([str(item) for item in command], check=True, capture_output=True)


SM2_OPTIONS = ("-rawin", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678")


@needs_sm2
def test_keys_and_signatures_of_the_openssl_command_are_ours(openssl: str, tmp_path: Path) -> None:
    private, public, text, signature = (tmp_path / name for name in ("their.key", "their.pub", "text", "signature"))
    run(openssl, "genpkey", "-algorithm", "SM2", "-out", private)
    run(openssl, "pkey", "-in", private, "-pubout", "-out", public)
    private.chmod(0o600)
    text.write_bytes(MESSAGE)
    key = load_private(private)
    assert isinstance(key, Sm2PrivateKey)
    assert load_public(public) == key.public_key()
    run(openssl, "pkeyutl", "-sign", "-inkey", private, "-in", text, "-out", signature, *SM2_OPTIONS)
    r, s = sm2.decode_dss_signature(signature.read_bytes())
    key.public_key().verify(octets(r, s), MESSAGE)


@needs_sm2
def test_our_keys_and_signatures_are_the_openssl_commands(openssl: str, tmp_path: Path) -> None:
    private, public, text, signature = (tmp_path / name for name in ("our.key", "our.pub", "text", "signature"))
    key = generate("sm2")
    save_private(key, private)
    save_public(key.public_key(), public)
    text.write_bytes(MESSAGE)
    run(openssl, "pkey", "-in", private, "-check", "-noout")
    made = key.sign(MESSAGE)
    verify = (openssl, "pkeyutl", "-verify", "-pubin", "-inkey", public, "-in", text, "-sigfile", signature)
    der = sm2.encode_dss_signature(int.from_bytes(made[:32], "big"), int.from_bytes(made[32:], "big"))
    signature.write_bytes(der)
    run(*verify, *SM2_OPTIONS)
    text.write_bytes(MESSAGE + b".")
    with pytest.raises(subprocess.CalledProcessError):
        run(*verify, *SM2_OPTIONS)


@needs_sm2
def test_a_compressed_point_is_the_same_key(tmp_path: Path) -> None:
    path = tmp_path / "gw.pub"
    compressed = bytes((2 + POINT[1] % 2,)) + octets(POINT[0])
    path.write_bytes(pem(bytes.fromhex("3039") + sm2.ALGORITHM_IDENTIFIER + b"\x03\x22\x00" + compressed, "PUBLIC KEY"))
    key = load_public(path)
    assert key == public_key()
    assert public_bytes(key) == b"\x04" + octets(*POINT)


@needs_sm2
@pytest.mark.parametrize("public", ["none", "compressed"])
def test_a_private_key_is_completed_from_its_number(tmp_path: Path, public: str) -> None:
    """RFC 5915, 3: the public half is optional."""
    point = b"\xa1\x24\x03\x22\x00" + bytes((2 + POINT[1] % 2,)) + octets(POINT[0]) if public == "compressed" else b""
    key = b"\x02\x01\x01\x04\x20" + octets(PRIVATE) + point
    inner = b"\x30" + bytes((len(key),)) + key
    content = b"\x02\x01\x00" + sm2.ALGORITHM_IDENTIFIER + b"\x04" + bytes((len(inner),)) + inner
    path = tmp_path / "gw.key"
    path.write_bytes(pem(b"\x30" + bytes((len(content),)) + content, "PRIVATE KEY"))
    path.chmod(0o600)
    loaded = load_private(path)
    assert loaded.public_key() == public_key()
    public_key().verify(loaded.sign(MESSAGE), MESSAGE)
    save_private(loaded, tmp_path / "again.key")
    assert load_private(tmp_path / "again.key").public_key() == public_key()


def test_a_key_in_the_old_form_of_ec_keys_says_how_to_turn_it_over(tmp_path: Path) -> None:
    path = tmp_path / "old.key"
    curve = sm2.ALGORITHM_IDENTIFIER[-10:]
    der = b"\x30\x31\x02\x01\x01\x04\x20" + octets(PRIVATE) + b"\xa0\x0a" + curve
    path.write_bytes(pem(der, "EC PRIVATE KEY"))
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="openssl pkcs8 -topk8 -nocrypt"):
        load_private(path)
