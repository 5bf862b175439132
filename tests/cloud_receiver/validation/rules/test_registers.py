"""Continuity, duplicates and decreasing registers."""

import pytest
from validation_support import DAY_MS, SLOT_MS, Bench

from cloud_receiver.checks.freezes import FreezeRow
from cloud_receiver.checks.model import IntervalRow
from cloud_receiver.validation.config import Validation
from cloud_receiver.validation.model import EventRow, Outcome, Verdict
from cloud_receiver.validation.rules import registers
from wire.records import EventCode, FreezeSource

PLAIN = Validation()


def fall(place: int, row: IntervalRow) -> IntervalRow | None:
    """Take slots 40 to 43 out; from then on the register stands 100 kWh lower."""
    if 40 <= place < 44:
        return None
    return row if place < 40 else replace_total(row, -100_000_000)


def replace_total(row: IntervalRow, by: int) -> IntervalRow:
    return row._replace(forward_total_mwh=row.forward_total_mwh + by)


@pytest.mark.parametrize("judge", [registers.continuity, registers.duplicate, registers.decreasing])
def test_a_healthy_day_passes(judge: object, bench: Bench) -> None:
    assert callable(judge)
    outcome = judge(bench.window(), 1, PLAIN)
    assert isinstance(outcome, Outcome)
    assert (outcome.verdict, list(outcome.details)) == (Verdict.PASSED, [])


def test_a_register_that_does_not_follow_from_the_one_before(bench: Bench) -> None:
    bench.change(1, lambda place, row: replace_total(row, 10_000) if place == 20 else row)
    outcome = registers.continuity(bench.window(), 1, PLAIN)
    assert outcome.verdict is Verdict.FAILED
    # The register is off at the slot, and by as much the other way at the next.
    assert outcome.starts == [DAY_MS + 20 * SLOT_MS, DAY_MS + 21 * SLOT_MS]
    first, second = outcome.details
    assert (int(str(first["found"])) - int(str(first["expected"]))) == 10_000
    assert (int(str(second["found"])) - int(str(second["expected"]))) == -10_000
    assert registers.continuity(bench.window(), 2, PLAIN).verdict is Verdict.PASSED


@pytest.mark.parametrize(("more", "verdict"), [(0, Verdict.SUSPECT), (10_000, Verdict.FAILED)])
def test_the_same_time_twice(more: int, verdict: Verdict, bench: Bench) -> None:
    row = bench.rows[1][30]
    bench.rows[1].append(row._replace(journal=2, forward_mwh=row.forward_mwh + more))
    outcome = registers.duplicate(bench.window(), 1, PLAIN)
    assert (outcome.verdict, outcome.starts) == (verdict, [DAY_MS + 30 * SLOT_MS])
    assert outcome.details[0]["same_energies"] is (more == 0)


def test_nothing_is_said_of_times_where_there_are_none(bench: Bench) -> None:
    bench.change(1, lambda *_: None)
    assert registers.duplicate(bench.window(), 1, PLAIN).verdict is Verdict.NOT_APPLICABLE


def test_a_register_that_is_lower_after_a_gap(bench: Bench) -> None:
    bench.change(1, fall)
    # Continuity compares neighbours, and there are none at the gap.
    assert registers.continuity(bench.window(), 1, PLAIN).verdict is Verdict.PASSED
    outcome = registers.decreasing(bench.window(), 1, PLAIN)
    assert (outcome.verdict, outcome.starts) == (Verdict.FAILED, [DAY_MS + 44 * SLOT_MS])
    assert int(str(outcome.details[0]["after_mwh"])) < int(str(outcome.details[0]["before_mwh"]))


@pytest.mark.parametrize("code", [EventCode.RESET, EventCode.EXCHANGE, EventCode.ROLLOVER])
def test_an_event_explains_a_lower_register(code: EventCode, bench: Bench) -> None:
    bench.change(1, fall)
    bench.events = [EventRow(DAY_MS + 42 * SLOT_MS, 1, 1, code, {})]
    assert registers.decreasing(bench.window(), 1, PLAIN).verdict is Verdict.PASSED
    bench.events = [replace_meter(bench.events[0], 2)]
    assert registers.decreasing(bench.window(), 1, PLAIN).verdict is Verdict.FAILED


def replace_meter(event: EventRow, meter: int) -> EventRow:
    return event._replace(meter=meter)


def test_an_energy_below_zero(bench: Bench) -> None:
    bench.change(1, lambda place, row: row._replace(forward_mwh=-1) if place == 3 else row)
    outcome = registers.decreasing(bench.window(), 1, PLAIN)
    assert (outcome.verdict, outcome.starts) == (Verdict.FAILED, [DAY_MS + 3 * SLOT_MS])


def test_freezes_of_the_meter_that_fall(bench: Bench) -> None:
    end = DAY_MS + 96 * SLOT_MS
    bench.freezes = [
        FreezeRow(time, 1, 1, 1, 0, total, 0, FreezeSource.METER) for time, total in ((DAY_MS, 500), (end, 400))
    ]
    outcome = registers.decreasing(bench.window(), 1, PLAIN)
    assert (outcome.verdict, outcome.starts) == (Verdict.FAILED, [end - SLOT_MS])
    assert (outcome.details[0]["register"], outcome.details[0]["before_mwh"]) == ("own_freeze", 500)
    # A fall of days before is those days' concern.
    bench.freezes = [row._replace(time_ms=row.time_ms - 2 * 96 * SLOT_MS) for row in bench.freezes]
    assert registers.decreasing(bench.window(), 1, PLAIN).verdict is Verdict.PASSED


def test_nothing_to_judge(bench: Bench) -> None:
    bench.rows[1] = []
    window = bench.window()
    assert registers.continuity(window, 1, PLAIN).verdict is Verdict.NOT_APPLICABLE
    assert registers.decreasing(window, 1, PLAIN).verdict is Verdict.NOT_APPLICABLE
