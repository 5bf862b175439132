"""High and low against the rated power, and spikes."""

import pytest
from validation_support import DAY_MS, KWH, SLOT_MS, Bench, energies

from cloud_receiver.validation.config import Validation
from cloud_receiver.validation.model import Verdict
from cloud_receiver.validation.rules import amounts
from wire.records import Quality

PLAIN = Validation()


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_a_healthy_day_passes(number: int, bench: Bench) -> None:
    window = bench.window()
    for judge in (amounts.high, amounts.spike):
        outcome = judge(window, number, PLAIN)
        assert (outcome.verdict, list(outcome.details)) == (Verdict.PASSED, [])
    assert amounts.low(window, 1, PLAIN).verdict is Verdict.PASSED


# 60 kW are 15 kWh a slot; 10 % of margin, two seconds at either end and a step on top: 16.576666 kWh.
@pytest.mark.parametrize(("energy", "verdict"), [(16_576_666, Verdict.PASSED), (16_576_667, Verdict.FAILED)])
@pytest.mark.parametrize("direction", ["forward_mwh", "reverse_mwh"])
def test_more_than_the_rated_power_gives(energy: int, verdict: Verdict, direction: str, bench: Bench) -> None:
    bench.change(1, lambda place, row: row._replace(**{direction: energy}) if place == 12 else row)
    outcome = amounts.high(bench.window(), 1, PLAIN)
    assert outcome.verdict is verdict
    if verdict is Verdict.FAILED:
        assert outcome.starts == [DAY_MS + 12 * SLOT_MS]
        assert (outcome.details[0][direction], outcome.details[0]["limit_mwh"]) == (energy, 16_576_666)


def test_a_short_interval_has_a_smaller_limit(bench: Bench) -> None:
    row = bench.rows[1][5]
    bench.rows[1][5] = row._replace(duration_ms=60_000, forward_mwh=2 * KWH)
    outcome = amounts.high(bench.window(), 1, PLAIN)
    assert (outcome.verdict, outcome.starts) == (Verdict.FAILED, [row.start_ms])


def test_a_charger_that_never_rises(bench: Bench) -> None:
    bench.recount(1, [value // 300 for value in energies(1, bench.station)[1]])
    outcome = amounts.low(bench.window(), 1, PLAIN)
    assert outcome.verdict is Verdict.SUSPECT
    assert 15_000 <= int(str(outcome.numbers["highest_mwh"])) < 75_000


def test_the_own_consumption_of_an_idle_charger_is_no_fault(bench: Bench) -> None:
    bench.recount(1, [5_000] * 96)
    assert amounts.low(bench.window(), 1, PLAIN).verdict is Verdict.PASSED
    bench.recount(1, [0] * 96)
    assert amounts.low(bench.window(), 1, PLAIN).verdict is Verdict.NOT_APPLICABLE


def test_a_short_charge_that_a_gateway_spread_over_a_silence_is_no_fault(bench: Bench) -> None:
    bench.recount(1, [0] * 20 + [30_000] * 60 + [0] * 16)
    assert amounts.low(bench.window(), 1, PLAIN).verdict is Verdict.SUSPECT
    poor = int(Quality.ESTIMATED)
    bench.change(1, lambda place, row: row._replace(quality=poor) if 20 <= place < 80 else row)
    assert amounts.low(bench.window(), 1, PLAIN).verdict is Verdict.NOT_APPLICABLE


def test_own_consumption_goes_on_over_a_silence(bench: Bench) -> None:
    bench.recount(1, [30_000] * 96)
    bench.change(1, lambda place, row: row._replace(quality=int(Quality.ESTIMATED)) if place in (50, 51) else row)
    assert amounts.low(bench.window(), 1, PLAIN).verdict is Verdict.PASSED


def test_a_spike(bench: Bench) -> None:
    small = [value // 6 for value in energies(1, bench.station)[1]]
    bench.recount(1, [*small[:50], 14 * KWH, *small[51:]])
    bench.history[1] = {start: value // 6 for start, value in bench.history[1].items()}
    outcome = amounts.spike(bench.window(), 1, PLAIN)
    assert (outcome.verdict, outcome.starts) == (Verdict.SUSPECT, [DAY_MS + 50 * SLOT_MS])
    assert int(str(outcome.details[0]["forward_mwh"])) > 4 * int(str(outcome.details[0]["third_highest_mwh"]))


def test_a_level_that_was_there_before_is_no_spike(bench: Bench) -> None:
    small = [value // 6 for value in energies(1, bench.station)[1]]
    bench.recount(1, [*small[:50], 14 * KWH, *small[51:]])
    assert amounts.spike(bench.window(), 1, PLAIN).verdict is Verdict.PASSED


def test_too_little_is_known_for_a_spike(bench: Bench) -> None:
    bench.history = {}
    bench.recount(1, [0] * 90 + [14 * KWH] * 6)
    assert amounts.spike(bench.window(), 1, PLAIN).verdict is Verdict.NOT_APPLICABLE


def giving_back(bench: Bench, values: list[int]) -> None:
    """Let charger 1 give back what it took in each slot."""
    bench.recount(1, [-value for value in values])
    bench.given_back[1] = bench.history.pop(1)


def test_a_spike_of_what_is_given_back(bench: Bench) -> None:
    small = [value // 6 for value in energies(1, bench.station)[1]]
    giving_back(bench, [*small[:50], 14 * KWH, *small[51:]])
    assert amounts.spike(bench.window(), 1, PLAIN).verdict is Verdict.PASSED  # the days before had as much
    bench.given_back[1] = {start: value // 6 for start, value in bench.given_back[1].items()}
    outcome = amounts.spike(bench.window(), 1, PLAIN)
    assert (outcome.verdict, outcome.starts) == (Verdict.SUSPECT, [DAY_MS + 50 * SLOT_MS])
    (detail,) = outcome.details
    assert int(str(detail["reverse_mwh"])) > 4 * int(str(detail["third_highest_mwh"]))
    assert "forward_mwh" not in detail
    assert outcome.numbers["highest_reverse_mwh"] == detail["reverse_mwh"]


def test_what_was_taken_says_nothing_of_what_is_given_back(bench: Bench) -> None:
    # Little is given back, and in one slot as much as is taken elsewhere: each direction has its own past.
    taken = energies(1, bench.station)[1]
    small = [-(value // 6) for value in taken]
    bench.recount(1, [*taken[:48], *small[48:70], -14 * KWH, *small[71:]])
    bench.given_back[1] = {start: value // 6 for start, value in bench.history[1].items()}
    outcome = amounts.spike(bench.window(), 1, PLAIN)
    assert (outcome.verdict, outcome.starts) == (Verdict.SUSPECT, [DAY_MS + 70 * SLOT_MS])


def test_a_spike_given_back_that_balances_is_none(bench: Bench) -> None:
    small = [value // 6 for value in energies(1, bench.station)[1]]
    giving_back(bench, [*small[:50], 14 * KWH, *small[51:]])
    bench.given_back[1] = {start: value // 6 for start, value in bench.given_back[1].items()}
    bench.balance()
    assert amounts.spike(bench.window(), 1, PLAIN).verdict is Verdict.PASSED
