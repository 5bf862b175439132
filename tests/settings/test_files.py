"""Reading: a bound on the size, UTF-8 with the place of what is none, exact decimals."""

from decimal import Decimal
from pathlib import Path

import pytest

from settings.errors import ConfigError
from settings.files import LARGEST, ContentError, decoded, read_text, read_toml


def problem(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read_toml(path)
    (line,) = caught.value.problems
    return line.removeprefix(f"{path}: ")


def test_numbers_are_exact(tmp_path: Path) -> None:
    path = tmp_path / "f.toml"
    path.write_text("a = 0.1\nb = 3\nc = 1e30")
    document = read_toml(path)
    assert document == {"a": Decimal("0.1"), "b": 3, "c": Decimal("1e30")}
    assert [type(value) for value in document.values()] == [Decimal, int, Decimal]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "can't be read: No such file or directory"),
        (b"\xff", "expected UTF-8 text, found byte 0xff in line 1"),
        ("a = 1\n# 电表\n".encode() + b"b = '\xb5\xe7'\n", "expected UTF-8 text, found byte 0xb5 in line 3"),
        (b"[gateway\n", "not TOML: "),
        (b"a = " + b"[" * 20_000, "not TOML: "),
    ],
)
def test_a_file_that_is_none_is_named(tmp_path: Path, content: bytes | None, expected: str) -> None:
    path = tmp_path / "f.toml"
    if content is not None:
        path.write_bytes(content)
    assert problem(path).startswith(expected)


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    assert problem(tmp_path) == "can't be read: Is a directory"


def test_a_file_without_end_is_refused() -> None:
    assert problem(Path("/dev/zero")) == f"expected at most {LARGEST} bytes, found more"


def test_a_file_may_be_as_large_as_the_bound(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x" * 10)
    assert read_text(path, 10) == "x" * 10
    with pytest.raises(ContentError, match="expected at most 9 bytes, found more"):
        read_text(path, 9)


def test_a_byte_order_mark_is_no_text() -> None:
    assert decoded(b"\xef\xbb\xbfa = 1") == "a = 1"
