"""The Python face of reconciliation: a slot that does not balance becomes one that does, and says what it cost."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diantan_core import CarbonFlowError, CarbonGrid, CarbonReconciliation, CarbonSlot, CoreError

GRID = CarbonGrid(
    nodes=["a", "b", "c"],
    branches=[("ab", "a", "b"), ("bc", "b", "c"), ("ac", "a", "c")],
    sources=[("G", "a")],
    loads=[("L1", "b"), ("L2", "c")],
)
EXACT: dict[str, Any] = {
    "flows": [(50.0, -49.0), (9.0, -8.5), (50.0, -48.5)],
    "sources": [(100.0, 0.8)],
    "loads": [40.0, 57.0],
}
LOSSES = [(1.0, 0.1), (0.5, 0.1), (1.5, 0.1)]


def _reconcile(changes: dict[str, Any] | None = None, **options: Any) -> CarbonReconciliation:
    values: dict[str, Any] = {
        "flow_sigmas": [(0.5, 0.5)] * 3,
        "source_sigmas": [0.5],
        "load_sigmas": [0.5, 0.5],
        "losses": LOSSES,
    }
    return GRID.reconcile(CarbonSlot(**(EXACT | (changes or {}))), **(values | options))


def test_a_slot_that_balances_is_not_changed() -> None:
    done = _reconcile()
    for corrected, flow in zip(done.slot.flows, EXACT["flows"], strict=True):
        assert corrected == pytest.approx(flow)
    assert done.flow_corrections == [pytest.approx((0.0, 0.0), abs=1e-12)] * 3
    assert (done.chi_square, done.probability) == pytest.approx((0.0, 1.0), abs=1e-12)
    assert (done.findings, done.ambiguous, done.held) == ([], False, [])
    assert done.degrees_of_freedom == 6


def test_noise_is_spread_and_the_corrected_slot_balances() -> None:
    done = _reconcile({"flows": [(50.4, -49.2), (9.3, -8.5), (49.8, -48.1)], "sources": [(100.6, 0.8)]})
    assert done.imbalances_before_megawatts == pytest.approx([0.4, -0.1, -0.4])
    assert done.imbalances_after_megawatts == pytest.approx([0.0, 0.0, 0.0], abs=1e-12)
    assert done.findings == []
    assert 0.0 < done.chi_square < 10.0
    assert max(residual or 0.0 for pair in done.flow_residuals for residual in pair) < 3.0
    flow = GRID.solve(done.slot)
    assert flow.imbalances_megawatts == pytest.approx([0.0, 0.0, 0.0], abs=1e-12)
    assert flow.balance["imbalance"] == pytest.approx(0.0, abs=1e-12)
    assert flow.factors == pytest.approx([0.8] * 3)


def test_a_bad_reading_is_named_and_left_out() -> None:
    done = _reconcile({"flows": [(50.0, -49.0), (-9.0, -8.5), (50.0, -48.5)]})
    ((element, name, which, measured, corrected, residual, left_out),) = done.findings
    assert (element, name, which, measured, left_out) == ("branch", "bc", "from", -9.0, True)
    assert corrected > -9.0
    assert residual > 3.0
    assert done.flows[1] == pytest.approx((9.0, -8.5), abs=1e-3)
    told = _reconcile({"flows": [(50.0, -49.0), (-9.0, -8.5), (50.0, -48.5)]}, max_bad_readings=0)
    assert not told.findings[0][-1]


def test_a_missing_reading_comes_from_the_others() -> None:
    done = _reconcile({"loads": [None, 57.0]})
    assert done.loads[0] == pytest.approx(40.0, abs=1e-3)
    assert GRID.solve(done.slot).faults == []


def test_registers_and_storages_take_the_correction_of_their_net_value() -> None:
    grid = CarbonGrid(
        nodes=["a", "b"], branches=[("ab", "a", "b")], sources=[("G", "a")], loads=[("L", "b")], storages=[("S", "b")]
    )
    slot = CarbonSlot(
        flows=[(12.0, 2.0, 2.0, 12.0)],
        sources=[(10.0, 0.5)],
        loads=[6.0],
        storages=[(3.0, 0.0, 0.9, 0.9, 0.0, 0.0, 0.0)],
    )
    done = grid.reconcile(slot, flow_sigmas=[(0.0, 0.0)], source_sigmas=[0.0], load_sigmas=[0.0], storage_sigmas=[1.0])
    assert done.storages == pytest.approx([4.0])
    assert done.slot.flows == [(12.0, 2.0, 2.0, 12.0)]
    assert grid.solve(done.slot).imbalances_megawatts == pytest.approx([0.0, 0.0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"flow_sigmas": [(1.0, 1.0)]}, "1 flow_sigmas: the slot has 3"),
        ({"source_sigmas": []}, "0 source_sigmas: the slot has 1"),
        ({"losses": [None]}, "1 losses: the slot has 3"),
        ({"load_sigmas": [0.5, -1.0]}, "standard deviation -1 MW of load number 1"),
        ({"load_sigmas": [0.5, math.nan]}, "standard deviation NaN MW of load number 1"),
        ({"max_normalised_residual": 0.0}, "max_normalised_residual 0: expected"),
    ],
)
def test_nonsense_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(CarbonFlowError, match=message):
        _reconcile(**options)


ANY = st.one_of(st.none(), st.floats(), st.sampled_from([0.0, 1e9, 1e308, math.inf, 10**400, 5e-324]))
SIGMA = st.one_of(st.floats(0.0, 1e9), st.sampled_from([0.0, 1e-300, 1e9]), ANY)


@given(data=st.data())
def test_hostile_readings_get_a_balance_or_a_typed_refusal(data: st.DataObject) -> None:
    def draw(strategy: Any, count: int) -> list[Any]:
        drawn: list[Any] = data.draw(st.lists(strategy, min_size=count, max_size=count))
        return drawn

    slot = CarbonSlot(
        flows=draw(st.tuples(ANY, ANY), 3), sources=draw(st.tuples(ANY, st.just(0.8)), 1), loads=draw(ANY, 2)
    )
    try:
        done = GRID.reconcile(
            slot,
            flow_sigmas=draw(st.tuples(SIGMA, SIGMA), 3),
            source_sigmas=draw(SIGMA, 1),
            load_sigmas=draw(SIGMA, 2),
            losses=draw(st.one_of(st.none(), st.tuples(ANY, SIGMA)), 3),
        )
    except CoreError:
        return
    assert all(math.isfinite(value) for pair in done.flows for value in pair)
    assert all(math.isfinite(value) for value in [*done.sources, *done.loads, *done.imbalances_after_megawatts])
    assert 0.0 <= done.probability <= 1.0
    GRID.solve(done.slot)
