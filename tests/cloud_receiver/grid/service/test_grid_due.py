"""What is solved when: history, other grids, notices, and what in the store can't be read."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from grid_service_support import DAY_MS, OFFICIAL, SLOT_MS, SNAPSHOT, SOLVED, STORING, Bench, storing, without
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from receiver_support import until
from sqlalchemy import delete, select, update

from cloud_receiver import database
from cloud_receiver.grid import shelf
from cloud_receiver.grid.service import due
from cloud_receiver.grid.service.runner import SLOTS_AT_ONCE
from cloud_receiver.grid.snapshot import Generation
from cloud_receiver.schema import factor_message, grid_notice, grid_slot, grid_telemetry
from wire.messages import Origin

IDS = ("L1", "L2", "G1", "PV", "town", "park", "B")


def test_without_any_data_the_service_begins_with_the_last_slot(bench: Bench) -> None:
    bench.run_to(30)
    assert [slot.start_ms for slot in bench.slots()] == [DAY_MS + 29 * SLOT_MS]
    assert bench.origins(29) == (Origin.OFFICIAL,) * 3


def test_before_the_grid_is_valid_nothing_is_solved(bench: Bench) -> None:
    bench.tell({-2: SNAPSHOT, -1: SNAPSHOT})
    bench.run_to(0)
    assert bench.slots() == []
    bench.run_to(1)
    assert [slot.start_ms for slot in bench.slots()] == [DAY_MS]


def test_a_history_that_is_imported_later_is_solved_and_not_dispatched(bench: Bench) -> None:
    bench.again(correct_hours=1, slots=4)
    bench.run_to(400)
    bench.link.factors.clear()
    bench.tell(dict.fromkeys((1, 2, 50), SNAPSHOT))
    bench.run()
    assert [(slot.start_ms - DAY_MS) // SLOT_MS for slot in bench.slots()] == [1, 2, 50, 399]
    assert bench.dispatched(50) == SOLVED
    assert bench.link.factors == []


def test_after_years_only_what_was_measured_and_the_last_slots_are_solved(bench: Bench) -> None:
    bench.again(correct_hours=1, slots=4)
    bench.tell({0: SNAPSHOT, 1_000_000: SNAPSHOT})
    bench.run_to(1)
    bench.run_to(2_000_000)  # 57 years
    found = [(slot.start_ms - DAY_MS) // SLOT_MS for slot in bench.slots()]
    assert found == [0, 1_000_000, *range(1_999_995, 2_000_000)]
    bench.again(correct_hours=1, slots=4)
    bench.run()
    assert bench.newest("U1").factors == (OFFICIAL,) * 4
    # It was the clock: what is measured then corrects nothing, and is solved in its time.
    bench.link.factors.clear()
    asyncio.run(bench.clock.advance(-1_999_999 * SLOT_MS))
    bench.tell({1: SNAPSHOT})
    bench.run_to(2)
    assert bench.dispatched(1) == SOLVED
    bench.again(correct_hours=1, slots=4)
    bench.run()
    assert bench.newest("U1").factors == (592_000, 592_000)


def test_a_notice_of_years_solves_only_what_there_is(bench: Bench) -> None:
    bench.tell({40: SNAPSHOT})
    bench.run_to(41)
    with database.writing(bench.engine) as connection:
        shelf.notify(connection, 0, DAY_MS + 10_000_000 * SLOT_MS)
    bench.run()
    assert len(bench.slots(all_versions=True)) == 1


def test_more_notices_than_one_round_takes(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(due, "NOTICES_AT_ONCE", 2)
    bench.run_to(1)
    for name in ("town", "park", "L2", "L1", "G1"):
        bench.tell({0: without(SNAPSHOT, *(other for other in IDS if other != name))}, feed=name)
    bench.tell({0: without(SNAPSHOT, *(other for other in IDS if other != "PV"))}, feed="PV")
    bench.run()
    assert bench.dispatched(0) == SOLVED


def test_a_grid_that_is_entered_afterwards_counts_for_the_slots_it_is_valid_for(bench: Bench) -> None:
    bench.tell(dict.fromkeys(range(4), SNAPSHOT))
    bench.run_to(4)
    other = replace(bench.plan().grid, generators=bench.plan().grid.generators[:1])
    with database.writing(bench.engine) as connection:
        number = shelf.enter_grid(connection, other, DAY_MS + 2 * SLOT_MS, "without sun", DAY_MS)
    bench.run()
    assert [(slot.grid, slot.version) for slot in bench.slots()] == [(1, 1), (1, 1), (number, 2), (number, 2)]
    assert "not in the grid" in dict(bench.slot(3).summary["flagged"]["first"])["generator PV"]


def test_telemetry_that_cannot_be_read_costs_its_slot_alone(bench: Bench) -> None:
    bench.tell(dict.fromkeys(range(3), SNAPSHOT))
    with database.writing(bench.engine) as connection:
        broken = update(grid_telemetry).where(grid_telemetry.c.start_ms == DAY_MS + SLOT_MS)
        connection.execute(broken.values(content=b"\xff"))
    bench.run_to(3)
    assert [bench.origins(number)[0] for number in range(3)] == [Origin.SOLVED, Origin.HELD, Origin.SOLVED]
    assert "TelemetryError" in bench.slot(1).summary["error"]


def test_a_fault_of_the_service_is_no_end(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.tell({0: SNAPSHOT})
    bench.run_to(1)
    with database.writing(bench.engine) as connection:
        connection.execute(update(grid_slot).values(nodes=b"junk"))
    bench.tell({0: without(SNAPSHOT, "PV")})
    bench.again()

    async def scenario() -> None:
        task = asyncio.create_task(bench.service.run())
        await until(lambda: "the grid service failed" in caplog.text)
        assert not task.done()
        with database.writing(bench.engine) as connection:
            connection.execute(delete(grid_slot))
        await until(lambda: bool(bench.slots()))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scenario())
    assert caplog.text.count("the grid service failed") == 1
    assert bench.dispatched(0)["P1"] == 800_000


def test_a_correction_goes_on_over_many_transactions(tmp_path: Path) -> None:
    bench = Bench(tmp_path, STORING)
    count = 2 * SLOTS_AT_ONCE + 3
    bench.tell({0: storing(20.0, 0.0), **dict.fromkeys(range(1, count), storing(0.0, 0.0))})
    bench.run_to(count)
    other = storing(20.0, 0.0)
    bench.tell({0: replace(other, generators={**other.generators, "G1": Generation(120.0, 0.4)})})
    bench.run()
    assert {slot.version for slot in bench.slots()} == {2}
    assert bench.slots()[-1].summary["tanks"]["B"] == pytest.approx([5.0, 2.0, 0.0])
    bench.engine.dispose()


def test_messages_that_others_prove_are_thinned(bench: Bench) -> None:
    bench.again(slots=4)
    for number in range(36):  # the first node is looked through at midnight of UTC, which is slot 32
        bench.tell({number: SNAPSHOT})
        bench.run_to(number + 1, 1)
    with database.reading(bench.engine) as connection:
        rows = connection.execute(factor_message.select().where(factor_message.c.node == "P1")).all()
    # Of a message for each slot one in four is needed.
    assert len(rows) <= 32 / 4 + 6
    told = {row.first_start_ms + place * SLOT_MS for row in rows for place in range(row.slots)}
    assert told == {DAY_MS + number * SLOT_MS for number in range(36)}


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.sets(st.sampled_from(IDS)), min_size=4, max_size=4),
    st.permutations(range(4)),
    st.lists(st.sampled_from(["charge", "discharge", "rest"]), min_size=4, max_size=4),
)
def test_whatever_comes_late_and_in_whatever_order_the_factors_are_those_of_all_in_time(
    tmp_path_factory: pytest.TempPathFactory, late: list[set[str]], order: list[int], storages: list[str]
) -> None:
    powers = {"charge": (8.0, 0.0), "discharge": (0.0, 6.0), "rest": (0.0, 0.0)}
    whole = [storing(*powers[kind]) for kind in storages]
    # What is left out at first comes later; of slot 3 the sun never comes.
    whole[3] = without(whole[3], "PV", "park")
    first = [without(snapshot, *late[number]) for number, snapshot in enumerate(whole)]
    ends = []
    for in_time in (True, False):
        bench = Bench(tmp_path_factory.mktemp("grid"), STORING)
        bench.tell(dict(enumerate(first)))
        if not in_time:
            bench.run_to(5)
        for number in order:
            bench.tell({number: whole[number]})
            if not in_time:
                bench.run()
        bench.run_to(5)
        ends.append([(slot.solve_id, slot.nodes.pack(), slot.used.pack()) for slot in bench.slots()])
        said = bench.newest("U1")
        assert said.factors == tuple(slot.nodes.dispatched[2] for slot in bench.slots())
        bench.engine.dispose()
    assert len(ends[0]) == 5
    assert ends[0] == ends[1]


def test_without_corrections_the_last_slots_are_dispatched_all_the_same(bench: Bench) -> None:
    bench.again(correct_hours=0, slots=4)
    bench.tell(dict.fromkeys(range(6), SNAPSHOT))
    bench.run_to(6, 899)
    assert bench.newest("P1").first_start_ms == DAY_MS + 2 * SLOT_MS
    assert len(bench.newest("P1").factors) == 4
    bench.tell({5: without(SNAPSHOT, "PV")}, feed="late")
    bench.tell({5: storing(1.0, 0.0)}, feed="late")
    bench.run()
    assert bench.slot(5).version == 1


def test_what_trickles_in_is_corrected_together(bench: Bench) -> None:
    bench.again(correct_pause_s=30)
    ids = [name for name in IDS if name != "B"]
    bench.run_to(1)
    for name in ids:
        bench.tell({0: without(SNAPSHOT, *(other for other in IDS if other != name))}, feed=name)
        bench.run()
    # The first at once, the others half a minute later; nobody's notice is lost, and new slots don't wait.
    assert bench.slot(0).version == 2
    bench.run_to(1, 129)
    assert bench.slot(0).version == 2
    bench.run_to(1, 130)
    assert (bench.slot(0).version, bench.dispatched(0)) == (3, SOLVED)
    bench.tell({0: without(SNAPSHOT, *(other for other in IDS if other != "PV")), 1: SNAPSHOT}, feed="again")
    bench.run_to(1, 131)
    bench.tell({1: SNAPSHOT})
    bench.run_to(2, 1)
    assert bench.dispatched(1) == SOLVED
    with database.reading(bench.engine) as connection:
        assert connection.execute(select(grid_notice)).all() == []


def test_a_correction_that_goes_on_does_not_wait(tmp_path: Path) -> None:
    bench = Bench(tmp_path, STORING, correct_pause_s=900)
    count = 3 * SLOTS_AT_ONCE
    bench.tell({0: storing(20.0, 0.0), **dict.fromkeys(range(1, count), storing(0.0, 0.0))})
    bench.run_to(count)
    bench.tell({0: storing(16.0, 0.0)})
    bench.run()
    assert {slot.version for slot in bench.slots()} == {2}
    bench.engine.dispose()
