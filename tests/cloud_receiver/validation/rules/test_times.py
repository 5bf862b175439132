"""Gaps, lengths of intervals and prolonged estimation."""

import pytest
from validation_support import DAY_MS, SLOT_MS, Bench

from cloud_receiver.validation.config import Prolonged, Validation
from cloud_receiver.validation.model import Verdict
from cloud_receiver.validation.rules import times
from wire.records import Quality

PLAIN = Validation()


def test_a_healthy_day_passes(bench: Bench) -> None:
    window = bench.window()
    for judge in (times.gap, times.interval_length, times.prolonged):
        outcome = judge(window, 1, PLAIN)
        assert (outcome.verdict, list(outcome.details)) == (Verdict.PASSED, [])


def test_missing_slots(bench: Bench) -> None:
    bench.change(1, lambda place, row: None if place in {10, 11, 90} else row)
    outcome = times.gap(bench.window(), 1, PLAIN)
    assert outcome.verdict is Verdict.FAILED
    assert outcome.starts == [DAY_MS + place * SLOT_MS for place in (10, 11, 90)]
    assert outcome.details[0]["missing_s"] == 900


def test_slots_that_may_still_come_are_no_gap(bench: Bench) -> None:
    bench.change(1, lambda place, row: None if place > 50 else row)
    window = bench.window()
    for slot in window.slots:
        slot.past_deadline = slot.start_ms <= DAY_MS + 50 * SLOT_MS
    assert times.gap(window, 1, PLAIN).verdict is Verdict.PASSED
    for slot in window.slots:
        slot.past_deadline = False
    assert times.gap(window, 1, PLAIN).verdict is Verdict.NOT_APPLICABLE


def test_an_interval_beyond_its_slot(bench: Bench) -> None:
    bench.change(1, lambda place, row: row._replace(duration_ms=SLOT_MS + 60_000) if place == 7 else row)
    outcome = times.interval_length(bench.window(), 1, PLAIN)
    assert (outcome.verdict, outcome.starts) == (Verdict.FAILED, [DAY_MS + 7 * SLOT_MS])


def test_an_odd_length_is_suspect_unless_its_segment_ends(bench: Bench) -> None:
    bench.change(1, lambda place, row: row._replace(duration_ms=700_000) if place == 7 else row)
    outcome = times.interval_length(bench.window(), 1, PLAIN)
    assert (outcome.verdict, outcome.starts) == (Verdict.SUSPECT, [DAY_MS + 7 * SLOT_MS])
    assert outcome.numbers["lengths_s"] == {"700": 1, "900": 95}
    bench.change(1, lambda place, row: row._replace(quality=int(Quality.PARTIAL)) if place == 7 else row)
    assert times.interval_length(bench.window(), 1, PLAIN).verdict is Verdict.PASSED


def test_pieces_that_fill_a_slot_are_no_fault(bench: Bench) -> None:
    row = bench.rows[1][7]
    bench.rows[1][7] = row._replace(duration_ms=400_000)
    bench.rows[1].append(row._replace(start_ms=row.start_ms + 400_000, duration_ms=500_000, sequence=99))
    assert times.interval_length(bench.window(), 1, PLAIN).verdict is Verdict.PASSED


@pytest.mark.parametrize(("slots", "verdict"), [(7, Verdict.PASSED), (8, Verdict.SUSPECT), (20, Verdict.FAILED)])
def test_interpolation_that_lasts(slots: int, verdict: Verdict, bench: Bench) -> None:
    settings = Validation(prolonged_estimation=Prolonged(suspect_slots=8, failed_slots=20))
    poor = int(Quality.INTERPOLATED)
    bench.change(1, lambda place, row: row._replace(quality=poor) if 30 <= place < 30 + slots else row)
    outcome = times.prolonged(bench.window(), 1, settings)
    assert (outcome.verdict, outcome.numbers["longest_run_slots"]) == (verdict, slots)
    assert len(outcome.starts) == (0 if verdict is Verdict.PASSED else slots)


def test_estimates_of_the_centre_count_too(bench: Bench) -> None:
    bench.change(1, lambda place, row: None if 30 <= place < 40 else row)
    assert times.prolonged(bench.window(), 1, PLAIN).verdict is Verdict.PASSED
    bench.estimated = {1: frozenset(DAY_MS + place * SLOT_MS for place in range(30, 40))}
    outcome = times.prolonged(bench.window(), 1, PLAIN)
    assert (outcome.verdict, outcome.numbers["longest_run_slots"]) == (Verdict.SUSPECT, 10)


def test_a_meter_without_anything_is_not_judged(bench: Bench) -> None:
    bench.rows[1] = []
    window = bench.window()
    assert times.interval_length(window, 1, PLAIN).verdict is Verdict.NOT_APPLICABLE
    assert times.prolonged(window, 1, PLAIN).verdict is Verdict.NOT_APPLICABLE
    assert len(times.gap(window, 1, PLAIN).starts) == 96
