"""The grid service by the clock: solved, dispatched, corrected, fallen back."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from grid_service_support import (
    DAY_MS,
    GRID,
    OFFICIAL,
    SLOT_MS,
    SNAPSHOT,
    SOLVED,
    STORING,
    Bench,
    registry,
    station,
    storing,
    without,
)
from key_support import BOTH_ALGORITHMS
from sqlalchemy import select

from cloud_receiver import database
from cloud_receiver.grid import shelf
from cloud_receiver.grid.kept import NodeQuality
from cloud_receiver.grid.model import Branch, Grid, Node
from cloud_receiver.grid.snapshot import Demand, EndPowers, Generation
from cloud_receiver.schema import grid_notice
from wire.messages import Origin

pytestmark = BOTH_ALGORITHMS

SOLVED_ALL = (Origin.SOLVED,) * 3


def test_a_slot_that_is_complete_is_dispatched_before_its_deadline(bench: Bench) -> None:
    bench.tell({0: SNAPSHOT})
    bench.run_to(0, 899)
    assert bench.slots() == []
    bench.tell({0: replace(SNAPSHOT, generators={"G1": Generation(100.0, 0.8)})}, feed="another")
    bench.run_to(1, 1)
    assert bench.dispatched(0) == SOLVED
    assert {message.node for message in bench.link.factors} == {"P1", "S1", "U1"}
    message = bench.newest("U1")
    slot = bench.slot(0)
    assert (message.first_start_ms, message.factors) == (DAY_MS, (592_000,))
    assert (message.solve_ids, message.origins) == ((slot.solve_id[:16],), None)
    assert message.issued_ms == slot.solved_ms == DAY_MS + SLOT_MS + 1000


def test_an_incomplete_slot_waits_for_its_deadline(bench: Bench) -> None:
    bench.tell({0: without(SNAPSHOT, "town", "L2")})
    bench.run_to(1, 89)
    assert bench.slots() == []
    bench.run_to(1, 90)
    assert bench.slot(0).summary["missing"]["first"] == ["branch L2 from", "branch L2 to", "load town"]


def test_the_message_carries_the_last_slots_with_solutions_of_their_own(bench: Bench) -> None:
    bench.again(slots=3)
    bench.tell(dict.fromkeys(range(5), SNAPSHOT))
    bench.run_to(5)
    message = bench.newest("P1")
    assert (message.first_start_ms, message.factors) == (DAY_MS + 2 * SLOT_MS, (800_000,) * 3)
    assert message.solve_ids == tuple(slot.solve_id[:16] for slot in bench.slots()[-3:])
    assert len(set(message.solve_ids or ())) == 3


def test_without_data_the_last_factor_is_held_and_then_the_official_one(bench: Bench) -> None:
    bench.tell({0: SNAPSHOT})
    bench.run_to(4)
    assert bench.dispatched(1) == bench.dispatched(2) == SOLVED
    assert bench.origins(2) == (Origin.HELD,) * 3
    assert bench.dispatched(3) == dict.fromkeys(SOLVED, OFFICIAL)
    assert bench.origins(3) == (Origin.OFFICIAL,) * 3
    told = bench.slot(3).summary["official"]
    assert (told["region"], told["year"], told["value_mg_per_kwh"]) == ("national", 2023, OFFICIAL)
    assert told["issuer"]
    assert told["boundary"] == "direct"
    message = bench.newest("U1")
    assert message.factors == (592_000, 592_000, 592_000, OFFICIAL)
    assert message.origins == (Origin.SOLVED, Origin.HELD, Origin.HELD, Origin.OFFICIAL)
    found = bench.findings()
    assert found["grid_fallback", "grid"].evidence["slots"] == 3
    assert found["grid_unsolved", "grid"].severity == "alarm"


def test_late_data_make_a_new_version_and_a_corrected_message(bench: Bench) -> None:
    bench.tell({0: SNAPSHOT, 2: SNAPSHOT})
    bench.run_to(3)
    assert bench.origins(1) == (Origin.HELD,) * 3
    first = bench.slot(1)
    bench.tell({1: replace(SNAPSHOT, generators={**SNAPSHOT.generators, "G1": Generation(100.0, 0.5)})})
    bench.run()
    assert bench.dispatched(1) == {"P1": 500_000, "S1": 500_000, "U1": 370_000}
    assert bench.origins(1) == SOLVED_ALL
    assert bench.newest("U1").factors == (592_000, 370_000, 592_000)
    versions = [slot for slot in bench.slots(all_versions=True) if slot.start_ms == DAY_MS + SLOT_MS]
    assert [slot.version for slot in versions] == [1, 2]
    # Never rewritten.
    assert versions[0].nodes.pack() == first.nodes.pack()
    found = bench.findings()
    assert ("grid_fallback", "grid") not in found
    assert found["grid_late", "load town"].evidence["slots"] == 1


def test_data_that_change_nothing_make_no_version_and_no_message(bench: Bench) -> None:
    bench.tell({0: SNAPSHOT})
    bench.run_to(1)
    before = len(bench.link.factors)
    bench.tell({0: SNAPSHOT}, feed="another")
    bench.run()
    assert len(bench.slots(all_versions=True)) == 1
    assert len(bench.link.factors) == before
    with database.reading(bench.engine) as connection:
        assert connection.execute(select(grid_notice)).all() == []


def test_a_correction_is_dispatched_beyond_the_window_and_the_window_stays_the_newest(bench: Bench) -> None:
    bench.again(slots=2)
    bench.tell({0: SNAPSHOT, 2: SNAPSHOT, 3: SNAPSHOT, 4: SNAPSHOT})
    bench.run_to(5)
    bench.link.factors.clear()
    bench.tell({1: replace(SNAPSHOT, generators={**SNAPSHOT.generators, "G1": Generation(100.0, 0.5)})})
    bench.run()
    told = [message for message in bench.link.factors if message.node == "U1"]
    assert [(message.first_start_ms, message.factors) for message in told] == [
        (DAY_MS + SLOT_MS, (370_000,)),
        (DAY_MS + 3 * SLOT_MS, (592_000, 592_000)),
    ]
    assert told[0].issued_ms < told[1].issued_ms


def test_what_is_later_than_the_limit_corrects_nothing(bench: Bench) -> None:
    bench.again(correct_hours=1)
    bench.tell({0: SNAPSHOT})
    bench.run_to(6)
    bench.tell({0: without(SNAPSHOT, "PV")}, feed="late")
    bench.tell({0: replace(SNAPSHOT, generators={"G1": Generation(100.0, 0.5)})}, feed="late")
    bench.run()
    assert [slot.version for slot in bench.slots(all_versions=True) if slot.start_ms == DAY_MS] == [1]


def test_a_dead_node_is_undefined_and_nothing_stands_in(bench: Bench) -> None:
    dead = replace(
        SNAPSHOT,
        flows={"L1": EndPowers(100.0, -98.0), "L2": EndPowers(0.0, 0.0)},
        generators={"G1": Generation(100.0, 0.8), "PV": Generation(0.0, 0.0)},
        loads={"town": Demand(98.0), "park": Demand(0.0)},
    )
    bench.tell({0: SNAPSHOT, 1: dead})
    bench.run_to(2)
    assert bench.dispatched(1) == {"P1": 800_000, "S1": 800_000, "U1": None}
    assert bench.slot(1).nodes.qualities[2] is NodeQuality.DEAD
    assert bench.origins(1) == SOLVED_ALL
    assert bench.newest("U1").factors == (592_000, None)


def test_one_missing_end_is_found_from_the_others_and_two_at_a_node_fall_back(bench: Bench) -> None:
    bench.tell({0: SNAPSHOT, 1: without(SNAPSHOT, "town"), 2: without(SNAPSHOT, "park", "PV")})
    bench.run_to(3)
    assert bench.dispatched(1) == SOLVED
    assert bench.slot(1).summary["estimated"]["first"] == ["load town"]
    assert bench.origins(1) == SOLVED_ALL
    assert bench.slot(2).nodes.qualities[2] is NodeQuality.BAD_INPUT
    assert bench.dispatched(2) == SOLVED
    assert bench.origins(2) == (Origin.SOLVED, Origin.SOLVED, Origin.HELD)


def test_what_cannot_be_costs_its_element_and_no_other(bench: Bench) -> None:
    bench.tell({0: SNAPSHOT})
    bench.run_to(1)
    wrong = replace(
        SNAPSHOT,
        generators={"G1": Generation(100.0, 800.0), "PV": Generation(13.0, 0.0)},
        flows={**SNAPSHOT.flows, "L9": EndPowers(1.0, -1.0)},
    )
    bench.tell({1: wrong})
    bench.run_to(2)
    flagged = dict(bench.slot(1).summary["flagged"]["first"])
    assert "is it in g/kWh?" in flagged["generator G1"]
    assert "not in the grid" in flagged["branch L9"]
    assert ("grid_flagged", "generator G1") in bench.findings()
    # The power is found again from the branch, its factor is not.
    assert bench.slot(1).summary["estimated"]["first"] == ["generator G1"]
    assert bench.origins(1)[0] is Origin.HELD


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (2, 0, 3, 1), (1, 3, 0, 2)], ids=str)
def test_any_order_of_arrival_ends_in_the_same_factors(order: tuple[int, ...], tmp_path: Path) -> None:
    slots = {number: storing(10.0 if number % 2 == 0 else 0.0, 0.0 if number % 2 == 0 else 9.0) for number in range(4)}
    slots[3] = without(slots[3], "park", "PV")
    both = []
    for name, arrivals in (("in time", (0, 1, 2, 3)), ("late", order)):
        (tmp_path / name).mkdir()
        bench = Bench(tmp_path / name, STORING)
        bench.tell({0: without(slots[0], "PV")}, feed="first")
        if name == "late":
            bench.run_to(4)
        for number in arrivals:
            bench.tell({number: slots[number]})
            if name == "late":
                bench.run()
        bench.run_to(4)
        both.append([(slot.solve_id, slot.nodes.pack(), slot.used.pack()) for slot in bench.slots()])
        bench.engine.dispose()
    assert len(both[0]) == 4
    assert both[0] == both[1]


def test_a_tank_is_carried_on_and_its_correction_goes_on_too(tmp_path: Path) -> None:
    bench = Bench(tmp_path, STORING)
    bench.tell({0: storing(20.0, 0.0), 1: storing(0.0, 0.0), 2: storing(0.0, 16.0)})
    bench.run_to(3)
    assert bench.slot(0).summary["tanks"]["B"] == pytest.approx([5.0, 4.0, 0.0])
    assert bench.slot(2).summary["tanks"]["B"] == pytest.approx([1.0, 0.8, 0.0])
    dirty = storing(20.0, 0.0)
    bench.tell({0: replace(dirty, generators={**dirty.generators, "G1": Generation(120.0, 0.4)})})
    bench.run()
    assert bench.slot(0).summary["tanks"]["B"] == pytest.approx([5.0, 2.0, 0.0])
    assert bench.slot(2).summary["tanks"]["B"] == pytest.approx([1.0, 0.4, 0.0])
    assert [slot.version for slot in bench.slots()] == [2, 2, 2]
    bench.engine.dispose()


def test_a_new_topology_is_valid_from_its_time(bench: Bench) -> None:
    after = replace(
        bench.plan().grid,
        nodes=(Node("P1"), Node("S2"), Node("U1")),
        branches=(Branch("L1", "P1", "S2"), Branch("L2", "S2", "U1")),
        loads=(replace(bench.plan().grid.loads[0], node="S2"), bench.plan().grid.loads[1]),
    )
    with database.writing(bench.engine) as connection:
        shelf.enter_grid(connection, after, DAY_MS + 2 * SLOT_MS, "moved", DAY_MS)
    bench.tell(dict.fromkeys(range(4), SNAPSHOT))
    bench.run_to(4)
    assert [slot.grid for slot in bench.slots()] == [1, 1, 2, 2]
    assert bench.newest("S2").first_start_ms == DAY_MS + 2 * SLOT_MS
    assert len(bench.newest("U1").factors) == 4
    assert max(message.first_start_ms for message in bench.link.factors if message.node == "S1") == DAY_MS


def test_a_station_whose_node_the_new_grid_does_not_have_is_told_of(tmp_path: Path) -> None:
    bench = Bench(tmp_path, known=registry(station(name="ST1", node="U1")))
    gone = Grid((Node("P1"),), (), bench.plan().grid.generators[:1])
    with database.writing(bench.engine) as connection:
        shelf.enter_grid(connection, gone, DAY_MS + SLOT_MS, "gone", DAY_MS)
    bench.tell({0: SNAPSHOT})
    bench.run_to(2)
    found = bench.findings()["grid_station", "station ST1"]
    assert (found.first_ms, found.severity) == (DAY_MS + SLOT_MS, "alarm")
    assert found.evidence["node"] == "U1"
    bench.engine.dispose()


def test_only_nodes_of_stations_and_their_aliases(tmp_path: Path) -> None:
    bench = Bench(tmp_path, known=registry(station(name="ST2", node="S1b")), publish="stations")
    bench.tell({0: SNAPSHOT})
    bench.run_to(1)
    assert [(message.node, message.factors) for message in bench.link.factors[:1]] == [("S1b", (800_000,))]
    assert {message.node for message in bench.link.factors} == {"S1b"}
    bench.engine.dispose()


def test_the_checks_are_told_of_corrections_at_the_node(tmp_path: Path) -> None:
    bench = Bench(tmp_path, known=registry(station(name="ST1", node="U1")))
    bench.stations["U1"] = [7]
    bench.tell({0: SNAPSHOT, 1: SNAPSHOT})
    bench.run_to(2)
    assert bench.dirty() == []
    bench.tell({1: replace(SNAPSHOT, generators={**SNAPSHOT.generators, "G1": Generation(100.0, 0.5)})})
    bench.run()
    assert bench.dirty() == [(7, DAY_MS + SLOT_MS, DAY_MS + SLOT_MS)]
    bench.engine.dispose()


def test_the_feed_tells_of_each_version(bench: Bench) -> None:
    bench.tell({0: SNAPSHOT})
    bench.run_to(1)
    (told,) = bench.link.feed
    slot = bench.slot(0)
    assert (told.centre, told.start_ms, told.version, told.solve_id) == ("centre", DAY_MS, 1, slot.solve_id)
    assert (told.nodes, told.factors) == (("P1", "S1", "U1"), (800_000, 800_000, 592_000))
    carbon, energy = told.carbon_ug, told.energy_mwh
    assert carbon[1] == 20_000_000_000_000  # 100 MW × 0.8 t/MWh × 0.25 h
    assert carbon[1] == carbon[2] + carbon[3]
    assert (energy[1], energy[2], energy[3]) == (28_250_000_000, 27_500_000_000, 750_000_000)


def test_a_storage_that_nobody_measured_keeps_its_tank(tmp_path: Path) -> None:
    bench = Bench(tmp_path, STORING)
    bench.tell(
        {0: storing(20.0, 0.0), 1: without(storing(0.0, 16.0), "B", "town"), 2: without(storing(0.0, 16.0), "B")}
    )
    bench.run_to(3)
    tanks = [bench.slot(number).summary["tanks"]["B"] for number in range(3)]
    assert tanks[0] == tanks[1] == pytest.approx([5.0, 4.0, 0.0])
    # Found from the others of its node.
    assert bench.slot(2).summary["estimated"]["first"] == ["storage B"]
    assert tanks[2] == pytest.approx([1.0, 0.8, 0.0], rel=1e-6)
    bench.engine.dispose()


def test_until_a_grid_is_valid_its_nodes_are_the_schedules(bench: Bench) -> None:
    told: list[frozenset[str]] = []
    bench.service._hooks.grid_nodes = lambda names: told.append(frozenset(names))
    with database.writing(bench.engine) as connection:
        later = replace(GRID, nodes=(*GRID.nodes, Node("N9")))
        shelf.enter_grid(connection, later, DAY_MS + 2 * SLOT_MS, "later", DAY_MS)
    assert bench.service.prepare() == {"P1", "S1", "U1"}
    bench.run_to(1)
    bench.run_to(2)
    assert told == [{"P1", "S1", "U1"}, {"P1", "S1", "U1", "N9"}]


def test_before_the_first_grid_is_valid_no_node_is_the_grids(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    asyncio.run(bench.clock.advance(-3 * SLOT_MS))
    assert bench.service.prepare() == frozenset()
    assert "no grid is valid yet" in caplog.text
    bench.run()
    assert (bench.slots(), bench.link.factors) == ([], [])
