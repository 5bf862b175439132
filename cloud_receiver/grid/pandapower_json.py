"""Networks from pandapower, as `pandapower.to_json` writes them after a power flow; pandapower itself isn't needed.

Elements are called by table and index: line0, trafo3. Powers are those of the result tables, in MW. Busbars that closed
switches without impedance connect are one node, unless a flow was computed for the switch. A transformer with three
windings is a star: its loss is borne by the windings that power comes in by. A column `factor_kg_per_kwh` that a user
added to a table of sources has their factors.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from cloud_receiver.grid.builder import Builder
from cloud_receiver.grid.model import Branch, BranchKind, Generator, Load, Node, NodeKind, Storage, is_plain
from cloud_receiver.grid.pandapower_frames import Cells, Frame, frames, is_network
from cloud_receiver.grid.reading import json_of, text_of
from cloud_receiver.grid.snapshot import MAX_FACTOR, Charge, Demand, EndPowers, Generation, Network
from cloud_receiver.mistakes import Mistake, quoted, refuse

FACTOR_COLUMN: Final = "factor_kg_per_kwh"

_BRANCHES: Final[Mapping[str, tuple[str, str, str, str, BranchKind]]] = {
    "line": ("from_bus", "to_bus", "p_from_mw", "p_to_mw", BranchKind.LINE),
    "trafo": ("hv_bus", "lv_bus", "p_hv_mw", "p_lv_mw", BranchKind.TRANSFORMER),
    "impedance": ("from_bus", "to_bus", "p_from_mw", "p_to_mw", BranchKind.OTHER),
    "tcsc": ("from_bus", "to_bus", "p_from_mw", "p_to_mw", BranchKind.OTHER),
    "dcline": ("from_bus", "to_bus", "p_from_mw", "p_to_mw", BranchKind.OTHER),
}
_SOURCES: Final = ("ext_grid", "gen", "sgen", "asymmetric_sgen")
_LOADS: Final = ("load", "motor", "ward", "xward", "shunt", "asymmetric_load")
_WINDINGS: Final = ("hv", "mv", "lv")
# Tables that no active power depends on.
_POWERLESS: Final = frozenset(
    {"measurement", "controller", "group", "poly_cost", "pwl_cost", "svc", "characteristic", "bus_geodata"}
    | {"line_geodata", "q_capability_curve_table", "q_capability_characteristic", "trafo_characteristic_table"}
    | {"trafo_characteristic_spline", "shunt_characteristic_table", "shunt_characteristic_spline"}
)
_KNOWN: Final = _POWERLESS | {*_BRANCHES, *_SOURCES, *_LOADS, "bus", "storage", "switch", "trafo3w"}
_BUS_COLUMNS: Final = frozenset({"bus", "bus_dc", "from_bus", "from_bus_dc", "hv_bus"})
_SWITCHED: Final[Mapping[str, str]] = {"l": "line", "t": "trafo", "t3": "trafo3w"}


def read(path: Path, *, max_factor: float = MAX_FACTOR) -> Network:
    """Read a network; InputError with every mistake, and for one without results."""
    return parse(text_of(path), str(path), max_factor=max_factor)


def parse(text: str, file: str, *, max_factor: float = MAX_FACTOR) -> Network:
    """Return the text of a network; InputError with every mistake, and for one without results."""
    return convert(json_of(text, file), file, max_factor=max_factor)


def convert(document: object, file: str, *, max_factor: float = MAX_FACTOR) -> Network:
    """Return a network that was read as JSON; InputError with every mistake, and for one without results."""
    if not is_network(document) or not isinstance(document, dict):
        raise refuse(Mistake.FORM, "expected a pandapower network", file=file)
    tables, others = frames(document, file)
    version = others.get("version")
    converter = _Converter(tables, Builder(file, max_factor=max_factor))
    converter.require_results(others, file)
    converter.convert()
    name = others.get("name")
    return converter.builder.build(
        name=name if isinstance(name, str) and is_plain(name) else "",
        source=f"pandapower {version}" if isinstance(version, str) and is_plain(version) else "pandapower",
    )


class _Converter:
    def __init__(self, tables: Mapping[str, Frame], builder: Builder) -> None:
        self.builder = builder
        self._cells = Cells(tables, builder.problems)
        self._tables = tables
        self._node_of: dict[str, str] = {}
        self._dead: set[str] = set()
        self._open_ends: set[tuple[str, str, str]] = set()

    def require_results(self, others: Mapping[str, Any], file: str) -> None:
        """InputError when the network was not solved, or has what would be lost without a word."""
        how = "run pandapower.runpp(net) before pandapower.to_json(net, file)"
        if others.get("converged") is False:
            raise refuse(Mistake.NO_FLOWS, f"its power flow did not converge; {how}", file=file)
        if len(self._cells.table("bus")) and not len(self._cells.table("res_bus")):
            raise refuse(Mistake.NO_FLOWS, f"needs the results of a power flow; {how}", file=file)
        for name, frame in self._tables.items():
            if name in _KNOWN or name.startswith(("res_", "_")) or not len(frame):
                continue
            if not _BUS_COLUMNS.isdisjoint(frame.columns):
                text = f"{len(frame)} elements of a kind whose power is not known here"
                self.builder.problems.add(Mistake.UNSUPPORTED, text, place=f"table {quoted(name)}")

    def convert(self) -> None:
        """Hand every element to the builder."""
        self._buses()
        self._switches()
        for table in _BRANCHES:
            for index in self._cells.table(table).indices():
                self._branch(table, index)
        for index in self._cells.table("trafo3w").indices():
            self._three_windings(index)
        for table in _SOURCES:
            for index in self._cells.table(table).indices():
                node, power = self._injection(table, index)
                made = Generation(power, self._cells.number(table, index, FACTOR_COLUMN))
                self.builder.generator(Generator(f"{table}{index}", node), made, f"{table}[{index}]")
        for table in _LOADS:
            for index in self._cells.table(table).indices():
                node, power = self._injection(table, index)
                used = Demand(power, self._cells.number(table, index, FACTOR_COLUMN))
                self.builder.load(Load(f"{table}{index}", node), used, f"{table}[{index}]")
        for index in self._cells.table("storage").indices():
            self._storage(index)

    def _buses(self) -> None:
        """Join the busbars between which a closed switch without impedance and without a flow is."""
        cells = self._cells
        buses = cells.table("bus")
        parents = {index: index for index in buses.indices()}
        for index in cells.table("switch").indices():
            if self._joins(index):
                ends = cells.bus("switch", index, "bus"), cells.bus("switch", index, "element")
                if all(end in parents for end in ends):
                    first, second = (_root(parents, end) for end in ends)
                    parents[second] = first
        members: dict[str, list[str]] = {}
        for index in buses.indices():
            root = _root(parents, index)
            members.setdefault(root, []).append(index)
            live = any(cells.number("res_bus", index, column) is not None for column in ("vm_pu", "va_degree"))
            if not live or not cells.on("bus", index):
                self._dead.add(index)
        for indices in members.values():
            node, *aliases = indices
            name = buses.cell(node, "name")
            shown = name if isinstance(name, str) and is_plain(name) else ""
            self.builder.node(Node(node, name=shown, aliases=tuple(aliases)), f"bus[{node}]")
            self._node_of.update(dict.fromkeys(indices, node))

    def _joins(self, index: str) -> bool:
        cells = self._cells
        return (
            cells.table("switch").cell(index, "et") == "b"
            and cells.on("switch", index, "closed")
            and not cells.number("switch", index, "z_ohm")
            and cells.number("res_switch", index, "p_from_mw") is None
        )

    def _switches(self) -> None:
        cells = self._cells
        for index in cells.table("switch").indices():
            kind = cells.table("switch").cell(index, "et")
            closed = cells.on("switch", index, "closed")
            bus, element = cells.bus("switch", index, "bus"), cells.bus("switch", index, "element")
            if isinstance(kind, str) and kind in _SWITCHED:
                if not closed:
                    self._open_ends.add((_SWITCHED[kind], element, bus))
            elif kind == "b":
                start, end = self._node(bus), self._node(element)
                if start != end:
                    powers = [cells.number("res_switch", index, column) for column in ("p_from_mw", "p_to_mw")]
                    flow = EndPowers(*powers) if closed else EndPowers(0.0, 0.0)
                    branch = Branch(f"switch{index}", start, end, BranchKind.TIE)
                    self.builder.branch(branch, flow, f"switch[{index}]", opened=not closed)
            else:
                text = f"et: expected b, l, t or t3, found {quoted(kind)}"
                self.builder.problems.add(Mistake.FORM, text, place=f"switch[{index}]")

    def _branch(self, table: str, index: str) -> None:
        start, end, p_from, p_to, kind = _BRANCHES[table]
        place = f"{table}[{index}]"
        buses = [self._cells.bus(table, index, column) for column in (start, end)]
        off = not self._cells.on(table, index)
        powers = [
            0.0 if off else self._end_power(table, index, bus, column)
            for bus, column in zip(buses, (p_from, p_to), strict=True)
        ]
        nodes = [self._node(bus) for bus in buses]
        if nodes[0] == nodes[1] and nodes[0] in self._node_of:
            # Both ends are on joined busbars: it carries nothing from node to node, and its loss is consumed there.
            loss = None if None in powers else sum(power for power in powers if power is not None)
            self.builder.load(Load(f"{table}{index}", nodes[0]), Demand(loss), place)
        else:
            self.builder.branch(
                Branch(f"{table}{index}", nodes[0], nodes[1], kind), EndPowers(*powers), place, opened=off
            )

    def _three_windings(self, index: str) -> None:
        place = f"trafo3w[{index}]"
        off = not self._cells.on("trafo3w", index)
        star = f"trafo3w{index}.star"
        self.builder.node(Node(star, NodeKind.STAR), place)
        buses = [self._cells.bus("trafo3w", index, f"{side}_bus") for side in _WINDINGS]
        powers = [
            0.0 if off else self._end_power("trafo3w", index, bus, f"p_{side}_mw")
            for side, bus in zip(_WINDINGS, buses, strict=True)
        ]
        for side, bus, power, inner in zip(_WINDINGS, buses, powers, star_powers(powers), strict=True):
            branch = Branch(f"trafo3w{index}.{side}", self._node(bus), star, BranchKind.TRANSFORMER)
            self.builder.branch(branch, EndPowers(power, inner), place, opened=off)

    def _end_power(self, table: str, index: str, bus: str, column: str) -> float | None:
        """Return the power into a branch at a bus; 0 where a switch is open or the bus is dead."""
        power = self._cells.number(f"res_{table}", index, column)
        if index not in self._cells.table(f"res_{table}"):
            self._no_result(table, index)
        if (table, index, bus) in self._open_ends or (power is None and bus in self._dead):
            return 0.0
        return power

    def _injection(self, table: str, index: str) -> tuple[str, float | None]:
        bus = self._cells.bus(table, index, "bus")
        power = self._cells.number(f"res_{table}", index, "p_mw")
        if not self._cells.on(table, index) or (power is None and bus in self._dead):
            return self._node(bus), 0.0
        if index not in self._cells.table(f"res_{table}"):
            self._no_result(table, index)
        return self._node(bus), power

    def _no_result(self, table: str, index: str) -> None:
        text = f"is not in the results (res_{table}): solve the network again"
        self.builder.problems.add(Mistake.NO_FLOWS, text, place=f"{table}[{index}]")

    def _storage(self, index: str) -> None:
        node, power = self._injection("storage", index)
        percent, capacity = (self._cells.number("storage", index, key) for key in ("soc_percent", "max_e_mwh"))
        factor = self._cells.number("storage", index, FACTOR_COLUMN)
        stored = (percent or 0.0) / 100 * (capacity or 0.0)
        charge = Charge(
            None if power is None else max(power, 0.0),
            None if power is None else max(-power, 0.0),
            stored_megawatt_hours=stored,
            stored_tonnes=stored * (factor or 0.0),
            unknown_megawatt_hours=stored if factor is None else 0.0,
        )
        self.builder.storage(Storage(f"storage{index}", node), charge, f"storage[{index}]")

    def _node(self, bus: str) -> str:
        # What no bus is stays what it is: the builder tells that there is no such node.
        return self._node_of.get(bus, bus)


def star_powers(powers: list[float | None]) -> list[float | None]:
    """Return the powers into three windings at their inner ends, so that the star balances.

    The loss is shared among the windings that power comes in by, as their powers; those that give power lose nothing.
    """
    known = [power for power in powers if power is not None]
    if len(known) < len(powers):
        return [None] * len(powers)
    given = -sum(power for power in known if power < 0)
    taken = sum(power for power in known if power > 0)
    share = given / taken if taken > 0 else 0.0
    return [-power * share if power > 0 else -power for power in known]


def _root(parents: dict[str, str], index: str) -> str:
    while (parent := parents[index]) != index:
        parents[index] = index = parents[parent]
    return index
