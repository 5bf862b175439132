"""Clocks of gateways and meters."""

import pytest
from validation_support import DAY_MS, SLOT_MS, Bench

from cloud_receiver.validation.config import GatewayClock, Validation
from cloud_receiver.validation.model import EventRow, Verdict
from cloud_receiver.validation.rules.clocks import gateway_clock, meter_clock
from wire.records import ClockState, DetailKey, EventCode

PLAIN = Validation()
NOON_MS = DAY_MS + 48 * SLOT_MS


def test_a_healthy_day_passes(bench: Bench) -> None:
    outcome = gateway_clock(bench.window(), 0, PLAIN)
    assert outcome.verdict is Verdict.PASSED
    assert outcome.numbers["gateways"] == {"gw1": {"messages": 24, "doubtful": 0, "ahead_ms": -300}}
    assert meter_clock(bench.window(), 1, PLAIN).verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("ahead_ms", "verdict"), [(5_000, Verdict.PASSED), (5_001, Verdict.SUSPECT), (60_001, Verdict.FAILED)]
)
def test_a_message_that_comes_before_it_was_made(ahead_ms: int, verdict: Verdict, bench: Bench) -> None:
    bench.messages[3] = bench.messages[3]._replace(received_ms=bench.messages[3].created_ms - ahead_ms)
    assert gateway_clock(bench.window(), 0, PLAIN).verdict is verdict


def test_a_message_that_was_long_under_way_proves_nothing(bench: Bench) -> None:
    bench.messages = [row._replace(received_ms=row.created_ms + 10**7) for row in bench.messages]
    assert gateway_clock(bench.window(), 0, PLAIN).verdict is Verdict.PASSED


@pytest.mark.parametrize(
    ("state", "required", "verdict"),
    [
        (ClockState.STEPPED, False, Verdict.SUSPECT),
        (ClockState.UNKNOWN, False, Verdict.PASSED),
        (ClockState.UNKNOWN, True, Verdict.SUSPECT),
    ],
)
def test_what_the_gateway_says_of_its_clock(state: ClockState, required: bool, verdict: Verdict, bench: Bench) -> None:
    bench.messages[3] = bench.messages[3]._replace(clock_state=int(state))
    settings = Validation(gateway_clock=GatewayClock(require_synchronised=required))
    outcome = gateway_clock(bench.window(), 0, settings)
    assert outcome.verdict is verdict
    if verdict is Verdict.SUSPECT:
        assert outcome.details[0]["clock"] == state.name.lower()


@pytest.mark.parametrize(("step_ms", "verdict"), [(-6_000, Verdict.SUSPECT), (4_000, Verdict.PASSED)])
def test_a_step_of_the_clock(step_ms: int, verdict: Verdict, bench: Bench) -> None:
    bench.events = [EventRow(NOON_MS, 0, 1, EventCode.CLOCK_STEPPED, {int(DetailKey.STEP): step_ms})]
    outcome = gateway_clock(bench.window(), 0, PLAIN)
    assert (outcome.verdict, list(outcome.starts)) == (verdict, [NOON_MS] if verdict is Verdict.SUSPECT else [])


def test_an_offset_of_the_status(bench: Bench) -> None:
    bench.offsets = {"gw1": {"clock_offset_ms": -7_200_000}}
    outcome = gateway_clock(bench.window(), 0, PLAIN)
    assert (outcome.verdict, outcome.details[0]["clock_offset_ms"]) == (Verdict.SUSPECT, -7_200_000)


def test_a_meter_clock_that_is_off_until_it_is_right(bench: Bench) -> None:
    off = EventRow(DAY_MS - SLOT_MS, 1, 1, EventCode.METER_CLOCK_OFF, {int(DetailKey.DEVIATION): 90_000})
    bench.events = [off]
    outcome = meter_clock(bench.window(), 1, PLAIN)
    assert (outcome.verdict, outcome.starts, outcome.details[0]["deviation_ms"]) == (Verdict.SUSPECT, [DAY_MS], 90_000)
    bench.events.append(EventRow(DAY_MS - 1, 1, 1, EventCode.METER_CLOCK_RIGHT, {}))
    assert meter_clock(bench.window(), 1, PLAIN).verdict is Verdict.PASSED
    bench.events.append(off._replace(time_ms=NOON_MS))
    assert meter_clock(bench.window(), 1, PLAIN).starts == [NOON_MS]
    assert meter_clock(bench.window(), 2, PLAIN).verdict is Verdict.PASSED


def test_a_new_journal_would_have_told_of_a_meter_clock_anew(bench: Bench) -> None:
    bench.events = [EventRow(DAY_MS - SLOT_MS, 1, 1, EventCode.METER_CLOCK_OFF, {int(DetailKey.DEVIATION): 90_000})]
    bench.change(1, lambda place, row: row._replace(journal=2) if place >= 40 else row)
    assert meter_clock(bench.window(), 1, PLAIN).verdict is Verdict.SUSPECT
    bench.change(1, lambda _, row: row._replace(journal=2))
    assert meter_clock(bench.window(), 1, PLAIN).verdict is Verdict.PASSED


def test_nothing_to_judge(bench: Bench) -> None:
    bench.messages = []
    assert gateway_clock(bench.window(), 0, PLAIN).verdict is Verdict.NOT_APPLICABLE
    bench.rows[1] = []
    assert meter_clock(bench.window(), 1, PLAIN).verdict is Verdict.NOT_APPLICABLE
