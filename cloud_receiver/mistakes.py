"""What is wrong with what came in (a file, a body, a grid): each mistake with its file, its place and its element."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

MOST_SHOWN: Final = 50
"""Mistakes that a message lists; it counts the others."""
_MOST_KEPT: Final = 1000


class Mistake(StrEnum):
    """A kind of mistake."""

    FORM = "form"  # not the format it should be
    TOO_LARGE = "too_large"
    NAME = "name"  # not an id or a name
    UNKNOWN_NODE = "unknown_node"
    UNKNOWN_ELEMENT = "unknown_element"
    DUPLICATE = "duplicate"
    ONE_ENDED = "one_ended"  # both ends of a branch are one node
    NUMBER = "number"  # NaN, infinite, no number, or no measurement
    FACTOR = "factor"  # out of range
    EMISSION = "emission"  # negative or out of range
    NO_FLOWS = "no_flows"  # a case that nobody has solved
    UNSUPPORTED = "unsupported"  # would be lost silently


@dataclass(frozen=True, slots=True)
class Problem:
    """A mistake: `place` is a line or a key of the file, `element` what it is about, such as `branch L1`."""

    mistake: Mistake
    text: str
    file: str = ""
    place: str = ""
    element: str = ""

    def __str__(self) -> str:
        return ": ".join(part for part in (self.file, self.place, self.element, self.text) if part)


class InputError(ValueError):
    """A file, a body, a grid or a measurement that can't be used; `problems` has every mistake, the first thousand."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        lines = [str(problem) for problem in self.problems[:MOST_SHOWN]]
        if len(self.problems) > MOST_SHOWN:
            lines.append(f"and {len(self.problems) - MOST_SHOWN} more mistakes")
        super().__init__("\n".join(lines))


class Problems:
    """Collects mistakes of a file, a bounded number of them."""

    def __init__(self, file: str = "") -> None:
        self.file = file
        self._kept: list[Problem] = []

    def __bool__(self) -> bool:
        return bool(self._kept)

    def add(self, mistake: Mistake, text: str, *, place: str = "", element: str = "") -> None:
        """Note a mistake; InputError at once when there are so many that the rest tells nothing."""
        self._kept.append(Problem(mistake, text, self.file, place, element))
        if len(self._kept) >= _MOST_KEPT:
            raise InputError(self._kept)

    def has(self, mistake: Mistake) -> bool:
        """Return whether there is a mistake of a kind."""
        return any(problem.mistake is mistake for problem in self._kept)

    def raise_any(self) -> None:
        """InputError when there is any mistake."""
        if self._kept:
            raise InputError(self._kept)


def refuse(mistake: Mistake, text: str, *, file: str = "", place: str = "", element: str = "") -> InputError:
    """Return the error of a single mistake."""
    return InputError([Problem(mistake, text, file, place, element)])


def quoted(value: object) -> str:
    """Return what came in as a message may show it: short, and without control characters."""
    try:
        text = repr(value) if isinstance(value, str) else str(value)
    except (RecursionError, ValueError):  # nested nearly as deep as JSON may be, or an integer of thousands of digits
        text = f"a value of type {type(value).__name__} too large to show"
    text = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text[:80])
    return text if len(text) < 80 else f"{text[:77]}..."  # noqa: PLR2004 - the same bound
