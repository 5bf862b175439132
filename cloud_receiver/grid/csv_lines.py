"""The lines of a CSV table by its headings; every mistake is told with its line."""

import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, TypeVar

from cloud_receiver.delimited.cells import TornError, cells
from cloud_receiver.grid.model import BranchKind, NodeKind
from cloud_receiver.mistakes import Mistake, Problems, quoted

_Kind = TypeVar("_Kind", NodeKind, BranchKind)

_FLAGS: Final = {"": False, "0": False, "no": False, "false": False, "1": True, "yes": True, "true": True}


class Line:
    """A line of a table, by headings."""

    def __init__(self, cells: Mapping[str, str], place: str, problems: Problems) -> None:
        self._cells = cells
        self.place = place
        self.problems = problems

    def text(self, key: str) -> str:
        """Return a cell; empty where the table has no such heading."""
        return self._cells.get(key, "")

    def number(self, key: str) -> float | None:
        """Return a number; None for an empty cell."""
        text = self.text(key)
        if not text:
            return None
        try:
            # Python's own spelling with underscores is no number in a table.
            return float("_" if "_" in text else text)
        except ValueError:
            self.problems.add(Mistake.NUMBER, f"{key}: expected a number, found {quoted(text)}", place=self.place)
            return None

    def kind(self, kinds: type[_Kind], default: _Kind) -> _Kind:
        """Return a kind; the default for an empty cell."""
        text = self.text("kind")
        try:
            return kinds(text) if text else default
        except ValueError:
            expected = f"kind: expected one of {', '.join(kinds)}, found {quoted(text)}"
            self.problems.add(Mistake.FORM, expected, place=self.place)
            return default

    def flag(self, key: str) -> bool:
        """Return yes or no; no for an empty cell."""
        text = self.text(key)
        if text.lower() not in _FLAGS:
            self.problems.add(Mistake.FORM, f"{key}: expected yes or no, found {quoted(text)}", place=self.place)
        return _FLAGS.get(text.lower(), False)


def lines(file: str, text: str, known: tuple[Sequence[str], Sequence[str]], problems: Problems) -> Iterator[Line]:
    """Yield the lines of a table; `known` are the headings that must be there, and those that may."""
    headings: list[str] | None = None
    try:
        for number, found in cells(io.StringIO(text, newline="")):
            place = f"{file} line {number}".strip()
            texts = [cell.strip() for cell in found]
            if not any(texts):
                continue
            if headings is None:
                headings = texts
                if not _are_headings(known, headings, place, problems):
                    return
            elif len(texts) != len(headings):
                expected = f"expected {len(headings)} cells, found {len(texts)}"
                problems.add(Mistake.FORM, expected, place=place)
            else:
                yield Line(dict(zip(headings, texts, strict=True)), place, problems)
    except TornError as error:
        problems.add(Mistake.FORM, str(error), place=f"{file} line {error.line}".strip())
        return
    if headings is None:
        problems.add(Mistake.FORM, "expected a line of headings, found none", place=file or "line 1")


def _are_headings(
    known: tuple[Sequence[str], Sequence[str]], headings: list[str], place: str, problems: Problems
) -> bool:
    required, optional = (tuple(names) for names in known)
    wrong = [
        *(f"no heading {name}" for name in required if name not in headings),
        *(f"unknown heading {quoted(name)}" for name in headings if name not in required + optional),
        *(f"heading {name} twice" for name in required + optional if headings.count(name) > 1),
    ]
    for text in wrong:
        expected = f"expected {', '.join(required)}" + (f", and maybe {', '.join(optional)}" if optional else "")
        problems.add(Mistake.FORM, f"{expected}; found {text}", place=place)
    return not wrong
