"""Orders in a file of CSV: what separates its cells is found out, and every line that is wrong is named."""

import csv
import gzip
import io
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from cloud_receiver.grid.errors import Mistake, Problems, quoted, refuse
from cloud_receiver.sales.record import REQUIRED, Reading, field_of
from cloud_receiver.sales.store import Told

if TYPE_CHECKING:
    from _csv import Reader

MOST_LINES: Final = 500_000
MOST_BYTES: Final = 1 << 30
"""Of text, uncompressed."""
_LONGEST_CELL: Final = 131_072
_SEPARATORS: Final = (",", ";", "\t")
_STEP: Final = 5000


@dataclass(slots=True)
class File:
    """What a file has: orders that can be entered, and how many lines can't."""

    told: list[Told]
    lines: int = 0
    wrong: int = 0
    repeated: int = 0
    """Lines that say the same as one before."""
    ignored: tuple[str, ...] = ()
    """Headings that are none of an order's."""


@dataclass(frozen=True, slots=True)
class Form:
    """How a file is written; what is None is found out."""

    separator: str | None = None
    columns: Mapping[str, str] | None = None
    """The file's own headings by our names."""
    encoding: str = "utf-8-sig"


def separator_of(heading: str) -> str:
    """Return what separates the cells of a line of headings: the character that is there most often."""
    return max(_SEPARATORS, key=heading.count)


def read(path: Path, reading: Reading, form: Form, progress: Callable[[str], None] = lambda _: None) -> File:
    """Read a file; mistakes go to the problems of `reading`. GridError for a file that is no table of orders."""
    found = File([])
    seen: dict[tuple[int, str], tuple[int, Told]] = {}
    with _opened(path, form.encoding) as text:
        lines = _Lines(text)
        headings = lines.headings()
        names = _named(headings, form, found)
        separator = form.separator or separator_of(headings)
        reading.separated_by(separator)
        reader = csv.reader(lines, delimiter=separator, strict=True)
        next(reader)
        for place, cells in _rows(reader, reading.problems):
            found.lines += 1
            if found.lines > MOST_LINES:
                raise refuse(Mistake.TOO_LARGE, f"expected at most {MOST_LINES} lines", place=f"line {place}")
            if found.lines % _STEP == 0:
                progress(f"read {found.lines} lines")
            told = None
            if len(cells) == len(names):
                values = {ours: cell.strip() for ours, cell in zip(names, cells, strict=True) if ours is not None}
                told = reading.order(values, f"line {place}")
            else:
                text_ = f"expected {len(names)} cells, found {len(cells)}"
                reading.problems.add(Mistake.FORM, text_, place=f"line {place}")
            if told is None:
                found.wrong += 1
                continue
            key = told.meter, told.order.number
            before = seen.setdefault(key, (place, told))
            if before[1] is told:
                found.told.append(told)
            elif before[1] == told:
                found.repeated += 1
            else:
                found.wrong += 1
                expected = f"expected each number once, found other content than in line {before[0]}"
                reading.problems.add(Mistake.DUPLICATE, expected, place=f"line {place}", element="number")
    return found


def _named(headings: str, form: Form, found: File) -> list[str | None]:
    """Return our name of each column; GridError where one that is needed isn't there, or is there twice."""
    separator = form.separator or separator_of(headings)
    cells = [cell.strip() for cell in next(csv.reader([headings], delimiter=separator))]
    given = {theirs: ours for ours, theirs in (form.columns or {}).items()}
    names = [
        given.get(cell) or (None if given and field_of(cell) in given.values() else field_of(cell)) for cell in cells
    ]
    missing = [name for name in REQUIRED if name not in names]
    missing += [theirs for theirs in given if theirs not in cells]
    twice = sorted({name for name in names if name is not None and names.count(name) > 1})
    if missing:
        text = f"expected a column {missing[0]}, found {quoted(headings.strip())}"
        raise refuse(Mistake.FORM, text, place="line 1")
    if twice:
        raise refuse(Mistake.FORM, f"expected one column {twice[0]}, found {names.count(twice[0])}", place="line 1")
    found.ignored = tuple(cell for cell, ours in zip(cells, names, strict=True) if ours is None and cell)
    return names


def _rows(reader: "Reader", problems: Problems) -> Iterator[tuple[int, list[str]]]:
    """Yield the lines that have cells with the numbers at which they begin."""
    while True:
        place = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            problems.add(Mistake.FORM, f"not CSV: {error}", place=f"line {place}")
            problems.raise_any()  # what follows a torn line can't be told from it
            return
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield place, cells


class _Lines:
    """The lines of a text, bounded in length and all together."""

    def __init__(self, text: IO[str]) -> None:
        self._text = text
        self._heading: str | None = None
        self._size = 0

    def headings(self) -> str:
        """Return the first line, which is read again as part of the table."""
        self._heading = self._line()
        if not self._heading.strip():
            raise refuse(Mistake.FORM, "expected a line of headings, found none", place="line 1")
        return self._heading

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if self._heading is not None:
            line, self._heading = self._heading, None
            return line
        line = self._line()
        if not line:
            raise StopIteration
        return line

    def _line(self) -> str:
        try:
            line = self._text.readline(_LONGEST_CELL)
        except UnicodeDecodeError as error:
            raise refuse(
                Mistake.FORM, f"expected text in the encoding that --encoding names (UTF-8), found {error.reason}"
            ) from None
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise refuse(Mistake.FORM, f"not gzip: {error}") from None
        self._size += len(line)
        if self._size > MOST_BYTES:
            raise refuse(Mistake.TOO_LARGE, f"expected at most {MOST_BYTES} characters")
        return line


ENCODINGS: Final = ("utf-8-sig", "gb18030", "latin-1")


@contextmanager
def _opened(path: Path, encoding: str) -> Iterator[IO[str]]:
    with path.open("rb") as raw:
        packed = raw.peek(2)[:2] == b"\x1f\x8b"
        content = gzip.GzipFile(fileobj=raw) if packed else raw
        with io.TextIOWrapper(content, encoding=encoding, newline="") as text:
            yield text
