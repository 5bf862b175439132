"""SM2 with SM3: the published example, two independent implementations, the bounds, and a machine without a library."""

import base64
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cbor2
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SM3, Hash
from hypothesis import given
from hypothesis import strategies as st
from key_support import needs_sm2

from wire import sm2, sm2_library
from wire.envelope import SM2_WITH_SM3, EnvelopeError, KeyRing, Reason, open_envelope
from wire.keys import (
    InvalidKeyError,
    KeyFileError,
    MissingLibraryError,
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

# GB/T 32918.5-2017: the recommended curve (clause 2) and the example of a signature (annex A.2).
P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
A = P - 3
B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
G = (
    0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7,
    0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0,
)
PRIVATE = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
POINT = (
    0x09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020,
    0xCCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13,
)
MESSAGE = b"message digest"
Z = "b2e14c5c79c6df5b85f4fe7ed8db7a262b9da7e07ccb0ea9f4747b8ccda8a4f3"
K = 0x59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21
R = 0xF5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3
S = 0xB1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA

Point = tuple[int, int] | None


def sm3(*parts: bytes) -> bytes:
    digest = Hash(SM3())
    for part in parts:
        digest.update(part)
    return digest.finalize()


def octets(*numbers: int) -> bytes:
    return b"".join(number.to_bytes(32, "big") for number in numbers)


def plus(one: Point, two: Point) -> Point:
    if one is None or two is None:
        return one or two
    (x1, y1), (x2, y2) = one, two
    if x1 == x2 and (y1 + y2) % P == 0:
        return None
    slope = (3 * x1 * x1 + A) * pow(2 * y1, -1, P) if one == two else (y2 - y1) * pow(x2 - x1, -1, P)
    x = (slope * slope - x1 - x2) % P
    return x, (slope * (x1 - x) - y1) % P


def times(factor: int, point: Point) -> Point:
    result: Point = None
    while factor:
        if factor & 1:
            result = plus(result, point)
        point, factor = plus(point, point), factor >> 1
    return result


def z_of(point: tuple[int, int], user: bytes = b"1234567812345678") -> bytes:
    """Return Z_A (GB/T 32918.2-2016, 5.5)."""
    return sm3((8 * len(user)).to_bytes(2, "big"), user, octets(A, B, *G, *point))


def signed_by_the_book(private: int, k: int, message: bytes) -> bytes:
    """Return r || s (6.1)."""
    point, commitment = times(private, G), times(k, G)
    assert point is not None
    assert commitment is not None
    r = (int.from_bytes(sm3(z_of(point), message), "big") + commitment[0]) % ORDER
    return octets(r, pow(1 + private, -1, ORDER) * (k - r * private) % ORDER)


def holds_by_the_book(point: tuple[int, int], signature: bytes, message: bytes) -> bool:
    """Return whether the signature is the point's (7.1)."""
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    found = plus(times(s, G), times((r + s) % ORDER, point))
    return found is not None and (int.from_bytes(sm3(z_of(point), message), "big") + found[0]) % ORDER == r


def private_der(private: int, point: tuple[int, int]) -> bytes:
    return bytes.fromhex(
        f"308187020100301306072a8648ce3d020106082a811ccf5501822d046d306b0201010420{private:064x}"
        f"a14403420004{point[0]:064x}{point[1]:064x}"
    )


def pem(der: bytes, kind: str) -> bytes:
    return f"-----BEGIN {kind}-----\n{base64.encodebytes(der).decode()}-----END {kind}-----\n".encode()


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


def test_a_key_in_the_old_form_of_ec_keys_says_how_to_turn_it_over(tmp_path: Path) -> None:
    path = tmp_path / "old.key"
    curve = sm2.ALGORITHM_IDENTIFIER[-10:]
    der = b"\x30\x31\x02\x01\x01\x04\x20" + octets(PRIVATE) + b"\xa0\x0a" + curve
    path.write_bytes(pem(der, "EC PRIVATE KEY"))
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="openssl pkcs8 -topk8 -nocrypt"):
        load_private(path)


@pytest.fixture(params=["no cffi", "no libcrypto", "another library"])
def without_library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Let the machine have no SM2, in one of three ways; return what its user is told."""
    match request.param:
        case "no cffi":
            monkeypatch.setitem(sys.modules, "cffi", None)
            told = r"pip install 'diantan\[sm2\]'"
        case "no libcrypto":
            monkeypatch.setenv(sm2_library.LIBRARY_VARIABLE, "libcrypto-of-nobody.so")
            told = r"OpenSSL 3 .*libcrypto-of-nobody\.so"
        case _:
            monkeypatch.setenv(sm2_library.LIBRARY_VARIABLE, "libm.so.6")
            told = r"libm\.so\.6 is none"
    sm2_library._found.cache_clear()
    yield told
    sm2_library._found.cache_clear()


def test_without_a_library_a_key_says_what_to_install(tmp_path: Path, without_library: str) -> None:
    private, public = tmp_path / "gw.key", tmp_path / "gw.pub"
    private.write_bytes(pem(private_der(PRIVATE, POINT), "PRIVATE KEY"))
    private.chmod(0o600)
    public.write_bytes(pem(sm2_library.SUBJECT_PUBLIC_KEY + b"\x04" + octets(*POINT), "PUBLIC KEY"))
    with pytest.raises(MissingLibraryError, match=rf"gw\.key: SM2 needs .*{without_library}"):
        load_private(private)
    with pytest.raises(MissingLibraryError, match=rf"gw\.pub: .*{without_library}"):
        load_public(public)
    with pytest.raises(MissingLibraryError, match=without_library):
        generate("sm2")
    with pytest.raises(MissingLibraryError, match=without_library):
        public_from_bytes(b"\x04" + octets(*POINT))


@pytest.mark.usefixtures("without_library")
def test_without_a_library_an_sm2_envelope_is_of_a_wrong_algorithm() -> None:
    protected = cbor2.dumps({1: SM2_WITH_SM3, 4: bytes(8)}, canonical=True)
    envelope = cbor2.dumps(cbor2.CBORTag(18, [protected, {}, b"x", bytes(64)]))
    with pytest.raises(EnvelopeError, match="the library for SM2 with SM3 is not installed") as caught:
        open_envelope(envelope, "topic", KeyRing())
    assert caught.value.reason is Reason.WRONG_ALGORITHM


@pytest.mark.usefixtures("without_library")
def test_a_library_that_is_missing_is_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody may send envelopes that say SM2."""
    assert not sm2.available()
    monkeypatch.undo()
    assert not sm2.available()


def test_who_has_no_sm2_key_does_not_load_its_library() -> None:
    script = (
        "import sys, wire.envelope, wire.keys; wire.keys.generate(); print({'cffi', 'pycparser'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
