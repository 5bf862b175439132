"""The lines of a CSV table that may be longer than memory, or compressed (.gz), one after the other."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

from cloud_receiver.delimited.cells import TornError, cells
from cloud_receiver.delimited.source import opened
from cloud_receiver.mistakes import InputError, Mistake, refuse

MOST_LINE_BYTES: Final = 4 << 20
"""Of one line: some 400,000 numbers."""
MOST_BYTES: Final = 64 << 30
"""Of one file, uncompressed: some gigabytes are a year of all of a province's points."""
_EMPTY_LINES: Final = 256
"""One after another, of which the reader is told by a line without cells."""


def rows(path: Path, on_bytes: Callable[[int], None] = lambda _: None) -> Iterator[tuple[int, list[str]]]:
    """Yield each line that isn't empty with its number from 1; InputError for what is no CSV.

    Where many are empty one comes without cells now and then, so that no reader waits for long. `on_bytes` is told of
    the bytes read.
    """
    empty = 0
    with opened(path) as stream:
        lines = _lines(stream, str(path), on_bytes)
        try:
            for number, found in cells(lines):
                if any(found):
                    empty = 0
                    yield number, found
                elif (empty := empty + 1) % _EMPTY_LINES == 0:
                    yield number, []
        except TornError as error:
            raise refuse(Mistake.FORM, str(error), file=str(path), place=f"line {error.line}") from None


def _lines(stream: BinaryIO, file: str, on_bytes: Callable[[int], None]) -> Iterator[str]:
    total = number = 0
    while line := stream.readline(MOST_LINE_BYTES + 1):
        number += 1
        total += len(line)
        if len(line) > MOST_LINE_BYTES or total > MOST_BYTES:
            raise _too_large(file, number, line)
        on_bytes(len(line))
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            text = f"expected UTF-8 text, found byte {line[error.start]:#04x}"
            raise refuse(Mistake.FORM, text, file=file, place=f"line {number}") from None


def _too_large(file: str, number: int, line: bytes) -> InputError:
    what = f"a line of at most {MOST_LINE_BYTES}" if len(line) > MOST_LINE_BYTES else f"at most {MOST_BYTES}"
    return refuse(Mistake.TOO_LARGE, f"expected {what} bytes, found more", file=file, place=f"line {number}")
