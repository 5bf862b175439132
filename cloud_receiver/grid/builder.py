"""Puts a network together from the rows of a file, and tells each mistake with the place of its row."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cloud_receiver.grid.model import (
    MOST_ELEMENTS,
    Branch,
    Element,
    Fault,
    Generator,
    Grid,
    Load,
    Node,
    Storage,
    faults_of,
    quoted_id,
)
from cloud_receiver.grid.snapshot import (
    MAX_FACTOR,
    Charge,
    Demand,
    Flow,
    Generation,
    Measurement,
    Network,
    Snapshot,
    value_mistakes,
)
from cloud_receiver.mistakes import Mistake, Problems, refuse

COLUMNS: Final[Mapping[str, str]] = {
    "from_megawatts": "p_from_mw",
    "to_megawatts": "p_to_mw",
    "from_in_megawatts": "p_from_in_mw",
    "from_out_megawatts": "p_from_out_mw",
    "to_in_megawatts": "p_to_in_mw",
    "to_out_megawatts": "p_to_out_mw",
    "megawatts": "p_mw",
    "factor": "factor",
    "emission": "emission_t_per_h",
    "charge_megawatts": "charge_mw",
    "discharge_megawatts": "discharge_mw",
    "charge_efficiency": "charge_efficiency",
    "discharge_efficiency": "discharge_efficiency",
    "stored_megawatt_hours": "stored_mw_h",
    "stored_tonnes": "stored_t",
    "unknown_megawatt_hours": "unknown_mw_h",
}
"""What the fields of measurements are called in files."""


@dataclass
class _Rows:
    nodes: list[Node] = field(default_factory=list)
    branches: list[Branch] = field(default_factory=list)
    generators: list[Generator] = field(default_factory=list)
    loads: list[Load] = field(default_factory=list)
    storages: list[Storage] = field(default_factory=list)


class Builder:
    """Takes rows, with the place each stands at; `build` makes the network or tells all that is wrong.

    `columns` names the fields of measurements as the file does. An importer adds what it can't read to `problems`.
    """

    def __init__(self, file: str, *, columns: Mapping[str, str] = COLUMNS, max_factor: float = MAX_FACTOR) -> None:
        self.problems = Problems(file)
        self._columns = columns
        self._max_factor = max_factor
        self._rows = _Rows()
        self._places: dict[Element, list[str]] = {element: [] for element in Element}
        self._flows: dict[str, Flow] = {}
        self._generation: dict[str, Generation] = {}
        self._demand: dict[str, Demand] = {}
        self._charge: dict[str, Charge] = {}
        self._open: set[str] = set()

    def node(self, node: Node, place: str) -> None:
        """Add a node."""
        self._take(Element.NODE, place)
        self._rows.nodes.append(node)

    def branch(self, branch: Branch, flow: Flow, place: str, *, opened: bool = False) -> None:
        """Add a branch with its flow; of an open one the flow is not looked at."""
        self._take(Element.BRANCH, place)
        self._rows.branches.append(branch)
        if opened:
            self._open.add(branch.id)
        self._check(Element.BRANCH, branch.id, flow, place)
        self._flows.setdefault(branch.id, flow)

    def generator(self, generator: Generator, value: Generation, place: str) -> None:
        """Add a generator."""
        self._take(Element.GENERATOR, place)
        self._rows.generators.append(generator)
        self._check(Element.GENERATOR, generator.id, value, place)
        self._generation.setdefault(generator.id, value)

    def load(self, load: Load, value: Demand, place: str) -> None:
        """Add a load."""
        self._take(Element.LOAD, place)
        self._rows.loads.append(load)
        self._check(Element.LOAD, load.id, value, place)
        self._demand.setdefault(load.id, value)

    def storage(self, storage: Storage, value: Charge, place: str) -> None:
        """Add a storage."""
        self._take(Element.STORAGE, place)
        self._rows.storages.append(storage)
        self._check(Element.STORAGE, storage.id, value, place)
        self._charge.setdefault(storage.id, value)

    def build(self, *, name: str = "", source: str = "", hours: float = 0.25) -> Network:
        """Return the network; InputError with every mistake."""
        rows = self._rows
        incomplete = self.problems.has(Mistake.FORM)
        for fault in faults_of(rows.nodes, rows.branches, rows.generators, rows.loads, rows.storages):
            # Where the row of a node could not be read, that it isn't there says nothing new.
            if not (incomplete and (fault.mistake is Mistake.UNKNOWN_NODE or not rows.nodes)):
                self._tell(fault)
        self.problems.raise_any()
        grid = Grid(
            tuple(rows.nodes), tuple(rows.branches), tuple(rows.generators), tuple(rows.loads), tuple(rows.storages)
        )
        snapshot = Snapshot(
            self._flows, self._generation, self._demand, self._charge, open_branches=frozenset(self._open), hours=hours
        )
        return Network(grid, snapshot, name=name, source=source)

    def _take(self, element: Element, place: str) -> None:
        places = self._places[element]
        if len(places) >= MOST_ELEMENTS:
            text = f"expected at most {MOST_ELEMENTS} of kind {element}, found more"
            raise refuse(Mistake.TOO_LARGE, text, file=self.problems.file, place=place)
        places.append(place)

    def _check(self, element: Element, name: str, value: Measurement, place: str) -> None:
        for mistake, key, text in value_mistakes(value, self._max_factor):
            where = f"{element} {quoted_id(name)}"
            self.problems.add(mistake, f"{self._columns.get(key, key)}: {text}", place=place, element=where)

    def _tell(self, fault: Fault) -> None:
        places = self._places[fault.element]
        place = places[fault.index] if fault.index < len(places) else ""
        text = fault.text
        if fault.first is not None:
            text = f"{text}, first in {places[fault.first]}"
        where = f"{fault.element} {quoted_id(fault.id)}" if fault.id or fault.mistake is not Mistake.FORM else ""
        self.problems.add(fault.mistake, text, place=place, element=where)
