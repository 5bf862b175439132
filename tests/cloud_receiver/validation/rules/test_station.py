"""The sum check, and zero while the station shows load."""

import pytest
from validation_support import DAY_MS, GRID, SLOT_MS, Bench, energies

from cloud_receiver.checks.tolerance import balance
from cloud_receiver.validation.config import Validation
from cloud_receiver.validation.model import Verdict
from cloud_receiver.validation.rules import station

PLAIN = Validation()


@pytest.mark.parametrize("seed", range(4))
def test_a_healthy_day_passes(seed: int) -> None:
    window = Bench(seed).window()
    outcome = station.sum_check(window, 0, PLAIN)
    assert (outcome.verdict, outcome.numbers["slots"]) == (Verdict.PASSED, 96)
    for number in (1, 2, 3, GRID):
        assert station.zero(window, number, PLAIN).verdict is Verdict.PASSED


def test_the_sum_check_is_the_balance_of_the_checks(bench: Bench) -> None:
    bench.recount(2, [value * 103 // 100 for value in energies(1, bench.station)[2]])
    window = bench.window()
    outcome = station.sum_check(window, 0, PLAIN)
    same = balance(window.context, [energy for _, energy in window.balanced], 2.0)
    assert same is not None
    assert outcome.verdict is Verdict.FAILED
    assert outcome.numbers == same.evidence()
    assert len(outcome.starts) == 96


def test_no_sum_without_the_grid_side(bench: Bench) -> None:
    bench.rows[GRID] = []
    window = bench.window()
    assert station.sum_check(window, 0, PLAIN).verdict is Verdict.NOT_APPLICABLE
    assert station.zero(window, 1, PLAIN).verdict is Verdict.NOT_APPLICABLE


def stuck(bench: Bench, number: int, place: int) -> None:
    """Let a meter count nothing from a slot on."""
    values = energies(1, bench.station)[number]
    bench.recount(number, values[:place] + [0] * (96 - place))


def test_a_charger_that_counts_nothing_from_noon_on(bench: Bench) -> None:
    stuck(bench, 2, 48)
    window = bench.window()
    outcome = station.zero(window, 2, PLAIN)
    assert outcome.verdict is Verdict.FAILED
    charged = {
        DAY_MS + place * SLOT_MS for place, value in enumerate(energies(1, bench.station)[2]) if place >= 48 and value
    }
    # All but those in which it took less than a fifth of what the station took.
    assert set(outcome.starts) <= charged
    assert len(outcome.starts) >= len(charged) - 3
    for number in (1, 3, GRID):
        assert station.zero(window, number, PLAIN).verdict is Verdict.PASSED


def test_of_a_charger_without_a_past_nobody_knows(bench: Bench) -> None:
    stuck(bench, 2, 48)
    bench.history = {1: bench.history[1]}
    assert station.zero(bench.window(), 2, PLAIN).verdict is Verdict.SUSPECT


def test_a_grid_side_meter_that_counts_nothing(bench: Bench) -> None:
    stuck(bench, GRID, 48)
    window = bench.window()
    assert station.zero(window, GRID, PLAIN).verdict is Verdict.FAILED
    assert station.zero(window, 1, PLAIN).verdict is Verdict.PASSED


def test_an_error_of_a_charger_does_not_make_the_idle_ones_suspect(bench: Bench) -> None:
    bench.recount(2, [value * 90 // 100 for value in energies(1, bench.station)[2]])
    bench.recount(1, [0] * 96)
    bench.recount(
        GRID, [a - b for a, b in zip(energies(1, bench.station)[GRID], energies(1, bench.station)[1], strict=True)]
    )
    window = bench.window()
    assert station.sum_check(window, 0, PLAIN).verdict is Verdict.FAILED
    assert station.zero(window, 1, PLAIN).verdict is Verdict.PASSED
