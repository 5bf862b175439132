"""What no estimator gets below: guesses that are as good as the draws allow."""

from dataclasses import replace

import numpy as np
import pytest

from bench.estimation import floor, judge
from bench.estimation.floor import GAIN_SD, SOUND_SD
from bench.estimation.readings import drawn_errors
from bench.estimation.scenarios import SCENARIOS, Outcome
from bench.estimation.sites import Floats

NONE = np.zeros(20)


def _outcome(true: Floats, gain: float = 0.0, by_load: Floats = NONE, by_branch: Floats = NONE) -> Outcome:
    count = len(true)
    decided = np.zeros(count, dtype=np.int64)
    return Outcome(true, true, true, decided, (None,) * count, true, 0.0, (), gain, by_load, by_branch)


def test_what_is_shared_is_the_scatter_of_the_sound_chargers() -> None:
    dice = np.random.default_rng(1)
    outcomes = []
    for _ in range(4000):
        true = SOUND_SD * dice.standard_normal(20).clip(-2.8, 2.8)
        true[:2] = 0.04, -0.03  # altered ones tell nothing of the master
        outcomes.append(_outcome(true, GAIN_SD * dice.standard_normal()))
    best = (1 / GAIN_SD**2 + 18 / SOUND_SD**2) ** -0.5
    assert floor.shared(outcomes) == pytest.approx(best, rel=0.04)
    # no other weight guesses better
    for factor in (0.7, 1.3):
        off = []
        for each in outcomes:
            apart = (each.true - each.gain)[2:]
            off.append(-factor * apart.sum() / (18 + (SOUND_SD / GAIN_SD) ** 2) - each.gain)
        assert np.sqrt(np.mean(np.square(off))) > floor.shared(outcomes)


def test_what_is_own_is_what_load_and_branch_leave_open() -> None:
    dice = np.random.default_rng(2)
    by_load, by_branch = (sd * dice.standard_normal((500, 20)) for sd in (0.0004, 0.0008))
    both = [_outcome(NONE, 0.0, *each) for each in zip(by_load, by_branch, strict=True)]
    assert floor.own(both) == pytest.approx((1 / 0.0004**2 + 1 / 0.0008**2) ** -0.5, rel=0.03)
    assert floor.own([_outcome(NONE, 0.0, NONE, each) for each in by_branch]) == 0.0  # no error grows with load
    assert floor.own([_outcome(NONE, 0.0, each, NONE) for each in by_load]) == pytest.approx(0.0)
    assert floor.own([_outcome(NONE)]) == 0.0


def test_a_floor_is_told_where_the_truth_is_drawn_so() -> None:
    assert {name for name, each in SCENARIOS.items() if not floor.holds(each)} == {
        "A30", "A30-no-voltages", "fine-certified", "certified-even", "cohort", "cohort-verified", "cohort-0.1",
    }  # fmt: skip
    true = np.array([0.03, *[0.001] * 19])
    found = judge.figures([_outcome(true, 0.001, np.full(20, 0.0004), np.full(20, 0.0003))] * 3)
    assert "no reading gets below " in judge.verdict("B90", found)
    assert "no reading gets below " not in judge.verdict("A30", found)


def test_as_many_are_found_as_a_normal_error_lets_be() -> None:
    true = np.array([0.021, *[0.0] * 19])
    off = np.array([0.001 * (-1) ** place for place in range(20)])
    found = judge.figures([Outcome(true, true + off, true, NONE.astype(np.int64), (None,) * 20, true, 0.0, ())] * 2)
    assert found.rmse == pytest.approx(0.001)
    assert found.expected == pytest.approx(0.8413, abs=1e-4)  # one standard deviation beyond the limit


def _drawn(stations: int, spread: float) -> tuple[list[Outcome], Floats]:
    """Errors as drawn, and what readings tell of them: the sum with each conversion, less the mean of the sound."""
    dice = np.random.default_rng(3)
    outcomes, told = [], np.empty((stations, 20))
    for place in range(stations):
        true = drawn_errors(20, dice)
        total = true + spread * dice.standard_normal(20)
        told[place] = total - total[np.abs(true) <= floor.SOUND].mean()
        outcomes.append(_outcome(true))
    return outcomes, told


@pytest.mark.parametrize("spread", [0.002, 0.004])
def test_what_can_be_found_behind_conversions_is_what_is_found_when_they_are_drawn(spread: float) -> None:
    outcomes, told = _drawn(6000, spread)
    best = floor.conversion(outcomes, spread, judge.LIMIT, judge.FALSE_ALARMS, 0.002)
    true = np.array([each.true for each in outcomes])
    beyond, altered = np.abs(true) > judge.LIMIT, np.abs(true) > floor.SOUND

    def rates(bound: float) -> tuple[float, float]:
        called = altered & (np.abs(told) > bound)
        return float(called[beyond].mean()), float(called[~beyond].mean())

    # the mean of the true errors of all that were told alike is the limit at that bound
    bound = floor._crossing(lambda total: rates(total)[1] > best.false, 0.01, 0.03)
    alike = altered & (np.abs(np.abs(told) - bound) < 0.0005)
    assert np.mean((true * np.sign(told))[alike]) == pytest.approx(judge.LIMIT, abs=0.0005)
    assert rates(bound)[0] == pytest.approx(best.found, abs=0.004)

    def beside(allowed: float) -> float:
        return rates(floor._crossing(lambda total: rates(total)[1] > allowed, 0.01, 0.03))[0]

    assert beside(judge.FALSE_ALARMS) == pytest.approx(best.most, abs=0.004)
    assert beside(0.002) == pytest.approx(best.as_here, abs=0.004)


def test_nothing_is_missed_where_conversions_do_not_differ() -> None:
    outcomes = [_outcome(np.array([0.03, -0.03, *[0.001 * (-1) ** place for place in range(10_000)]]))]
    best = floor.conversion(outcomes, 1e-5, judge.LIMIT, judge.FALSE_ALARMS, 0.0)
    assert (best.found, best.false, best.most) == pytest.approx((1.0, 0.0, 1.0))
    assert best.as_here is None  # none to compare with


def test_what_can_be_found_is_told_where_chargers_meter_their_output() -> None:
    outcomes, _ = _drawn(3, 0.004)
    assert "single conversions" not in judge.verdict("B90", judge.figures(outcomes))
    rows = [replace(each, conversion_spread=0.004) for each in outcomes]
    assert "with nothing unknown but single conversions" in judge.verdict("dc-output-0.4", judge.figures(rows))
