"""Networks solved: the reference factors, and one wrong element costs the others nothing."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from grid_support import CASE, DOCUMENT, TABLES, pandapower

from cloud_receiver.grid import matpower, pandapower_json, reference, tables
from cloud_receiver.grid.flags import FlagKind
from cloud_receiver.grid.snapshot import Charge, Demand, EndPowers, EndRegisters, Generation, Network
from cloud_receiver.grid.solving import factor_text, solve

NETWORKS = ["case14_dc", "case14_ac", "case30_ac", "case39_ac", "case118_dc", "case118_ac", "case1354pegase_ac"]
THREE = reference.parse(json.dumps(DOCUMENT), "f")
FACTORS = [0.8, 0.8, 37 * 0.8 / 50]


@pytest.mark.shared
@pytest.mark.parametrize("name", NETWORKS)
def test_reference_networks_have_their_factors(shared_data: Path, name: str) -> None:
    path = shared_data / "data" / "carbon_flow_reference" / f"{name}.json"
    document = json.loads(path.read_text())
    solved = solve(reference.read(path))
    expected = document["result_loss_borne_by_branch"]["intensity"]
    for ours, theirs, flux in zip(solved.flow.factors, expected, document["nodal_flux_mw"], strict=True):
        if flux >= 1e-3:
            assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-12)
        elif flux < 1e-6:
            assert ours is None
    assert solved.flags == ()


@pytest.mark.parametrize(
    "network",
    [THREE, tables.parse(TABLES, "f"), pandapower_json.parse(pandapower(), "f")],
    ids=["json", "csv", "pandapower"],
)
def test_every_format_has_the_same_factors(network: Network) -> None:
    solved = solve(network)
    named = dict(zip([node.id for node in network.grid.nodes], solved.flow.factors, strict=True))
    first, second, *_, last = named.values()
    assert [first, second, last] == pytest.approx(FACTORS)
    assert solved.flags == ()
    assert abs(solved.flow.balance["residual"]) < 1e-9


def test_a_matpower_case_needs_factors_and_says_so() -> None:
    network = matpower.parse(CASE, "f")
    unknown = solve(network)
    assert [flag.where for flag in unknown.flags if flag.kind is FlagKind.FAULT] == ["generator gen1", "generator gen2"]
    made = {"gen1": Generation(100, 0.8), "gen2": Generation(13, 0.0), "gen3": Generation(0)}
    known = solve(replace(network, snapshot=replace(network.snapshot, generators=made)))
    assert known.flow.factors == [*map(pytest.approx, FACTORS), None]
    assert [flag.kind for flag in known.flags] == [FlagKind.ISLAND]


def _with(**changes: object) -> Network:
    return replace(THREE, snapshot=replace(THREE.snapshot, **changes))  # type: ignore[arg-type]  # any of them


def test_a_missing_measurement_costs_its_nodes_only() -> None:
    solved = solve(_with(flows={"L1": EndPowers(100, -98)}))
    assert solved.flow.factors == [pytest.approx(0.8), None, None]
    assert ("branch L2", "a power was not measured: its nodes get no factor") in [
        (flag.where, flag.text) for flag in solved.flags
    ]
    assert solve(_with(generators={"G1": Generation(100, 0.8)})).flow.factors[0] == pytest.approx(0.8)
    assert solve(_with(loads={"park": Demand(50)})).flow.factors[0] == pytest.approx(0.8)


def test_an_emission_that_its_power_can_not_have_is_not_taken_and_others_keep_their_factor() -> None:
    made = THREE.snapshot.generators
    beyond = _with(generators={**made, "PV": Generation(13, emission=130.5)})
    solved = solve(beyond)
    text = "emission: expected at most 10 kgCO2/kWh of its power, found 10.0385"
    assert [(flag.where, flag.text) for flag in solved.flags] == [("generator PV", text)]
    assert solved.flow.qualities == ["defined", "defined", "unknown_origin"]
    assert solved.flow.factors == [*map(pytest.approx, FACTORS[:2]), None]
    assert solve(beyond, max_factor=10.1).flow.factors[2] == pytest.approx((37 * 0.8 + 130.5) / 50)
    assert solve(_with(generators={**made, "PV": Generation(13, emission=130)})).flags == ()


def test_an_open_branch_carries_nothing_whatever_was_measured() -> None:
    solved = solve(_with(open_branches=frozenset({"L2"})))
    assert solved.flow.factors == [pytest.approx(0.8), pytest.approx(0.8), 0.0]
    assert {flag.kind for flag in solved.flags} == {FlagKind.OPEN_FLOW, FlagKind.IMBALANCE}


def test_an_island_without_a_source_is_flagged_and_the_others_get_theirs() -> None:
    alone = _with(open_branches=frozenset({"L1"}), generators={"G1": Generation(100, 0.8), "PV": Generation(0, 0.0)})
    solved = solve(alone)
    assert solved.flow.factors[0] == pytest.approx(0.8)
    assert [flag.nodes for flag in solved.flags if flag.kind is FlagKind.ISLAND] == [("S1", "U1")]


def test_one_branch_with_registers_makes_the_others_flows_that_did_not_turn() -> None:
    turned = {"L1": EndPowers(100, -98), "L2": EndRegisters(40, 2, 2, 39)}
    solved = solve(_with(flows=turned))
    third = solved.flow.factors[2]
    assert third is not None
    # 98 MW of 0.8 and 2 MW that come back; 39 MW received of 52 there.
    second = (98 * 0.8 + 2 * third) / 100
    assert solved.flow.factors[1] == pytest.approx(second)
    assert third == pytest.approx(39 * second / 52)
    assert solve(
        _with(flows={"L1": EndRegisters(100, 0, 0, 98), "L2": EndPowers(38, -37)})
    ).flow.factors == pytest.approx(FACTORS)
    gap = solve(_with(flows={"L1": EndPowers(100, -98), "L2": EndRegisters(38, 0, None, 37)}))
    assert gap.flow.qualities == ["defined", "bad_input", "bad_input"]
    net = solve(_with(flows={"L1": EndPowers(100, -98), "L2": EndRegisters(None, None, 0, 37)}))
    assert net.flow.qualities == gap.flow.qualities


def test_an_emission_stands_for_a_factor_and_storage_is_a_tank() -> None:
    document = dict(DOCUMENT) | {"storage": [["B", "U1", 2.0, 0.0, 0.9, 0.9, 0.0, 0.0, 0.0]]}
    network = reference.parse(json.dumps(document), "f")
    made = {"G1": Generation(100, None, 80.0), "PV": Generation(15, 0.0)}
    solved = solve(replace(network, snapshot=replace(network.snapshot, generators=made)))
    factor = 37 * 0.8 / 52
    assert solved.flow.factors[2] == pytest.approx(factor)
    assert solved.flow.storages == [pytest.approx(2 * factor)]
    assert solved.flow.tanks == [pytest.approx((0.45, 0.5 * factor, 0.0))]
    gap = replace(network.snapshot, generators=made, storages={"B": Charge(None, 0.0)})
    assert solve(replace(network, snapshot=gap)).flow.factors == [pytest.approx(0.8), pytest.approx(0.8), None]


def test_an_imbalance_is_flagged_from_one_per_cent_on() -> None:
    small = solve(_with(loads={"town": Demand(60.9), "park": Demand(50)}))
    assert small.flags == ()
    large = solve(_with(loads={"town": Demand(57.0), "park": Demand(50)}))
    assert [(flag.kind, flag.where, flag.text) for flag in large.flags] == [
        (FlagKind.IMBALANCE, "node S1", "3.000 MW more flow in than out, of 98.000 MW")
    ]


@pytest.mark.parametrize(
    ("factor", "text"),
    [(None, None), (0.0, "0.000000"), (0.8023049359, "0.802305"), (0.5, "0.500000"), (4294967.5, "4294967.500000")],
)
def test_a_factor_is_shown_with_six_decimals(factor: float | None, text: str | None) -> None:
    assert factor_text(factor) == text


def test_a_tie_rounds_to_even() -> None:
    # 2**-7 has seven decimals, the last a 5: exactly between two of six.
    assert factor_text(2**-7) == "0.007812"
    assert factor_text(3 * 2**-7) == "0.023438"
