"""Findings about the grid: opened, changed, acknowledged, closed when the cause is gone, opened again."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine

from cloud_receiver import schema
from cloud_receiver.grid.findings import Draft, acknowledge, listed, synchronise

KINDS = ("grid_missing", "grid_imbalance")
MISSING = Draft("grid_missing", "generator G1", 0, 900_000, "warning", {"slots": 2})


@pytest.fixture
def store() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    schema.metadata.create_all(engine)
    with engine.connect() as connection, connection.begin():
        yield connection
    engine.dispose()


def test_the_life_of_a_finding(store: Connection) -> None:
    assert synchronise(store, 0, KINDS, [MISSING], 1) == (1, 0)
    assert synchronise(store, 0, KINDS, [MISSING], 2) == (0, 0)
    (found,) = listed(store)
    assert (found.subject, found.state, found.opened_ms, found.updated_ms) == ("generator G1", "open", 1, 1)
    assert found.evidence == {"slots": 2}
    assert acknowledge(store, found.id, 3)
    assert not acknowledge(store, found.id, 3)
    longer = Draft("grid_missing", "generator G1", 0, 1_800_000, "warning", {"slots": 3})
    assert synchronise(store, 0, KINDS, [longer], 4) == (0, 0)
    (found,) = listed(store)
    assert (found.state, found.last_ms, found.updated_ms) == ("acknowledged", 1_800_000, 4)
    assert synchronise(store, 0, KINDS, [], 5) == (0, 1)
    assert listed(store) == []
    assert [item.state for item in listed(store, closed=True)] == ["closed"]
    assert synchronise(store, 0, KINDS, [MISSING], 6) == (1, 0)
    assert [item.state for item in listed(store)] == ["open"]


def test_other_kinds_and_days_are_left_alone(store: Connection) -> None:
    synchronise(store, 0, ("level_energy",), [Draft("level_energy", "centre c", 0, 0, "alarm")], 1)
    synchronise(store, 86_400_000, KINDS, [MISSING], 1)
    assert synchronise(store, 0, KINDS, [], 2) == (0, 0)
    assert [(item.kind, item.day_ms) for item in listed(store)] == [("level_energy", 0), ("grid_missing", 86_400_000)]
    assert [item.kind for item in listed(store, kind="level_energy")] == ["level_energy"]
    assert [item.kind for item in listed(store, day_ms=0)] == ["level_energy"]


def test_a_draft_of_another_kind_is_a_mistake_of_the_caller(store: Connection) -> None:
    with pytest.raises(ValueError, match="kind grid_missing: expected one of grid_imbalance"):
        synchronise(store, 0, ("grid_imbalance",), [MISSING], 1)


def test_other_subjects_are_left_alone_where_one_is_given(store: Connection) -> None:
    other = Draft("grid_missing", "generator G2", 0, 0, "warning")
    synchronise(store, 0, KINDS, [MISSING, other], 1)
    assert synchronise(store, 0, KINDS, [], 2, subject="generator G2") == (0, 1)
    assert [item.subject for item in listed(store)] == ["generator G1"]
    with pytest.raises(ValueError, match="about generator G2: expected one about generator G1"):
        synchronise(store, 0, KINDS, [other], 3, subject="generator G1")
