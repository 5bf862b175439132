"""The text of a MATPOWER case file (.m): its matrices and the few statements that change them. Nothing is executed.

The format is MATPOWER's caseformat (User's Manual, appendix B), as text of the language of MATLAB: comments after `%`
or `#`, rows that end with `;` or a line, cells separated by blanks or commas, `...` before a continuation.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from cloud_receiver.grid.model import MOST_ELEMENTS
from cloud_receiver.mistakes import Mistake, Problems, quoted, refuse

Row: TypeAlias = tuple[tuple[float, ...], int]
"""Numbers of a row, and its line."""

MATRICES: Final = ("bus", "gen", "branch", "dcline")
_MOST_COLUMNS: Final = 100
_MOST_CHANGES: Final = 100
_ASSIGNMENT: Final = re.compile(r"\s*mpc\.(\w+)\s*=\s*([\[{])(.*)", re.DOTALL)
# Only what scales columns by a number, as distribution cases do that are written in kW.
_SCALING: Final = re.compile(
    r"\s*mpc\.(?P<name>bus|gen|branch|dcline)\s*\(\s*:\s*,\s*(?P<columns>\[[\w\s,]*\]|\w+)\s*\)\s*=\s*"
    r"mpc\.(?P=name)\s*\(\s*:\s*,\s*(?P<again>\[[\w\s,]*\]|\w+)\s*\)\s*(?P<sign>[*/])\s*(?P<number>[\d.eE+]+)\s*;?\s*"
)
_CHANGE: Final = re.compile(r"\s*mpc\.(bus|gen|branch|dcline)\b\s*(\([^=]*\))?\s*=(?!=)")
_POWER_COLUMNS: Final[Mapping[str, Mapping[str, int]]] = {
    "bus": {"PD": 2, "GS": 4},
    "gen": {"PG": 1},
    "branch": {"PF": 13, "PT": 15},
    "dcline": {"PF": 3, "PT": 4},
}
# Columns that no power depends on: what a file computes of them is not needed.
_OTHER_COLUMNS: Final = frozenset(
    {"BR_R", "BR_X", "BR_B", "RATE_A", "RATE_B", "RATE_C", "TAP", "SHIFT", "ANGMIN", "ANGMAX", "QF", "QT", "QD", "BS"}
    | {"QG", "QMAX", "QMIN", "PMAX", "PMIN", "MBASE", "VG", "BASE_KV", "VMAX", "VMIN", "VA", "ZONE", "BUS_AREA"}
)
_NUMBERS: Final = {"inf": math.inf, "+inf": math.inf, "-inf": -math.inf, "nan": math.nan}
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eEdD][+-]?\d+)?")
# Quoted text is a mark of its own: what is in it is none.
_MARKS: Final = re.compile(r"'(?:[^'\n]|'')*'|\"[^\"\n]*\"|[][{};]")
_SPECIAL: Final = re.compile(r"[][{}%#\"']")
_TEXT_CELL: Final = re.compile(r"'((?:[^']|'')*)'|\"((?:[^\"]|\"\")*)\"")


@dataclass
class Case:
    """What is in a file."""

    matrices: dict[str, list[Row]] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    """Of the buses, where the file has them."""
    title: str = ""


def parse(text: str, problems: Problems) -> Case:
    """Return the matrices of a file; what can't be read is added to the problems."""
    case = Case()
    changes = 0
    for line, statement in _statements(text):
        if not case.title and (title := re.match(r"\s*function\s+\w+\s*=\s*(\w+)", statement)):
            case.title = title.group(1)
        assignment = _ASSIGNMENT.fullmatch(statement)
        if assignment and assignment.group(1) in MATRICES and assignment.group(2) == "[":
            name = assignment.group(1)
            if name in case.matrices:
                problems.add(Mistake.DUPLICATE, f"mpc.{name} is there twice", place=f"line {line}")
            case.matrices[name] = list(_rows(name, assignment.group(3), line, problems))
        elif assignment and assignment.group(1) == "bus_name" and assignment.group(2) == "{":
            found = _TEXT_CELL.finditer(assignment.group(3))
            # A quotation mark in a text is written twice.
            case.names = [
                (cell.group(1) or "").replace("''", "'").strip() or (cell.group(2) or "").strip() for cell in found
            ]
        elif _CHANGE.match(statement):
            changes += 1
            if changes > _MOST_CHANGES:
                text = f"expected at most {_MOST_CHANGES} statements that change a matrix, found more"
                raise refuse(Mistake.TOO_LARGE, text, file=problems.file, place=f"line {line}")
            _change(statement, line, case, problems)
    return case


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield statements without comments, each with the line it begins in; brackets hold one together."""
    kept: list[str] = []
    depth = first = 0
    blocks = 0
    for line, raw in enumerate(text.splitlines(), 1):
        if raw.strip() in ("%{", "#{"):
            blocks += 1
        elif raw.strip() in ("%}", "#}") and blocks:
            blocks -= 1
            raw = ""  # noqa: PLW2901 - the end of a comment is part of it
        if blocks:
            if depth:
                kept.append("")
            continue
        code, opened = _code(raw)
        if not kept:
            first = line
        depth = max(0, depth + opened)
        goes_on = depth == 0 and code.endswith("...")
        kept.append(code[:-3] if goes_on else code)
        if depth == 0 and not goes_on:
            yield from _single(first, "\n".join(kept))
            kept = []
    if kept:
        yield from _single(first, "\n".join(kept))


def _single(line: int, text: str) -> Iterator[tuple[int, str]]:
    """Yield what stands between the semicolons outside of brackets, each with its line."""
    depth = start = 0
    for mark in _MARKS.finditer(text):
        if mark.group() in "[{":
            depth += 1
        elif mark.group() in "]}":
            depth -= 1
        elif mark.group() == ";" and depth <= 0:
            yield line, text[start : mark.start()]
            line += text.count("\n", start, mark.end())
            start = mark.end()
    if text[start:].strip():
        yield line, text[start:]


def _code(raw: str) -> tuple[str, int]:
    """Return a line without its comment, and how many more brackets it opens than it closes."""
    if not _SPECIAL.search(raw):
        return raw.rstrip(), 0
    depth = 0
    quote = ""
    for index, char in enumerate(raw):
        if quote:
            quote = "" if char == quote else quote
        elif char in "\"'" and (index == 0 or not (raw[index - 1].isalnum() or raw[index - 1] in "_)]}.'")):
            # After a name or a bracket it is a transposition.
            quote = char
        elif char in "%#":
            return raw[:index].rstrip(), depth
        elif char in "[{":
            depth += 1
        elif char in "]}":
            depth -= 1
    return raw.rstrip(), depth


def _rows(name: str, body: str, first: int, problems: Problems) -> Iterator[Row]:
    inside, closed, _ = body.partition("]")
    if not closed:
        problems.add(Mistake.FORM, f"mpc.{name}: expected ], found the end of the file", place=f"line {first}")
    columns: int | None = None
    continued = ""
    start = first
    count = 0
    for line, content in enumerate(inside.split("\n"), first):
        if not continued:
            start = line
        if content.rstrip().endswith("..."):
            continued += content.rstrip()[:-3] + " "
            continue
        for cells in (continued + content).split(";"):
            words = cells.replace(",", " ").split()
            if not words:
                continue
            place = f"line {start}"
            count += 1
            if count > MOST_ELEMENTS:
                text = f"expected at most {MOST_ELEMENTS} rows, found more"
                raise refuse(Mistake.TOO_LARGE, text, file=problems.file, place=place, element=f"mpc.{name}")
            if len(words) > _MOST_COLUMNS or (columns is not None and len(words) != columns):
                expected = f"{columns} numbers" if columns else f"at most {_MOST_COLUMNS} numbers"
                text = f"expected {expected}, found {len(words)}"
                problems.add(Mistake.FORM, text, place=place, element=f"mpc.{name}")
                continue
            columns = len(words)
            numbers = tuple(_number(word) for word in words)
            wrong = [word for word, number in zip(words, numbers, strict=True) if number is None]
            if wrong:
                text = f"expected a number, found {quoted(wrong[0])}"
                problems.add(Mistake.FORM, text, place=place, element=f"mpc.{name}")
            else:
                yield tuple(number for number in numbers if number is not None), start
        continued = ""


def _number(word: str) -> float | None:
    if (special := _NUMBERS.get(word.lower())) is not None:
        return special
    if not _NUMBER.fullmatch(word):
        return None
    return float(word.replace("d", "e").replace("D", "e"))


def _change(statement: str, line: int, case: Case, problems: Problems) -> None:
    """Apply a statement that scales columns; one that may change powers in another way is a mistake."""
    scaling = _SCALING.fullmatch(statement)
    text = " ".join(statement.split())
    if scaling is not None:
        names = _columns(scaling.group("columns"))
        powers = _POWER_COLUMNS[scaling.group("name")]
        number = _number(scaling.group("number"))
        known = all(name in powers or name in _OTHER_COLUMNS for name in names)
        if known and names == _columns(scaling.group("again")) and number:
            scale = number if scaling.group("sign") == "*" else 1 / number
            which = {powers[name] for name in names if name in powers}
            rows = case.matrices.get(scaling.group("name"), [])
            rows[:] = [
                (tuple(cell * scale if index in which else cell for index, cell in enumerate(cells)), at)
                for cells, at in rows
            ]
            return
    if columns := re.match(r"\s*mpc\.\w+\s*\(\s*:\s*,\s*(\[[\w\s,]*\]|\w+)\s*\)", statement):
        names = _columns(columns.group(1))
        if names and all(name in _OTHER_COLUMNS for name in names):
            return
    expected = "a matrix, or columns scaled by a number: run the file and write it with savecase"
    problems.add(Mistake.UNSUPPORTED, f"expected {expected}; found {quoted(text)}", place=f"line {line}")


def _columns(text: str) -> list[str]:
    return text.strip("[]").replace(",", " ").split()
