"""Two centres that talk: what one solves the other uses, and both measurements are compared."""

import asyncio
from typing import Any

import pytest
from receiver_support import DAY_MS, SLOT_MS
from sqlalchemy import delete, select
from talk_support import MWH, said, told

from cloud_receiver import schema
from cloud_receiver.database import reading, writing
from cloud_receiver.grid import shelf, telemetry
from cloud_receiver.grid.kept import KeptSlot, NodeQuality, NodeResults, Powers, of
from cloud_receiver.levels import book
from cloud_receiver.levels.partner import Side
from wire.messages import Origin


def test_the_parents_factor_reaches_the_childs_grid(boundary: Any) -> None:
    boundary.parent.measured(0, 1000)
    boundary.child.measured(0, 1001)
    boundary.parent.solved(0, 600_000)
    boundary.to(1)
    asyncio.run(boundary.rounds())
    assert said(boundary.child) == {0: (1000, 600_000, 600)}
    assert said(boundary.parent) == {0: (1001, 600_000, 600)}
    with reading(boundary.child.engine) as connection:
        ((start, received),) = telemetry.between(connection, DAY_MS, DAY_MS + SLOT_MS).items()
        assert connection.execute(select(schema.grid_notice)).first() is not None
    assert start == DAY_MS
    assert [item.feed for item in received] == ["centre province"]
    assert received[0].snapshot.generators["province"].factor == 0.6
    assert received[0].snapshot.generators["province"].megawatts is None


def test_a_corrected_factor_replaces_the_first(boundary: Any) -> None:
    boundary.parent.measured(0, 1000)
    boundary.child.measured(0, 1000)
    boundary.parent.solved(0, 600_000)
    boundary.to(1)
    asyncio.run(boundary.rounds())
    boundary.parent.solved(0, 610_000, issued=2)
    boundary.to(2)
    asyncio.run(boundary.rounds())
    assert said(boundary.child) == {0: (1000, 610_000, 610)}
    assert said(boundary.parent) == {0: (1000, 610_000, 610)}


def test_what_flows_back_has_the_childs_factor(boundary: Any) -> None:
    boundary.parent.measured(0, 0, 500)
    boundary.child.measured(0, 0, 500)
    boundary.child.solved(0, 100_000)
    boundary.parent.solved(0, 600_000)
    boundary.to(1)
    asyncio.run(boundary.rounds())
    with reading(boundary.parent.engine) as connection:
        ((_, received),) = telemetry.between(connection, DAY_MS, DAY_MS + SLOT_MS).items()
        ours = book.newest(connection, "city", Side.OURS, DAY_MS, DAY_MS + SLOT_MS)[DAY_MS]
    assert received[0].snapshot.loads["city"].factor == 0.1
    assert (ours.reverse_mwh, ours.reverse_factor, ours.carbon_reverse_ug) == (500 * MWH, 100_000, 50 * 10**9)
    boundary.to(4)
    asyncio.run(boundary.rounds())
    assert told(boundary.parent) == told(boundary.child) == []


def test_a_difference_is_found_by_both_and_closed_when_it_is_gone(boundary: Any) -> None:
    boundary.parent.measured(0, 1000)
    boundary.child.measured(0, 1100)
    boundary.parent.solved(0, 600_000)
    boundary.to(1)
    asyncio.run(boundary.rounds())
    assert told(boundary.parent) == []  # a correction may be under way
    boundary.to(4)
    asyncio.run(boundary.rounds())
    expected = [(kind, "open", DAY_MS) for kind in ("level_carbon", "level_day", "level_energy")]
    assert told(boundary.parent) == told(boundary.child) == expected
    with writing(boundary.child.engine) as connection:
        connection.execute(delete(schema.interval))
    boundary.child.measured(0, 1002)
    boundary.to(5)
    asyncio.run(boundary.rounds())
    assert told(boundary.parent) == expected  # a correction: what follows from it may be under way
    boundary.to(5, 3)
    asyncio.run(boundary.rounds())
    assert told(boundary.parent) == told(boundary.child) == [(kind, "closed", DAY_MS) for kind, *_ in expected]


def test_a_silent_side_is_told_once_both_have_had_their_time(boundary: Any) -> None:
    boundary.parent.measured(0, 1000)
    boundary.to(2)
    asyncio.run(boundary.rounds())
    assert told(boundary.parent) == []
    boundary.to(4)
    asyncio.run(boundary.rounds())
    assert told(boundary.parent) == told(boundary.child) == [("level_missing", "open", DAY_MS)]


def test_a_day_of_small_differences_is_found_by_its_sums(boundary: Any) -> None:
    """1.4 % in each slot is within class, steps and clocks of a slot, and beyond those of a day."""
    for slot in range(96):
        boundary.parent.measured(slot, 10_000)
        boundary.child.measured(slot, 10_140)
        boundary.parent.solved(slot, 600_000)
    boundary.to(100)
    asyncio.run(boundary.rounds())
    boundary.to(100, 3)
    asyncio.run(boundary.rounds())
    assert [item for item in told(boundary.parent) if item[1] == "open"] == [("level_day", "open", DAY_MS)]


def test_slots_are_unpacked_once(boundary: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    real = shelf.slots

    def counted(connection: Any, first_ms: int, end_ms: int) -> Any:
        calls.append(first_ms)
        return real(connection, first_ms, end_ms)

    monkeypatch.setattr(shelf, "slots", counted)
    with writing(boundary.parent.engine) as connection:
        grid = shelf.grids(connection).all[0]
        for slot in range(3):
            start = DAY_MS + slot * SLOT_MS
            nodes = NodeResults(of([0.6]), of([1.0]), (NodeQuality.DEFINED,), (600_000,), (Origin.SOLVED,))
            powers = Powers.missing(grid.grid)
            shelf.enter_slots(connection, [KeptSlot(start, 1, grid.id, b"s", start, powers, powers, nodes)])
    for minutes in range(1, 20):
        boundary.to(5, minutes)
        asyncio.run(boundary.parent.talk.round())
    assert calls == [DAY_MS + slot * SLOT_MS for slot in range(3)]


@pytest.mark.parametrize("origin", [Origin.HELD, Origin.OFFICIAL])
def test_a_factor_that_stands_in_is_told_as_one_and_not_solved_with(boundary: Any, origin: Origin) -> None:
    boundary.parent.measured(0, 1000)
    boundary.parent.solved(0, 600_000, origin=origin)
    boundary.to(1)
    asyncio.run(boundary.rounds())
    with reading(boundary.child.engine) as connection:
        assert book.newest(connection, "province", Side.THEIRS, DAY_MS, DAY_MS + 1)[DAY_MS].origin is origin
        assert telemetry.between(connection, DAY_MS, DAY_MS + SLOT_MS) == {}
    boundary.parent.solved(0, 600_000, issued=2)
    boundary.to(2)
    asyncio.run(boundary.rounds())
    with reading(boundary.child.engine) as connection:
        assert book.newest(connection, "province", Side.THEIRS, DAY_MS, DAY_MS + 1)[DAY_MS].origin is None
        ((_, (received,)),) = telemetry.between(connection, DAY_MS, DAY_MS + SLOT_MS).items()
    assert received.snapshot.generators["province"].factor == 0.6


@pytest.mark.parametrize(("childs", "taken"), [((0, 5), [0.1, 0.2]), ((5, 0), [0.1]), ((6, 5), [0.1])])
def test_two_solutions_that_need_each_other_come_to_an_end(
    boundary: Any, childs: tuple[int, int], taken: list[float]
) -> None:
    """Where the meters don't agree about the direction each needs the other's factor: the child's first one stays."""
    boundary.parent.measured(0, 0, 4)
    boundary.child.measured(0, *childs)
    boundary.parent.solved(0, 600_000)
    boundary.to(1)
    asyncio.run(boundary.parent.talk.round())
    for issued, factor in ((1, 100_000), (2, 200_000)):
        boundary.child.solved(0, factor, issued=issued)
        boundary.to(1 + issued)
        asyncio.run(boundary.rounds())
    with reading(boundary.parent.engine) as connection:
        ((_, received),) = telemetry.between(connection, DAY_MS, DAY_MS + SLOT_MS).items()
    assert [item.snapshot.loads["city"].factor for item in received] == taken
