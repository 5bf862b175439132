"""The file's form: one encoding, bounded, and what docs/proof.cddl says."""

from dataclasses import replace
from pathlib import Path

import cbor2
import pycddl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wire.proof import form
from wire.proof.form import ProofError, ProofFile, Signed
from wire.proof.reader import Reader, ReadError
from wire.proof.statement import Enrolment, Held, Issue, Statement, StatementError

CDDL = (Path(__file__).parents[3] / "docs" / "proof.cddl").read_text(encoding="utf-8")
NOW = 1_790_000_000_000
FILE = ProofFile(b"statement", (Signed("a/b", b"1"), Signed("a/b", bytes(300))), (Signed("c", b""),))
STATEMENT = Statement(
    *("gw1", "S1", "C01", NOW, NOW + 1, NOW + 2),
    (Enrolment(bytes(32), NOW, None), Enrolment(b"\x04" + bytes(64), NOW, NOW + 5)),
    (Held(bytes(32), NOW),),
    "node1",
    (Issue(NOW, 900_000, NOW, 570_300, b"s"), Issue(NOW, 900_000, NOW + 1, None, b"t" * 32)),
    (bytes(32),),
)

signed = st.builds(Signed, st.text(max_size=40), st.binary(max_size=400))
files = st.builds(
    ProofFile,
    st.binary(max_size=400),
    st.lists(signed, max_size=4).map(tuple),
    st.lists(signed, max_size=4).map(tuple),
)


def schema(root: str) -> pycddl.Schema:
    # The validator takes any key for an extension: without that line it notices a wrong one.
    closed = "".join(line for line in CDDL.splitlines(keepends=True) if "* int => extension" not in line)
    return pycddl.Schema(f"start = {root}\n{closed}")


@given(file=files)
def test_a_file_comes_back_as_it_was_written(file: ProofFile) -> None:
    data = file.encode()
    assert form.decode(data) == file
    assert cbor2.loads(data)[0] == "diantan-proof"
    assert form.decode(data).encode() == data


def test_files_and_statements_are_what_the_grammar_says() -> None:
    schema("proof-file").validate_cbor(FILE.encode())
    schema("statement").validate_cbor(STATEMENT.encode())
    wrong = cbor2.loads(STATEMENT.encode())
    wrong[4] = "x"
    with pytest.raises(pycddl.ValidationError):
        schema("statement").validate_cbor(cbor2.dumps(wrong))
    wrong = cbor2.loads(STATEMENT.encode())
    wrong[7][0][0] = bytes(64)
    with pytest.raises(pycddl.ValidationError):
        schema("statement").validate_cbor(cbor2.dumps(wrong))


@given(data=st.binary(max_size=200), kept=st.integers(0, 400))
def test_hostile_bytes_are_refused_with_one_kind_of_error(data: bytes, kept: int) -> None:
    start = FILE.encode()[:kept]
    if start + data != FILE.encode():
        with pytest.raises(ProofError):
            form.decode(start + data)


def test_another_version_is_named() -> None:
    data = FILE.encode().replace(b"diantan-proof\x01", b"diantan-proof\x02")
    with pytest.raises(ProofError, match="version 2, this program reads 1"):
        form.decode(data)


def test_too_large_a_file_is_neither_written_nor_read(monkeypatch: pytest.MonkeyPatch) -> None:
    data = FILE.encode()
    monkeypatch.setattr(form, "MAX_FILE_BYTES", len(data) - 1)
    with pytest.raises(ProofError, match="expected at most"):
        form.decode(data)
    with pytest.raises(ProofError, match="ask for a shorter range"):
        FILE.encode()


@pytest.mark.parametrize(
    ("octets", "problem"),
    [
        (b"\x58\x05hello", "shortest"),
        (b"\x5f\x41a\xff", "shortest"),
        (b"\x5b\x00\x00\x00\x00\x00\x00\x00\x01a", "shortest"),
        (b"\x46hello", "1 bytes behind the end"),
        (b"\x65hello", "expected a byte string"),
        (b"", "expected a byte string"),
    ],
)
def test_only_the_shortest_form_is_read(octets: bytes, problem: str) -> None:
    with pytest.raises(ReadError, match=problem):
        Reader(octets).octets()


def test_a_text_is_utf8() -> None:
    with pytest.raises(ReadError, match="not UTF-8"):
        Reader(b"\x61\xff").text()


def test_a_statement_comes_back_as_it_was_written() -> None:
    assert Statement.decode(STATEMENT.encode()) == STATEMENT
    value = cbor2.loads(STATEMENT.encode())
    assert Statement.decode(cbor2.dumps({**value, 99: "later"}, canonical=True)) == STATEMENT


@pytest.mark.parametrize(
    ("key", "value", "problem"),
    [
        (0, 2, "schema version 1 at key 0, got 2"),
        (0, True, "schema version 1"),
        (1, "", "gateway"),
        (5, NOW, "to_ms: expected more than"),
        (7, [], "keys"),
        (7, [[bytes(31), 1, None]], r"keys\[0\] key"),
        (7, [[bytes(33), 1, None]], r"keys\[0\] key: expected 32 bytes \(Ed25519\) or 65 \(SM2\), got 33"),
        (7, [[bytes(66), 1, None]], r"keys\[0\] key"),
        (7, [[bytes(32), 1]], "an array of 3"),
        (8, [[bytes(32), -1]], "received"),
        (8, {}, "batches"),
        (10, [[1, 0, 1, 1, b"s"]], "slot"),
        (10, [[1, 1, 1, 1.5, b"s"]], "statement"),
        (10, [[1, 1, 1, 1 << 32, b"s"]], "factor"),
        (11, [b""], "factor_messages"),
    ],
)
def test_what_is_no_statement_is_refused(key: int, value: object, problem: str) -> None:
    content = cbor2.loads(STATEMENT.encode())
    with pytest.raises(StatementError, match=problem):
        Statement.decode(cbor2.dumps({**content, key: value}, canonical=True))
    del content[key]
    with pytest.raises(StatementError):
        Statement.decode(cbor2.dumps(content, canonical=True))


def test_a_statement_that_nobody_would_read_is_not_written() -> None:
    with pytest.raises(StatementError, match="to_ms"):
        replace(STATEMENT, to_ms=NOW).encode()
    with pytest.raises(StatementError, match="ask for a shorter range"):
        replace(STATEMENT, batches=STATEMENT.batches * 30_000).encode()
