"""The balance: what comes in is what is taken, lost and left, to the rounding of each term, on any network."""

import math
from pathlib import Path
from typing import Any

import pytest
from analysis_support import DAY_MS, case, day, grids, kept, powers, small, solved, summed, tables
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud_receiver.grid.analysis.balance import Balance
from cloud_receiver.grid.analysis.flows import Branches
from cloud_receiver.grid.analysis.generation import Generators
from cloud_receiver.grid.analysis.periods import SLOT_MS, By
from cloud_receiver.grid.analysis.users import Loads, Storages
from cloud_receiver.grid.kept import Powers, of
from cloud_receiver.grid.model import Branch, Generator, Grid, Load, Node, Storage
from wire.messages import Origin

IN = ("sources", "fed_in", "discharged")
OUT = ("loads", "negative_sources", "charged", "losses", "imbalance")
POWER = st.one_of(st.just(0.0), st.floats(1e-3, 5e3))
FACTOR = st.floats(0, 1.5)


@st.composite
def networks(draw: st.DrawFn) -> tuple[Grid, Powers]:
    """Any network, balanced or not: loops, parallel lines, flows that turned, exports, loads that feed in."""
    count = draw(st.integers(2, 5))
    names = [f"n{number}" for number in range(count)]
    place = st.integers(0, count - 1)
    ends = draw(st.lists(st.tuples(place, place).filter(lambda pair: pair[0] != pair[1]), max_size=7))
    branches, flows = [], []
    for number, (start, end) in enumerate(ends):
        branches.append(Branch(f"b{number}", names[start], names[end]))
        for _ in range(2):
            # What is sent one way and arrives there; registers: in and out at either end.
            sent = draw(POWER)
            flows.append((sent, sent * draw(st.floats(0, 1))))
    registers: list[float] = []
    for forward, reverse in zip(flows[::2], flows[1::2], strict=True):
        registers += [forward[0], reverse[1], reverse[0], forward[1]]
    generators, sources = [], []
    for number in range(draw(st.integers(1, 3))):
        generators.append(Generator(f"g{number}", names[draw(place)]))
        power = draw(POWER) if number else draw(st.floats(1, 5e3))
        sources += [power if draw(st.booleans()) else -power, draw(FACTOR), math.nan]
    loads, demands = [], []
    for number in range(draw(st.integers(0, 3))):
        loads.append(Load(f"l{number}", names[draw(place)]))
        power = draw(POWER)
        demands += [power if draw(st.booleans()) else -power, draw(FACTOR)]
    storages, tanks = [], []
    if draw(st.booleans()):
        storages.append(Storage("s", names[draw(place)]))
        # What a stock holds came in at some factor; one beyond all factors can't be dispatched.
        stock = draw(st.floats(0, 1e4))
        tanks += [draw(POWER), draw(POWER), 0.9, 0.9, stock, stock * draw(FACTOR), 0.0]
    grid = Grid(tuple(map(Node, names)), tuple(branches), tuple(generators), tuple(loads), tuple(storages))
    return grid, Powers(0.25, of(registers), of(sources), of(demands), of(tanks))


def row(grid: Grid, used: Powers, **named: Any) -> dict[str, int]:
    (table,) = tables(Balance(), grids(grid), [kept(grid, used, **named)], By.SLOT)
    return {name: value for name, value in table.rows[0].items() if isinstance(value, int)}


def carbon_left(found: dict[str, int]) -> int:
    return sum(found[f"{name}_kg"] for name in IN) - sum(found[f"{name}_kg"] for name in OUT)


@settings(max_examples=300)
@given(networks())
def test_any_network_balances(network: tuple[Grid, Powers]) -> None:
    grid, used = network
    found = row(grid, used)
    energy = sum(found[f"{name}_energy_kwh"] for name in IN) + found["unsent_energy_kwh"]
    assert energy == sum(found[f"{name}_energy_kwh"] for name in OUT)
    assert carbon_left(found) == found["residual_kg"] + found["untraced_kg"]
    assert abs(found["residual_kg"]) <= found["rounding_bound_kg"]
    if found["slots_untraced"]:
        assert found["undefined_energy_kwh"] or found["unknown_energy_kwh"] or found["unsent_energy_kwh"]
        assert found["residual_kg"] == 0
    else:
        flow = solved(grid, used).balance
        for mine, core in (("loads", "loads"), ("losses", "losses"), ("negative_sources", "negative_sources")):
            assert found[f"{mine}_kg"] == pytest.approx(flow[core] * 0.25e12, abs=20, rel=1e-9)
        assert found["imbalance_kg"] == pytest.approx(flow["imbalance"] * 0.25e12, abs=1e4, rel=1e-6)


@settings(max_examples=100)
@given(networks())
def test_the_balance_is_the_sum_of_the_parts(network: tuple[Grid, Powers]) -> None:
    grid, used = network
    slot, stored = kept(grid, used), grids(grid)
    found = row(grid, used)
    (loads,) = tables(Loads(), stored, [slot], By.SLOT)
    (branches,) = tables(Branches(), stored, [slot], By.SLOT)
    (units,) = tables(Generators(), stored, [slot], By.SLOT)
    (storages,) = tables(Storages(), stored, [slot], By.SLOT)
    assert found["loads_energy_kwh"] == summed(loads.rows, "energy_kwh")
    assert found["loads_kg"] == summed(loads.rows, "carbon_kg")
    assert found["fed_in_kg"] == summed(loads.rows, "fed_in_carbon_kg")
    assert found["losses_energy_kwh"] == summed(branches.rows, "loss_kwh")
    assert found["losses_kg"] == summed(branches.rows, "carbon_loss_kg")
    assert found["sources_energy_kwh"] == summed(units.rows, "on_grid_energy_kwh")
    assert found["sources_kg"] == summed(units.rows, "emission_kg")
    assert found["negative_sources_kg"] == summed(units.rows, "taken_carbon_kg")
    assert found["charged_kg"] == summed(storages.rows, "carbon_kg")
    assert found["discharged_kg"] == summed(storages.rows, "discharge_carbon_kg")


def test_a_day_of_the_reference_network_balances(shared_data: Path) -> None:
    network = case(shared_data, "case118_ac")
    slots = day(network, 8)
    (table,) = tables(Balance(), grids(network.grid), slots, By.DAY)
    found = {name: value for name, value in table.rows[0].items() if isinstance(value, int)}
    assert found["slots_untraced"] == 0
    assert found["sources_kg"] > 10**15
    assert 0 < abs(carbon_left(found)) == abs(found["residual_kg"]) <= found["rounding_bound_kg"] < 10**4
    # Exact sums of the solver's floats, rounded at last, are within the rounding of each of them.
    exact = math.fsum(solved(network.grid, slot.used).balance["losses"] for slot in slots) * 0.25e12
    assert found["losses_kg"] == pytest.approx(exact, abs=8 * 186)


def test_what_has_no_factor_is_told_and_not_hidden_in_the_residual() -> None:
    network = small(gen=[["G1", "P1", 70.0, None, None], ["G2", "P1", 30.0, 0.4, None], ["PV", "U1", 15.0, 0.0, None]])
    found = row(network.grid, powers(network), stand_in=(570_300, Origin.OFFICIAL))
    assert found["slots_untraced"] == 1
    assert found["unknown_energy_kwh"] == 17_500_000_000
    assert found["residual_kg"] == found["rounding_bound_kg"] == 0
    assert found["untraced_kg"] == found["sources_kg"] + found["discharged_kg"]  # of nothing it was known where it went
    assert found["fallback_energy_kwh"] == 28_475_000_000  # both loads, and what the storage charged
    assert found["fallback_carbon_kg"] == 28_475_000_000 * 570_300 // 1000
    assert found["loads_kg"] == 0


def test_a_gap_is_told() -> None:
    network = small()
    used = powers(network)
    used.loads[0] = math.nan
    found = row(network.grid, used)
    assert (found["slots_partial"], found["slots_untraced"]) == (1, 1)


def test_open_branches_carry_nothing() -> None:
    network = small()
    whole = powers(network)
    used = Powers(0.25, whole.flows, whole.sources, whole.loads, whole.storages, frozenset({1}))
    found = row(network.grid, used)
    assert found["losses_energy_kwh"] == 500_000_000  # of L1 alone


def test_slots_add_up_to_a_day() -> None:
    network = small()
    slots = [kept(network.grid, powers(network, 1 + number / 7), DAY_MS + number * SLOT_MS) for number in range(5)]
    stored = grids(network.grid)
    (whole,) = tables(Balance(), stored, slots, By.DAY)
    parts = tables(Balance(), stored, slots, By.SLOT)
    rows = [part.rows[0] for part in parts]
    for name, value in whole.rows[0].items():
        if name != "mean_factor_kg_per_kwh":
            assert value == summed(rows, name)
    assert (whole.slots, whole.period.expected) == (5, 96)
