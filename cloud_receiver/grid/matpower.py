"""Networks from MATPOWER case files (.m) that hold a solved power flow.

Column numbers are those of MATPOWER's caseformat (User's Manual, appendix B). Powers in MW. The format has no carbon
factors: generators get theirs from elsewhere. Elements are numbered by their rows: gen1, branch1; load4 is at bus 4.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cloud_receiver.grid.builder import COLUMNS, Builder
from cloud_receiver.grid.matpower_text import Case
from cloud_receiver.grid.matpower_text import parse as parse_text
from cloud_receiver.grid.model import Branch, BranchKind, Generator, Load, Node, is_plain
from cloud_receiver.grid.reading import text_of
from cloud_receiver.grid.snapshot import MAX_FACTOR, Demand, EndPowers, Generation, Network
from cloud_receiver.mistakes import Mistake, quoted, refuse

_LEAST: Final[Mapping[str, int]] = {"bus": 13, "gen": 8, "branch": 11, "dcline": 5}
"""Columns that a matrix has to have."""
_BUS_TYPE, _PD, _GS, _VM = 1, 2, 4, 7
_ISOLATED: Final = 4
_PG, _GEN_STATUS = 1, 7
_TAP, _SHIFT, _BR_STATUS, _PF, _PT = 8, 9, 10, 13, 15
_DC_STATUS, _DC_PF, _DC_PT = 2, 3, 4
_NAMES: Final = dict(COLUMNS) | {"from_megawatts": "PF", "to_megawatts": "PT"}


def read(path: Path, *, max_factor: float = MAX_FACTOR) -> Network:
    """Read a case; InputError with every mistake, and for one without flows."""
    return parse(text_of(path), str(path), max_factor=max_factor)


def parse(text: str, file: str, *, max_factor: float = MAX_FACTOR) -> Network:
    """Return the text of a case as a network; InputError with every mistake, and for one without flows."""
    builder = Builder(file, columns=_NAMES, max_factor=max_factor)
    case = parse_text(text, builder.problems)
    for name in ("bus", "gen", "branch"):
        if name not in case.matrices:
            builder.problems.add(Mistake.FORM, f"expected the matrix mpc.{name}, found none")
    for name, rows in case.matrices.items():
        if rows and len(rows[0][0]) < _LEAST[name]:
            found = f"expected at least {_LEAST[name]} columns, found {len(rows[0][0])}"
            builder.problems.add(Mistake.FORM, found, place=f"line {rows[0][1]}", element=f"mpc.{name}")
    builder.problems.raise_any()
    _require_flows(case, file)
    _Converter(case, builder).convert()
    return builder.build(name=case.title, source="MATPOWER")


def _require_flows(case: Case, file: str) -> None:
    on = [row for row, _ in case.matrices["branch"] if row[_BR_STATUS]]
    needs = "needs a solved power flow: expected the columns PF, QF, PT and QT (14 to 17) of mpc.branch"
    how = "solve it and write the results: savecase(file, runpf(case))"
    if on and len(on[0]) <= _PT:
        raise refuse(Mistake.NO_FLOWS, f"{needs}, found {len(on[0])} columns; {how}", file=file)
    demand = any(row[_PD] for row, _ in case.matrices["bus"])
    if on and demand and not any(row[_PF] or row[_PT] for row in on):
        raise refuse(Mistake.NO_FLOWS, f"{needs}, found only zeros in them; {how}", file=file)


class _Converter:
    def __init__(self, case: Case, builder: Builder) -> None:
        self._case = case
        self._builder = builder

    def convert(self) -> None:
        self._buses()
        for number, (row, line) in enumerate(self._case.matrices["branch"], 1):
            kind = BranchKind.TRANSFORMER if row[_TAP] or row[_SHIFT] else BranchKind.LINE
            self._branch(f"branch{number}", row, line, kind)
        for number, (row, line) in enumerate(self._case.matrices["gen"], 1):
            place = f"line {line}"
            made = Generation(row[_PG] if self._status(row[_GEN_STATUS], place) > 0 else 0.0)
            self._builder.generator(Generator(f"gen{number}", self._bus(row[0], place)), made, place)
        for number, (row, line) in enumerate(self._case.matrices.get("dcline", []), 1):
            # Both powers are counted from the from bus to the to bus.
            place = f"line {line}"
            branch = Branch(f"dcline{number}", self._bus(row[0], place), self._bus(row[1], place), BranchKind.OTHER)
            opened = not self._status(row[_DC_STATUS], place)
            flow = EndPowers(0.0, 0.0) if opened else EndPowers(row[_DC_PF], -row[_DC_PT])
            self._builder.branch(branch, flow, place, opened=opened)

    def _buses(self) -> None:
        names = self._case.names
        rows = self._case.matrices["bus"]
        if names and len(names) != len(rows):
            text = f"expected {len(rows)} names, one a bus, found {len(names)}"
            self._builder.problems.add(Mistake.FORM, text, place="mpc.bus_name")
            names = []
        for index, (row, line) in enumerate(rows):
            place = f"line {line}"
            bus = self._bus(row[0], place)
            self._builder.node(Node(bus, name=names[index] if names and is_plain(names[index]) else ""), place)
            if row[_BUS_TYPE] == _ISOLATED:
                continue
            if row[_PD]:
                self._builder.load(Load(f"load{bus}", bus), Demand(row[_PD]), place)
            if row[_GS]:
                # GS is the power at 1.0 p.u.; it goes with the square of the voltage.
                self._builder.load(Load(f"shunt{bus}", bus), Demand(row[_GS] * row[_VM] * row[_VM]), place)

    def _branch(self, name: str, row: tuple[float, ...], line: int, kind: BranchKind) -> None:
        place = f"line {line}"
        opened = not self._status(row[_BR_STATUS], place)
        branch = Branch(name, self._bus(row[0], place), self._bus(row[1], place), kind)
        # A file of which every branch is off may have no columns for flows.
        flow = EndPowers(0.0, 0.0) if opened else EndPowers(row[_PF], row[_PT])
        self._builder.branch(branch, flow, place, opened=opened)

    def _bus(self, number: float, place: str) -> str:
        if number.is_integer() and 0 <= number < 1 << 53:
            return str(int(number))
        self._builder.problems.add(Mistake.FORM, f"expected the number of a bus, found {quoted(number)}", place=place)
        return ""

    def _status(self, value: float, place: str) -> float:
        if not math.isfinite(value):
            text = f"expected a status, 0 or 1, found {quoted(value)}"
            self._builder.problems.add(Mistake.NUMBER, text, place=place)
        return value
