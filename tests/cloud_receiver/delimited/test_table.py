"""A file as lines of cells: encodings, compression, ends of lines, and bounds."""

import gzip
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud_receiver.delimited.form import ENCODINGS
from cloud_receiver.delimited.source import digest
from cloud_receiver.delimited.table import Bounds, Table
from cloud_receiver.mistakes import InputError, Mistake

BOUNDS = Bounds(bytes=1 << 20, line=1000, lines=1000)
TEXT = "时间;电量\n2026-07-01;1,5\n"
ROWS = [(1, ["时间", "电量"]), (2, ["2026-07-01", "1,5"])]


def rows(path: Path, bounds: Bounds = BOUNDS, **options: Any) -> list[tuple[int, list[str]]]:
    return list(Table(path, bounds, **options).rows())


def written(directory: Path, content: bytes, name: str = "a.csv") -> Path:
    path = directory / name
    path.write_bytes(content)
    return path


def mistake(path: Path, bounds: Bounds = BOUNDS, **options: Any) -> str:
    with pytest.raises(InputError) as refused:
        rows(path, bounds, **options)
    (problem,) = refused.value.problems
    return f"{problem.mistake}: {problem}"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_encodings_and_ends_of_lines(tmp_path: Path, encoding: str, ending: str) -> None:
    data = TEXT.replace("\n", ending).encode(encoding)
    data = {"utf-16-be": b"\xfe\xff", "utf-16-le": b"\xff\xfe"}.get(encoding, b"") + data
    told = next(name for name in ("utf-16", "utf-8", encoding) if encoding.startswith(name))
    assert rows(written(tmp_path, data), encoding=told) == ROWS


def test_text_in_another_encoding_is_told_with_its_line_and_byte(tmp_path: Path) -> None:
    path = written(tmp_path, b"time,kwh\n" + b"2026-07-01,1\n" * 9000 + "时间\n".encode("gb18030"), "far.csv")
    bounds = Bounds(1 << 20, 100, 10_000)
    expected = "form: far.csv: line 9002: expected utf-8 text, found byte 0xbc (--encoding names another one)"
    assert mistake(path, bounds) == expected
    assert len(rows(path, bounds, encoding="gb18030")) == 9002
    assert len(rows(path, bounds, encoding="latin-1")) == 9002
    assert mistake(written(tmp_path, b"ab\n\xff\xff"), encoding="gb18030").startswith(
        "form: a.csv: line 2: expected gb"
    )
    assert "expected utf-16 text, found other bytes" in mistake(written(tmp_path, b"abc"), encoding="utf-16")


def test_what_separates_is_found_out_unless_it_is_told(tmp_path: Path) -> None:
    table = Table(written(tmp_path, TEXT.encode()), BOUNDS)
    assert list(table.rows()) == ROWS
    assert table.separator == ";"
    table = Table(written(tmp_path, TEXT.encode()), BOUNDS, separator=",")
    assert [cells for _, cells in table.rows()] == [["时间;电量"], ["2026-07-01;1", "5"]]
    assert table.separator == ","


def test_empty_lines_are_passed_over_and_the_reader_told_of_many(tmp_path: Path) -> None:
    path = written(tmp_path, b"a,b\n\n ,\t\n1,2\n" + b"\n" * 600 + b"3,4")
    assert rows(path) == [(1, ["a", "b"]), (4, ["1", "2"]), (260, []), (516, []), (605, ["3", "4"])]
    assert rows(written(tmp_path, b"")) == []


def test_compressed_by_its_name_or_if_it_is_looked_into(tmp_path: Path) -> None:
    packed = gzip.compress(TEXT.encode())
    assert rows(written(tmp_path, packed, "a.csv.gz")) == ROWS
    path = written(tmp_path, packed, "packed")
    assert rows(path, looked_into=True) == ROWS
    assert "expected utf-8 text" in mistake(path)  # what was bounded before must not grow
    assert rows(written(tmp_path, TEXT.encode(), "b.csv.gz"), looked_into=True) == ROWS
    assert "can't be uncompressed" in mistake(written(tmp_path, TEXT.encode(), "b.csv.gz"))
    assert "can't be uncompressed" in mistake(written(tmp_path, packed[:-9], "c.csv.gz"))
    assert "none.csv: can't be read" in mistake(tmp_path / "none.csv")
    assert "none.csv: can't be read" in mistake(tmp_path / "none.csv", looked_into=True)
    with pytest.raises(InputError, match="can't be read"):
        digest(tmp_path / "none.csv")


def test_everything_is_bounded(tmp_path: Path) -> None:
    text = "a,b\r\n1,2\r\n33,44\r\n"
    path = written(tmp_path, text.encode())
    assert len(rows(path, Bounds(len(text), 5, 3))) == 3
    assert mistake(path, Bounds(len(text) - 1, 5, 3)).endswith(f"expected at most {len(text) - 1} bytes, found more")
    assert mistake(path, Bounds(99, 4, 3)) == "too_large: a.csv: line 3: expected a line of at most 4 characters"
    assert mistake(path, Bounds(99, 5, 2)) == "too_large: a.csv: line 3: expected at most 2 lines, found more"
    path = written(tmp_path, gzip.compress(b"9" * (1 << 22)), "bomb.csv.gz")
    assert mistake(path).startswith("too_large: bomb.csv.gz: line 1: expected a line of at most 1000")
    path = written(tmp_path, gzip.compress(b"9\n" * (1 << 22)), "bomb.csv.gz")
    assert mistake(path, Bounds(1 << 20, 10, 1 << 30)).endswith("expected at most 1048576 bytes, found more")


def test_the_bytes_are_told_as_they_are_read(tmp_path: Path) -> None:
    told: list[int] = []
    content = b"2026-07-01 00:00,1.5\n" * 900
    rows(written(tmp_path, gzip.compress(content), "a.csv.gz"), on_bytes=told.append)
    assert sum(told) == len(content)


def test_a_torn_line_is_named_by_the_name_that_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, b'a,b\n1,"2\n3,4\n')
    assert mistake(path, name="july.csv").startswith(f"{Mistake.FORM}: july.csv: line 2: not CSV")


@given(st.binary(max_size=300), st.sampled_from(ENCODINGS), st.booleans())
def test_any_bytes_are_lines_or_a_typed_error(data: bytes, encoding: str, looked_into: bool) -> None:  # hypothesis
    with tempfile.TemporaryDirectory() as directory:
        path = written(Path(directory), data)
        try:
            found = rows(path, encoding=encoding, looked_into=looked_into)
        except InputError:
            return
    assert [number for number, _ in found] == sorted({number for number, _ in found})
