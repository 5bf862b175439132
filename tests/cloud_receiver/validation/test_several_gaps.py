"""Slots with several gaps, or a reading that failed beside one: each is estimated once, however often it is judged."""

import pytest
from sqlalchemy import insert
from store_support import Centre, records
from validation_support import DAY_MS, KWH, SLOT_MS, Bench

from cloud_receiver import database, schema
from cloud_receiver.checks.model import IntervalRow
from cloud_receiver.validation import estimates
from cloud_receiver.validation.estimates import Estimate, State

PART_MS = SLOT_MS // 3
SLOT = 40
START_MS = DAY_MS + SLOT * SLOT_MS


def thirds(row: IntervalRow) -> list[IntervalRow]:
    """Return an interval as a gateway sends it that was set to five minutes."""
    opening, energy = row.forward_total_mwh - row.forward_mwh, row.forward_mwh
    ends = [energy * (place + 1) // 3 for place in range(3)]
    return [
        row._replace(
            start_ms=row.start_ms + place * PART_MS,
            duration_ms=PART_MS,
            sequence=10**6 + 3 * row.sequence + place,
            forward_mwh=ends[place] - (ends[place - 1] if place else 0),
            forward_total_mwh=opening + ends[place],
        )
        for place in range(3)
    ]


@pytest.fixture
def bench(bench: Bench) -> Bench:
    """Return a bench whose first charger has intervals of five minutes, and charges at noon."""
    energies = bench.counted(1)
    energies[SLOT - 2 : SLOT + 3] = [9 * KWH] * 5
    bench.recount(1, energies)
    bench.rows[1] = [part for row in bench.rows[1] for part in thirds(row)]
    return bench


def judged(centre: Centre, bench: Bench, gone: set[int]) -> list[Estimate]:
    """Send the day but for some of its five minutes, and have it judged three times; return what is in force."""
    bench.rows[1] = [row for row in bench.rows[1] if (row.start_ms - DAY_MS) // PART_MS not in gone]
    centre.store(records(row for found in bench.rows.values() for row in found))
    centre.check()
    made = centre.estimates()
    for _ in range(2):
        judge_again(centre)
        assert centre.estimates() == made
    return [item for item in made if item.state is State.IN_FORCE]


def judge_again(centre: Centre) -> None:
    with database.writing(centre.engine) as connection:
        notice = {"station": 1, "first_ms": DAY_MS, "last_ms": DAY_MS}
        connection.execute(insert(schema.dirty).values(notice))
    centre.check()


@pytest.mark.parametrize(
    "gone", [{0, 2}, {-1, 0, 2}, {0, 2, 3}, {-1, 0, 2, 3, 5}], ids=lambda gone: "-".join(map(str, sorted(gone)))
)
def test_every_gap_of_a_slot_is_estimated(gone: set[int], centre: Centre, bench: Bench) -> None:
    places = {3 * SLOT + place for place in gone}
    made = judged(centre, bench, places)
    assert sorted(item.part.start_ms for item in made) == sorted(DAY_MS + place * PART_MS for place in places)
    assert {(item.method, item.version, item.part.duration_ms) for item in made} == {("register", 1, PART_MS)}
    assert sum(item.part.forward_mwh for item in made) == len(gone) * 3 * KWH
    assert len({item.edit for item in made}) > 1


@pytest.mark.parametrize("place", [0, 1])
def test_whoever_withdraws_one_gap_of_a_slot_has_decided_on_it(place: int, centre: Centre, bench: Bench) -> None:
    item = judged(centre, bench, {3 * SLOT, 3 * SLOT + 2})[place]
    with database.writing(centre.engine) as connection:
        estimates.withdraw(connection, item.edit, by="Li Na", reason="it stood still", now_ms=1)
    withdrawn = centre.estimates()
    judge_again(centre)
    assert centre.estimates() == withdrawn
    assert [each.state for each in withdrawn].count(State.IN_FORCE) == 1


def test_a_slot_that_failed_is_estimated_whole_and_what_is_missing_of_it_with_that(
    centre: Centre, bench: Bench
) -> None:
    bench.rows[1] = [
        row._replace(forward_mwh=900 * KWH) if row.start_ms == START_MS + PART_MS else row for row in bench.rows[1]
    ]
    made = judged(centre, bench, {3 * SLOT, 3 * SLOT + 2, 3 * SLOT + 3})
    assert [(item.part.start_ms, item.part.duration_ms, item.replaces) for item in made] == [
        (START_MS, SLOT_MS, True),
        (START_MS + SLOT_MS, PART_MS, False),
    ]
