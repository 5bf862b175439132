"""A time series in wide form: a line for each slot, `time` first, then a column for each value, headed `ID.field`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

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
from cloud_receiver.grid.series_told import MOST_KEPT, Check, Known, named, slot_start
from cloud_receiver.grid.snapshot import Charge, Demand, EndPowers, EndRegisters, Generation, Measurement
from cloud_receiver.mistakes import Mistake, quoted

FLAGS: Final = {"0": False, "no": False, "false": False, "1": True, "yes": True, "true": True}


@dataclass(slots=True)
class Piece:
    """What a table says of a slot."""

    start_ms: int
    element: Element
    values: dict[str, Measurement]
    open_branches: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Item:
    """An element, with the places of its fields among the numbers of a line; the last place is always None."""

    id: str
    kind: type[Measurement]
    places: tuple[int, ...]


class Wide:
    """Reads the lines of one table."""

    def __init__(self, file: str, element: Element, headings: Sequence[str], line: int, check: Check) -> None:
        """Take the headings; what is wrong with them is told and can't be skipped."""
        self._file = file
        self._element = element
        self._check = check
        self._headings = headings
        self._columns: list[tuple[int, str, str]] = []  # place among the cells, id, field
        self._flags: list[tuple[int, str]] = []
        self._read_headings(line)
        self._refuse_strangers(line)
        names = [name for _, _, name in self._columns]
        self._ranges = ranges(names, check.max_factor)
        self._places = [place for place, _, _ in self._columns]
        self._items = self._elements()
        self._plain = [item for item in self._items if not _whole(item, len(names))]
        self._whole = [item for item in self._items if _whole(item, len(names))]
        self._makers = [_maker(kind, self._plain) for kind in TYPES[element]]
        self._column = {(name, key): place for place, name, key in self._columns}
        self._first: dict[str, int] = {}
        for place, name in [*((place, name) for place, name, _ in self._columns), *self._flags]:
            self._first.setdefault(name, place)
        self._grid: Known | None = None
        self._unknown: dict[str, str] = {}
        self._told: set[tuple[int, str]] = set()
        self._last_ms = -1

    def _read_headings(self, line: int) -> None:
        seen: dict[tuple[str, str], int] = {}
        for place, heading in enumerate(self._headings):
            if place == 0:
                continue
            name, dot, key = heading.strip().rpartition(".")
            item = NAMES[self._element].get(key)
            where = f"line {line} column {place + 1}"
            if not dot or not name or item is None:
                text = f"expected ID.field with one of {expected(self._element)}, found {quoted(heading)}"
                self._check.told.refuse(Mistake.FORM, text, file=self._file, place=where)
            elif (first := seen.setdefault((name, item), place)) != place:
                text = f"{quoted(heading)} is there twice, first in column {first + 1}"
                self._check.told.refuse(Mistake.DUPLICATE, text, file=self._file, place=where)
            elif item == OPEN:
                self._flags.append((place, name))
            else:
                self._columns.append((place, name, item))

    def _refuse_strangers(self, line: int) -> None:
        """InputError for a table of something else, before much is made of its columns."""
        told = self._check.told
        names = dict.fromkeys([name for _, name, _ in self._columns] + [name for _, name in self._flags])
        first = list(islice(self._check.strangers(self._element, names), MOST_KEPT + 1))
        if len(first) > MOST_KEPT and not told.skip_bad:
            text = f"more than {MOST_KEPT} columns of elements that no grid has, the first {quoted(first[0])}"
            told.refuse(Mistake.UNKNOWN_ELEMENT, text, file=self._file, place=f"line {line}")
            told.raise_fatal()

    def _elements(self) -> list[_Item]:
        there: dict[str, dict[str, int]] = {}
        for index, (_, name, item) in enumerate(self._columns):
            there.setdefault(name, {})[item] = index
        nothing = len(self._columns)
        items = []
        for name, places in there.items():
            kinds = [kind for kind in TYPES[self._element] if any(item in places for item in FIELDS[kind])]
            if len(kinds) > 1:
                text = "expected from and to or the four registers, found both"
                place = f"column {self._columns[next(iter(places.values()))][0] + 1}"
                self._check.told.refuse(
                    Mistake.FORM, f"{named(self._element, name)}: {text}", file=self._file, place=place
                )
                continue
            items.append(_Item(name, kinds[0], tuple(places.get(item, nothing) for item in FIELDS[kinds[0]])))
        return items

    def piece(self, line: int, cells: list[str]) -> Piece | None:
        """Return what a line says; None when it can't be used, which is told, or is empty."""
        start_ms = self._time(line, cells) if cells else None
        grid = None if start_ms is None else self._check.grid(start_ms, file=self._file, place=f"line {line}")
        if start_ms is None or grid is None:
            return None
        if grid is not self._grid:
            self._enter(grid)
        piece = Piece(start_ms, self._element, self._measured(line, cells))
        if self._flags:
            self._switches(line, cells, piece)
        if self._unknown:
            self._drop_unknown(line, piece)
        return piece

    def _time(self, line: int, cells: Sequence[str]) -> int | None:
        place, text = f"line {line}", ""
        if len(cells) != len(self._headings):
            text = f"expected {len(self._headings)} cells, found {len(cells)}"
        else:
            place = f"{place} column 1"
            try:
                start_ms = slot_start(cells[0])
            except ValueError as error:
                text = str(error)
            else:
                if start_ms > self._last_ms:
                    self._last_ms = start_ms
                    return start_ms
                text = f"expected a time after those of the lines before, found {quoted(cells[0])}"
        self._check.told.add(Mistake.FORM, text, file=self._file, place=place)
        return None

    def _measured(self, line: int, cells: Sequence[str]) -> dict[str, Measurement]:
        numeric = cells[1:] if not self._flags else [cells[place] for place in self._places]
        numbers = plain_numbers(numeric, self._ranges)
        values: dict[str, Measurement] = {}
        if numbers is None:
            loose = [*self._loose_numbers(line, cells), None]
            for item in self._items:
                self._checked(item, loose, line, values)
            return values
        gaps = None in numbers
        numbers.append(None)
        for make in self._makers:
            make(numbers, values, gaps=gaps)
        for item in self._whole:
            self._checked(item, numbers, line, values)
        return values

    def _enter(self, grid: Known) -> None:
        self._grid = grid
        names = dict.fromkeys([item.id for item in self._items] + [name for _, name in self._flags])
        said = {name: grid.missing(self._element, name) for name in names}
        self._unknown = {name: text for name, text in said.items() if text is not None}

    def _drop_unknown(self, line: int, piece: Piece) -> None:
        """Leave out what the grid doesn't have; it is told once, with the first line."""
        assert self._grid is not None
        for name, text in self._unknown.items():
            if piece.values.pop(name, None) is None and name not in piece.open_branches:
                continue
            piece.open_branches.discard(name)
            if (key := (self._grid.valid_from_ms, name)) not in self._told:
                self._told.add(key)
                where = f"line {line} column {self._first[name] + 1}"
                self._check.told.add(
                    Mistake.UNKNOWN_ELEMENT, text, file=self._file, place=where, element=named(self._element, name)
                )

    def _loose_numbers(self, line: int, cells: Sequence[str]) -> list[float | None]:
        """Return the numbers of a line that has a mistake, or spaces: what is no number is told and left out."""
        numbers: list[float | None] = []
        for place, name, key in self._columns:
            try:
                numbers.append(number(cells[place]))
            except ValueError:
                self._mistake(line, name, key, Mistake.NUMBER, f"expected a number, found {quoted(cells[place])}")
                numbers.append(None)
        return numbers

    def _checked(self, item: _Item, numbers: Sequence[float | None], line: int, values: dict[str, Measurement]) -> None:
        def tell(key: str, mistake: Mistake, text: str) -> None:
            self._mistake(line, item.id, key, mistake, text)

        value = checked(item.kind, [numbers[place] for place in item.places], tell, self._check.max_factor)
        if value is not None:
            values[item.id] = value

    def _mistake(self, line: int, name: str, key: str, mistake: Mistake, text: str) -> None:
        place = self._column.get((name, key))
        where = f"line {line}" if place is None else f"line {line} column {place + 1}"
        heading = key if place is None else self._headings[place].strip().rpartition(".")[2]
        self._check.told.add(
            mistake, f"{heading}: {text}", file=self._file, place=where, element=named(self._element, name)
        )

    def _switches(self, line: int, cells: Sequence[str], piece: Piece) -> None:
        for place, name in self._flags:
            text = cells[place].strip().lower()
            if text and text not in FLAGS:
                self._check.told.add(
                    Mistake.FORM,
                    f"open: expected yes or no, found {quoted(cells[place])}",
                    file=self._file,
                    place=f"line {line} column {place + 1}",
                    element=named(self._element, name),
                )
            elif text and FLAGS[text]:
                piece.open_branches.add(name)


def _whole(item: _Item, nothing: int) -> bool:
    """Return whether the numbers of an element can be a mistake together, though each is in its range."""
    both = item.kind is Generation and item.places[1] != nothing and item.places[2] != nothing
    return both or item.kind is Charge


_Maker = Callable[..., None]


def _maker(kind: type[Measurement], items: Sequence[_Item]) -> _Maker:
    """Return what makes the measurements of a kind from the numbers of a line, as fast as Python makes objects."""
    mine = [item for item in items if item.kind is kind]
    pairs: list[Any] = [(item.id, *item.places) for item in mine]

    def fill(numbers: Sequence[float | None], values: dict[str, Measurement], *, gaps: bool) -> None:
        if kind is EndPowers:
            values.update({name: EndPowers(numbers[a], numbers[b]) for name, a, b in pairs})
        elif kind is EndRegisters:
            values.update(
                {name: EndRegisters(numbers[a], numbers[b], numbers[c], numbers[d]) for name, a, b, c, d in pairs}
            )
        elif kind is Generation:
            values.update({name: Generation(numbers[a], numbers[b], numbers[c]) for name, a, b, c in pairs})
        elif kind is Demand:
            values.update({name: Demand(numbers[a], numbers[b]) for name, a, b in pairs})
        if gaps:
            for item in mine:
                if all(numbers[place] is None for place in item.places):
                    values.pop(item.id, None)

    return fill
