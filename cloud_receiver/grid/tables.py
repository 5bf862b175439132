"""A network as a directory of CSV tables: nodes.csv, branches.csv, generators.csv, loads.csv and, if any, storages.csv.

The first line has the headings (docs/grid.md), in any order. Powers in MW, factors in kgCO₂/kWh, emissions in t/h; an
empty cell is a value that is not there. Every mistake is told with its file and line.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from cloud_receiver.grid.builder import Builder
from cloud_receiver.grid.csv_lines import Line, lines
from cloud_receiver.grid.model import Branch, BranchKind, Generator, Load, Node, NodeKind, Storage
from cloud_receiver.grid.reading import text_of
from cloud_receiver.grid.snapshot import MAX_FACTOR, Charge, Demand, EndPowers, EndRegisters, Flow, Generation, Network
from cloud_receiver.mistakes import Mistake

_NET: Final = ("p_from_mw", "p_to_mw")
_REGISTERS: Final = ("p_from_in_mw", "p_from_out_mw", "p_to_in_mw", "p_to_out_mw")
_TANK: Final = ("charge_efficiency", "discharge_efficiency", "stored_mw_h", "stored_t", "unknown_mw_h")
_HEADINGS: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    "nodes.csv": (("id",), ("kind", "name", "aliases")),
    "branches.csv": (("id", "from_node", "to_node"), (*_NET, *_REGISTERS, "kind", "open")),
    "generators.csv": (("id", "node", "p_mw"), ("factor", "emission_t_per_h")),
    "loads.csv": (("id", "node", "p_mw"), ("factor", "station")),
    "storages.csv": (("id", "node", "charge_mw", "discharge_mw"), _TANK),
}
"""Headings that must be there, and that may."""
_TANK_DEFAULTS: Final = (1.0, 1.0, 0.0, 0.0, 0.0)


def read(directory: Path, *, max_factor: float = MAX_FACTOR) -> Network:
    """Read the tables of a directory; InputError with every mistake of all of them. Only nodes.csv must be there."""
    return parse(
        {name: text_of(directory / name) for name in _HEADINGS if name == "nodes.csv" or (directory / name).exists()},
        str(directory),
        max_factor=max_factor,
    )


def parse(tables: Mapping[str, str], directory: str = "", *, max_factor: float = MAX_FACTOR) -> Network:
    """Return the texts of tables, by file name, as a network; InputError with every mistake."""
    builder = Builder(directory, max_factor=max_factor)
    takers: dict[str, Callable[[Builder, Line], None]] = {
        "nodes.csv": _node,
        "branches.csv": _branch,
        "generators.csv": _generator,
        "loads.csv": _load,
        "storages.csv": _storage,
    }
    for name, take in takers.items():
        if name not in tables:
            if name == "nodes.csv":
                builder.problems.add(Mistake.FORM, "expected the table of nodes, found none", place=name)
            continue
        for line in lines(name, tables[name], _HEADINGS[name], builder.problems):
            take(builder, line)
    return builder.build(name=Path(directory).name, source="CSV")


def _node(builder: Builder, line: Line) -> None:
    aliases = tuple(line.text("aliases").split())
    builder.node(
        Node(line.text("id"), line.kind(NodeKind, NodeKind.SUBSTATION), line.text("name"), aliases), line.place
    )


def _branch(builder: Builder, line: Line) -> None:
    net = [line.number(key) for key in _NET]
    registers = [line.number(key) for key in _REGISTERS]
    if any(value is not None for value in net) and any(value is not None for value in registers):
        text = "expected p_from_mw and p_to_mw or the four registers, found both"
        builder.problems.add(Mistake.FORM, text, place=line.place)
    flow: Flow = EndRegisters(*registers) if any(value is not None for value in registers) else EndPowers(*net)
    branch = Branch(
        line.text("id"), line.text("from_node"), line.text("to_node"), line.kind(BranchKind, BranchKind.LINE)
    )
    builder.branch(branch, flow, line.place, opened=line.flag("open"))


def _generator(builder: Builder, line: Line) -> None:
    made = Generation(line.number("p_mw"), line.number("factor"), line.number("emission_t_per_h"))
    builder.generator(Generator(line.text("id"), line.text("node")), made, line.place)


def _load(builder: Builder, line: Line) -> None:
    used = Demand(line.number("p_mw"), line.number("factor"))
    builder.load(Load(line.text("id"), line.text("node"), line.text("station")), used, line.place)


def _storage(builder: Builder, line: Line) -> None:
    tank = [
        default if (value := line.number(key)) is None else value
        for key, default in zip(_TANK, _TANK_DEFAULTS, strict=True)
    ]
    charge = Charge(line.number("charge_mw"), line.number("discharge_mw"), *tank)
    builder.storage(Storage(line.text("id"), line.text("node")), charge, line.place)
