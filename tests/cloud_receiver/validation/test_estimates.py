"""Estimates in the store: versioned, reversible, never in the place of a reading."""

import pytest
from receiver_support import DAY_MS, SLOT_MS
from sqlalchemy import Engine, select

from cloud_receiver import database, schema
from cloud_receiver.validation import estimates
from cloud_receiver.validation.estimates import Edit, EstimateError, Part, State

END_MS = DAY_MS + 96 * SLOT_MS


def edit(*energies: int, first: int = 0, meter: int = 1) -> Edit:
    parts = (Part(DAY_MS + (first + place) * SLOT_MS, SLOT_MS, value, 0) for place, value in enumerate(energies))
    return Edit(meter, "register", tuple(parts), {"total_measured": True})


def enter(engine: Engine, item: Edit, now_ms: int, by: str = "Li Ming") -> str:
    with database.writing(engine) as connection:
        return estimates.enter(connection, 1, item, made_by=by, reason="no network", now_ms=now_ms)


def states(engine: Engine) -> list[tuple[int, int, int, State]]:
    with database.reading(engine) as connection:
        return [
            ((item.part.start_ms - DAY_MS) // SLOT_MS, item.version, item.part.forward_mwh, item.state)
            for item in estimates.stored(connection, 1, DAY_MS, END_MS)
        ]


def test_a_new_version_supersedes_and_withdrawing_it_brings_the_former_back(engine: Engine) -> None:
    first = enter(engine, edit(10, 20), 1)
    second = enter(engine, edit(30, first=1), 2)
    assert first != second
    assert states(engine) == [
        (0, 1, 10, State.IN_FORCE),
        (1, 1, 20, State.SUPERSEDED),
        (1, 2, 30, State.IN_FORCE),
    ]
    with database.writing(engine) as connection:
        assert estimates.withdraw(connection, second, by="Wang Fang", reason="wrong meter", now_ms=3) == 1
    assert states(engine) == [
        (0, 1, 10, State.IN_FORCE),
        (1, 1, 20, State.IN_FORCE),
        (1, 2, 30, State.WITHDRAWN),
    ]
    with database.reading(engine) as connection:
        found = estimates.stored(connection, 1, DAY_MS, END_MS)[2]
    assert (found.made_by, found.made_ms, found.reason) == ("Li Ming", 2, "no network")
    assert (found.ended_by, found.ended_ms, found.ended_reason) == ("Wang Fang", 3, "wrong meter")
    # A version is never used again.
    enter(engine, edit(40, first=1), 4)
    assert states(engine)[-1] == (1, 3, 40, State.IN_FORCE)


def test_a_slot_is_superseded_as_a_whole(engine: Engine) -> None:
    parts = (Part(DAY_MS + 300_000, 300_000, 1, 0), Part(DAY_MS + 600_000, 300_000, 2, 0))
    enter(engine, Edit(1, "register", parts, {}), 1)
    assert [item[3] for item in states(engine)] == [State.IN_FORCE, State.IN_FORCE]
    enter(engine, edit(9), 2)
    assert [(item[1], item[3]) for item in states(engine)] == [
        (2, State.IN_FORCE),
        (1, State.SUPERSEDED),
        (1, State.SUPERSEDED),
    ]


def test_meters_have_versions_of_their_own(engine: Engine) -> None:
    enter(engine, edit(1), 1)
    enter(engine, edit(2, meter=2), 1)
    assert [item[1] for item in states(engine)] == [1, 1]
    with database.reading(engine) as connection:
        assert estimates.slots_in_force(connection, 1, DAY_MS, END_MS) == {
            1: frozenset({DAY_MS}),
            2: frozenset({DAY_MS}),
        }
        assert estimates.in_force(connection, 2, DAY_MS, END_MS) == []


def test_withdrawing_twice_or_what_is_not_there(engine: Engine) -> None:
    number = enter(engine, edit(1), 1)
    with database.writing(engine) as connection:
        estimates.withdraw(connection, number, by="x", reason="y", now_ms=2)
        with pytest.raises(EstimateError, match="nothing of edit"):
            estimates.withdraw(connection, number, by="x", reason="y", now_ms=2)
        with pytest.raises(EstimateError, match="there is no edit 'abc'"):
            estimates.withdraw(connection, "abc", by="x", reason="y", now_ms=2)
        assert len(connection.execute(select(schema.estimate)).all()) == 1


@pytest.mark.parametrize(("by", "reason"), [("", "why"), ("x" * 65, "why"), ("x", ""), ("x\n", "y"), ("x", "y" * 1001)])
def test_who_and_why_must_be_told(by: str, reason: str, engine: Engine) -> None:
    with database.writing(engine) as connection, pytest.raises(EstimateError, match="expected 1 to"):
        estimates.enter(connection, 1, edit(1), made_by=by, reason=reason, now_ms=1)


def test_healed_estimates_stay_and_say_so(engine: Engine) -> None:
    enter(engine, edit(10, 20), 1)
    with database.writing(engine) as connection:
        found = estimates.in_force(connection, 1, DAY_MS, END_MS)
        assert estimates.heal(connection, 1, found[:1], by="program", now_ms=9) == 1
        assert estimates.heal(connection, 1, found[:1], by="program", now_ms=10) == 0
    assert [item[3] for item in states(engine)] == [State.MEASURED, State.IN_FORCE]


def test_an_edit_of_nothing(engine: Engine) -> None:
    with pytest.raises(EstimateError, match="nothing to estimate"):
        enter(engine, edit(), 1)
