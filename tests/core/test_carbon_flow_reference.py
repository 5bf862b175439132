"""Carbon flow beside published and computed cases: the shared data, of two independent solvers."""

import json
from pathlib import Path
from typing import Any

import pytest

from diantan_core import CarbonFlow, CarbonGrid, CarbonSlot

pytestmark = pytest.mark.shared

NETWORKS = ["case14_dc", "case14_ac", "case30_ac", "case39_ac", "case118_dc", "case118_ac", "case1354pegase_ac"]

# facts/carbon-flow.md section 3: in, load, loss, negative generation, in t/h to the digits that are printed there.
BALANCES = {
    "case14_ac": (224.3441, 213.0297, 11.3144, 0.0),
    "case30_ac": (101.1045, 99.8596, 1.2449, 0.0),
    "case39_ac": (2347.3772, 2329.6957, 17.6816, 0.0),
    "case118_dc": (1752.925, 1752.925, 0.0, 0.0),
    "case118_ac": (1869.4485, 1817.3235, 52.1250, 0.0),
    "case1354pegase_ac": (33463.893, 29626.732, 689.893, 3147.268),
}
UNIT_OF_LAST_DIGIT = {"case1354pegase_ac": 1e-3}


def solve(
    nodes: list[Any],
    branches: list[tuple[Any, Any, float, float]],
    sources: list[tuple[Any, float, float]],
    loads: list[tuple[Any, float]],
) -> CarbonFlow:
    """Solve a network given as rows: branches (from, to, power at both ends), sources, loads."""
    grid = CarbonGrid(
        nodes=[str(node) for node in nodes],
        branches=[(str(index), str(row[0]), str(row[1])) for index, row in enumerate(branches)],
        sources=[(str(index), str(row[0])) for index, row in enumerate(sources)],
        loads=[(str(index), str(row[0])) for index, row in enumerate(loads)],
    )
    slot = CarbonSlot(
        flows=[(row[2], row[3]) for row in branches],
        sources=[(row[1], row[2]) for row in sources],
        loads=[row[1] for row in loads],
    )
    return grid.solve(slot)


def _network(shared_data: Path, name: str) -> tuple[dict[str, Any], CarbonFlow]:
    path = shared_data / "data" / "carbon_flow_reference" / f"{name}.json"
    network = json.loads(path.read_text())
    flow = solve(
        network["bus"],
        [tuple(row[1:]) for row in network["branch"]],
        [tuple(row[1:]) for row in network["gen"]],
        [tuple(row[1:]) for row in network["load"]],
    )
    return network, flow


@pytest.mark.parametrize("name", NETWORKS)
def test_factors_are_those_of_the_reference(shared_data: Path, name: str) -> None:
    network, flow = _network(shared_data, name)
    expected = network["result_loss_borne_by_branch"]["intensity"]
    compared = 0
    for node, (ours, theirs, flux) in enumerate(zip(flow.factors, expected, network["nodal_flux_mw"], strict=True)):
        if flux < 1e-6:
            assert ours is None, node
            assert flow.qualities[node] == "dead", node
        elif flux >= 1e-3:
            assert ours is not None, node
            assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-12), node
            compared += 1
    assert compared > 0.8 * len(expected)
    assert flow.faults == []


@pytest.mark.parametrize("name", NETWORKS)
def test_carbon_that_comes_in_goes_out(shared_data: Path, name: str) -> None:
    network, flow = _network(shared_data, name)
    balance = flow.balance
    out = balance["loads"] + balance["losses"] + balance["negative_sources"] + balance["storages"]
    assert out == pytest.approx(balance["sources"], rel=1e-9)
    assert balance["relative_residual"] < 1e-13
    expected = network["result_loss_borne_by_branch"]
    # The reference leaves out the losses of arcs that end at dead nodes: they are its own imbalance.
    tolerance = 1e-6 + abs(expected["imbalance"])
    for ours, theirs in [
        ("sources", "total_in_t_per_h"),
        ("loads", "load_t_per_h"),
        ("losses", "loss_t_per_h"),
        ("negative_sources", "neg_gen_t_per_h"),
    ]:
        assert balance[ours] == pytest.approx(expected[theirs], rel=1e-9, abs=tolerance), ours
    assert sum(load or 0.0 for load in flow.loads) == pytest.approx(balance["loads"], rel=1e-12)
    losses = sum(branch[2] or 0.0 for branch in flow.branches)
    assert losses == pytest.approx(balance["losses"], rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", BALANCES)
def test_the_balance_is_the_printed_one(shared_data: Path, name: str) -> None:
    _, flow = _network(shared_data, name)
    printed = zip(("sources", "loads", "losses", "negative_sources"), BALANCES[name], strict=True)
    for key, value in printed:
        assert flow.balance[key] == pytest.approx(value, abs=0.51 * UNIT_OF_LAST_DIGIT.get(name, 1e-4)), key


def _cases(shared_data: Path) -> dict[str, dict[str, Any]]:
    cases = json.loads((shared_data / "data" / "carbon_flow_cases.json").read_text())["cases"]
    return {case["id"]: case for case in cases}


def test_ieee14_is_the_published_one(shared_data: Path) -> None:
    case = _cases(shared_data)["ieee14_zhou_kang_2012"]
    inputs, full, tables = case["inputs"], case["full_precision"], case["tables"]
    factors = [factor / 1000 for factor in inputs["factor_gCO2_per_kWh"]]
    flow = solve(
        list(range(1, 15)),
        [(*ends, power, -power) for ends, power in zip(full["branch"], full["flow_mw"], strict=True)],
        [(*row, factor) for row, factor in zip(inputs["gen"], factors, strict=True)],
        [(node, power) for node, power in enumerate(inputs["load_mw_by_bus"], 1) if power],
    )
    assert flow.factors == pytest.approx(full["intensity"], rel=1e-9, abs=1e-12)
    assert flow.flux_megawatts == pytest.approx(full["flux_mw"], rel=1e-9)
    for (_, flux, factor), ours, through in zip(tables["table2"], flow.factors, flow.flux_megawatts, strict=True):
        assert ours is not None
        assert (1000 * ours, through) == pytest.approx((factor, flux), abs=0.0051)
    for row, rates in zip(tables["table3"], flow.branches, strict=True):
        assert sum(rate or 0.0 for rate in rates) == pytest.approx(row[4], abs=0.0051)
    assert flow.balance["sources"] == pytest.approx(135.88, rel=1e-9)
    assert flow.balance["loads"] == pytest.approx(135.88, rel=1e-9)


def test_bialek_is_the_recalled_one(shared_data: Path) -> None:
    case = _cases(shared_data)["bialek_4bus"]
    inputs, result = case["inputs"], case["result"]
    flow = solve([1, 2, 3, 4], *([tuple(row) for row in inputs[key]] for key in ("branch", "gen", "load")))
    assert flow.factors == pytest.approx(result["loss_borne"], rel=1e-9)
    assert flow.flux_megawatts == pytest.approx(result["flux"], rel=1e-9)
    assert flow.balance["loads"] == pytest.approx(result["load_borne"], rel=1e-9)
    assert flow.balance["losses"] == pytest.approx(result["loss_rate"], rel=1e-9)


def test_reverse_flow_of_a_feeder(shared_data: Path) -> None:
    case = _cases(shared_data)["star3_reverse_flow"]
    inputs, result = case["inputs"], case["result"]
    flow = solve(
        [0, 1, 2],
        [(start, end, power, -power) for start, end, power in inputs["arcs"]],
        [tuple(row) for row in inputs["gen"]],
        [tuple(row) for row in inputs["load"]],
    )
    assert flow.factors == pytest.approx([result["e0"], result["e1"], result["e2"]], rel=1e-9, abs=1e-15)
    assert flow.balance["loads"] == pytest.approx(result["carbon_load"], rel=1e-9)


@pytest.mark.parametrize("name", ["mix2", "dead_bus", "loop3", "both_ends_absorb", "charging_storage"])
def test_constructed_cases(shared_data: Path, name: str) -> None:
    case = _cases(shared_data)[name]
    inputs, result = case["inputs"], case["result"]["bear"]
    flow = solve(
        list(range(1, inputs["buses"] + 1)),
        *([tuple(row) for row in inputs[key]] for key in ("branch", "gen", "load")),
    )
    for ours, theirs in zip(flow.factors, result["intensity"], strict=True):
        assert (ours is None) == (theirs is None)
        assert ours is None or ours == pytest.approx(theirs, rel=1e-9)
    for key, stated in [
        ("sources", "carbon_in"),
        ("loads", "carbon_load"),
        ("negative_sources", "carbon_negative_gen"),
        ("losses", "carbon_loss"),
    ]:
        assert flow.balance[key] == pytest.approx(result[stated], rel=1e-9, abs=1e-12), key
