"""Nodes, generation, flows and users: the core's numbers, rounded once, and what is said where there are none."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from analysis_support import DAY_MS, ZONE, case, day, grids, kept, powers, small, solved, summed, tables, the

from cloud_receiver.grid.analysis.balance import Balance
from cloud_receiver.grid.analysis.flows import Branches
from cloud_receiver.grid.analysis.generation import Generators, Plants
from cloud_receiver.grid.analysis.nodal import Classes, Nodes
from cloud_receiver.grid.analysis.periods import SLOT_MS, By
from cloud_receiver.grid.analysis.tally import Analysis, Tally, Versions
from cloud_receiver.grid.analysis.users import Loads, Storages
from cloud_receiver.grid.kept import KeptError, Powers
from cloud_receiver.grid.model import Grid
from wire.messages import Origin

ALL: tuple[Callable[[], Analysis], ...] = (*(Nodes, Classes, Generators, Plants, Branches, Loads, Storages, Balance),)
MEANS = ("factor_kg_per_kwh", "mean_factor_kg_per_kwh", "discharge_factor_kg_per_kwh")
RATES = ("carbon_rate_forward_kg_per_h", "carbon_rate_reverse_kg_per_h")


@pytest.mark.parametrize("make", ALL)
@pytest.mark.parametrize("by", list(By))
def test_a_row_has_the_columns_that_are_told(make: Callable[[], Analysis], by: By) -> None:
    network = small()
    for table in tables(make(), grids(network.grid), [kept(network.grid, powers(network))], by):
        assert table.rows
        for row in table.rows:
            assert set(row) == {field.name for field in make().fields(by)}


@pytest.mark.parametrize("make", ALL)
def test_a_month_is_the_sum_of_its_days_and_a_day_of_its_slots(make: Callable[[], Analysis]) -> None:
    network = small()
    slots = [slot for number in range(3) for slot in day(network, 4, DAY_MS + number * 86_400_000)]
    slots += day(network, 2, DAY_MS + 31 * 86_400_000)
    stored, analysis = grids(network.grid), make()
    of_slots = tables(analysis, stored, slots, By.SLOT)
    of_days = tables(analysis, stored, slots, By.DAY)
    of_months = tables(analysis, stored, slots, By.MONTH)
    assert [len(of_slots), len(of_days), len(of_months)] == [14, 4, 2]
    assert [table.slots for table in of_months] == [12, 2]
    assert [table.period.expected for table in of_months] == [31 * 96, 31 * 96]
    names = [name for name, value in of_months[0].rows[0].items() if isinstance(value, int)]
    parts = {"nodes", "units", *MEANS, *RATES}
    for place in range(len(of_months[0].rows)):
        for name in names:
            if name in parts:
                continue
            for whole, some in ((of_months[0], of_days[:3]), (of_days[0], of_slots[:4])):
                rows = [table.rows[place] for table in some]
                if name in rows[0]:
                    assert whole.rows[place][name] == summed(rows, name), name


def test_a_day_of_100_slots_is_complete() -> None:
    network = small()
    first_ms = 1_792_879_200_000  # 2026-10-25T00:00:00+02:00, clocks go back in Berlin
    slots = [kept(network.grid, powers(network), first_ms + number * SLOT_MS) for number in range(101)]
    whole, rest = tables(Nodes(), grids(network.grid), slots, By.DAY, "Europe/Berlin")
    assert (whole.slots, whole.period.expected) == (100, 100)
    assert (rest.slots, rest.period.expected) == (1, 96)
    assert [table.slots for table in tables(Nodes(), grids(network.grid), slots, By.DAY, ZONE)] == [72, 29]


def test_the_factor_of_a_period_is_weighted_by_energy() -> None:
    cheap = small()
    dear = small(gen=[["G1", "P1", 70.0, None, 70.0], ["G2", "P1", 30.0, 1.0, None], ["PV", "U1", 15.0, 0.0, None]])
    slots = [
        kept(cheap.grid, powers(cheap, 3.0)),
        kept(dear.grid, powers(dear, 1.0), DAY_MS + SLOT_MS),
    ]
    (table,) = tables(Nodes(), grids(cheap.grid), slots, By.DAY)
    plant = the(table.rows, "node", "P1")
    assert plant["factor_kg_per_kwh"] == (3 * 680_000 + 1_000_000) // 4  # and not the mean, 840 000
    assert plant["carbon_kg"] == 3 * 17_000_000_000_000 + 25_000_000_000_000


def test_a_nodes_slot_is_what_was_sent() -> None:
    network = small()
    slot = kept(network.grid, powers(network))
    (table,) = tables(Nodes(), grids(network.grid), [slot], By.SLOT)
    sent = solved(network.grid, slot.used).factors_mg_per_kwh
    assert [row["factor_kg_per_kwh"] for row in table.rows] == sent
    assert [(row["quality"], row["origin"]) for row in table.rows] == [("defined", "solved")] * 3
    assert [row["kind"] for row in table.rows] == ["plant", "substation", "load"]
    assert table.solved is slot


def test_nodes_without_a_factor_of_their_own() -> None:
    network = small()
    whole = powers(network)
    lost = powers(network)
    lost.sources[1:3] = type(lost.sources)("d", (math.nan, math.nan))  # of G1 nothing is known but its power
    slots = [
        kept(network.grid, whole, DAY_MS),
        kept(network.grid, lost, DAY_MS + SLOT_MS, stand_in=(680_000, Origin.HELD)),
        kept(network.grid, lost, DAY_MS + 2 * SLOT_MS, stand_in=(570_300, Origin.OFFICIAL)),
        kept(network.grid, lost, DAY_MS + 3 * SLOT_MS),
    ]
    stored = grids(network.grid)
    (table,) = tables(Nodes(), stored, slots, By.DAY)
    plant = the(table.rows, "node", "P1")
    assert [plant[f"slots_{name}"] for name in ("solved", "held", "official", "undefined")] == [1, 1, 1, 1]
    assert plant["slots_unknown_origin"] == 3
    assert plant["energy_kwh"] == 100_000_000_000
    assert plant["fallback_energy_kwh"] == 50_000_000_000
    assert plant["fallback_carbon_kg"] == 25_000_000 * (680_000 + 570_300)
    assert plant["undefined_energy_kwh"] == 25_000_000_000
    assert plant["carbon_kg"] == 17_000_000_000_000 + 25_000_000 * (680_000 + 570_300)
    assert plant["factor_kg_per_kwh"] == round((2 * 680_000 + 570_300) / 3)
    by_slot = [the(table.rows, "node", "P1") for table in tables(Nodes(), stored, slots, By.SLOT)]
    assert [row["origin"] for row in by_slot] == ["solved", "held", "official", None]
    assert [row["factor_kg_per_kwh"] for row in by_slot] == [680_000, 680_000, 570_300, None]
    assert [row["quality"] for row in by_slot] == ["defined", *["unknown_origin"] * 3]
    (users,) = tables(Loads(), stored, slots, By.DAY)
    town = the(users.rows, "load", "town")
    assert (town["slots_fallback"], town["slots_undefined"]) == (2, 1)
    assert town["fallback_carbon_kg"] == 14_975_000 * (680_000 + 570_300)
    assert town["undefined_energy_kwh"] == 14_975_000_000


def test_dead_nodes_have_no_factor_and_no_stand_in() -> None:
    network = small(bus=["P1", "S1", "U1", "D1"])
    (table,) = tables(Nodes(), grids(network.grid), [kept(network.grid, powers(network))], By.SLOT)
    dead = the(table.rows, "node", "D1")
    assert (dead["factor_kg_per_kwh"], dead["quality"], dead["origin"]) == (None, "dead", None)
    (month,) = tables(Nodes(), grids(network.grid), [kept(network.grid, powers(network))], By.MONTH)
    dead = the(month.rows, "node", "D1")
    assert (dead["factor_kg_per_kwh"], dead["slots_dead"], dead["slots_undefined"]) == (None, 1, 1)


def test_classes_add_their_nodes_up(shared_data: Path) -> None:
    network = case(shared_data, "case118_ac")
    slots = day(network, 2)
    (each,) = tables(Nodes(), grids(network.grid), slots, By.DAY)
    (table,) = tables(Classes(), grids(network.grid), slots, By.DAY)
    assert sum(row["nodes"] for row in table.rows if isinstance(row["nodes"], int)) == 118
    assert summed(table.rows, "carbon_kg") == summed(each.rows, "carbon_kg")
    assert summed(table.rows, "slots_solved") == 236


def test_flows_are_the_cores(shared_data: Path) -> None:
    for network in (case(shared_data, "case118_ac"), small()):
        slot = kept(network.grid, powers(network))
        (table,) = tables(Branches(), grids(network.grid), [slot], By.SLOT)
        branches = solved(network.grid, slot.used).branches
        for row, (forward, reverse, loss) in zip(table.rows, branches, strict=True):
            assert forward is not None
            assert reverse is not None
            assert loss is not None
            assert row["carbon_forward_kg"] == pytest.approx(forward * 0.25e12, abs=1)
            assert row["carbon_reverse_kg"] == pytest.approx(reverse * 0.25e12, abs=1)
            assert row["carbon_loss_kg"] == pytest.approx(loss * 0.25e12, abs=2)
            assert row["carbon_rate_forward_kg_per_h"] == pytest.approx(forward * 1e12, abs=4)


def test_a_branch_tells_both_ends_and_both_ways() -> None:
    network = small()
    (table,) = tables(Branches(), grids(network.grid), [kept(network.grid, powers(network))], By.SLOT)
    turned = the(table.rows, "branch", "L2")
    names = ("from_in_kwh", "from_out_kwh", "to_in_kwh", "to_out_kwh", "loss_kwh")
    assert [turned[name] for name in names] == [9_750_000_000, 225_000_000, 250_000_000, 9_500_000_000, 275_000_000]
    assert (turned["from_node"], turned["to_node"]) == ("S1", "U1")
    reverse = turned["carbon_reverse_kg"]
    assert isinstance(reverse, int)
    assert reverse > 0


def test_a_branch_that_gives_what_nobody_sent_and_one_without_a_measurement() -> None:
    network = small(branch=[["L1", "P1", "S1", 100.0, 0.0, 0.0, 98.0], ["L2", "S1", "U1", 0.0, 0.0, 0.0, 38.0]])
    (table,) = tables(Branches(), grids(network.grid), [kept(network.grid, powers(network))], By.SLOT)
    row = the(table.rows, "branch", "L2")
    assert (row["unsent_kwh"], row["to_out_kwh"], row["loss_kwh"]) == (9_500_000_000, 9_500_000_000, 0)
    network = small(branch=[["L1", "P1", "S1", None, 0.0, 0.0, 98.0], ["L2", "S1", "U1", 39.0, 0.9, 1.0, 38.0]])
    (table,) = tables(Branches(), grids(network.grid), [kept(network.grid, powers(network))], By.DAY)
    row = the(table.rows, "branch", "L1")
    assert (row["slots_missing"], row["to_out_kwh"], row["carbon_rate_forward_kg_per_h"]) == (1, 0, None)
    row = the(table.rows, "branch", "L2")
    assert row["slots_missing"] == 0
    assert row["without_factor_kwh"] == 10_000_000_000  # both ends have no factor now


def test_users_and_storages_are_the_cores() -> None:
    network = small()
    slot = kept(network.grid, powers(network))
    (table,) = tables(Loads(), grids(network.grid), [slot], By.SLOT)
    flow = solved(network.grid, slot.used)
    for row, rate in zip(table.rows, flow.loads, strict=True):
        assert rate is not None
        assert row["carbon_kg"] == pytest.approx(rate * 0.25e12, abs=1)
    park = the(table.rows, "load", "park")
    assert (park["station"], park["energy_kwh"]) == ("ST1", 12_500_000_000)
    # The factor that the park's meter was sent, and so what it booked: at most half a mg a kWh beside.
    sent = flow.factors_mg_per_kwh[2]
    assert park["factor_kg_per_kwh"] == sent
    assert sent is not None
    carbon = park["carbon_kg"]
    assert isinstance(carbon, int)
    assert abs(carbon * 1000 - 12_500_000_000 * sent) <= 12_500_000_000 / 2 + 500
    (table,) = tables(Storages(), grids(network.grid), [slot], By.SLOT)
    (row,) = table.rows
    net = flow.storages[0]
    assert net is not None
    carbon, given = row["carbon_kg"], row["discharge_carbon_kg"]
    assert isinstance(carbon, int)
    assert isinstance(given, int)
    assert carbon - given == pytest.approx(net * 0.25e12, abs=2)
    assert row["discharge_factor_kg_per_kwh"] == 300_000


def test_a_load_that_feeds_in() -> None:
    network = small(
        load_columns=["id", "bus", "p_mw", "factor"],
        load=[["town", "S1", 59.9, None], ["park", "U1", -2.0, 0.1], ["roof", "U1", -4.0, None]],
    )
    (table,) = tables(Loads(), grids(network.grid), [kept(network.grid, powers(network))], By.SLOT)
    park, roof = the(table.rows, "load", "park"), the(table.rows, "load", "roof")
    assert (park["energy_kwh"], park["fed_in_energy_kwh"], park["fed_in_carbon_kg"]) == (0, 500_000_000, 50_000_000_000)
    assert park["factor_kg_per_kwh"] is None
    assert (roof["fed_in_energy_kwh"], roof["unknown_energy_kwh"]) == (1_000_000_000, 1_000_000_000)


def test_units_and_plants() -> None:
    network = small()
    slot = kept(network.grid, powers(network))
    (units,) = tables(Generators(), grids(network.grid), [slot], By.SLOT)
    first = the(units.rows, "generator", "G1")
    assert (first["emission_kg"], first["factor_kg_per_kwh"]) == (14_000_000_000_000, 800_000)
    (plants,) = tables(Plants(), grids(network.grid), [slot], By.SLOT)
    plant = the(plants.rows, "plant", "P1")
    assert (plant["units"], plant["on_grid_energy_kwh"], plant["factor_kg_per_kwh"]) == (2, 25_000_000_000, 680_000)
    assert (plant["slots"], plant["name"]) == (2, "一厂")


def test_a_unit_that_takes_power_and_one_that_emits_at_rest() -> None:
    network = small(
        gen=[["G1", "P1", 0.0, None, 2.0], ["G2", "P1", 130.0, 0.4, None], ["PUMP", "U1", -5.0, None, None]],
        load=[["town", "S1", 60.0, None], ["park", "U1", 20.0, "ST1"]],
    )
    (units,) = tables(Generators(), grids(network.grid), [kept(network.grid, powers(network))], By.SLOT)
    idle, pump = the(units.rows, "generator", "G1"), the(units.rows, "generator", "PUMP")
    assert (idle["emission_kg"], idle["idle_emission_kg"], idle["factor_kg_per_kwh"]) == (0, 500_000_000_000, None)
    assert (pump["on_grid_energy_kwh"], pump["taken_energy_kwh"]) == (0, 1_250_000_000)
    rate = solved(network.grid, powers(network)).sources[2]
    assert rate is not None
    assert pump["taken_carbon_kg"] == pytest.approx(-rate * 0.25e12, abs=1)


def test_data_that_are_missing_late_and_changed_are_told() -> None:
    network = small()
    whole, gap, other = powers(network), powers(network), powers(network)
    gap.sources[0] = math.nan
    other.sources[0] = 60.0
    slots = [
        Versions(kept(network.grid, whole)),
        Versions(  # came late
            kept(network.grid, whole, DAY_MS + SLOT_MS, version=2), kept(network.grid, gap, DAY_MS + SLOT_MS)
        ),
        Versions(  # changed
            kept(network.grid, whole, DAY_MS + 2 * SLOT_MS, version=3), kept(network.grid, other, DAY_MS + 2 * SLOT_MS)
        ),
        Versions(kept(network.grid, whole, DAY_MS + 3 * SLOT_MS, measured=gap)),  # missing, and estimated
    ]
    (table,) = tables(Generators(), grids(network.grid), slots, By.DAY)
    row = the(table.rows, "generator", "G1")
    assert (row["slots"], row["slots_missing"]) == (4, 1)
    assert (row["slots_late"], row["late_energy_kwh"]) == (1, 17_500_000_000)
    assert (row["slots_changed"], row["changed_energy_kwh"]) == (1, 2_500_000_000)
    assert (row["on_grid_energy_kwh"], row["measured_energy_kwh"]) == (70_000_000_000, 52_500_000_000)
    assert all(the(table.rows, "generator", "G2")[name] == 0 for name in ("slots_missing", "slots_late"))
    (nodes,) = tables(Nodes(), grids(network.grid), slots, By.DAY)
    assert the(nodes.rows, "node", "P1")["slots_corrected"] == 2  # without the power, and with another one


def test_emissions_that_are_missing_late_and_changed_are_told() -> None:
    network = small()
    whole, gap, other = powers(network), powers(network), powers(network)
    gap.sources[2] = math.nan  # of G1
    other.sources[2] = 60.0
    slots = [
        Versions(kept(network.grid, gap)),
        Versions(kept(network.grid, whole, DAY_MS + SLOT_MS, version=2), kept(network.grid, gap, DAY_MS + SLOT_MS)),
        Versions(
            kept(network.grid, whole, DAY_MS + 2 * SLOT_MS, version=2), kept(network.grid, other, DAY_MS + 2 * SLOT_MS)
        ),
    ]
    (table,) = tables(Generators(), grids(network.grid), slots, By.DAY)
    row = the(table.rows, "generator", "G1")
    assert (row["slots_emission_missing"], row["unknown_energy_kwh"]) == (1, 17_500_000_000)
    assert (row["slots_emission_late"], row["late_emission_kg"]) == (1, 14_000_000_000_000)
    assert (row["slots_changed"], row["slots_missing"], row["slots_late"]) == (1, 0, 0)
    assert row["factor_kg_per_kwh"] == 800_000  # of the slots of which it is known
    rest = the(table.rows, "generator", "G2")
    assert all(rest[name] == 0 for name in ("slots_emission_missing", "slots_emission_late", "slots_changed"))


def test_a_first_version_of_another_topology_is_not_compared() -> None:
    network = small()
    turned = Grid(
        network.grid.nodes,
        network.grid.branches,
        network.grid.generators[::-1],
        network.grid.loads,
        network.grid.storages,
    )
    newest = kept(network.grid, powers(network), version=2)
    former = replace(kept(network.grid, powers(network)), grid=2)
    (table,) = tables(Generators(), grids(network.grid, turned), [Versions(newest, former)], By.DAY)
    assert summed(table.rows, "slots_changed") == 0


def test_a_topology_that_changes_within_a_day() -> None:
    before = small()
    after = small(load=[["town", "S1", 49.9, None], ["park", "U1", 50.0, "ST1"], ["new", "S1", 10.0, None]])
    slots = [
        kept(before.grid, powers(before), number=1),
        kept(after.grid, powers(after), DAY_MS + SLOT_MS, number=2),
    ]
    (table,) = tables(Loads(), grids(before.grid, after.grid), slots, By.DAY)
    assert [(row["load"], row["slots"]) for row in table.rows] == [("town", 2), ("park", 2), ("new", 1)]
    assert the(table.rows, "load", "town")["energy_kwh"] == 14_975_000_000 + 12_475_000_000


def test_one_node_of_many() -> None:
    network = small()
    tally = Tally(Nodes(), grids(network.grid), By.DAY, ZONE, lambda name: name == "S1")
    assert not list(tally.take(Versions(kept(network.grid, powers(network)))))
    (table,) = tally.finish()
    assert [row["node"] for row in table.rows] == ["S1"]
    whole = tables(Nodes(), grids(network.grid), [kept(network.grid, powers(network))], By.DAY)[0]
    assert table.rows[0] == the(whole.rows, "node", "S1")


def test_a_slot_that_is_not_of_its_grid_is_refused() -> None:
    network = small()
    slot = kept(network.grid, powers(network))
    short = replace(slot, used=Powers.missing(small(load=[]).grid))
    with pytest.raises(KeptError, match="version 1: expected"):
        tables(Nodes(), grids(network.grid), [short], By.DAY)
