"""What the power flow wrote: a grid and slots that balance, as pandapower solved them.

pandapower itself is in an environment of its own; the sample was written there. Where that environment is (`make
grid-demo` makes it), a slot is solved again and compared.
"""

import json
import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from centre_support import SAMPLE, Centre

from cloud_receiver.grid.model import Grid
from cloud_receiver.grid.solving import core_grid
from demo.grid.books import core_slot
from demo.grid.fleet import SOURCES, USERS, load_id
from demo.grid.tables import Day, read_day

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".power-flow" / "bin" / "python"


def test_the_grid_is_the_ieee_network(grid: Grid) -> None:
    """118 nodes with plants, substations and users; 173 lines and 13 transformers; 99 loads."""
    kinds = Counter(node.kind.value for node in grid.nodes)
    assert kinds == {"plant": 19, "substation": 85, "load": 14}
    assert Counter(branch.kind.value for branch in grid.branches) == {"line": 173, "transformer": 13}
    assert (len(grid.generators), len(grid.loads), len(grid.storages)) == (19, 99, 1)
    stations = {load.id: load.station for load in grid.loads if load.station}
    assert stations == {load_id(bus): f"park-{bus:03}" for bus in USERS}


def test_metered_powers_are_whole_watts(day: Day) -> None:
    """So that the energy of a slot is a whole number of mWh, and a meter can count just that."""
    assert not any(power % 1000 for values in day.generators.values() for power, _ in values)
    assert not any(power % 1000 for values in day.loads.values() for power in values)


def test_every_node_balances(day: Day, grid: Grid) -> None:
    """What comes in goes out, to the half W of the slack's rounding."""
    for slot in range(len(day.starts)):
        rest = dict.fromkeys((node.id for node in grid.nodes), 0)
        for branch in grid.branches:
            start, end = day.branches[branch.id][slot]
            rest[branch.start] -= start
            rest[branch.end] -= end
        for source in grid.generators:
            rest[source.node] += day.generators[source.id][slot][0]
        for load in grid.loads:
            rest[load.node] -= day.loads[load.id][slot]
        for storage in grid.storages:
            charge, discharge, *_ = day.storages[storage.id][slot]
            rest[storage.node] += discharge - charge
        assert max(abs(value) for value in rest.values()) <= 510  # mW


def test_every_slot_is_solved_with_a_closed_balance(centre: Centre) -> None:
    """Every node that power flows through has a factor between those of the sources; nothing is left of the balance."""
    for slot in centre.kept:
        flow = core_grid(centre.grid).solve(core_slot(slot.used))
        assert flow.faults == []
        assert flow.balance["relative_residual"] < 1e-12
        assert abs(flow.balance["imbalance"]) < 1e-6
        # A solar plant at the end of its line is the only node that nothing flows through at night.
        dead = [node.id for node, quality in zip(centre.grid.nodes, flow.qualities, strict=True) if quality == "dead"]
        assert dead in ([], ["B087"])
        factors = [factor for factor in flow.factors if factor is not None]
        assert len(factors) == 118 - len(dead)
        assert 0 <= min(factors) <= max(factors) < 1


def test_factors_differ_from_place_to_place_and_from_hour_to_hour(centre: Centre) -> None:
    """Otherwise the demonstration would show nothing."""
    places = {node.id: place for place, node in enumerate(centre.grid.nodes)}
    park = [slot.nodes.dispatched[places["B118"]] or 0 for slot in centre.kept]
    assert max(park) > 1.05 * min(park) > 0
    users = {centre.kept[0].nodes.dispatched[places[f"B{bus:03}"]] for bus in USERS}
    assert len(users) >= 10
    assert 0 in users


def test_sources_cover_loads_and_losses(day: Day) -> None:
    """Losses of a few per cent, and no source beyond its rating by more than the slack may be."""
    for slot in range(len(day.starts)):
        made = sum(values[slot][0] for values in day.generators.values())
        used = sum(values[slot] for values in day.loads.values())
        charge, discharge, *_ = day.storages["E070"][slot]
        assert 0.015 < 1 - (used + charge - discharge) / made < 0.05
        for source in SOURCES:
            assert 0 <= day.generators[source.id][slot][0] <= 1.15 * source.rated_megawatts * 1e9


def test_the_sample_says_what_made_it() -> None:
    """Case, version and seed."""
    about = json.loads((SAMPLE / "day.json").read_text())
    assert about["case"] == "IEEE 118-bus, pandapower.networks.case118"
    assert about["pandapower"].startswith("3.")
    assert (about["day"], about["seed"], about["slots"]) == ("2026-06-15", 20260615, 4)


@pytest.mark.skipif(
    not PYTHON.exists() and not os.environ.get("DIANTAN_REQUIRE_ALL"),
    reason="the environment with pandapower is not there: make grid-demo makes it",
)
def test_pandapower_solves_it_again(tmp_path: Path, day: Day) -> None:
    """The first slot comes out as in the sample, to what a Newton power flow is exact."""
    arguments = ("-m", "demo.grid.power_flow", str(tmp_path), "--slots", "0")
    subprocess.run([str(PYTHON), *arguments], cwd=ROOT, check=True, timeout=100)
    again = read_day(tmp_path / "series")
    assert {name: values[0] for name, values in again.loads.items()} == {
        name: values[0] for name, values in day.loads.items()
    }
    for name, values in again.branches.items():
        assert values[0] == pytest.approx(day.branches[name][0], abs=1_000_000)  # mW
