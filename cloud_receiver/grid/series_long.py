"""A time series in long form: a line for each element and slot, headed `time,id` and the fields, sorted by time."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, cast

from cloud_receiver.grid.model import Element
from cloud_receiver.grid.series_fields import (
    FIELDS,
    NAMES,
    OPEN,
    TYPES,
    checked,
    expected,
    number,
    plain_numbers,
    ranges,
)
from cloud_receiver.grid.series_told import MOST_KEPT, Check, named, slot_start
from cloud_receiver.grid.series_wide import FLAGS, Piece
from cloud_receiver.grid.snapshot import Demand, EndPowers, EndRegisters, Measurement
from cloud_receiver.mistakes import Mistake, quoted

_TIME, _ID = "time", "id"
_EACH_BY_ITSELF: Final = {EndPowers, EndRegisters, Demand}
"""Measurements whose numbers can't be a mistake together when each is in its range."""


def is_long(headings: Sequence[str]) -> bool:
    """Return whether the headings are those of a long form."""
    return _ID in (heading.strip() for heading in headings)


class Long:
    """Reads the lines of one table."""

    def __init__(self, file: str, element: Element, headings: Sequence[str], line: int, check: Check) -> None:
        """Take the headings; what is wrong with them is told and can't be skipped."""
        self._file = file
        self._element = element
        self._check = check
        self._width = len(headings)
        self._places: dict[str, int] = {}
        self._headings = [heading.strip() for heading in headings]
        known = {_TIME: _TIME, _ID: _ID, **NAMES[element]}
        for place, heading in enumerate(self._headings):
            where = f"line {line} column {place + 1}"
            key = known.get(heading)
            if key is None:
                text = f"expected time, id and some of {expected(element)}, found {quoted(heading)}"
                check.told.refuse(Mistake.FORM, text, file=file, place=where)
            elif (first := self._places.setdefault(key, place)) != place:
                text = f"{quoted(heading)} is there twice, first in column {first + 1}"
                check.told.refuse(Mistake.DUPLICATE, text, file=file, place=where)
        if missing := [name for name in (_TIME, _ID) if name not in self._places]:
            text = f"expected the headings time and id, found no {' and no '.join(missing)}"
            check.told.refuse(Mistake.FORM, text, file=file, place=f"line {line}")
        self._fields = {
            kind: [self._places.get(item) for item in FIELDS[kind]]
            for kind in TYPES[element]
            if any(item in self._places for item in FIELDS[kind])
        }
        self._ranges = {kind: ranges(FIELDS[kind], check.max_factor) for kind in self._fields}
        self._time = ("", 0)
        self._unknown: set[tuple[int, str]] = set()

    def pieces(self, lines: Iterable[tuple[int, list[str]]]) -> Iterator[Piece | None]:
        """Yield what is said of each slot, in the order of time; None for a line that says nothing."""
        piece: Piece | None = None
        seen: dict[str, int] = {}
        for line, cells in lines:
            start_ms = self._start(line, cells, piece) if cells else None
            if start_ms is None:
                yield None
                continue
            if piece is None or piece.start_ms != start_ms:
                if piece is not None:
                    yield piece
                piece, seen = Piece(start_ms, self._element, {}), {}
            name = cells[self._places[_ID]].strip()
            if not self._is_known(start_ms, name, line):
                yield None
                continue
            if (first := seen.setdefault(name, line)) != line:
                text = f"is there twice in this slot, first in line {first}"
                self._tell(Mistake.DUPLICATE, text, line, _ID, name)
                continue
            self._take(piece, line, cells, name)
        if piece is not None:
            yield piece

    def _start(self, line: int, cells: Sequence[str], before: Piece | None) -> int | None:
        if len(cells) != self._width:
            text = f"expected {self._width} cells, found {len(cells)}"
            self._check.told.add(Mistake.FORM, text, file=self._file, place=f"line {line}")
            return None
        found = cells[self._places[_TIME]]
        if found != self._time[0]:
            try:
                self._time = found, slot_start(found)
            except ValueError as error:
                self._tell(Mistake.FORM, str(error), line, _TIME)
                return None
        start_ms = self._time[1]
        if before is not None and start_ms < before.start_ms:
            text = f"expected lines in the order of time, found {quoted(found)} after a later one"
            self._tell(Mistake.FORM, text, line, _TIME)
            return None
        return start_ms

    def _is_known(self, start_ms: int, name: str, line: int) -> bool:
        grid = self._check.grid(start_ms, file=self._file, place=f"line {line}")
        if grid is None:
            return False
        text = grid.missing(self._element, name)
        if text is not None and (key := (grid.valid_from_ms, name[:100])) not in self._unknown:
            if len(self._unknown) < MOST_KEPT:
                self._unknown.add(key)
            self._tell(Mistake.UNKNOWN_ELEMENT, text, line, _ID, name)
        return text is None

    def _take(self, piece: Piece, line: int, cells: Sequence[str], name: str) -> None:
        values: list[Measurement] = []
        for kind, places in self._fields.items():
            value = self._measured(kind, ["" if place is None else cells[place] for place in places], line, name)
            if value is not None:
                values.append(value)
        if len(values) > 1:
            self._tell(Mistake.FORM, "expected from and to or the four registers, found both", line, _ID, name)
        elif values:
            piece.values[name] = values[0]
        if OPEN in self._places and (text := cells[self._places[OPEN]].strip().lower()):
            if text not in FLAGS:
                self._tell(Mistake.FORM, f"expected yes or no, found {quoted(text)}", line, OPEN, name)
            elif FLAGS[text]:
                piece.open_branches.add(name)

    def _measured(self, kind: type[Measurement], cells: list[str], line: int, name: str) -> Measurement | None:
        numbers = plain_numbers(cells, self._ranges[kind])

        def tell(key: str, mistake: Mistake, text: str) -> None:
            self._tell(mistake, text, line, key, name)

        if numbers is None:
            numbers = []
            for key, cell in zip(FIELDS[kind], cells, strict=True):
                try:
                    numbers.append(number(cell))
                except ValueError:
                    tell(key, Mistake.NUMBER, f"expected a number, found {quoted(cell)}")
                    numbers.append(None)
        elif kind in _EACH_BY_ITSELF:
            made: Any = kind
            return None if numbers.count(None) == len(numbers) else cast("Measurement", made(*numbers))
        return checked(kind, numbers, tell, self._check.max_factor)

    def _tell(self, mistake: Mistake, text: str, line: int, key: str, name: str | None = None) -> None:
        place = self._places.get(key)
        where = f"line {line}" if place is None else f"line {line} column {place + 1}"
        if place is not None and key not in {_TIME, _ID}:
            text = f"{self._headings[place]}: {text}"
        element = "" if name is None else named(self._element, name)
        self._check.told.add(mistake, text, file=self._file, place=where, element=element)
