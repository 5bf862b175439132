"""Factors that come after the import: adjustments in the journal of the interval, once."""

import asyncio

from metered_support import FIRST_MS, HOUR_MS, NOW_MS, dispatch, hours, intervals, rows, run

from cloud_receiver import database, schema
from cloud_receiver.checks import carbon
from cloud_receiver.checks.load import contexts, slots
from cloud_receiver.metered_import import settle as settling
from cloud_receiver.metered_import.settle import Settled
from cloud_receiver.metered_import.wish import Surroundings


def settle(around: Surroundings, *, dry_run: bool = False) -> Settled:
    (found,) = settling.meters(around, None, None, None)
    return asyncio.run(settling.settle(*found, around, lambda _: None, dry_run=dry_run))


def unsettled(around: Surroundings) -> list[object]:
    with database.reading(around.engine) as connection:
        (context,) = contexts(connection, around.registry)
        starts = {row.start_ms for row in intervals(around.engine)}
        found = slots(connection, context, starts, 0, 2**50)
        return [item for slot in found for item in (*carbon.arithmetic(slot), *carbon.factors(slot, context))]


def test_a_late_factor_is_an_adjustment_beside_the_interval_once(around: Surroundings) -> None:
    run(around, hours("1", "1.000001"))
    assert settle(around).adjusted == 0
    dispatch(around, FIRST_MS, *[500_000] * 8)
    assert len(unsettled(around)) == 2
    assert settle(around, dry_run=True).adjusted == 2
    assert rows(around.engine, schema.adjustment) == []
    result = settle(around)
    assert (result.adjusted, result.carbon_forward_ug) == (2, 1_000_000_500)
    found = rows(around.engine, schema.adjustment)
    assert [(row.factor_used, row.factor_now, row.solve_id) for row in found] == [(None, 500_000, b"solve")] * 2
    assert {row.journal for row in found} == {row.journal for row in intervals(around.engine)}
    assert unsettled(around) == []
    assert settle(around).adjusted == 0


def test_a_corrected_factor_adjusts_what_was_adjusted(around: Surroundings) -> None:
    dispatch(around, FIRST_MS, *[500_000] * 4)
    run(around, hours("1"))
    dispatch(around, FIRST_MS, *[600_000] * 4, issued_ms=NOW_MS + 1)
    assert settle(around).carbon_forward_ug == 100_000_000
    dispatch(around, FIRST_MS, *[550_000] * 4, issued_ms=NOW_MS + 2)
    assert settle(around).carbon_forward_ug == -50_000_000
    assert unsettled(around) == []


def test_an_interval_whose_slots_have_several_factors_stays_and_is_counted(around: Surroundings) -> None:
    run(around, hours("1", "1"))
    dispatch(around, FIRST_MS, *[500_000] * 4, *[500_000, 600_000, 600_000, 600_000])
    result = settle(around)
    assert (result.adjusted, result.several) == (1, 1)


def test_divided_by_slot_each_part_is_settled(around: Surroundings) -> None:
    run(around, hours("1"), by_slot=True)
    dispatch(around, FIRST_MS, 500_000, 600_000, 700_000, 800_000)
    result = settle(around)
    assert (result.adjusted, result.several, result.carbon_forward_ug) == (4, 0, 650_000_000)


def test_intervals_of_every_journal_are_settled_in_their_own(around: Surroundings) -> None:
    run(around, hours("1", "", "1"))
    run(around, hours("1", "1", "1"))
    dispatch(around, FIRST_MS, *[500_000] * 12)
    result = settle(around)
    assert (result.adjusted, len(result.journals)) == (3, 2)
    by_start = {row.start_ms: row.journal for row in intervals(around.engine)}
    assert {row.start_ms: row.journal for row in rows(around.engine, schema.adjustment)} == by_start
    assert len(set(by_start.values())) == 2
    assert by_start[FIRST_MS] != by_start[FIRST_MS + HOUR_MS]
