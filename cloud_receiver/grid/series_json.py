"""Measurements of slots as JSON: a list of slots, or one network with its `start` (docs/grid.md)."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from cloud_receiver.grid import reference
from cloud_receiver.grid.model import Element, Grid
from cloud_receiver.grid.series_fields import FIELDS, NAMES, OPEN, TYPES, checked, expected, is_number
from cloud_receiver.grid.series_told import MOST_KEPT, Check, named, slot_start
from cloud_receiver.grid.snapshot import Charge, Demand, Flow, Generation, Measurement, Snapshot
from cloud_receiver.grid.telemetry import SLOT_MS
from cloud_receiver.grid.topology import change
from cloud_receiver.mistakes import InputError, Mistake, quoted

MOST_SLOTS: Final = 40_000
"""Of one document: a year of slots has 35,136."""
_TIME: Final = "time"
_ROWS: Final = ("bus", "node", "branch", "gen", "load", "storage")
_KEYS: Final[Mapping[str, Element]] = {
    "branch": Element.BRANCH,
    "gen": Element.GENERATOR,
    "load": Element.LOAD,
    "storage": Element.STORAGE,
}


def slots_of(document: object, file: str, check: Check) -> Iterator[tuple[int, Snapshot] | None]:
    """Yield the slots of a document in the order of time, and None after each that is read before them.

    Its mistakes are told to `check.told`; the caller asks `check.told.raise_any` before it uses the slots.
    """
    if isinstance(document, dict) and "start" in document:
        yield from _network(document, file, check)
        return
    items = [document] if isinstance(document, dict) else document
    if not isinstance(items, list):
        text = f"expected a list of slots, or a network with its start, found {quoted(document)}"
        check.told.refuse(Mistake.FORM, text, file=file)
        return
    if len(items) > MOST_SLOTS:
        check.told.refuse(Mistake.TOO_LARGE, f"expected at most {MOST_SLOTS} slots, found {len(items)}", file=file)
        return
    single = isinstance(document, dict)
    found: dict[int, tuple[str, Snapshot]] = {}
    for index, item in enumerate(items):
        place = "" if single else f"[{index}]"
        slot = _Slot(file, place, check).read(item)
        yield None
        if slot is None:
            continue
        start_ms, snapshot = slot
        if (first := found.setdefault(start_ms, (place, snapshot)))[0] != place:
            text = f"the slot is there twice, first in {first[0]}"
            check.told.add(Mistake.DUPLICATE, text, file=file, place=f"{place}.time")
    for start_ms in sorted(found):
        yield start_ms, found[start_ms][1]


def _network(document: dict[str, Any], file: str, check: Check) -> list[tuple[int, Snapshot]]:
    told = check.told
    try:
        start_ms = slot_start(document["start"])
    except ValueError as error:
        told.refuse(Mistake.FORM, str(error), file=file, place="start")
        return []
    known = check.grid(start_ms, file=file, place="start")
    grid = check.topology(start_ms)
    if known is None or grid is None or not _fits(document, grid, file, check):
        return []
    try:
        network = reference.convert(document, file, max_factor=check.max_factor)
    except InputError as error:
        for problem in error.problems:
            told.refuse(
                problem.mistake,
                ": ".join(filter(None, (problem.element, problem.text))),
                file=file,
                place=problem.place,
            )
        return []
    if network.snapshot.hours * 3_600_000 != SLOT_MS:
        text = f"expected a slot of 0.25 hours, found {network.snapshot.hours:g}"
        told.refuse(Mistake.NUMBER, text, file=file, place="hours")
    snapshot = replace(network.snapshot, start_ms=start_ms)
    difference = change(grid, network.grid)
    for element, name in difference.added:
        if element is not Element.NODE and (missing := known.missing(element, name)) is not None:
            told.add(Mistake.UNKNOWN_ELEMENT, missing, file=file, element=named(element, name))
    for element, name in difference.moved:
        text = "is at other nodes, or of another kind, in the grid of this slot"
        told.add(Mistake.UNKNOWN_NODE, text, file=file, element=named(element, name))
    wrong = {*difference.added, *difference.moved}
    return [
        (
            start_ms,
            replace(
                snapshot,
                flows={key: flow for key, flow in snapshot.flows.items() if (Element.BRANCH, key) not in wrong},
                generators={k: item for k, item in snapshot.generators.items() if (Element.GENERATOR, k) not in wrong},
                loads={key: item for key, item in snapshot.loads.items() if (Element.LOAD, key) not in wrong},
                storages={key: item for key, item in snapshot.storages.items() if (Element.STORAGE, key) not in wrong},
                open_branches=frozenset(key for key in snapshot.open_branches if (Element.BRANCH, key) not in wrong),
            ),
        )
    ]


def _fits(document: Mapping[str, Any], grid: Grid, file: str, check: Check) -> bool:
    """Return whether a network is about as large as the grid of its slot; else it is told, before all of it is read."""
    rows = sum(len(item) for key in _ROWS if isinstance(item := document.get(key), list))
    own = (grid.nodes, grid.branches, grid.generators, grid.loads, grid.storages)
    # Nodes may be there twice: in `bus`, and in `node` with their names.
    most = sum(map(len, own)) + len(grid.nodes) + MOST_KEPT
    if rows > most:
        text = f"expected at most {most} rows, some more than the grid of this slot has, found {rows}"
        check.told.refuse(Mistake.TOO_LARGE, text, file=file)
    return rows <= most


class _Slot:
    """Reads one slot of a list."""

    def __init__(self, file: str, place: str, check: Check) -> None:
        self._file = file
        self._place = place
        self._check = check

    def read(self, item: object) -> tuple[int, Snapshot] | None:
        """Return the slot; None when it can't be used, which is told."""
        if not isinstance(item, dict):
            self._tell(Mistake.FORM, f"expected an object, found {quoted(item)}", "")
            return None
        try:
            start_ms = slot_start(item.get(_TIME))
        except ValueError as error:
            self._tell(Mistake.FORM, str(error), _TIME)
            return None
        grid = self._check.grid(start_ms, file=self._file, place=self._at(_TIME))
        if grid is None:
            return None
        for key in item.keys() - _KEYS.keys() - {_TIME}:
            self._tell(Mistake.FORM, f"expected {_TIME}, {', '.join(_KEYS)}, found {quoted(key)}", "")
        flows: dict[str, Flow] = {}
        generators: dict[str, Generation] = {}
        loads: dict[str, Demand] = {}
        storages: dict[str, Charge] = {}
        opened: set[str] = set()
        into: dict[Element, dict[str, Any]] = {
            Element.BRANCH: flows,
            Element.GENERATOR: generators,
            Element.LOAD: loads,
            Element.STORAGE: storages,
        }
        for key, element in _KEYS.items():
            for name, values in self._elements(item, key):
                if (text := grid.missing(element, name)) is not None:
                    self._tell(Mistake.UNKNOWN_ELEMENT, text, key, element, name)
                    continue
                value = self._value(element, name, values, key, opened)
                if value is not None:
                    into[element][name] = value
        snapshot = Snapshot(flows, generators, loads, storages, open_branches=frozenset(opened), start_ms=start_ms)
        return start_ms, snapshot

    def _elements(self, item: Mapping[str, Any], key: str) -> Iterator[tuple[str, dict[str, Any]]]:
        there = item.get(key)
        if there is None:
            return
        if not isinstance(there, dict):
            self._tell(Mistake.FORM, f"expected an object of elements by id, found {quoted(there)}", key)
            return
        for name, values in there.items():
            if isinstance(values, dict):
                yield name, values
            else:
                self._tell(Mistake.FORM, f"expected an object of values, found {quoted(values)}", key, _KEYS[key], name)

    def _value(
        self, element: Element, name: str, values: Mapping[str, Any], key: str, opened: set[str]
    ) -> Measurement | None:
        numbers: dict[str, float] = {}
        for heading, value in values.items():
            item = NAMES[element].get(heading)
            if item is None:
                text = f"expected some of {expected(element)}, found {quoted(heading)}"
                self._tell(Mistake.FORM, text, key, element, name)
            elif item == OPEN:
                self._open(name, value, key, opened)
            elif item in numbers:
                self._tell(Mistake.DUPLICATE, f"{heading}: is there twice", key, element, name)
            elif is_number(value):
                numbers[item] = float(value)
            elif value is not None:
                text = f"{heading}: expected a number, found {quoted(value)}"
                self._tell(Mistake.NUMBER, text, key, element, name)
        kinds = [kind for kind in TYPES[element] if any(item in numbers for item in FIELDS[kind])]
        if len(kinds) > 1:
            text = "expected from and to or the four registers, found both"
            self._tell(Mistake.FORM, text, key, element, name)
        if len(kinds) != 1:
            return None

        def tell(item: str, mistake: Mistake, text: str) -> None:
            heading = next((each for each in values if NAMES[element].get(each) == item), item)
            self._tell(mistake, f"{heading}: {text}", key, element, name)

        row = [numbers.get(item) for item in FIELDS[kinds[0]]]
        return checked(kinds[0], row, tell, self._check.max_factor)

    def _open(self, name: str, value: object, key: str, opened: set[str]) -> None:
        if value is True:
            opened.add(name)
        elif value is not False and value is not None:
            text = f"open: expected true or false, found {quoted(value)}"
            self._tell(Mistake.FORM, text, key, Element.BRANCH, name)

    def _at(self, key: str) -> str:
        return ".".join(part for part in (self._place, key) if part)

    def _tell(
        self, mistake: Mistake, text: str, key: str, element: Element | None = None, name: str | None = None
    ) -> None:
        where = "" if element is None or name is None else named(element, name)
        self._check.told.add(mistake, text, file=self._file, place=self._at(key), element=where)
