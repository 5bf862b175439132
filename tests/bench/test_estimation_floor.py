"""What no estimator gets below: guesses that are as good as the draws allow."""

import numpy as np
import pytest

from bench.estimation import floor, judge
from bench.estimation.floor import GAIN_SD, SOUND_SD
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
