"""One slot: what is estimated, what isn't, and what stands in."""

import math
from array import array
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from grid_service_support import OFFICIAL, SNAPSHOT, STORING, Bench, storing, without
from hypothesis import given
from hypothesis import strategies as st

from cloud_receiver import database
from cloud_receiver.grid.kept import FLOW, SOURCE, TANK, NodeQuality, Powers
from cloud_receiver.grid.service.collect import Collected, Collector, with_tanks
from cloud_receiver.grid.service.fallback import results
from cloud_receiver.grid.service.solve import Solution, _shared, core_slot, solve
from cloud_receiver.grid.service.summary import balance
from cloud_receiver.grid.service.weigh import Sigmas, sigmas
from cloud_receiver.grid.snapshot import EndPowers, Snapshot
from diantan_core import CarbonFlow
from wire.messages import Origin

DAY_MS = 1_782_835_200_000


def collected(bench: Bench, snapshot: Snapshot) -> Collected:
    bench.tell({0: snapshot})
    with database.reading(bench.engine) as connection:
        return Collector(connection, bench.plan(), DAY_MS, DAY_MS + 900_000).slot(DAY_MS)


def solved(bench: Bench, snapshot: Snapshot) -> Solution:
    found = collected(bench, snapshot)
    return solve(bench.plan(), found.powers, sigmas(bench.plan(), found, bench.settings))


def factors(solution: Solution) -> list[float | None]:
    assert solution.flow is not None
    return solution.flow.factors


def test_what_balances_is_solved_as_measured(bench: Bench) -> None:
    solution = solved(bench, SNAPSHOT)
    assert factors(solution) == pytest.approx([0.8, 0.8, 0.592])
    assert solution.used.pack() == collected(bench, SNAPSHOT).powers.pack()
    assert (solution.estimated, solution.error) == ((), "")


def test_what_does_not_balance_is_corrected_within_its_weights(bench: Bench) -> None:
    off = replace(SNAPSHOT, flows={"L1": EndPowers(101.0, -97.0), "L2": EndPowers(38.0, -37.0)})
    solution = solved(bench, off)
    flows = solution.used.flows
    assert 100.0 < flows[0] < 101.0
    assert flows[0] == pytest.approx(solution.used.sources[0])
    assert flows[3] - flows[4] == pytest.approx(solution.used.loads[0])
    assert solution.reconciliation is not None
    assert sum(map(abs, solution.reconciliation.imbalances_before_megawatts)) == pytest.approx(2.0)


def test_the_used_powers_give_the_same_bits_again(bench: Bench) -> None:
    off = replace(SNAPSHOT, flows={"L1": EndPowers(101.0, -97.0), "L2": EndPowers(38.3, -37.1)})
    solution = solved(bench, off)
    again = bench.plan().core.solve(core_slot(Powers.unpack(solution.used.pack())))
    assert factors(solution) == again.factors
    assert solved(bench, off).used.pack() == solution.used.pack()


def test_a_missing_end_is_what_its_node_lacks(bench: Bench) -> None:
    half = replace(without(SNAPSHOT, "PV"), flows={"L1": EndPowers(100.0, None), "L2": EndPowers(38.0, -37.0)})
    solution = solved(bench, half)
    assert list(solution.used.flows[2:4]) == pytest.approx([0.0, 98.0], abs=1e-6)
    # The power of the sun is found again, its factor isn't.
    assert solution.used.sources[SOURCE] == pytest.approx(13.0)
    assert factors(solution)[:2] == pytest.approx([0.8, 0.8])
    assert factors(solution)[2] is None


def test_of_two_missing_at_a_node_neither_is_guessed(bench: Bench) -> None:
    solution = solved(bench, without(SNAPSHOT, "L2", "town"))
    # The other end of the branch is alone at its node.
    assert [bench.plan().label(variable) for variable in solution.estimated] == ["branch L2 to"]
    assert solution.used.flows[FLOW + 3] == pytest.approx(37.0)
    assert all(math.isnan(number) for number in (*solution.used.flows[FLOW : FLOW + 2], solution.used.loads[0]))
    assert factors(solution)[0] == pytest.approx(0.8)


def test_weights_that_cannot_be_leave_the_slot_as_measured(bench: Bench) -> None:
    found = collected(bench, SNAPSHOT)
    solution = solve(bench.plan(), found.powers, Sigmas([(math.nan, 1.0)] * 2, [1.0] * 2, [1.0] * 2, []))
    assert solution.error.startswith("not reconciled: ")
    assert solution.reconciliation is None
    assert factors(solution) == pytest.approx([0.8, 0.8, 0.592])


def test_a_source_that_emits_what_none_can_costs_its_nodes(bench: Bench) -> None:
    found = collected(bench, SNAPSHOT)
    found.powers.sources[1:3] = array("d", (math.nan, 1e7))
    solution = solve(bench.plan(), found.powers, sigmas(bench.plan(), found, bench.settings))
    assert solution.flow is not None
    assert solution.flow.factors == [None] * 3


def test_a_storage_keeps_its_tank_and_takes_its_correction(tmp_path: Path) -> None:
    bench = Bench(tmp_path, STORING)
    off = replace(storing(10.0, 4.0), loads={**SNAPSHOT.loads, "town": SNAPSHOT.loads["park"]})
    found = collected(bench, off)
    powers = with_tanks(found.powers, {0: (5.0, 4.0, 1.0)})
    assert list(found.powers.storages[4:]) == [0.0] * 3
    solution = solve(bench.plan(), powers, sigmas(bench.plan(), found, bench.settings))
    charge, discharge = solution.used.storages[:2]
    assert charge > 10.0
    assert discharge == 4.0
    assert list(solution.used.storages[4:TANK]) == [5.0, 4.0, 1.0]
    bench.engine.dispose()


@given(*[st.floats(0, 1000)] * 2, st.floats(-1000, 1000))
def test_a_storage_has_the_corrected_net_power_in_registers_that_can_be(
    charge: float, discharge: float, net: float
) -> None:
    both = _shared(charge, discharge, net)
    assert min(both) >= 0
    assert both[0] - both[1] == pytest.approx(net, abs=1e-9)
    assert _shared(math.nan, discharge, net) == (max(net, 0.0), max(-net, 0.0))


def test_the_balance_closes_in_whole_numbers(bench: Bench) -> None:
    solution = solved(bench, SNAPSHOT)
    assert solution.flow is not None
    told = balance(solution.used, solution.flow)
    carbon, energy = told["carbon_ug"], told["energy_mwh"]
    out = sum(carbon[name] for name in ("loads", "losses", "negative_sources", "storages", "dropped", "imbalance"))
    assert abs(carbon["sources"] - out) <= 6
    out = sum(energy[name] for name in ("loads", "losses", "negative_sources", "storages", "imbalance"))
    assert abs(energy["sources"] - out) <= 5
    assert energy["sources"] == 28_250_000_000


@pytest.mark.parametrize(("charge", "discharge"), [(2.0, 0.0), (0.0, 2.0)])
def test_what_a_storage_discharges_comes_from_the_sources(tmp_path: Path, charge: float, discharge: float) -> None:
    bench = Bench(tmp_path, STORING)
    solution = solved(bench, storing(charge, discharge))
    assert solution.flow is not None
    told = balance(solution.used, solution.flow)
    quarter = 250_000_000  # mWh of a slot for 1 MW
    energy = told["energy_mwh"]
    # The unit gives so much more or less, and the storage what it lacks.
    assert energy["sources"] == pytest.approx((113 + charge) * quarter, abs=5)
    assert energy["storages"] == pytest.approx(charge * quarter, abs=5)
    out = sum(energy[name] for name in ("loads", "losses", "negative_sources", "storages", "imbalance"))
    assert abs(energy["sources"] - out) <= 5
    assert told["carbon_ug"]["storages"] == pytest.approx(charge * 0.8 * 0.25 * 1e12, abs=5)
    bench.engine.dispose()


class Fake:
    """A flow as far as the fallback looks at it."""

    def __init__(self, **nodes: tuple[float | None, str]) -> None:
        self.factors = [factor for factor, _ in nodes.values()]
        self.factors_mg_per_kwh = [None if factor is None else round(factor * 1e6) for factor in self.factors]
        self.flux_megawatts = [1.0] * len(nodes)
        self.qualities = [quality for _, quality in nodes.values()]


@pytest.mark.parametrize(("charge", "discharge"), [(0.0, 0.0), (1e-5, 0.0), (0.0, 1e-5)])
def test_a_storage_is_never_corrected_to_the_other_way(tmp_path: Path, charge: float, discharge: float) -> None:
    bench = Bench(tmp_path, STORING)
    towards = -1.0 if discharge else 1.0  # what the node lacks a storage would have to give, and the other way round
    measured = storing(charge, discharge)
    power = 98.0 + charge - discharge - towards
    measured = replace(measured, flows={**measured.flows, "L1": EndPowers(power + 2.0, -power)})
    used = solved(bench, measured).used.storages
    assert used[0] - used[1] == pytest.approx(charge - discharge, abs=1e-5)
    assert (used[0] > 0, used[1] > 0) == (charge > 0, discharge > 0)
    bench.engine.dispose()


@pytest.mark.parametrize(
    ("quality", "expected", "origin"),
    [
        ("no_source", 1, Origin.HELD),
        ("unknown_origin", 1, Origin.HELD),
        ("bad_input", 1, Origin.HELD),
        ("unsolved", 1, Origin.HELD),
        ("dead", None, Origin.SOLVED),
    ],
)
def test_what_stands_in(quality: str, expected: int | None, origin: Origin) -> None:
    flow = Fake(a=(0.5, "defined"), b=(None, quality), c=(None, quality))
    before = [None, SimpleNamespace(solved={"b": 1}), SimpleNamespace(solved={"b": 2, "a": 3})]
    found = results(flow, ["a", "b", "c"], before, OFFICIAL)  # type: ignore[arg-type]  # as far as it is looked at
    official = (None, Origin.SOLVED) if expected is None else (OFFICIAL, Origin.OFFICIAL)
    assert found.nodes.dispatched == (500_000, expected, official[0])
    assert found.nodes.origins == (Origin.SOLVED, origin, official[1])
    assert found.held == ({1: (1, 2)} if expected else {})
    assert found.nodes.qualities[1] is NodeQuality[quality.upper()]


def test_without_a_solution_everything_falls_back() -> None:
    none: CarbonFlow | None = None
    found = results(none, ["a", "b"], [SimpleNamespace(solved={"a": 7})], OFFICIAL)
    assert found.nodes.dispatched == (7, OFFICIAL)
    assert set(found.nodes.qualities) == {NodeQuality.UNSOLVED}
    assert all(math.isnan(number) for number in found.nodes.factors)
    assert isinstance(found.nodes.factors, array)
