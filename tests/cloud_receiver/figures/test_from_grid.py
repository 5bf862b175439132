"""The picture of what was solved, and the option of the command line."""

from pathlib import Path

import pytest
from figure_support import marks, png_size, texts

from cloud_receiver.cli import main
from cloud_receiver.figures.from_grid import network_picture
from cloud_receiver.figures.network import PictureBranch, Shape, render
from cloud_receiver.figures.style import Form
from cloud_receiver.grid import files
from cloud_receiver.grid.model import Branch, Generator, Grid, Load, Node, NodeKind
from cloud_receiver.grid.snapshot import Demand, EndPowers, EndRegisters, Flow, Generation, Network, Snapshot
from cloud_receiver.grid.solving import Solved, solve

CASES = "data/carbon_flow_reference"


def solved(*, told: bool = False, start_ms: int | None = None) -> Solved:
    """Return a plant that feeds a town, three more branches between them, and a node that nothing reaches."""
    kinds = (NodeKind.PLANT, NodeKind.LOAD) if told else (NodeKind.SUBSTATION,) * 2
    nodes = (Node("P", kinds[0], "华能"), Node("T", kinds[1]), Node("S"), Node("X"))
    branches = (*(Branch(f"L{number}", "P", "T") for number in range(4)), Branch("L4", "T", "S"))
    grid = Grid(nodes, branches, (Generator("G", "P"),), (Load("town", "T"),))
    flows: dict[str, Flow] = {
        "L0": EndPowers(100.0, -98.0),
        "L1": EndPowers(-9.0, 10.0),
        "L2": EndPowers(0.2, 0.1),
        "L3": EndRegisters(5.0, 0.0, 0.0, 4.0),
    }
    snapshot = Snapshot(
        flows, {"G": Generation(96.2, 0.8)}, {"town": Demand(91.9)}, open_branches=frozenset({"L4"}), start_ms=start_ms
    )
    return solve(Network(grid, snapshot, "two"))


def test_branches_have_what_is_sent_and_its_direction() -> None:
    picture = network_picture(solved())
    assert list(picture.branches) == [
        PictureBranch("P", "T", 100.0, 2.0),
        PictureBranch("P", "T", -10.0, 1.0),
        PictureBranch("P", "T", 0.0, pytest.approx(0.3)),
        PictureBranch("P", "T", 5.0, 1.0),
        PictureBranch("T", "S", 0.0, 0.0, open=True),
    ]
    assert [(node.id, node.factor, node.quality, node.name) for node in picture.nodes[:2]] == [
        ("P", pytest.approx(0.8), "defined", "华能"),
        ("T", pytest.approx(0.8), "defined", ""),
    ]
    assert (picture.nodes[3].factor, picture.nodes[3].quality) == (None, "dead")


def test_kinds_that_no_file_told_are_those_of_the_elements() -> None:
    assert [node.kind for node in network_picture(solved()).nodes] == [
        Shape.PLANT, Shape.LOAD, Shape.SUBSTATION, Shape.SUBSTATION,
    ]  # fmt: skip
    told = network_picture(solved(told=True))
    assert [node.kind for node in told.nodes][:3] == [Shape.PLANT, Shape.LOAD, Shape.SUBSTATION]


def test_the_balance_closes_in_the_head() -> None:
    balance = network_picture(solved()).balance
    assert balance is not None
    assert balance.sources == pytest.approx(96.2 * 0.8)
    assert balance.sources == pytest.approx(balance.loads + balance.losses + balance.other)


def test_time_and_solve_id_are_the_slots_or_the_callers() -> None:
    assert network_picture(solved()).time == ""
    assert network_picture(solved(start_ms=1_782_835_200_000)).time == "2026-06-30 16:00 UTC"
    picture = network_picture(solved(start_ms=0), time="08:15", solve_id="a1")
    assert (picture.time, picture.solve_id) == ("08:15", "a1")


@pytest.mark.shared
@pytest.mark.parametrize(("case", "nodes"), [("case14_ac", 14), ("case118_ac", 118), ("case1354pegase_ac", 1354)])
def test_the_reference_networks_are_drawn(case: str, nodes: int, shared_data: Path) -> None:
    result = solve(files.read(shared_data / CASES / f"{case}.json"))
    content = render(network_picture(result), Form.SVG)
    fills = marks(content)
    assert len(fills) == nodes
    dead = sum(factor is None for factor in result.flow.factors)
    assert len([fill for fill in fills if fill.startswith("url(#")]) == dead
    if nodes <= 200:
        assert {node.id for node in result.network.grid.nodes} <= set(texts(content))


@pytest.fixture
def network(tmp_path: Path) -> Path:
    (tmp_path / "nodes.csv").write_text("id,kind,name\nP1,plant,华能一厂\nU1,load,充电园区\n")
    (tmp_path / "branches.csv").write_text("id,from_node,to_node,p_from_mw,p_to_mw\nL1,P1,U1,100,-98\n")
    (tmp_path / "generators.csv").write_text("id,node,p_mw,factor\nG1,P1,100,0.8\n")
    (tmp_path / "loads.csv").write_text("id,node,p_mw\npark,U1,98\n")
    return tmp_path


def test_grid_solve_draws_a_figure(network: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grid", "solve", str(network), "--figure", str(network / "net.svg")]) == 0
    assert "0.800000" in capsys.readouterr().out
    assert {"P1 华能一厂", "U1 充电园区"} <= set(texts((network / "net.svg").read_bytes()))
    assert main(["grid", "solve", str(network), "--figure", str(network / "net.png"), "--json"]) == 0
    assert min(png_size((network / "net.png").read_bytes())) > 500


def test_a_figure_that_can_not_be_had_is_status_1_and_nothing_is_printed(
    network: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, said in (("net.pdf", "expected a name that ends in .png or .svg"), ("no/net.svg", "No such file")):
        assert main(["grid", "solve", str(network), "--figure", str(network / name)]) == 1
        out, err = capsys.readouterr()
        assert out == ""
        assert said in err


def test_on_a_terminal_it_is_told_that_a_figure_is_drawn(
    network: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert main(["grid", "solve", str(network), "--figure", str(network / "net.svg")]) == 0
    shown, told = capsys.readouterr()
    assert told.split("\r")[1] == "drawing 2 nodes"
    assert told.endswith("\r"), "it is taken back"
    assert "drawing" not in shown
