"""Our JSON: the reference networks and every kind of value come back as they were; mistakes have their keys."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from grid_support import DOCUMENT, problems, said

from cloud_receiver.grid.model import Branch, BranchKind, Generator, Grid, Load, Node, NodeKind, Storage
from cloud_receiver.grid.reference import parse, read
from cloud_receiver.grid.reference_writing import dumps
from cloud_receiver.grid.snapshot import Charge, Demand, EndPowers, EndRegisters, Generation, Network, Snapshot
from cloud_receiver.mistakes import Mistake

NETWORKS = ["case14_dc", "case14_ac", "case30_ac", "case39_ac", "case118_dc", "case118_ac", "case1354pegase_ac"]
EVERYTHING = Network(
    Grid(
        (Node("P1", NodeKind.PLANT, "华能一厂"), Node("S1", aliases=("S1b",)), Node("U1", NodeKind.LOAD), Node("2")),
        (
            Branch("甲线", "P1", "S1"),
            Branch("母联", "S1", "2", BranchKind.TIE),
            Branch("L3", "S1", "U1", BranchKind.TRANSFORMER),
            Branch("L4", "S1", "U1"),
        ),
        (Generator("G1", "P1"), Generator("G2", "P1"), Generator("G3", "U1")),
        (Load("D1", "U1", "ST1"), Load("D2", "2"), Load("D3", "2")),
        (Storage("B1", "U1"),),
    ),
    Snapshot(
        {
            "甲线": EndPowers(10.123456789012345, -9.5),
            "母联": EndRegisters(1.0, 0.25, None, 1.0),
            "L3": EndPowers(None, -1e-14),
            "L4": EndPowers(0.0, 0.0),
        },
        {"G1": Generation(1.0, 0.8), "G2": Generation(None, None, 3.0), "G3": Generation(-2.0)},
        {"D1": Demand(5.0), "D2": Demand(None), "D3": Demand(-1.0, 0.3)},
        {"B1": Charge(1.0, 0.0, 0.9, 0.95, 10.0, 2.5, 1.0)},
        open_branches=frozenset({"L4"}),
        hours=1.0,
    ),
    name="全部",
    source="test",
)


@pytest.mark.shared
@pytest.mark.parametrize("name", NETWORKS)
def test_reference_networks_come_back_as_they_were(shared_data: Path, name: str) -> None:
    path = shared_data / "data" / "carbon_flow_reference" / f"{name}.json"
    document = json.loads(path.read_text())
    network = read(path)
    assert [node.id for node in network.grid.nodes] == [str(bus) for bus in document["bus"]]
    for branch, row in zip(network.grid.branches, document["branch"], strict=True):
        assert (branch.id, branch.start, branch.end) == (row[0], str(row[1]), str(row[2]))
        assert network.snapshot.flows[branch.id] == EndPowers(row[3], row[4])
    assert [[key, made.megawatts, made.factor] for key, made in network.snapshot.generators.items()] == [
        [row[0], row[2], row[3]] for row in document["gen"]
    ]
    assert sum(used.megawatts or 0.0 for used in network.snapshot.loads.values()) == sum(
        row[2] for row in document["load"]
    )
    assert network.name == document["case"]
    written = dumps(network)
    assert parse(written, "written") == network
    again = json.loads(written)
    for key in ("branch_columns", "gen_columns", "load_columns"):
        assert [item.split()[0] for item in document[key]] == again[key]
    assert [row[3:] for row in again["branch"]] == [row[3:] for row in document["branch"]]


def test_everything_comes_back_as_it_was() -> None:
    assert parse(dumps(EVERYTHING), "written") == EVERYTHING


def test_what_needs_no_headings_has_none() -> None:
    written = json.loads(dumps(parse(json.dumps(DOCUMENT), "f")))
    assert written["branch_columns"] == ["id", "from_bus", "to_bus", "p_from_mw", "p_to_mw"]
    assert written["gen_columns"] == ["id", "bus", "p_mw", "factor"]
    assert written["load_columns"] == ["id", "bus", "p_mw"]
    assert not {"node", "storage"} & set(written)


def _changed(**changes: Any) -> str:
    return json.dumps({**DOCUMENT, **changes})


@pytest.mark.parametrize(
    ("text", "mistake", "message"),
    [
        ("", Mistake.FORM, "f: line 1, column 1: not JSON: Expecting value"),
        ("[1]", Mistake.FORM, "f: expected a JSON object, found [1]"),
        ('{"bus": [1], "bus": [2]}', Mistake.FORM, "f: not JSON: the key 'bus' is there twice"),
        ("[" * 100_000, Mistake.FORM, "f: not JSON: too many values inside one another"),
        ('{"bus": [1], "x": ' + "9" * 5000 + "}", Mistake.FORM, "f: not JSON: Exceeds the limit"),
        (_changed(bus=[]), Mistake.FORM, "f: expected at least one node, found none"),
        (_changed(bus={"a": 1}), Mistake.FORM, "f: bus: expected a list, found {'a': 1}"),
        (
            _changed(bus=["P1", "S1", "U1", "P1"]),
            Mistake.DUPLICATE,
            "f: bus[3]: node P1: is there twice, first in bus[0]",
        ),
        (
            _changed(bus=["P1", "S1", "U1", 1.5]),
            Mistake.FORM,
            "f: bus[3]: id: expected a name or a whole number, found 1.5",
        ),
        (_changed(bus=["P1", "S1", "U1", "#"]), Mistake.NAME, "f: bus[3]: node #: id '#': expected 1 to 64 letters"),
        (
            _changed(branch=[["L", "P1", "X", 1, -1]]),
            Mistake.UNKNOWN_NODE,
            "f: branch[0]: branch L: there is no node X",
        ),
        (
            _changed(branch=[["L", "P1", "P1", 1, -1]]),
            Mistake.ONE_ENDED,
            "f: branch[0]: branch L: both ends are node P1",
        ),
        (
            _changed(branch=[["L", "P1", "S1", 1, -1], ["L", "S1", "U1", 1, -1]]),
            Mistake.DUPLICATE,
            "f: branch[1]: branch L: is there twice, first in branch[0]",
        ),
        (
            _changed(branch=[["L", "P1", "S1", 1]]),
            Mistake.FORM,
            "f: branch[0]: expected a list of 5 values (id, from_bus",
        ),
        (
            _changed(branch=[["L", "P1", "S1", float("nan"), -1]]),
            Mistake.NUMBER,
            "f: branch[0]: branch L: p_from_mw: expected a finite number of MW, found nan",
        ),
        (
            _changed(branch=[["L", "P1", "S1", "1", -1]]),
            Mistake.NUMBER,
            "f: branch[0]: p_from_mw: expected a number, found '1'",
        ),
        (
            _changed(gen=[["G", "P1", 1, 875]]),
            Mistake.FACTOR,
            "f: gen[0]: generator G: factor: expected 0 to 10 kgCO2/kWh",
        ),
        (_changed(gen=[["G", "P1", 1, -0.1]]), Mistake.FACTOR, "f: gen[0]: generator G: factor: expected 0 to 10"),
        (
            _changed(gen=[["G", "P1", float("inf"), 0]]),
            Mistake.NUMBER,
            "f: gen[0]: generator G: p_mw: expected a finite",
        ),
        (
            _changed(gen=[["G", "P1", 1, -3]], gen_columns=["id", "bus", "p_mw", "emission_t_per_h"]),
            Mistake.EMISSION,
            "f: gen[0]: generator G: emission_t_per_h: expected 0 to 1e+09 t/h, found -3.0",
        ),
        (_changed(gen=[["G", "P1", 10**400, 0]]), Mistake.NUMBER, "f: gen[0]: p_mw: expected a number in range"),
        (
            _changed(load_columns=["id", "bus", "MW"]),
            Mistake.FORM,
            "f: load_columns: expected id, bus, p_mw, and maybe factor",
        ),
        (_changed(load_columns=[1]), Mistake.FORM, "f: load_columns: expected a list of headings, found [1]"),
        (_changed(units={"power": "kW"}), Mistake.FORM, "f: units.power: expected MW, found 'kW'"),
        (_changed(units={"factor": "gCO2/kWh"}), Mistake.FORM, "f: units.factor: expected kgCO2/kWh, found 'gCO2/kWh'"),
        (_changed(hours=0), Mistake.NUMBER, "f: hours: expected more than 0 and at most 24 hours, found 0"),
        (_changed(node=[["X", None, None, None]]), Mistake.UNKNOWN_NODE, "f: node[0]: node 'X' is not in `bus`"),
        (
            _changed(node=[["P1", "mill", None, None]]),
            Mistake.FORM,
            "f: node[0]: kind: expected one of plant, substation",
        ),
    ],
)
def test_a_mistake_has_its_file_and_key(text: str, mistake: Mistake, message: str) -> None:
    found = problems(parse, text, "f")
    assert mistake in {problem.mistake for problem in found}
    assert any(str(problem).startswith(message) for problem in found), [str(problem) for problem in found]


def test_all_mistakes_are_told_at_once() -> None:
    text = _changed(branch=[["L", "P1", "X", 1, -1], ["M", "Y", "S1", 1, None]], gen=[["G", "Z", 1, 99]])
    assert said(parse, text, "f") == [
        "f: gen[0]: generator G: factor: expected 0 to 10 kgCO2/kWh, found 99.0 (is it in g/kWh?)",
        "f: branch[0]: branch L: there is no node X",
        "f: branch[1]: branch M: there is no node Y",
        "f: gen[0]: generator G: there is no node Z",
    ]


def test_the_limit_of_factors_can_be_set() -> None:
    text = _changed(gen=[["G", "P1", 1, 12]])
    assert parse(text, "f", max_factor=20).snapshot.generators["G"].factor == 12
    assert said(parse, text, "f")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path: path.write_bytes(b'{"bus": ["\xff"]}'), "UTF-8 text"),
        (lambda path: path.mkdir(), "can't be read"),
        (lambda path: None, "can't be read: No such file"),
    ],
)
def test_a_file_that_can_not_be_read_is_told(tmp_path: Path, make: Callable[[Path], object], message: str) -> None:
    path = tmp_path / "net.json"
    make(path)
    (text,) = said(read, path)
    assert text.startswith(f"{path}: ")
    assert message in text
