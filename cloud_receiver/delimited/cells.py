"""Lines of text as cells, and what separates them."""

import csv
import re
from collections.abc import Iterable, Iterator
from typing import Final

_QUOTED: Final = re.compile(r'"[^"]*"?')
_BETWEEN_DIGITS: Final = re.compile(r"(?<=\d),(?=\d)", re.ASCII)


class TornError(ValueError):
    """A line that is no CSV: what follows it can't be told from it. `line` is its number, from 1."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(f"not CSV: {text}")
        self.line = line


def cells(lines: Iterable[str], separator: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each line, an empty one too, with the number at which it begins, from 1; TornError."""
    reader = csv.reader(lines, delimiter=separator, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            found = next(reader, None)
        except csv.Error as error:
            raise TornError(line, str(error)) from None
        if found is None:
            return
        yield line, found


def separator_of(first: str) -> str:
    """Return what separates the cells of a file by its first line: what is there most often, outside quotes.

    A comma between digits separates decimals where `;` or a tab are there too.
    """
    bare = _QUOTED.sub("", first)
    if ";" in bare or "\t" in bare:
        bare = _BETWEEN_DIGITS.sub("", bare)
    found = max((";", "\t", ","), key=bare.count)
    return found if found in bare else ","
