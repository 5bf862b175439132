"""The Python face of carbon flow: what it takes, what it says, and what hostile input gets for an answer."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diantan_core import CarbonFlowError, CarbonGrid, CarbonSlot, CoreError, QuantityError

GRID = CarbonGrid(
    nodes=["plant", "substation", "load"],
    branches=[("line 1", "plant", "substation"), ("line 2", "substation", "load")],
    sources=[("G1", "plant"), ("PV", "load")],
    loads=[("town", "substation"), ("park", "load")],
)


def _slot(**changes: Any) -> CarbonSlot:
    values: dict[str, Any] = {
        "flows": [(100.0, -98.0), (38.0, -37.0)],
        "sources": [(100.0, 0.8), (13.0, 0.0)],
        "loads": [60.0, 50.0],
    }
    return CarbonSlot(**(values | changes))


def test_a_solution_says_all_of_it() -> None:
    flow = GRID.solve(_slot())
    mixed = 37 * 0.8 / 50
    assert flow.factors == pytest.approx([0.8, 0.8, mixed])
    assert flow.factors_mg_per_kwh == [800_000, 800_000, 592_000]
    assert flow.qualities == ["defined"] * 3
    assert flow.flux_megawatts == [100.0, 98.0, 50.0]
    assert flow.unknown_shares == [0.0, 0.0, 0.0]
    assert flow.imbalances_megawatts == pytest.approx([0.0, 0.0, 0.0])
    assert flow.branches == [pytest.approx((78.4, 0.0, 1.6)), pytest.approx((29.6, 0.0, 0.8))]
    assert flow.sources == pytest.approx([80.0, 0.0])
    assert flow.loads == pytest.approx([48.0, 29.6])
    assert flow.balance["sources"] == pytest.approx(80.0)
    assert flow.balance["losses"] == pytest.approx(2.4)
    assert (flow.faults, flow.storages, flow.tanks) == ([], [], [])
    assert repr(flow) == "<CarbonFlow: 3 of 3 nodes have a factor, 0 faults>"
    assert repr(GRID) == "<CarbonGrid: 3 nodes, 2 branches, 2 sources, 2 loads, 0 storages>"
    assert (GRID.nodes, GRID.branches) == (["plant", "substation", "load"], ["line 1", "line 2"])
    assert (GRID.sources, GRID.loads, GRID.storages) == (["G1", "PV"], ["town", "park"], [])


def test_a_missing_value_is_told_by_its_id_and_costs_its_nodes() -> None:
    flow = GRID.solve(_slot(flows=[(100.0, -98.0), (None, -37.0)]))
    assert flow.factors[0] == pytest.approx(0.8)
    assert flow.qualities == ["defined", "bad_input", "bad_input"]
    assert flow.faults == [("branch", "line 2", "power is no number or out of range")]
    assert flow.branches[1] == (None, None, None)


def test_registers_of_a_flow_that_turned_are_not_netted() -> None:
    turned = GRID.solve(_slot(flows=[(100.0, 0.0, 0.0, 98.0), (40.0, 2.0, 2.0, 39.0)], loads=[60.0, 50.0]))
    assert turned.factors[1] != pytest.approx(0.8)
    assert turned.branches[1][1] == pytest.approx(2 * (turned.factors[2] or math.nan))
    with pytest.raises(TypeError, match="1 with 2 and 1 with 4"):
        _slot(flows=[(100.0, -98.0), (40.0, 2.0, 2.0, 39.0)])


def test_an_emission_stands_for_a_factor() -> None:
    flow = GRID.solve(_slot(sources=[(100.0, None), (13.0, 0.0)], emissions=[80.0, None]))
    assert flow.factors[0] == pytest.approx(0.8)
    with pytest.raises(CarbonFlowError, match="source number 0: expected a factor or an emission"):
        _slot(emissions=[80.0, None])
    with pytest.raises(CarbonFlowError, match="1 emissions for 2 sources"):
        _slot(emissions=[80.0])


def test_a_load_feeds_in_with_its_factor() -> None:
    grid = CarbonGrid(nodes=["a"], branches=[], sources=[("G", "a")], loads=[("L", "a"), ("back", "a")])
    flow = grid.solve(CarbonSlot(flows=[], sources=[(30.0, 0.8)], loads=[40.0, (-10.0, 0.4)]))
    assert flow.factors == pytest.approx([0.7])
    assert flow.loads == pytest.approx([28.0, -4.0])


def test_a_day_carries_tanks_and_slots_are_solved_in_parallel() -> None:
    grid = CarbonGrid(nodes=["a"], branches=[], sources=[("G", "a")], loads=[("L", "a")], storages=[("B", "a")])
    charging = CarbonSlot(
        flows=[], sources=[(50.0, 0.4)], loads=[40.0], storages=[(10.0, 0.0, 0.9, 0.9, 0.0, 0.0, 0.0)]
    )
    *_, last = grid.solve_day([charging] * 4)
    assert last.tanks == [pytest.approx((9.0, 4.0, 0.0))]
    assert last.storages == pytest.approx([4.0])
    slots = [_slot(sources=[(100.0, factor / 100), (13.0, 0.0)]) for factor in range(96)]
    alone = [GRID.solve(slot).factors for slot in slots]
    assert [flow.factors for flow in GRID.solve_slots(slots, threads=3)] == alone
    assert [flow.factors for flow in GRID.solve_slots(slots)] == alone
    assert grid.solve_day([]) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nodes": ["a", "a"]}, "node a is there twice"),
        ({"branches": [("B", "a", "c")]}, "branch B: there is no node c"),
        ({"branches": [("B", "a", "a")]}, "branch B: both ends are node a"),
        ({"branches": [("B", "a", "b"), ("B", "a", "b")]}, "branch B is there twice"),
        ({"sources": [("G", "x")]}, "source G: there is no node x"),
        ({"loads": [("L", "")]}, "load L: there is no node "),
        ({"storages": [("S", "a"), ("S", "b")]}, "storage S is there twice"),
    ],
)
def test_a_grid_that_can_not_be_is_refused(changes: dict[str, Any], message: str) -> None:
    parts: dict[str, Any] = {"nodes": ["a", "b"], "branches": [], "sources": []}
    with pytest.raises(CarbonFlowError, match=f"^{message}$"):
        CarbonGrid(**(parts | changes))


def test_values_that_do_not_fit_are_refused() -> None:
    with pytest.raises(CarbonFlowError, match="1 values for branch elements: the grid has 2"):
        GRID.solve(_slot(flows=[(1.0, -1.0)]))
    with pytest.raises(CarbonFlowError, match="hours 0: expected more than 0"):
        GRID.solve(_slot(hours=0))
    with pytest.raises(CarbonFlowError, match="dead_below_megawatts"):
        GRID.solve(_slot(), dead_below_megawatts=math.nan)
    with pytest.raises(CarbonFlowError, match="max_unknown_share 1: expected"):
        GRID.solve_slots([_slot()], max_unknown_share=1.0)
    for bad in ("100", b"1", object(), [1.0]):
        with pytest.raises(TypeError):
            _slot(sources=[(bad, 0.8), (13.0, 0.0)])


def test_a_factor_beyond_32_bits_is_not_dispatched() -> None:
    grid = CarbonGrid(nodes=["a"], branches=[], sources=[], loads=[("L", "a")], storages=[("B", "a")])
    slot = CarbonSlot(flows=[], sources=[], loads=[1.0], storages=[(0.0, 1.0, 1.0, 1.0, 1.0, 1e5, 0.0)])
    flow = grid.solve(slot)
    assert flow.factors == pytest.approx([1e5])
    with pytest.raises(QuantityError, match="carbon factor"):
        _ = flow.factors_mg_per_kwh


ANY = st.one_of(
    st.none(),
    st.floats(),
    st.integers(),
    st.sampled_from([0.0, -0.0, 1e-7, 1e9, 1e308, -1e308, math.inf, math.nan, 10**400, 5e-324]),
    st.floats(-100, 100),
)
FLOWS = st.one_of(
    st.lists(st.tuples(ANY, ANY), max_size=8),
    st.lists(st.tuples(ANY, ANY, ANY, ANY), max_size=8),
)


@given(data=st.data())
def test_hostile_values_get_factors_within_bounds_or_none(data: st.DataObject) -> None:
    names = [str(node) for node in range(data.draw(st.integers(1, 5)))]
    node = st.sampled_from([*names, "nobody"]) if data.draw(st.booleans()) else st.sampled_from(names)
    flows = data.draw(FLOWS)
    branches = [(str(index), data.draw(node), data.draw(node)) for index in range(len(flows))]
    sources = data.draw(st.lists(st.tuples(node, ANY, ANY), max_size=5))
    loads = data.draw(st.lists(st.tuples(node, ANY, ANY), max_size=5))
    storages = data.draw(st.lists(st.tuples(node, st.tuples(*[ANY] * 7)), max_size=2))
    try:
        grid = CarbonGrid(
            nodes=names,
            branches=branches,
            sources=[(str(index), row[0]) for index, row in enumerate(sources)],
            loads=[(str(index), row[0]) for index, row in enumerate(loads)],
            storages=[(str(index), row[0]) for index, row in enumerate(storages)],
        )
        slot = CarbonSlot(
            flows=flows,
            sources=[(power, factor) for _, power, factor in sources],
            loads=[(power, factor) for _, power, factor in loads],
            storages=[values for _, values in storages],
            hours=data.draw(ANY),  # type: ignore[arg-type]  # hostile on purpose
        )
        flow = grid.solve(slot)
    except CoreError:
        return
    assert len(flow.factors) == len(names)
    for factor, quality in zip(flow.factors, flow.qualities, strict=True):
        assert (factor is None) == (quality != "defined")
        assert factor is None or (math.isfinite(factor) and factor >= 0.0)
    assert all(math.isfinite(value) for value in flow.balance.values())
    assert flow.balance["relative_residual"] < 1e-6
    for tank in flow.tanks:
        assert len(tank) == 3
    assert str(flow.faults)
