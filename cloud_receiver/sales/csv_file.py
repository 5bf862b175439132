"""Orders in a file of CSV: every line that is wrong is named."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cloud_receiver.delimited.columns import ColumnError, place_of
from cloud_receiver.delimited.numbers import EITHER, POINT
from cloud_receiver.delimited.table import Bounds, Table
from cloud_receiver.mistakes import InputError, Mistake, quoted, refuse
from cloud_receiver.report_text import printable
from cloud_receiver.sales.record import REQUIRED, Reading, field_of
from cloud_receiver.sales.store import Told

MOST_LINES: Final = 500_000
MOST_BYTES: Final = 1 << 30
"""Uncompressed."""
MOST_LINE: Final = 1 << 17
"""Characters: periods alone may have half as many."""
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
    decimal: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    """The file's own headings by our names."""
    encoding: str = "utf-8"


def read(path: Path, reading: Reading, form: Form, progress: Callable[[str], None] = lambda _: None) -> File:
    """Read a file; mistakes go to the problems of `reading`. InputError for a file that is no table of orders."""
    found = File([])
    bounds = Bounds(MOST_BYTES, MOST_LINE, MOST_LINES)
    table = Table(path, bounds, separator=form.separator, encoding=form.encoding, looked_into=True)
    try:
        _read(table, reading, form, found, progress)
    except InputError as error:
        if len(error.problems) > 1:
            raise  # so many that the rest tells nothing
        # What follows a torn line can't be told from it; what was wrong before is told all the same.
        (problem,) = error.problems
        reading.problems.add(problem.mistake, problem.text, place=problem.place, element=problem.element)
        reading.problems.raise_any()
    return found


def _read(table: Table, reading: Reading, form: Form, found: File, progress: Callable[[str], None]) -> None:
    names: list[str | None] | None = None
    seen: dict[tuple[int, str], tuple[int, Told]] = {}
    for place, cells in table.rows():
        if not cells:
            continue
        if names is None:
            names = _named(cells, form, place)
            found.ignored = tuple(
                printable(cell.strip()) for cell, ours in zip(cells, names, strict=True) if ours is None and cell
            )
            # Where cells have another separator than a comma, one may separate decimals.
            reading.marks = form.decimal or (POINT if table.separator == "," else EITHER)
            continue
        found.lines += 1
        if found.lines % _STEP == 0:
            progress(f"read {found.lines} lines")
        told = _told(place, cells, names, reading)
        if told is None:
            found.wrong += 1
            continue
        before = seen.setdefault((told.meter, told.order.number), (place, told))
        if before[1] is told:
            found.told.append(told)
        elif before[1] == told:
            found.repeated += 1
        else:
            found.wrong += 1
            expected = f"expected each number once, found other content than in line {before[0]}"
            reading.problems.add(Mistake.DUPLICATE, expected, place=f"line {place}", element="number")
    if names is None:
        raise refuse(Mistake.FORM, "expected a line of headings, found none", place="line 1")


def _told(place: int, cells: Sequence[str], names: Sequence[str | None], reading: Reading) -> Told | None:
    if len(cells) != len(names):
        text = f"expected {len(names)} cells, found {len(cells)}"
        reading.problems.add(Mistake.FORM, text, place=f"line {place}")
        return None
    values = {ours: cell.strip() for ours, cell in zip(names, cells, strict=True) if ours is not None}
    return reading.order(values, f"line {place}")


def _named(headings: Sequence[str], form: Form, line: int) -> list[str | None]:
    """Return our name of each column; InputError where one that is needed isn't there, or is there twice."""
    cells = [cell.strip() for cell in headings]
    try:
        given = {place_of(theirs, cells, f"--column {ours}"): ours for ours, theirs in form.columns.items()}
    except ColumnError as error:
        raise refuse(Mistake.FORM, str(error), place=f"line {line}") from None
    known = [field_of(cell) for cell in cells]
    names = [given.get(place) or (None if name in form.columns else name) for place, name in enumerate(known)]
    if missing := [name for name in (*REQUIRED, *form.columns) if name not in names]:
        text = f"expected a column {missing[0]}, found {quoted(', '.join(cells))}"
        raise refuse(Mistake.FORM, text, place=f"line {line}")
    if twice := sorted({name for name in names if name is not None and names.count(name) > 1}):
        text = f"expected one column {twice[0]}, found {names.count(twice[0])}"
        raise refuse(Mistake.FORM, text, place=f"line {line}")
    return names
