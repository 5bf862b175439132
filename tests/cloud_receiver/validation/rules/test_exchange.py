"""Meter exchange and events of registers."""

from datetime import UTC, datetime

import pytest
from validation_support import DAY_MS, SLOT_MS, Bench

from cloud_receiver.validation.config import Validation
from cloud_receiver.validation.model import EventRow, Verdict
from cloud_receiver.validation.rules.exchange import exchange
from wire.records import DetailKey, EventCode

PLAIN = Validation()
NOON_MS = DAY_MS + 48 * SLOT_MS
DETAILS = {int(DetailKey.BEFORE): 900, int(DetailKey.AFTER): 5}


def test_a_healthy_day_passes(bench: Bench) -> None:
    assert exchange(bench.window(), 1, PLAIN).verdict is Verdict.PASSED


@pytest.mark.parametrize("code", [EventCode.EXCHANGE, EventCode.RESET, EventCode.JUMP])
def test_an_event_nobody_knows_of_is_suspect(code: EventCode, bench: Bench) -> None:
    bench.events = [EventRow(NOON_MS + 1, 1, 1, code, DETAILS)]
    outcome = exchange(bench.window(), 1, PLAIN)
    assert (outcome.verdict, outcome.starts) == (Verdict.SUSPECT, [NOON_MS])
    assert (outcome.details[0]["before_mwh"], outcome.details[0]["after_mwh"]) == (900, 5)
    assert exchange(bench.window(), 2, PLAIN).verdict is Verdict.PASSED


def test_a_register_of_emission_is_told_in_its_own_unit(bench: Bench) -> None:
    bench.events = [EventRow(NOON_MS, 1, 1, EventCode.JUMP, DETAILS | {int(DetailKey.DIRECTION): 3})]
    (detail,) = exchange(bench.window(), 1, PLAIN).details
    assert (detail["before_mg"], "before_mwh" in detail) == (900, False)


def test_a_rollover_is_expected(bench: Bench) -> None:
    bench.events = [EventRow(NOON_MS, 1, 1, EventCode.ROLLOVER, DETAILS)]
    outcome = exchange(bench.window(), 1, PLAIN)
    assert outcome.verdict is Verdict.PASSED
    assert "rollover" in str(outcome.numbers["expected"])


@pytest.mark.parametrize(("days", "verdict"), [(0.5, Verdict.PASSED), (1.5, Verdict.SUSPECT)])
def test_an_exchange_that_the_registry_knows(days: float, verdict: Verdict, bench: Bench) -> None:
    since = datetime.fromtimestamp(NOON_MS / 1000 - days * 86_400, UTC)
    bench.station.meters[1] = bench.station.meters[1].model_copy(update={"since": since})
    bench.events = [EventRow(NOON_MS, 1, 1, EventCode.EXCHANGE, DETAILS)]
    assert exchange(bench.window(), 1, PLAIN).verdict is verdict


def test_events_of_days_before_are_those_days_concern(bench: Bench) -> None:
    bench.events = [EventRow(DAY_MS - 1, 1, 1, EventCode.EXCHANGE, DETAILS)]
    assert exchange(bench.window(), 1, PLAIN).verdict is Verdict.PASSED
