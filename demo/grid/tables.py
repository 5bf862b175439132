"""A grid and a day of measurements on it as CSV tables: docs/grid.md has the grid's, docs/receiver.md the series'.

Powers are whole mW and emissions whole µg/h, written exactly, as MW and t/h: what is read is what was written.
"""

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final, TypeVar

SLOT: Final = timedelta(minutes=15)
SLOT_MS: Final = 900_000
_MILLIWATTS: Final = 9  # decimals of a MW
_MICROGRAMS: Final = 12  # decimals of a t
_THOUSANDTHS: Final = 3  # of an efficiency
_BRANCHES: Final = (("from", "to"), (_MILLIWATTS, _MILLIWATTS))
_GENERATORS: Final = (("p", "emission"), (_MILLIWATTS, _MICROGRAMS))
_LOADS: Final = (("p",), (_MILLIWATTS,))
_STORAGES: Final = (
    ("charge", "discharge", "charge_efficiency", "discharge_efficiency"),
    (_MILLIWATTS, _MILLIWATTS, _THOUSANDTHS, _THOUSANDTHS),
)
"""Headings behind the id of an element, and the decimals of what is below them."""
_Value = TypeVar("_Value")


class TableError(ValueError):
    """A table is not one of a day; the message names file and line."""


@dataclass(frozen=True, slots=True)
class Topology:
    """What stands where: rows as in the tables of docs/grid.md, without powers."""

    nodes: Sequence[tuple[str, str, str]]  # id, kind, name
    branches: Sequence[tuple[str, str, str, str]]  # id, from node, to node, kind
    generators: Sequence[tuple[str, str]]  # id, node
    loads: Sequence[tuple[str, str, str]]  # id, node, station
    storages: Sequence[tuple[str, str]]  # id, node


@dataclass(frozen=True, slots=True)
class Day:
    """Mean powers of the slots in mW, of each element by id, in the order of `starts`."""

    starts: Sequence[datetime]
    branches: Mapping[str, Sequence[tuple[int, int]]] = field(default_factory=dict)  # into it at the from and to end
    generators: Mapping[str, Sequence[tuple[int, int]]] = field(default_factory=dict)  # power, emission in µg/h
    loads: Mapping[str, Sequence[int]] = field(default_factory=dict)
    storages: Mapping[str, Sequence[tuple[int, int, int, int]]] = field(default_factory=dict)
    """Charging and discharging power, and their efficiencies in thousandths."""

    def without(self, ids: Iterable[str]) -> "Day":
        """Return the day without the elements named: what is left for telemetry when gateways meter these."""
        gone = frozenset(ids)
        return Day(
            self.starts,
            _without(self.branches, gone),
            _without(self.generators, gone),
            _without(self.loads, gone),
            _without(self.storages, gone),
        )

    def first(self, count: int) -> "Day":
        """Return the first slots of the day."""
        slots = range(count)
        return Day(
            self.starts[:count],
            _picked(self.branches, slots),
            _picked(self.generators, slots),
            _picked(self.loads, slots),
            _picked(self.storages, slots),
        )

    def repeated(self, before: int, after: int) -> "Day":
        """Return the day with so many slots more at both ends, as if every day were like it."""
        count = len(self.starts)
        slots = range(-before, count + after)
        numbers = [slot % count for slot in slots]
        return Day(
            [self.starts[0] + slot * SLOT for slot in slots],
            _picked(self.branches, numbers),
            _picked(self.generators, numbers),
            _picked(self.loads, numbers),
            _picked(self.storages, numbers),
        )


def _without(columns: Mapping[str, Sequence[_Value]], gone: frozenset[str]) -> dict[str, Sequence[_Value]]:
    return {name: values for name, values in columns.items() if name not in gone}


def _picked(columns: Mapping[str, Sequence[_Value]], slots: Sequence[int]) -> dict[str, Sequence[_Value]]:
    return {name: [values[slot] for slot in slots] for name, values in columns.items()}


def write_topology(directory: Path, topology: Topology) -> None:
    """Write the tables of a grid without measurements."""
    directory.mkdir(parents=True, exist_ok=True)
    tables: tuple[tuple[str, str, Iterable[Sequence[str]]], ...] = (
        ("nodes", "id,kind,name", topology.nodes),
        ("branches", "id,from_node,to_node,kind", topology.branches),
        ("generators", "id,node,p_mw", [(*row, "") for row in topology.generators]),
        ("loads", "id,node,station,p_mw", [(*row, "") for row in topology.loads]),
        ("storages", "id,node,charge_mw,discharge_mw", [(*row, "", "") for row in topology.storages]),
    )
    for name, headings, rows in tables:
        with (directory / f"{name}.csv").open("w", newline="", encoding="utf-8") as text:
            writer = csv.writer(text, lineterminator="\n")
            writer.writerow(headings.split(","))
            writer.writerows(rows)


def write_day(directory: Path, day: Day) -> None:
    """Write the series of a day: a row a slot, by its start, and a column a value."""
    directory.mkdir(parents=True, exist_ok=True)
    _write(directory / "branches.csv", day.starts, day.branches, *_BRANCHES)
    _write(directory / "generators.csv", day.starts, day.generators, *_GENERATORS)
    loads = {name: [(value,) for value in values] for name, values in day.loads.items()}
    _write(directory / "loads.csv", day.starts, loads, *_LOADS)
    _write(directory / "storages.csv", day.starts, day.storages, *_STORAGES)


def read_day(directory: Path) -> Day:
    """Read what `write_day` wrote; TableError names file and line of what is none."""
    branches = _Table(directory / "branches.csv", *_BRANCHES)
    generators = _Table(directory / "generators.csv", *_GENERATORS)
    loads = _Table(directory / "loads.csv", *_LOADS)
    storages = _Table(directory / "storages.csv", *_STORAGES)
    for table in (generators, loads, storages):
        if table.starts != branches.starts:
            raise TableError(f"{table.path}: expected the slots of {branches.path}, found others")
    return Day(
        branches.starts,
        branches.columns(lambda row: (row[0], row[1])),
        generators.columns(lambda row: (row[0], row[1])),
        loads.columns(lambda row: row[0]),
        storages.columns(lambda row: (row[0], row[1], row[2], row[3])),
    )


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read a table of a topology: a row an element, by heading."""
    with path.open(newline="", encoding="utf-8") as text:
        return list(csv.DictReader(text))


def decimal_text(value: int, decimals: int) -> str:
    """Return a whole number of the smallest unit in the larger one, exactly and without zeros at the end."""
    text = f"{Decimal(value).scaleb(-decimals):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _write(
    path: Path,
    starts: Sequence[datetime],
    elements: Mapping[str, Sequence[Sequence[int]]],
    headings: Sequence[str],
    decimals: Sequence[int],
) -> None:
    with path.open("w", newline="", encoding="utf-8") as text:
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["time", *(f"{name}.{heading}" for name in elements for heading in headings)])
        for slot, start in enumerate(starts):
            cells = [
                decimal_text(value, places)
                for values in elements.values()
                for value, places in zip(values[slot], decimals, strict=True)
            ]
            writer.writerow([start.isoformat(), *cells])


class _Table:
    def __init__(self, path: Path, headings: Sequence[str], decimals: Sequence[int]) -> None:
        self.path = path
        self.starts: list[datetime] = []
        self._width = len(headings)
        self._rows: list[list[int]] = []
        with path.open(newline="", encoding="utf-8") as text:
            rows = csv.reader(text)
            self._ids = self._elements(next(rows, []), headings)
            for row in rows:
                self._take(row, rows.line_num, decimals)

    def _elements(self, found: Sequence[str], headings: Sequence[str]) -> list[str]:
        names = [name.rpartition(".")[0] for name in found[1 :: self._width]]
        if list(found) != ["time", *(f"{name}.{heading}" for name in names for heading in headings)]:
            raise TableError(f"{self.path}: line 1: expected time and for each element {', '.join(headings)}")
        return names

    def _take(self, row: Sequence[str], line: int, decimals: Sequence[int]) -> None:
        expected = 1 + len(self._ids) * self._width
        if len(row) != expected:
            raise TableError(f"{self.path}: line {line}: expected {expected} cells, found {len(row)}")
        try:
            start = datetime.fromisoformat(row[0])
            places = [*decimals] * len(self._ids)
            values = [_whole(cell, power) for cell, power in zip(row[1:], places, strict=True)]
        except (ValueError, ArithmeticError) as error:
            raise TableError(f"{self.path}: line {line}: {error}") from error
        if start.tzinfo is None:
            raise TableError(f"{self.path}: line {line}: expected a time with its zone, found {row[0]}")
        self.starts.append(start)
        self._rows.append(values)

    def columns(self, of: "Callable[[Sequence[int]], _Value]") -> "dict[str, list[_Value]]":
        width = self._width
        return {
            name: [of(row[index * width : (index + 1) * width]) for row in self._rows]
            for index, name in enumerate(self._ids)
        }


def _whole(text: str, decimals: int) -> int:
    value = Decimal(text).scaleb(decimals)
    whole = int(value)
    if whole != value:
        raise ValueError(f"expected at most {decimals} decimals, found {text}")
    return whole
