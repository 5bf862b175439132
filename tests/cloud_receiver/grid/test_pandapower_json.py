"""Networks of pandapower: results, switches, transformers with three windings; what would be lost is told."""

import json
from pathlib import Path
from typing import Any

import pytest
from grid_support import frame, pandapower, problems, said

from cloud_receiver.grid.model import Branch, BranchKind, Generator, Node, NodeKind
from cloud_receiver.grid.pandapower_json import parse, read, star_powers
from cloud_receiver.grid.snapshot import Charge, Demand, EndPowers, Generation
from cloud_receiver.mistakes import Mistake

SWITCH = ["bus", "element", "et", "closed", "z_ohm"]
FLOWS = ["p_from_mw", "p_to_mw"]


def test_a_solved_network_is_taken_with_its_results(tmp_path: Path) -> None:
    path = tmp_path / "net.json"
    path.write_text(pandapower())
    network = read(path)
    assert (network.name, network.source) == ("three", "pandapower 3.5.6")
    # A name longer than names may be is left away: it is only shown.
    assert network.grid.nodes == (Node("0", name="plant"), Node("1"), Node("2"), Node("3"))
    assert network.grid.branches == (
        Branch("line0", "0", "1"),
        Branch("line1", "2", "3"),
        Branch("line2", "2", "3"),
        Branch("trafo0", "1", "2", BranchKind.TRANSFORMER),
    )
    assert network.snapshot.flows == {
        "line0": EndPowers(100, -98),
        "line1": EndPowers(37.5, -37),
        "line2": EndPowers(0, 0),
        "trafo0": EndPowers(38, -37.5),
    }
    assert network.snapshot.open_branches == {"line2"}
    assert network.grid.generators == (Generator("ext_grid0", "0"), Generator("sgen0", "3"))
    assert network.snapshot.generators == {"ext_grid0": Generation(100, 0.8), "sgen0": Generation(13, 0)}
    assert network.snapshot.loads == {"load0": Demand(60), "load1": Demand(50), "load2": Demand(0)}


def _switched(*row: Any, result: list[float | None] | None = None) -> str:
    results = {} if result is None else {"res_switch": frame(FLOWS, {0: result})}
    return pandapower(switch=frame(SWITCH, {0: list(row)}), **results)


def test_busbars_behind_a_closed_switch_are_one_node() -> None:
    network = parse(_switched(0, 1, "b", True, 0.0, result=[None, None]), "f")
    assert network.grid.nodes[0] == Node("0", name="plant", aliases=("1",))
    assert network.grid.node_ids["1"] == "0"
    # The line beside the switch carries nothing between nodes: what it loses is consumed there.
    assert "line0" not in network.snapshot.flows
    assert network.snapshot.loads["line0"] == Demand(2)
    assert network.grid.branches[-1] == Branch("trafo0", "0", "2", BranchKind.TRANSFORMER)
    assert "switch0" not in network.snapshot.flows


def test_a_tie_with_a_flow_is_a_branch_and_an_open_one_is_open() -> None:
    closed = parse(_switched(1, 3, "b", True, 0.0, result=[1.5, -1.5]), "f")
    assert Branch("switch0", "1", "3", BranchKind.TIE) in closed.grid.branches
    assert closed.snapshot.flows["switch0"] == EndPowers(1.5, -1.5)
    opened = parse(_switched(1, 3, "b", False, 0.0, result=[None, None]), "f")
    assert opened.snapshot.open_branches == {"switch0", "line2"}
    assert len(opened.grid.nodes) == 4


def test_a_closed_switch_with_impedance_and_no_flow_is_a_missing_measurement() -> None:
    network = parse(_switched(1, 3, "b", True, 0.1), "f")
    assert network.snapshot.flows["switch0"] == EndPowers(None, None)


@pytest.mark.parametrize(
    ("kind", "element", "branch", "flow"),
    [("l", 0, "line0", EndPowers(100, 0)), ("t", 0, "trafo0", EndPowers(0, -37.5))],
)
def test_no_power_goes_through_an_open_end(kind: str, element: int, branch: str, flow: EndPowers) -> None:
    assert parse(_switched(1, element, kind, False, 0.0), "f").snapshot.flows[branch] == flow
    assert parse(_switched(1, element, kind, True, 0.0), "f") == parse(pandapower(), "f")


def test_three_windings_are_a_star_that_balances() -> None:
    windings = ["hv_bus", "mv_bus", "lv_bus", "in_service"]
    network = parse(
        pandapower(
            trafo=None,
            trafo3w=frame(windings, {0: [1, 2, 3, True], 1: [1, 2, 3, False]}),
            res_trafo3w=frame(["p_hv_mw", "p_mv_mw", "p_lv_mw"], {0: [38.0, -30.0, -7.5], 1: [None, None, None]}),
        ),
        "f",
    )
    assert network.grid.nodes[-2:] == (Node("trafo3w0.star", NodeKind.STAR), Node("trafo3w1.star", NodeKind.STAR))
    assert Branch("trafo3w0.mv", "2", "trafo3w0.star", BranchKind.TRANSFORMER) in network.grid.branches
    assert network.snapshot.flows["trafo3w0.hv"] == EndPowers(38, -37.5)
    assert network.snapshot.flows["trafo3w0.mv"] == EndPowers(-30, 30)
    assert network.snapshot.flows["trafo3w0.lv"] == EndPowers(-7.5, 7.5)
    assert network.snapshot.open_branches == {"line2", "trafo3w1.hv", "trafo3w1.mv", "trafo3w1.lv"}


@pytest.mark.parametrize(
    ("powers", "inner"),
    [
        ([30.0, 10.0, -38.0], [-28.5, -9.5, 38.0]),
        ([0.2, 0.0, 0.1], [0.0, 0.0, 0.0]),
        ([1.0, None, -1.0], [None, None, None]),
        ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
    ],
)
def test_the_loss_of_a_star_is_borne_where_power_comes_in(
    powers: list[float | None], inner: list[float | None]
) -> None:
    assert star_powers(powers) == pytest.approx(inner)


def test_storage_charges_or_discharges() -> None:
    columns = ["bus", "p_mw", "max_e_mwh", "soc_percent", "in_service", "factor_kg_per_kwh"]
    text = pandapower(
        storage=frame(columns, {0: [3, 2.0, 10.0, 50.0, True, 0.3], 1: [3, -1.0, 8.0, 25.0, True, None]}),
        res_storage=frame(["p_mw"], {0: [2.0], 1: [-1.0]}),
    )
    assert parse(text, "f").snapshot.storages == {
        "storage0": Charge(2, 0, stored_megawatt_hours=5, stored_tonnes=1.5),
        "storage1": Charge(0, 1, stored_megawatt_hours=2, unknown_megawatt_hours=2),
    }


def test_what_consumes_under_another_name_is_a_load() -> None:
    tables = {name: frame(["bus", "in_service"], {0: [3, True]}) for name in ("shunt", "ward", "xward", "motor")}
    results = {f"res_{name}": frame(["p_mw"], {0: [number]}) for number, name in enumerate(tables, 1)}
    loads = parse(pandapower(**tables, **results), "f").snapshot.loads
    assert {name: loads[f"{name}0"].megawatts for name in tables} == {"shunt": 1, "ward": 2, "xward": 3, "motor": 4}


def test_a_dead_bus_takes_nothing_and_a_result_that_is_not_there_is_missing() -> None:
    dead = frame(["vm_pu", "va_degree"], {0: [1.0, 0.0], 1: [1.0, 0.0], 2: [1.0, 0.0], 3: [None, None]})
    loads = frame(["p_mw"], {0: [None], 1: [None], 2: [None]})
    network = parse(pandapower(res_bus=dead, res_load=loads), "f")
    assert network.snapshot.loads == {"load0": Demand(None), "load1": Demand(0), "load2": Demand(0)}
    # A bus out of service is dead, whatever the results say of it.
    off = frame(["name", "in_service"], {bus: [None, bus != 3] for bus in range(4)})
    assert parse(pandapower(bus=off, res_load=loads), "f").snapshot.loads["load1"] == Demand(0)
    # A direct-current power flow has angles and no voltages.
    angles = frame(["vm_pu", "va_degree"], {bus: [None, 0.0] for bus in range(4)})
    assert parse(pandapower(res_bus=angles, res_load=loads), "f").snapshot.loads["load1"] == Demand(None)


@pytest.mark.parametrize(
    ("text", "mistake", "message"),
    [
        ('{"_class": "Other"}', Mistake.FORM, "f: expected a pandapower network"),
        ('{"_class": "pandapowerNet", "_object": []}', Mistake.FORM, "f: _object: expected the tables"),
        (
            pandapower(converged=False),
            Mistake.NO_FLOWS,
            "f: its power flow did not converge; run pandapower.runpp(net)",
        ),
        (pandapower(res_bus=None), Mistake.NO_FLOWS, "f: needs the results of a power flow; run pandapower.runpp(net)"),
        (
            pandapower(res_load=frame(["p_mw"], {0: [1.0]})),
            Mistake.NO_FLOWS,
            "f: load[1]: is not in the results (res_load)",
        ),
        (pandapower(res_line=None), Mistake.NO_FLOWS, "f: line[0]: is not in the results (res_line): solve"),
        (
            pandapower(vsc=frame(["bus", "bus_dc"], {0: [1, 2]})),
            Mistake.UNSUPPORTED,
            "f: table 'vsc': 1 elements of a kind",
        ),
        (
            pandapower(load=frame(["bus"], {0: [9]}), res_load=frame(["p_mw"], {0: [1]})),
            Mistake.UNKNOWN_NODE,
            "f: load[0]: load load0: there is no node 9",
        ),
        (
            pandapower(load=frame(["bus"], {0: [1.5]}), res_load=frame(["p_mw"], {0: [1]})),
            Mistake.FORM,
            "f: load[0]: bus: expected the index of a bus, found 1.5",
        ),
        (
            pandapower(res_sgen=frame(["p_mw"], {0: ["13"]})),
            Mistake.NUMBER,
            "f: res_sgen[0]: p_mw: expected a number, found '13'",
        ),
        (
            pandapower(res_sgen=frame(["p_mw"], {0: [float("nan")]})),
            Mistake.NUMBER,
            "f: sgen[0]: generator sgen0: p_mw: expected a finite",
        ),
        (
            pandapower(ext_grid=frame(["bus", "factor_kg_per_kwh"], {0: [0, 800]})),
            Mistake.FACTOR,
            "f: ext_grid[0]: generator ext_grid0: factor: expected 0 to 10",
        ),
        (_switched(1, 3, "x", True, 0.0), Mistake.FORM, "f: switch[0]: et: expected b, l, t or t3, found 'x'"),
        (_switched(1, 3, "b", "yes", 0.0), Mistake.FORM, "f: switch[0]: closed: expected true or false, found 'yes'"),
        (
            pandapower(bus=frame(["name"], {0: [1], 1: [1], 2: [1]})),
            Mistake.UNKNOWN_NODE,
            "f: line[1]: branch line1: there is no node 3",
        ),
        (
            pandapower(load={"_class": "DataFrame", "_object": "{"}),
            Mistake.FORM,
            "f: table 'load', line 1, column 2: not JSON",
        ),
        (
            pandapower(load={"_class": "DataFrame", "_object": {"columns": []}}),
            Mistake.FORM,
            "f: table 'load': expected lists `columns`",
        ),
        (
            pandapower(load={"_class": "DataFrame", "_object": "[]"}),
            Mistake.FORM,
            "f: table 'load': expected a data frame, found []",
        ),
        (
            pandapower(load={"_class": "DataFrame", "orient": "table"}),
            Mistake.FORM,
            "f: table 'load': expected a data frame of orientation",
        ),
        (pandapower(load=frame(["bus", "bus"], {})), Mistake.DUPLICATE, "f: table 'load': a column is there twice"),
        (
            pandapower(load=frame(["bus"], {0: [1, 2]})),
            Mistake.FORM,
            "f: table 'load': expected 1 values in row 0, found [1, 2]",
        ),
        (
            pandapower(load=frame(["bus"], {1: [1], "1": [2]})),
            Mistake.DUPLICATE,
            "f: table 'load': the index '1' is there twice",
        ),
        (
            pandapower(load=frame(["bus"], {0.5: [1]})),
            Mistake.FORM,
            "f: table 'load': expected a whole number or a name as index",
        ),
    ],
)
def test_a_mistake_has_its_table_and_index(text: str, mistake: Mistake, message: str) -> None:
    found = problems(parse, text, "f")
    assert mistake in {problem.mistake for problem in found}
    assert any(str(problem).startswith(message) for problem in found), [str(problem) for problem in found]


def test_rows_and_index_have_to_be_as_many() -> None:
    table = {"_class": "DataFrame", "_object": json.dumps({"columns": ["bus"], "index": [0, 1], "data": [[1]]})}
    assert said(parse, pandapower(load=table), "f") == ["f: table 'load': expected 2 rows, found 1"]
