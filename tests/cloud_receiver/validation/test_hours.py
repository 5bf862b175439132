"""Meters whose intervals are hours, as a utility's are."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from validation_support import CHARGERS, DAY_MS, GRID, SLOT_MS, Bench, hourly

from cloud_receiver.validation.catalogue import BY_NAME, judge
from cloud_receiver.validation.config import Validation
from cloud_receiver.validation.model import Verdict, Window

M = 2
PLAIN = Validation()


def found(window: Window) -> set[tuple[str, int, str]]:
    return {
        (item.rule.name, item.meter, item.outcome.verdict.value)
        for item in judge(window, PLAIN)
        if item.outcome.verdict in {Verdict.SUSPECT, Verdict.FAILED}
    }


def verdict(window: Window, rule: str, meter: int) -> Verdict:
    return BY_NAME[rule].judge(window, meter, PLAIN).verdict


@pytest.mark.parametrize("missing", [3, 12])
def test_an_hour_that_is_missing_of_an_hourly_meter(missing: int) -> None:
    bench = Bench(1)
    hourly(bench, GRID)
    bench.change(GRID, lambda place, row: None if place == missing else row)
    outcome = BY_NAME["gap"].judge(bench.window(), GRID, PLAIN)
    assert outcome.verdict is Verdict.FAILED
    assert outcome.starts == [DAY_MS + (4 * missing + place) * SLOT_MS for place in range(4)]
    assert found(bench.window()) == {("gap", GRID, "failed")}


def test_an_hour_is_not_due_before_it_is_over() -> None:
    bench = Bench(1)
    hourly(bench, GRID)
    bench.rows[GRID] = bench.rows[GRID][:12]
    window = bench.window()
    for slot in window.slots:
        slot.past_deadline = slot.start_ms < DAY_MS + 51 * SLOT_MS
    assert verdict(window, "gap", GRID) is Verdict.PASSED
    window.slots[51].past_deadline = True
    assert verdict(window, "gap", GRID) is Verdict.FAILED


@pytest.mark.parametrize("place", [0, 12])
def test_the_registers_of_an_hourly_meter_go_on(place: int) -> None:
    bench = Bench(1)
    hourly(bench, GRID)
    first = bench.rows[GRID][0]
    before = first._replace(
        start_ms=first.start_ms - 4 * SLOT_MS,
        forward_mwh=0,
        forward_total_mwh=first.forward_total_mwh - first.forward_mwh,
    )
    bench.before = [before]
    assert found(bench.window()) == set()
    bench.change(
        GRID, lambda hour, row: row._replace(forward_total_mwh=row.forward_total_mwh + 10_000 * (hour >= place))
    )
    assert found(bench.window()) == {("continuity", GRID, "failed")}


def test_an_hour_that_begins_within_an_hour_leaves_it() -> None:
    bench = Bench(1)
    hourly(bench, GRID)
    bench.change(GRID, lambda place, row: row._replace(start_ms=row.start_ms + SLOT_MS) if place == 5 else row)
    assert verdict(bench.window(), "interval_length", GRID) is Verdict.FAILED


def test_the_first_hour_of_a_day_may_have_begun_before_it() -> None:
    """Days of Nepal begin 15 minutes after an hour, and so do none of its meters' hours."""
    bench = Bench(1)
    hourly(bench, GRID)
    first = bench.rows[GRID][0]
    window = replace(bench.window(), first_ms=DAY_MS + SLOT_MS, slots=bench.window().slots[1:], before=[first])
    assert verdict(window, "gap", GRID) is Verdict.PASSED
    assert verdict(replace(window, before=[]), "gap", GRID) is Verdict.FAILED


@pytest.mark.parametrize("meters", [(GRID,), (*CHARGERS, GRID)])
def test_hours_balance_as_slots_do(meters: tuple[int, ...]) -> None:
    bench = Bench(1)
    hourly(bench, *meters)
    window = bench.window()
    outcome = BY_NAME["sum"].judge(window, 0, PLAIN)
    assert (outcome.verdict, outcome.numbers["slots"], len(window.balanced)) == (Verdict.PASSED, 96, 24)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (lambda values: [10 * value for value in values], {"multiplier", "high", "sum"}),
        (lambda values: [-value for value in values], {"decreasing", "sum"}),
        (lambda values: values[:32] + [0] * 64, {"zero", "sum"}),
    ],
)
def test_faults_are_named_by_the_hour_too(values: Callable[[list[int]], list[int]], expected: set[str]) -> None:
    bench = Bench(1)
    bench.recount(M, values(bench.counted(M)))
    hourly(bench, GRID)
    assert {name for name, _, _ in found(bench.window())} == expected
