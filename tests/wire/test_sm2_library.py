"""The library for SM2: a machine that has none, or another one, and one that needs none."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cbor2
import pytest
from key_support import needs_sm2
from sm2_by_the_book import POINT, PRIVATE, octets, pem, private_der

from wire import sm2, sm2_library
from wire.envelope import SM2_WITH_SM3, EnvelopeError, KeyRing, Reason, open_envelope
from wire.keys import MissingLibraryError, generate, load_private, load_public, public_from_bytes


@pytest.fixture
def _search_anew() -> Iterator[None]:
    """Forget what the library was found to be, before the test and after it."""
    sm2_library._found.cache_clear()
    yield
    sm2_library._found.cache_clear()


@pytest.fixture(params=["no cffi", "no libcrypto", "another library"])
def without_library(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, _search_anew: None) -> str:
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
    return told


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


@needs_sm2
@pytest.mark.usefixtures("_search_anew")
def test_a_library_that_fails_the_published_example_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sm2_library, "EXAMPLE_MESSAGE", b"another message")
    with pytest.raises(MissingLibraryError, match=r"libcrypto.*fails the example of GB/T 32918\.5"):
        generate("sm2")


@needs_sm2
def test_a_program_is_served_by_the_library_it_names() -> None:
    script = "import wire.keys; print(len(wire.keys.public_bytes(wire.keys.generate('sm2').public_key())))"
    environment = {sm2_library.LIBRARY_VARIABLE: sm2_library.library().name}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == "65\n"


def test_who_has_no_sm2_key_does_not_load_its_library() -> None:
    script = (
        "import sys, wire.envelope, wire.keys; wire.keys.generate(); print({'cffi', 'pycparser'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
