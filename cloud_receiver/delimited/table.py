"""A file as lines of cells, of any separator and encoding, compressed or not: bounded in size, lines and length."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

from cloud_receiver.delimited.cells import TornError, cells, separator_of
from cloud_receiver.delimited.source import opened
from cloud_receiver.mistakes import InputError, Mistake, refuse

if TYPE_CHECKING:
    from typing_extensions import Buffer

_CHUNK: Final = 1 << 16
_EMPTY_LINES: Final = 256
"""One after another, of which the reader is told by a line without cells."""
_MARKED: Final = frozenset({"utf-8", "gb18030"})
"""Encodings whose decoder can mark what it can't read, which is then told with its line."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a file may have at the most."""

    bytes: int
    """Uncompressed."""
    line: int
    """Characters of one line."""
    lines: int


class Table:
    """A file; `separator` is known once the first line was read."""

    def __init__(
        self,
        path: Path,
        bounds: Bounds,
        *,
        name: str | None = None,
        separator: str | None = None,
        encoding: str = "utf-8",
        looked_into: bool = False,
        on_bytes: Callable[[int], None] = lambda _: None,
    ) -> None:
        """`name`: of the file, in messages; `separator` None: found out of the first line.

        `looked_into`: see `source.opened`.
        """
        self.separator = separator or ","
        self._given = separator is not None
        self._path = path
        self._name = path.name if name is None else name
        self._bounds = bounds
        self._encoding = encoding
        self._looked_into = looked_into
        self._on_bytes = on_bytes

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Yield each line that isn't empty with its number from 1; InputError for what is no CSV, or too large.

        Where many are empty one comes without cells now and then, so that no reader waits for long.
        """
        empty = 0
        with opened(self._path, looked_into=self._looked_into) as stream:
            lines = self._lines(stream)
            first = next(lines, None)
            if first is None:
                return
            if not self._given:
                self.separator = separator_of(first)
            try:
                for number, found in cells(_with(first, lines), self.separator):
                    if any(cell.strip() for cell in found):
                        empty = 0
                        yield number, found
                    elif (empty := empty + 1) % _EMPTY_LINES == 0:
                        yield number, []
            except TornError as error:
                raise self._refused(Mistake.FORM, str(error), error.line) from None

    def place(self, line: int, column: int | None = None) -> str:
        """Return a line, or a cell of one, as messages name it; `column` from 0."""
        return f"line {line}" if column is None else f"line {line} column {column + 1}"

    def _lines(self, stream: BinaryIO) -> Iterator[str]:
        """Yield lines; one of any length is never held in memory."""
        counted = _Counted(stream, self._on_bytes)
        marked = self._encoding in _MARKED
        encoding = "utf-8-sig" if self._encoding == "utf-8" else self._encoding
        errors = "surrogateescape" if marked else "strict"
        number = 0
        # Its ends of lines are those of csv, which wants to see them as they are.
        with io.TextIOWrapper(io.BufferedReader(counted, _CHUNK), encoding, errors, newline="") as text:
            while True:
                number += 1
                try:
                    line = text.readline(self._bounds.line + 3)
                except UnicodeError:
                    raise self._not_text(number, "other bytes") from None
                if counted.total > self._bounds.bytes:
                    raise self._beyond(f"{self._bounds.bytes} bytes", number)
                if not line:
                    return
                if len(line) > self._bounds.line and len(line.rstrip("\r\n")) > self._bounds.line:
                    raise self._refused(
                        Mistake.TOO_LARGE, f"expected a line of at most {self._bounds.line} characters", number
                    )
                if number > self._bounds.lines:
                    raise self._beyond(f"{self._bounds.lines} lines", number)
                if marked and not line.isascii():
                    self._refuse_marks(line, number)
                yield line

    def _refuse_marks(self, line: str, number: int) -> None:
        try:
            line.encode()
        except UnicodeEncodeError as error:
            # surrogateescape: U+DC80 to U+DCFF stand for bytes that are no text (PEP 383).
            raise self._not_text(number, f"byte {ord(line[error.start]) & 0xFF:#04x}") from None

    def _not_text(self, number: int, found: str) -> InputError:
        text = f"expected {self._encoding} text, found {found} (--encoding names another one)"
        return self._refused(Mistake.FORM, text, number)

    def _beyond(self, most: str, number: int) -> InputError:
        return self._refused(Mistake.TOO_LARGE, f"expected at most {most}, found more", number)

    def _refused(self, mistake: Mistake, text: str, number: int) -> InputError:
        return refuse(mistake, text, file=self._name, place=self.place(number))


class _Counted(io.RawIOBase):
    """Counts the bytes that are read of a stream."""

    def __init__(self, stream: BinaryIO, on_bytes: Callable[[int], None]) -> None:
        self.total = 0
        self._stream = stream
        self._on_bytes = on_bytes

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "Buffer", /) -> int:
        room = memoryview(buffer)
        chunk = self._stream.read(len(room))
        room[: len(chunk)] = chunk
        self.total += len(chunk)
        self._on_bytes(len(chunk))
        return len(chunk)


def _with(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest
