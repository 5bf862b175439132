"""The lines of a CSV file, compressed (.gz) or not, of any separator and encoding: bounded in size and number."""

import codecs
import csv
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from cloud_receiver.grid.errors import GridError, Mistake, refuse
from cloud_receiver.grid.series_lines import opened

MOST_BYTES: Final = 512 << 20
"""Of one file, uncompressed: a year of minutes of one meter is some 30 MB, in 525,600 lines."""
MOST_LINE: Final = 1 << 16
"""Characters of one line."""
MOST_LINES: Final = 600_000
_CHUNK: Final = 1 << 16
_SEPARATORS: Final = (";", "\t", ",")


def digest(path: Path) -> str:
    """Return the SHA-256 of a file as it is, compressed or not, in hexadecimal; GridError when it can't be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise refuse(Mistake.FORM, f"can't be read: {error.strerror or error}", file=str(path)) from None


class Table:
    """A file as lines of cells; `separator` is known once the first line was read."""

    def __init__(self, path: Path, separator: str | None, encoding: str, on_bytes: Callable[[int], None]) -> None:
        self.separator = separator or ","
        self._given = separator
        self._path = path
        self._encoding = "utf-8-sig" if encoding == "utf-8" else encoding
        self._on_bytes = on_bytes

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield each line that isn't empty with its number from 1; GridError for what is no CSV or too large."""
        with opened(self._path) as stream:
            lines = self._lines(stream)
            first = next(lines, None)
            if first is None:
                return
            if self._given is None:
                self.separator = next((mark for mark in _SEPARATORS if mark in first), ",")
            yield from self._cells(_with(first, lines))

    def _cells(self, lines: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
        reader = csv.reader(lines, strict=True, delimiter=self.separator)
        while True:
            number = reader.line_num + 1
            try:
                cells = next(reader, None)
            except csv.Error as error:
                raise self._refused(Mistake.FORM, f"not CSV: {error}", number) from None
            if cells is None:
                return
            if any(cell.strip() for cell in cells):
                yield number, cells

    def _lines(self, stream: BinaryIO) -> Iterator[str]:
        for number, text in enumerate(self._texts(stream), 1):
            if number > MOST_LINES:
                raise self._refused(Mistake.TOO_LARGE, f"expected at most {MOST_LINES} lines, found more", number)
            yield text

    def _texts(self, stream: BinaryIO) -> Iterator[str]:
        """Yield lines; one of any length is never held in memory."""
        decoder = codecs.getincrementaldecoder(self._encoding)()
        rest, total, number = "", 0, 1
        while True:
            chunk = stream.read(_CHUNK)
            total += len(chunk)
            if total > MOST_BYTES:
                raise self._refused(Mistake.TOO_LARGE, f"expected at most {MOST_BYTES} bytes, found more", number)
            self._on_bytes(len(chunk))
            try:
                rest += decoder.decode(chunk, final=not chunk)
            except UnicodeError:
                text = f"expected {self._encoding} text, found other bytes (--encoding names another one)"
                raise self._refused(Mistake.FORM, text, number + rest.count("\n")) from None
            *whole, rest = rest.split("\n")
            for line in whole:
                yield self._bounded(line, number) + "\n"
                number += 1
            self._bounded(rest, number)
            if not chunk:
                if rest:
                    yield rest
                return

    def _bounded(self, line: str, number: int) -> str:
        if len(line) > MOST_LINE:
            text = f"expected a line of at most {MOST_LINE} characters, found more"
            raise self._refused(Mistake.TOO_LARGE, text, number)
        return line

    def _refused(self, mistake: Mistake, text: str, number: int) -> GridError:
        return refuse(mistake, text, file=self._path.name, place=f"line {number}")


def _with(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest
