"""Unit and multiplier."""

import pytest
from validation_support import GRID, Bench, context, energies

from cloud_receiver.registry import Auxiliary, Loss
from cloud_receiver.validation.config import Validation
from cloud_receiver.validation.model import Verdict
from cloud_receiver.validation.rules.multiplier import multiplier

PLAIN = Validation()


@pytest.mark.parametrize("seed", range(4))
def test_a_healthy_day_passes(seed: int) -> None:
    window = Bench(seed).window()
    for number in (1, 2, 3, GRID):
        outcome = multiplier(window, number, PLAIN)
        assert (outcome.verdict, outcome.numbers["times_balance"]) == (Verdict.PASSED, None)


@pytest.mark.parametrize(
    ("times", "parts", "name"),
    [(10, 1, "10"), (1000, 1, "1000"), (1, 10, "1/10"), (1, 100, "1/100"), (40, 1, "40"), (1, 60, "1/60")],
)
@pytest.mark.parametrize("number", [2, GRID])
def test_a_ratio_off(number: int, times: int, parts: int, name: str, bench: Bench) -> None:
    bench.recount(number, [value * times // parts for value in energies(1, bench.station)[number]])
    window = bench.window()
    outcome = multiplier(window, number, PLAIN)
    assert outcome.verdict is Verdict.FAILED
    assert outcome.numbers["named_ratio"] == name
    assert outcome.numbers["times_balance"] == pytest.approx(times / parts, rel=0.05)
    for other in {1, 2, 3, GRID} - {number}:
        assert multiplier(window, other, PLAIN).verdict is Verdict.PASSED


def test_without_a_grid_side_the_rated_power_tells(bench: Bench) -> None:
    bench.rows[GRID] = []
    bench.recount(2, [value * 10 for value in energies(1, bench.station)[2]])
    outcome = multiplier(bench.window(), 2, PLAIN)
    assert (outcome.verdict, outcome.numbers["named_ratio"]) == (Verdict.FAILED, "10")


def test_the_past_alone_makes_a_meter_suspect(bench: Bench) -> None:
    bench.rows[GRID] = []
    bench.recount(2, [value // 10 for value in energies(1, bench.station)[2]])
    outcome = multiplier(bench.window(), 2, PLAIN)
    assert (outcome.verdict, outcome.numbers["named_ratio"]) == (Verdict.SUSPECT, "1/10")


def test_a_day_of_slow_cars_that_balances_passes(bench: Bench) -> None:
    values = energies(1, bench.station)
    slow = [value // 10 for value in values[2]]
    bench.recount(2, slow)
    bench.recount(GRID, [a - b + c for a, b, c in zip(values[GRID], values[2], slow, strict=True)])
    outcome = multiplier(bench.window(), 2, PLAIN)
    assert outcome.verdict is Verdict.PASSED
    assert outcome.numbers["times_history"] == pytest.approx(0.1, rel=0.15)


def test_one_charger_alone_can_not_be_told_from_the_grid_side() -> None:
    # Nothing but the charger: with an auxiliary load the grid side's ratio would show.
    bench = Bench(station=context(loss=Loss(), auxiliary=Auxiliary()))
    values = energies(1, bench.station)
    only = values[2]
    for number in (1, 3):
        bench.recount(number, [0] * 96)
    bench.recount(GRID, [a - values[1][place] - values[3][place] for place, a in enumerate(values[GRID])])
    bench.recount(2, [value // 10 for value in only])
    bench.history = {}
    window = bench.window()
    charger, grid = (multiplier(window, number, PLAIN) for number in (2, GRID))
    assert (charger.verdict, grid.verdict) == (Verdict.SUSPECT, Verdict.SUSPECT)
    assert charger.numbers["others_that_explain_it"] == ["G"]


def test_too_little_energy_is_not_judged(bench: Bench) -> None:
    bench.recount(2, [0] * 94 + [10_000_000] * 2)
    assert multiplier(bench.window(), 2, PLAIN).verdict is Verdict.NOT_APPLICABLE
