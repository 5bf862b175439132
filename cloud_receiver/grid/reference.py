"""Networks as JSON: the format of the reference networks, read (docs/grid.md).

`bus` lists the nodes; `branch`, `gen`, `load` and `storage` have rows under the headings of `branch_columns` and so
on, of which the first word counts. Powers in MW, factors in kgCO₂/kWh; null is a value that was not measured. Keys that
are not named here, such as results, are not read.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias, TypeVar

from cloud_receiver.grid.builder import Builder
from cloud_receiver.grid.model import Branch, BranchKind, Generator, Load, Node, NodeKind, Storage
from cloud_receiver.grid.reading import json_of, text_of
from cloud_receiver.grid.snapshot import (
    MAX_FACTOR,
    Charge,
    Demand,
    EndPowers,
    EndRegisters,
    Flow,
    Generation,
    Network,
)
from cloud_receiver.mistakes import Mistake, quoted, refuse

_Row: TypeAlias = Mapping[str, Any]
_Kind = TypeVar("_Kind", NodeKind, BranchKind)

REGISTERS: Final = ("p_from_in_mw", "p_from_out_mw", "p_to_in_mw", "p_to_out_mw")
COLUMNS: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "node": (("id",), ("kind", "name", "aliases")),
    "branch": (("id", "from_bus", "to_bus"), ("p_from_mw", "p_to_mw", *REGISTERS, "kind", "open")),
    "gen": (("id", "bus", "p_mw"), ("factor", "emission_t_per_h")),
    "load": (("id", "bus", "p_mw"), ("factor", "station")),
    "storage": (
        ("id", "bus", "charge_mw", "discharge_mw"),
        ("charge_efficiency", "discharge_efficiency", "stored_mw_h", "stored_t", "unknown_mw_h"),
    ),
}
"""Headings that must be there, and that may."""
DEFAULT_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "node": ("id", "kind", "name", "aliases"),
    "branch": ("id", "from_bus", "to_bus", "p_from_mw", "p_to_mw"),
    "gen": ("id", "bus", "p_mw", "factor"),
    "load": ("id", "bus", "p_mw"),
    "storage": COLUMNS["storage"][0] + COLUMNS["storage"][1],
}


def read(path: Path, *, max_factor: float = MAX_FACTOR) -> Network:
    """Read a network; InputError with every mistake."""
    return parse(text_of(path), str(path), max_factor=max_factor)


def parse(text: str, file: str, *, max_factor: float = MAX_FACTOR) -> Network:
    """Return a text as a network; InputError with every mistake."""
    return convert(json_of(text, file), file, max_factor=max_factor)


def convert(document: object, file: str, *, max_factor: float = MAX_FACTOR) -> Network:
    """Return a network that was read as JSON; InputError with every mistake."""
    if not isinstance(document, dict):
        raise refuse(Mistake.FORM, f"expected a JSON object, found {quoted(document)}", file=file)
    return _Reader(document, file, max_factor).network()


class _Reader:
    def __init__(self, document: Mapping[str, Any], file: str, max_factor: float) -> None:
        self._document = document
        self._builder = Builder(file, max_factor=max_factor)
        self._problems = self._builder.problems

    def network(self) -> Network:
        self._units()
        details: dict[str, tuple[_Row, str]] = {}
        for row, place in self._rows("node"):
            name = self._id(row["id"], place, "id")
            if details.setdefault(name, (row, place))[1] != place:
                self._problems.add(
                    Mistake.DUPLICATE, f"is in {details[name][1]} too", place=place, element=f"node {name}"
                )
        for index, name in enumerate(self._list("bus")):
            place = f"bus[{index}]"
            node = self._id(name, place, "id")
            row, where = details.pop(node, ({}, place))
            self._builder.node(self._node(node, row, where), place)
        for name, (_, place) in details.items():
            self._problems.add(Mistake.UNKNOWN_NODE, f"node {quoted(name)} is not in `bus`", place=place)
        for row, place in self._rows("branch"):
            self._branch(row, place)
        for row, place in self._rows("gen"):
            made = Generation(
                self._number(row, "p_mw", place),
                self._number(row, "factor", place),
                self._number(row, "emission_t_per_h", place),
            )
            self._builder.generator(Generator(*self._at(row, place)), made, place)
        for row, place in self._rows("load"):
            used = Demand(self._number(row, "p_mw", place), self._number(row, "factor", place))
            load = Load(*self._at(row, place), self._text(row, "station", place))
            self._builder.load(load, used, place)
        for row, place in self._rows("storage"):
            self._storage(row, place)
        hours = self._number({"hours": self._document.get("hours", 0.25)}, "hours", "hours")
        if hours is None or not 0 < hours <= 24:  # noqa: PLR2004 - a day
            text = f"expected more than 0 and at most 24 hours, found {quoted(self._document.get('hours'))}"
            self._problems.add(Mistake.NUMBER, text, place="hours")
            hours = 0.25
        name, source = (self._text(self._document, key, key) for key in ("case", "source"))
        return self._builder.build(name=name, source=source, hours=hours)

    def _units(self) -> None:
        units = self._document.get("units", {})
        if not isinstance(units, dict):
            self._problems.add(Mistake.FORM, f"expected an object, found {quoted(units)}", place="units")
            return
        for key, expected in (("power", "MW"), ("factor", "kgCO2/kWh")):
            found = units.get(key, expected)
            if not (isinstance(found, str) and found.split()[:1] == [expected]):
                self._problems.add(Mistake.FORM, f"expected {expected}, found {quoted(found)}", place=f"units.{key}")

    def _node(self, name: str, row: _Row, place: str) -> Node:
        aliases = row.get("aliases") or []
        if not isinstance(aliases, list):
            self._problems.add(Mistake.FORM, f"aliases: expected a list, found {quoted(aliases)}", place=place)
            aliases = []
        kind = self._kind(NodeKind, row, NodeKind.SUBSTATION, place)
        return Node(
            name, kind, self._text(row, "name", place), tuple(self._id(item, place, "aliases") for item in aliases)
        )

    def _branch(self, row: _Row, place: str) -> None:
        kind = self._kind(BranchKind, row, BranchKind.LINE, place)
        opened = row.get("open", False)
        if not isinstance(opened, bool):
            self._problems.add(Mistake.FORM, f"open: expected true or false, found {quoted(opened)}", place=place)
        net = [self._number(row, key, place) for key in ("p_from_mw", "p_to_mw")]
        registers = [self._number(row, key, place) for key in REGISTERS]
        if any(value is not None for value in net) and any(value is not None for value in registers):
            text = "expected p_from_mw and p_to_mw or the four registers, found both"
            self._problems.add(Mistake.FORM, text, place=place)
        # Registers of a slot none of which was read still say that the branch has registers: nobody could net them.
        flow: Flow = EndRegisters(*registers) if any(value is not None for value in registers) else EndPowers(*net)
        name, start, end = (self._id(row[key], place, key) for key in ("id", "from_bus", "to_bus"))
        branch = Branch(name, start, end, kind)
        self._builder.branch(branch, flow, place, opened=opened is True)

    def _storage(self, row: _Row, place: str) -> None:
        names = COLUMNS["storage"][1]
        values = {key: self._number(row, key, place) for key in names}
        charge = Charge(
            self._number(row, "charge_mw", place),
            self._number(row, "discharge_mw", place),
            *(
                default if (value := values[key]) is None else value
                for key, default in zip(names, (1.0, 1.0, 0.0, 0.0, 0.0), strict=True)
            ),
        )
        self._builder.storage(Storage(*self._at(row, place)), charge, place)

    def _list(self, key: str) -> Sequence[Any]:
        found = self._document.get(key, [])
        if isinstance(found, list):
            return found
        self._problems.add(Mistake.FORM, f"expected a list, found {quoted(found)}", place=key)
        return []

    def _rows(self, key: str) -> Iterator[tuple[_Row, str]]:
        """Yield each row by its headings, with its place; what is no row is a mistake and left out."""
        headings = self._headings(key)
        for index, row in enumerate(self._list(key)):
            place = f"{key}[{index}]"
            if not isinstance(row, list) or len(row) != len(headings):
                text = f"expected a list of {len(headings)} values ({', '.join(headings)}), found {quoted(row)}"
                self._problems.add(Mistake.FORM, text, place=place)
            else:
                yield dict(zip(headings, row, strict=True)), place

    def _headings(self, key: str) -> Sequence[str]:
        place = f"{key}_columns"
        found = self._document.get(place, list(DEFAULT_COLUMNS[key]))
        required, optional = COLUMNS[key]
        if not isinstance(found, list) or not all(isinstance(item, str) and item.split() for item in found):
            self._problems.add(Mistake.FORM, f"expected a list of headings, found {quoted(found)}", place=place)
            return DEFAULT_COLUMNS[key]
        headings = [item.split()[0] for item in found]
        wrong = [
            *(f"no heading {name}" for name in required if name not in headings),
            *(f"unknown heading {quoted(name)}" for name in headings if name not in required + optional),
            *(f"heading {name} twice" for name in required + optional if headings.count(name) > 1),
        ]
        for text in wrong:
            expected = f"expected {', '.join(required)}, and maybe {', '.join(optional)}"
            self._problems.add(Mistake.FORM, f"{expected}; found {text}", place=place)
        return DEFAULT_COLUMNS[key] if wrong else headings

    def _at(self, row: _Row, place: str) -> tuple[str, str]:
        return self._id(row["id"], place, "id"), self._id(row["bus"], place, "bus")

    def _id(self, value: object, place: str, key: str) -> str:
        if isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 63):
            return str(value)
        self._problems.add(
            Mistake.FORM, f"{key}: expected a name or a whole number, found {quoted(value)}", place=place
        )
        return ""

    def _text(self, row: _Row, key: str, place: str) -> str:
        value = row.get(key)
        if value is None or isinstance(value, str):
            return value or ""
        self._problems.add(Mistake.FORM, f"{key}: expected text, found {quoted(value)}", place=place)
        return ""

    def _kind(self, kinds: type[_Kind], row: _Row, default: _Kind, place: str) -> _Kind:
        value = row.get("kind")
        if value is None:
            return default
        try:
            return kinds(value)
        except ValueError:
            text = f"kind: expected one of {', '.join(kinds)}, found {quoted(value)}"
            self._problems.add(Mistake.FORM, text, place=place)
            return default

    def _number(self, row: _Row, key: str, place: str) -> float | None:
        value = row.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            self._problems.add(Mistake.NUMBER, f"{key}: expected a number, found {quoted(value)}", place=place)
            return None
        try:
            return float(value)
        except OverflowError:
            self._problems.add(Mistake.NUMBER, f"{key}: expected a number in range, found {quoted(value)}", place=place)
            return None
