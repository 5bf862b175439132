"""`diantan-receiver grid`: tables for people, JSON for programs, and exit status 1 with the reason."""

import json
from pathlib import Path

import pytest
from grid_support import CASE, DOCUMENT, pandapower

from cloud_receiver.cli import main


@pytest.fixture
def network(tmp_path: Path) -> str:
    path = tmp_path / "three.json"
    dead = dict(DOCUMENT) | {"bus": ["P1", "S1", "U1", "X1"], "node": [["P1", "plant", "华能", None]]}
    path.write_text(json.dumps(dead))
    return str(path)


def test_solve_prints_factors_balance_and_flags(network: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grid", "solve", network]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "Network 网络: three (made by hand)"
    assert "node 节点 name 名称 factor 碳因子 kgCO2/kWh through-flow 有功通量 MW remark 备注" in lines
    assert "P1 华能 0.800000 100.000" in lines
    assert "U1 0.592000 50.000" in lines
    assert "X1 undefined 未定义 0.000 no through-flow 无潮流" in lines
    assert "sources 电源 80.000000" in lines
    assert "losses 网损 2.400000" in lines
    assert "negative generation 负出力 0.000000" in lines
    assert lines[-1] == "node X1: island of 1 node has no source, and nothing takes power: no factor"


def test_solve_prints_everything_as_json(network: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grid", "solve", network, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert {node["id"]: node["factor"] for node in document["nodes"]} == {"P1": 0.8, "S1": 0.8, "U1": 0.592, "X1": None}
    assert [node["quality"] for node in document["nodes"]] == ["defined"] * 3 + ["dead"]
    assert document["nodes"][2]["factor_unrounded"] == pytest.approx(0.592, rel=1e-15)
    assert document["balance"]["sources"] == pytest.approx(80)
    assert document["balance"]["loads"] + document["balance"]["losses"] == pytest.approx(80)
    assert document["balance"]["relative_residual"] < 1e-9
    assert document["branches"][0]["carbon_loss"] == pytest.approx(1.6)
    assert document["loads"][1] == {"id": "park", "node": "U1", "carbon": pytest.approx(29.6)}
    assert [(flag["kind"], flag["nodes"]) for flag in document["flags"]] == [("island_without_source", ["X1"])]
    assert document["units"]["factor"] == "kgCO2/kWh"


def test_show_prints_what_was_measured(network: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grid", "show", network]) == 0
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[1] == "4 nodes 节点, 2 branches 支路 (0 open 断开), 2 generators 电源, 2 loads 负荷, 0 storages 储能"
    assert "S1 substation 2 0.000 60.000 0.000" in lines
    assert "losses of branches 支路损耗 3.000" in lines
    assert main(["grid", "show", network, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["sums"] == {
        "generation_mw": 113, "load_mw": 110, "storage_mw": 0, "losses_mw": 3, "imbalance_mw": 0,
    }  # fmt: skip
    assert document["nodes"][0]["generation_mw"] == 100
    assert len(document["topology"]) == 64


def test_factors_of_a_matpower_case_come_from_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "case.m").write_text(CASE)
    (tmp_path / "factors.csv").write_text("generator,factor\ngen1,0.8\ngen2,0\n")
    assert main(["grid", "solve", str(tmp_path / "case.m"), "--factors", str(tmp_path / "factors.csv"), "--json"]) == 0
    nodes = json.loads(capsys.readouterr().out)["nodes"]
    assert [node["factor"] for node in nodes] == [0.8, 0.8, 0.592, None]
    assert [node["name"] for node in nodes] == ["plant 1", "town's [main]", "园区", "off"]


def test_a_limit_of_through_flow_can_be_set(network: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["grid", "solve", network, "--dead-below", "60", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["nodes"][2]["quality"] == "dead"
    for bad in ("0", "-1", "nan", "x"):
        with pytest.raises(SystemExit) as ended:
            main(["grid", "solve", network, "--dead-below", bad])
        assert ended.value.code == 2
    assert "positive number" in capsys.readouterr().err


def test_an_emission_beyond_the_largest_factor_is_flagged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.json"
    columns = ["id", "bus", "p_mw", "emission_t_per_h"]
    path.write_text(json.dumps(dict(DOCUMENT) | {"gen_columns": columns, "gen": [["G1", "P1", 100, 1200]]}))
    assert main(["grid", "solve", str(path)]) == 0
    flag = "generator G1: emission: expected at most 10 kgCO2/kWh of its power, found 12"
    assert flag in [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert main(["grid", "solve", str(path), "--max-factor", "12", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["nodes"][0]["factor"] == 12.0


@pytest.mark.parametrize("verb", ["solve", "show"])
def test_what_is_no_network_is_status_1_with_every_mistake(
    verb: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "net.json"
    path.write_text(json.dumps(dict(DOCUMENT) | {"gen": [["G1", "P1", 100, 800], ["PV", "U9", 1, 0]]}))
    hint = "kgCO2/kWh, found 800.0 (is it in g/kWh?)"
    assert main(["grid", verb, str(path)]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        f"diantan-receiver: {path}: gen[0]: generator G1: factor: expected 0 to 10 {hint}",
        f"{path}: gen[1]: generator PV: there is no node U9",
    ]
    assert main(["grid", verb, str(path), "--max-factor", "1000"]) == 1
    path.write_text(pandapower(res_bus=None))
    assert main(["grid", verb, str(path)]) == 1
    assert "needs the results of a power flow" in capsys.readouterr().err
    assert main(["grid", verb, str(tmp_path / "nothing.json")]) == 1
