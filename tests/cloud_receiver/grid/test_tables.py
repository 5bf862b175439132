"""CSV tables: what they say, and every mistake with its file and line."""

from pathlib import Path

import pytest
from grid_support import BRANCHES, GENERATORS, LOADS, NODES, TABLES, problems, said

from cloud_receiver.grid.model import Branch, BranchKind, Generator, Load, Node, NodeKind
from cloud_receiver.grid.snapshot import Charge, Demand, EndPowers, EndRegisters, Generation
from cloud_receiver.grid.tables import parse, read
from cloud_receiver.mistakes import Mistake


def test_tables_are_a_network(tmp_path: Path) -> None:
    for name, text in TABLES.items():
        # As a spreadsheet writes it: a byte order mark, and lines that end with two characters.
        (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    network = read(tmp_path)
    assert network.grid.nodes == (
        Node("P1", NodeKind.PLANT, "华能一厂"),
        Node("S1"),
        Node("U1", NodeKind.LOAD, "充电园区"),
    )
    assert network.grid.branches == (Branch("L1", "P1", "S1"), Branch("L2", "S1", "U1"))
    assert network.grid.generators == (Generator("G1", "P1"), Generator("PV", "U1"))
    assert network.grid.loads == (Load("town", "S1"), Load("park", "U1", "ST1"))
    assert network.snapshot.flows == {"L1": EndPowers(100, -98), "L2": EndPowers(38, -37)}
    assert network.snapshot.generators == {"G1": Generation(100, None, 80), "PV": Generation(13, 0)}
    assert network.snapshot.loads == {"town": Demand(60), "park": Demand(50)}
    assert network.name == tmp_path.name


def test_optional_headings_and_the_table_of_storages() -> None:
    network = parse(
        {
            "nodes.csv": "name, id ,aliases\n\n, a ,a2 a3\n,b,\n",
            "branches.csv": "to_node,from_node,id,kind,open,p_from_in_mw,p_from_out_mw,p_to_in_mw,p_to_out_mw\n"
            'b,a,"母联, 1",tie,No,4,1,1,4\nb,a,2,,YES,,,,\n',
            "storages.csv": "id,node,charge_mw,discharge_mw,charge_efficiency,stored_mw_h\nB,b,1,0,0.9,5\nC,b,,0,,\n",
        }
    )
    assert network.grid.nodes[0] == Node("a", aliases=("a2", "a3"))
    assert network.grid.branches[0] == Branch("母联, 1", "a", "b", BranchKind.TIE)
    assert network.snapshot.flows == {"母联, 1": EndRegisters(4, 1, 1, 4), "2": EndPowers(None, None)}
    assert network.snapshot.open_branches == {"2"}
    assert network.snapshot.storages == {"B": Charge(1, 0, 0.9, 1, 5), "C": Charge(None, 0)}


@pytest.mark.parametrize(
    ("name", "text", "mistake", "message"),
    [
        (
            "nodes.csv",
            NODES + "P1,,\n",
            Mistake.DUPLICATE,
            "d: nodes.csv line 5: node P1: is there twice, first in nodes.csv line 2",
        ),
        ("nodes.csv", NODES + "a b,,\n", Mistake.NAME, "d: nodes.csv line 5: node a b: id 'a b': expected 1 to 64"),
        (
            "nodes.csv",
            NODES + "X,mill,\n",
            Mistake.FORM,
            "d: nodes.csv line 5: kind: expected one of plant, substation",
        ),
        ("nodes.csv", "", Mistake.FORM, "d: nodes.csv: expected a line of headings, found none"),
        (
            "nodes.csv",
            "name\nx\n",
            Mistake.FORM,
            "d: nodes.csv line 1: expected id, and maybe kind, name, aliases; found no",
        ),
        (
            "nodes.csv",
            "id,id\nx,y\n",
            Mistake.FORM,
            "d: nodes.csv line 1: expected id, and maybe kind, name, aliases; found heading id twice",
        ),
        (
            "branches.csv",
            BRANCHES + "L3,P1,X,1,-1\n",
            Mistake.UNKNOWN_NODE,
            "d: branches.csv line 4: branch L3: there is no node X",
        ),
        (
            "branches.csv",
            BRANCHES + "L1,P1,U1,1,-1\n",
            Mistake.DUPLICATE,
            "d: branches.csv line 4: branch L1: is there twice, first in branches.csv line 2",
        ),
        (
            "branches.csv",
            BRANCHES + "L3,U1,U1,1,-1\n",
            Mistake.ONE_ENDED,
            "d: branches.csv line 4: branch L3: both ends are node U1",
        ),
        (
            "branches.csv",
            BRANCHES + "L3,P1,U1,nan,-1\n",
            Mistake.NUMBER,
            "d: branches.csv line 4: branch L3: p_from_mw: expected a finite number of MW, found nan",
        ),
        (
            "branches.csv",
            BRANCHES + "L3,P1,U1,1_0,-1\n",
            Mistake.NUMBER,
            "d: branches.csv line 4: p_from_mw: expected a number, found '1_0'",
        ),
        ("branches.csv", BRANCHES + "L3,P1,U1,1\n", Mistake.FORM, "d: branches.csv line 4: expected 5 cells, found 4"),
        (
            "branches.csv",
            BRANCHES + 'L3,"P1,U1,1\n',
            Mistake.FORM,
            "d: branches.csv line 4: not CSV: unexpected end of data",
        ),
        (
            "branches.csv",
            BRANCHES.replace("p_to_mw", "p_two"),
            Mistake.FORM,
            "d: branches.csv line 1: expected id, from_node, to_node, and maybe",
        ),
        (
            "generators.csv",
            GENERATORS + "G2,P1,5,875,\n",
            Mistake.FACTOR,
            "d: generators.csv line 4: generator G2: factor: expected 0 to 10 kgCO2/kWh, found 875.0 (is",
        ),
        (
            "generators.csv",
            GENERATORS + "G2,P1,5,,-1\n",
            Mistake.EMISSION,
            "d: generators.csv line 4: generator G2: emission_t_per_h: expected 0 to",
        ),
        (
            "generators.csv",
            GENERATORS + "G2,P1,5,0.1,1\n",
            Mistake.FORM,
            "d: generators.csv line 4: generator G2: emission_t_per_h: expected a factor or",
        ),
        (
            "generators.csv",
            GENERATORS + "G2,X,5,,\n",
            Mistake.UNKNOWN_NODE,
            "d: generators.csv line 4: generator G2: there is no node X",
        ),
        (
            "loads.csv",
            LOADS + "x,S1,1e10,\n",
            Mistake.NUMBER,
            "d: loads.csv line 4: load x: p_mw: expected -1e+09 to 1e+09 MW",
        ),
        (
            "loads.csv",
            LOADS + '"x\ny",S1,1,\nz,Q,1,\n',
            Mistake.NAME,
            r"d: loads.csv line 4: load 'x\ny': id 'x\ny': expected 1 to 64",
        ),
        (
            "loads.csv",
            LOADS + '"x\ny",S1,1,\nz,Q,1,\n',
            Mistake.UNKNOWN_NODE,
            "d: loads.csv line 6: load z: there is no node Q",
        ),
        (
            "storages.csv",
            "id,node,charge_mw,discharge_mw\nB,U1,-1,0\n",
            Mistake.NUMBER,
            "d: storages.csv line 2: storage B: charge_mw: expected 0 to",
        ),
    ],
)
def test_a_mistake_has_its_file_and_line(name: str, text: str, mistake: Mistake, message: str) -> None:
    found = problems(parse, {**TABLES, name: text}, "d")
    assert mistake in {problem.mistake for problem in found}
    assert any(str(problem).startswith(message) for problem in found), [str(problem) for problem in found]


def test_all_mistakes_of_all_tables_are_told_at_once() -> None:
    tables = {**TABLES, "branches.csv": BRANCHES + "L3,P1,X,inf,-1\n", "loads.csv": LOADS + "town,S1,x,\n"}
    assert said(parse, tables, "d") == [
        "d: branches.csv line 4: branch L3: p_from_mw: expected a finite number of MW, found inf",
        "d: loads.csv line 4: p_mw: expected a number, found 'x'",
        "d: loads.csv line 4: load town: is there twice, first in loads.csv line 2",
        "d: branches.csv line 4: branch L3: there is no node X",
    ]


def test_without_a_table_of_nodes_there_is_no_network(tmp_path: Path) -> None:
    (text,) = said(read, tmp_path)
    assert text == f"{tmp_path / 'nodes.csv'}: can't be read: No such file or directory"
    assert said(parse, {}, "d")[0] == "d: nodes.csv: expected the table of nodes, found none"
