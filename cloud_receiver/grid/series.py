"""Time series of measurements (遥测): tables in wide or long form, or JSON, as slots in the order of time.

A year of a grid is some twenty million numbers: tables are read line by line, and no more than a slot is in memory.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from cloud_receiver.delimited.source import opened
from cloud_receiver.grid.model import Element
from cloud_receiver.grid.reading import LARGEST, json_of
from cloud_receiver.grid.series_json import slots_of
from cloud_receiver.grid.series_lines import rows
from cloud_receiver.grid.series_long import Long, is_long
from cloud_receiver.grid.series_told import Check, Told
from cloud_receiver.grid.series_wide import Piece, Wide
from cloud_receiver.grid.shelf import KeptGrids
from cloud_receiver.grid.snapshot import MAX_FACTOR, Snapshot
from cloud_receiver.mistakes import InputError, Mistake, refuse
from settings.files import ContentError, decoded

TABLES: Final = {
    "branches.csv": Element.BRANCH,
    "generators.csv": Element.GENERATOR,
    "loads.csv": Element.LOAD,
    "storages.csv": Element.STORAGE,
}
_EXPECTED: Final = f"{', '.join(TABLES)} or JSON, each maybe with .gz"
OnBytes = Callable[[int], None]


def read(path: Path, check: Check, on_bytes: OnBytes = lambda _: None) -> Iterator[tuple[int, Snapshot]]:
    """Yield the slots of a directory of tables, or of one file, in the order of time: start in ms UTC, measurements.

    Mistakes are told to `check.told`, which the caller asks (`raise_any`) when all is read, before anything is used;
    InputError for what can't be read further.
    """
    return (slot for slot in steps(path, check, on_bytes) if slot is not None)


def steps(path: Path, check: Check, on_bytes: OnBytes = lambda _: None) -> Iterator[tuple[int, Snapshot] | None]:
    """Yield what `read` does, and None wherever lines or slots of one file are no slot (yet).

    Whoever shares a thread with others gives them their turn after each: a file may be all mistakes and empty lines.
    """
    if path.is_dir():
        yield from _merged([_table(file, element, check, on_bytes) for file, element in _tables(path)], check)
    elif (element := TABLES.get(_plain(path))) is not None:
        pieces = _table(path, element, check, on_bytes)
        check.told.raise_fatal()
        for piece in pieces:
            yield None if piece is None else _slot(piece.start_ms, [piece])
    elif _plain(path).endswith(".json"):
        yield from slots_of(_document(path), str(path), check)
        check.told.raise_fatal()
    else:
        raise refuse(Mistake.FORM, f"expected {_EXPECTED}, or a directory of such tables", file=str(path))


def of_document(
    document: object, grids: KeptGrids, *, name: str = "", max_factor: float = MAX_FACTOR
) -> list[tuple[int, Snapshot]]:
    """Return the slots of JSON that came by other ways than a file, in the order of time; InputError with all mistakes.

    `name` is what mistakes call the document.
    """
    told = Told()
    slots = [slot for slot in slots_of(document, name, Check(grids, told, max_factor)) if slot is not None]
    told.raise_any()
    return slots


def _plain(path: Path) -> str:
    return path.name.removesuffix(".gz")


def _tables(directory: Path) -> list[tuple[Path, Element]]:
    found: dict[Element, Path] = {}
    try:
        names = sorted(directory.iterdir())
    except OSError as error:
        raise refuse(Mistake.FORM, f"can't be read: {error.strerror or error}", file=str(directory)) from None
    for path in names:
        plain = _plain(path)
        element = TABLES.get(plain)
        if element is None:
            if plain.endswith((".csv", ".json")):
                raise refuse(Mistake.FORM, f"expected {', '.join(TABLES)} in a directory", file=str(path))
            continue
        if element in found:
            raise refuse(Mistake.DUPLICATE, f"is there twice, as {found[element].name} too", file=str(path))
        found[element] = path
    if not found:
        raise refuse(Mistake.FORM, f"expected some of {', '.join(TABLES)}, found none", file=str(directory))
    return [(path, element) for element, path in found.items()]


def _table(path: Path, element: Element, check: Check, on_bytes: OnBytes) -> Iterator[Piece | None]:
    """Read the headings of a table, and return what its lines say."""
    file = str(path)
    lines = rows(path, on_bytes)
    line, headings = next(lines, (0, []))
    if not headings:
        check.told.refuse(Mistake.FORM, "expected a line of headings, found none", file=file, place="line 1")
        return iter(())
    if is_long(headings):
        return Long(file, element, headings, line, check).pieces(lines)
    if headings[0].strip() != "time":
        text = f"expected time as the first heading, found {headings[0][:80]!r}"
        check.told.refuse(Mistake.FORM, text, file=file, place=f"line {line} column 1")
        return iter(())
    wide = Wide(file, element, headings, line, check)
    return (wide.piece(number, cells) for number, cells in lines)


def _merged(tables: list[Iterator[Piece | None]], check: Check) -> Iterator[tuple[int, Snapshot] | None]:
    check.told.raise_fatal()
    merged = heapq.merge(*(filter(None, table) for table in tables), key=_start)
    for start_ms, pieces in groupby(merged, key=_start):
        yield _slot(start_ms, pieces)


def _slot(start_ms: int, pieces: Iterable[Piece]) -> tuple[int, Snapshot] | None:
    """Return what tables say of a slot; None where that is nothing."""
    values: dict[Element, Any] = {element: {} for element in TABLES.values()}
    open_branches: set[str] = set()
    for piece in pieces:
        values[piece.element] = piece.values
        open_branches |= piece.open_branches
    if not any(values.values()) and not open_branches:
        return None
    snapshot = Snapshot(
        values[Element.BRANCH],
        values[Element.GENERATOR],
        values[Element.LOAD],
        values[Element.STORAGE],
        open_branches=frozenset(open_branches),
        start_ms=start_ms,
    )
    return start_ms, snapshot


def _start(piece: Piece) -> int:
    return piece.start_ms


def _document(path: Path) -> object:
    with opened(path) as stream:
        content = stream.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise _too_large(path)
    try:
        text = decoded(content)
    except ContentError as error:
        raise refuse(Mistake.FORM, str(error), file=str(path)) from None
    return json_of(text, str(path))


def _too_large(path: Path) -> InputError:
    text = f"expected at most {LARGEST} bytes of JSON, found more: tables may be larger"
    return refuse(Mistake.TOO_LARGE, text, file=str(path))
