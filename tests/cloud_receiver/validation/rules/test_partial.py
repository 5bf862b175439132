"""Intervals that lack part of their energy: few with a reason are no fault, one without is told."""

from collections.abc import Iterable

import pytest
from validation_support import DAY_MS, GRID, SLOT_MS, Bench

from cloud_receiver.validation.config import Partial, Validation
from cloud_receiver.validation.model import EventRow, Outcome, Verdict
from cloud_receiver.validation.rules.partial import partial
from wire.records import DetailKey, EventCode, Quality

M = 2


def lacking(bench: Bench, places: Iterable[int], meter: int = M) -> None:
    there = set(places)
    quality = int(Quality.PARTIAL)
    bench.change(meter, lambda place, row: row._replace(quality=quality) if place in there else row)


def at(bench: Bench, slot: float, code: EventCode, meter: int = M) -> None:
    bench.events.append(EventRow(DAY_MS + int(slot * SLOT_MS), meter, 1, int(code), {}))


def outcome(bench: Bench, settings: Validation | None = None, meter: int = M) -> Outcome:
    return partial(bench.window(), meter, settings or Validation())


def test_a_whole_day_passes() -> None:
    assert outcome(Bench()).verdict is Verdict.PASSED


def test_the_first_interval_of_a_journal_has_its_reason() -> None:
    bench = Bench()
    lacking(bench, [0])
    found = outcome(bench)
    assert (found.verdict, found.numbers) == (Verdict.PASSED, {"slots": 1, "unexplained_intervals": 0})
    bench.before = [bench.rows[M][0]._replace(start_ms=DAY_MS - SLOT_MS, quality=0)]
    assert outcome(bench).verdict is Verdict.SUSPECT


@pytest.mark.parametrize(
    ("code", "meter"),
    [
        (EventCode.RESET, M),
        (EventCode.EXCHANGE, M),
        (EventCode.JUMP, M),
        (EventCode.GAP, M),
        (EventCode.CLOCK_STEPPED, 0),
        (EventCode.TIME_BACK, 0),
    ],
)
def test_an_event_is_a_reason(code: EventCode, meter: int) -> None:
    bench = Bench()
    lacking(bench, [40, 41])
    assert outcome(bench).verdict is Verdict.SUSPECT
    at(bench, 41.5, code, meter)
    assert outcome(bench).verdict is Verdict.PASSED


def test_an_event_of_another_time_or_meter_is_none() -> None:
    bench = Bench()
    lacking(bench, [40])
    at(bench, 50, EventCode.RESET)
    at(bench, 40.5, EventCode.RESET, meter=1)
    found = outcome(bench)
    assert (found.verdict, found.numbers["unexplained_intervals"]) == (Verdict.SUSPECT, 1)
    assert list(found.starts) == [DAY_MS + 40 * SLOT_MS]


def test_a_gap_of_some_slots_has_one_event_at_its_end() -> None:
    bench = Bench()
    lacking(bench, range(40, 43))
    at(bench, 43.2, EventCode.GAP)
    assert outcome(bench).verdict is Verdict.PASSED


def test_an_exchange_of_two_hours_has_its_event_at_the_end() -> None:
    bench = Bench()
    lacking(bench, [40, 48])
    bench.change(M, lambda place, row: row if not 40 < place < 48 else None)
    assert outcome(bench).numbers["unexplained_intervals"] == 2
    at(bench, 48.4, EventCode.EXCHANGE)
    assert outcome(bench).verdict is Verdict.PASSED


def test_what_whole_intervals_part_has_each_its_own_reason() -> None:
    bench = Bench()
    lacking(bench, [40, 48])
    at(bench, 48.4, EventCode.EXCHANGE)
    assert outcome(bench).numbers["unexplained_intervals"] == 1


@pytest.mark.parametrize("hours", [-5, 3])
def test_a_clock_that_was_set_explains_where_it_was_and_where_it_is(hours: int) -> None:
    bench = Bench()
    old, new = 60, 60 + 4 * hours
    lacking(bench, [old, new])
    assert outcome(bench).verdict is Verdict.SUSPECT
    step = {int(DetailKey.STEP): hours * 3_600_000}
    bench.events.append(EventRow(DAY_MS + new * SLOT_MS + 1000, 0, 1, int(EventCode.CLOCK_STEPPED), step))
    assert outcome(bench).verdict is Verdict.PASSED


def test_at_the_end_of_a_day_the_reason_is_of_the_next() -> None:
    bench = Bench()
    lacking(bench, [95])
    # Nothing came since: the reason may be under way.
    assert outcome(bench).verdict is Verdict.PASSED
    following = bench.rows[M][-1]._replace(start_ms=DAY_MS + 96 * SLOT_MS)
    bench.after[M] = [following]
    assert outcome(bench).verdict is Verdict.SUSPECT
    bench.after[M] = [following._replace(quality=int(Quality.MEASURED))]
    assert outcome(bench).verdict is Verdict.SUSPECT
    bench.later.append(EventRow(DAY_MS + 97 * SLOT_MS, 1, 1, int(EventCode.RESET), {}))
    assert outcome(bench).verdict is Verdict.SUSPECT
    bench.later.append(EventRow(DAY_MS + 97 * SLOT_MS, M, 1, int(EventCode.RESET), {}))
    assert outcome(bench).verdict is Verdict.PASSED


def test_a_partial_interval_of_the_next_day_is_judged_with_that_day() -> None:
    bench = Bench()
    bench.after[M] = [bench.rows[M][-1]._replace(start_ms=DAY_MS + 96 * SLOT_MS, quality=int(Quality.PARTIAL))]
    assert outcome(bench).numbers == {"slots": 0, "unexplained_intervals": 0}


def test_many_are_told_whatever_the_reason() -> None:
    bench = Bench()
    for place in range(10, 34):
        lacking(bench, [place])
        at(bench, place + 0.5, EventCode.GAP)
    assert outcome(bench).verdict is Verdict.FAILED
    assert outcome(bench, Validation(partial=Partial(failed_slots=25))).verdict is Verdict.SUSPECT
    assert outcome(bench, Validation(partial=Partial(suspect_slots=25, failed_slots=26))).verdict is Verdict.PASSED


def test_the_grid_side_is_judged_too_and_a_meter_without_records_is_not() -> None:
    bench = Bench()
    lacking(bench, range(96), GRID)
    assert outcome(bench, meter=GRID).verdict is Verdict.FAILED
    bench.rows[M] = []
    assert outcome(bench).verdict is Verdict.NOT_APPLICABLE
