"""The least error that readings leave: what adds to it, and what lowers it."""

from dataclasses import replace

import numpy as np
import pytest

from bench.estimation import bound, judge
from bench.estimation.readings import Conditions, drawn_errors
from bench.estimation.scenarios import SCENARIOS, run_station
from bench.estimation.sites import AC, Station, station

WEEK = Conditions(days=7)


@pytest.fixture(scope="module")
def site() -> Station:
    return station(AC, 7, np.random.default_rng(3))


def _rmse(site: Station, conditions: Conditions, measured: float | None = None) -> float:
    errors = drawn_errors(len(site.chargings), np.random.default_rng(4))
    sd = None if measured is None else measured * site.losses.branches
    found = bound.of(site, errors, conditions, sd)
    # what is left is the sum of what each unknown leaves
    assert found.sd**2 == pytest.approx(found.parts.sum(axis=1), rel=1e-6)
    return float(np.sqrt((found.sd**2).mean()))


def test_whatever_is_known_better_lowers_it(site: Station) -> None:
    least = _rmse(site, WEEK)
    better = [
        _rmse(site, WEEK, measured=0.1),
        _rmse(site, replace(WEEK, curve=0.0)),
        _rmse(site, replace(WEEK, gain_sd=0.0001)),
        _rmse(site, replace(WEEK, master_step=1e-4, charger_step=1e-4)),
    ]
    assert all(each < least for each in better)
    worse = [
        _rmse(site, replace(WEEK, offset_sd_s=180.0)),
        _rmse(site, replace(WEEK, jitter_s=30.0)),
        _rmse(site, replace(WEEK, white=0.0025)),
        _rmse(site, replace(WEEK, days=3)),
    ]
    assert all(each > least for each in worse)


def test_a_branch_is_known_no_better_than_it_was_measured(site: Station) -> None:
    silent, coarse, fine, exact = (_rmse(site, WEEK, measured=each) for each in (1e3, 0.3, 0.1, 1e-6))
    assert silent == pytest.approx(_rmse(site, WEEK), rel=1e-4)
    assert silent > coarse > fine > exact
    errors = np.zeros(20)
    sd = 0.1 * site.losses.branches
    some = bound.of(site, errors, WEEK, np.where(np.arange(20) < 10, sd, np.nan)).sd ** 2
    every, none = (bound.of(site, errors, WEEK, each).sd ** 2 for each in (sd, None))
    # those that were measured gain most, the others by the level and by what stays to be told of them
    assert (every[:10] <= some[:10] * (1 + 1e-9)).all()
    assert (some <= none * (1 + 1e-9)).all()
    assert (none - some)[:10].mean() > 2 * (none - some)[10:].mean()
    parts = bound.of(site, errors, WEEK, sd).parts
    assert (parts[:, bound.PARTS.index("drop")] > 0).all()


def test_without_noise_and_curves_only_the_gain_is_left(site: Station) -> None:
    errors = np.zeros(20)
    clean = replace(WEEK, curve=0.0, jitter_s=0.0, white=0.0, master_step=1e-6, charger_step=1e-6)
    found = bound.of(site, errors, clean)
    best = (1 / clean.gain_sd**2 + 20 / bound.SOUND_SD**2) ** -0.5
    assert found.sd == pytest.approx(np.full(20, best), rel=0.02)


def test_estimates_are_not_better_than_it() -> None:
    outcomes = [run_station(number, ["days-7"])["days-7"] for number in range(8)]
    found = judge.figures(outcomes)
    assert found.least is not None
    assert 0.85 * found.least.rmse < found.rmse < 1.6 * found.least.rmse  # of 160 chargers: within chance
    assert "with all spreads known these readings leave MAE 0." in judge.verdict("days-7", found)


def test_it_is_told_where_it_models_the_readings() -> None:
    assert {name for name, each in SCENARIOS.items() if not bound.applies(each.conditions)} == {
        "A30", "A30-no-voltages", "gross", "missing", "auxiliary", "dc-output-0.2", "dc-output-0.4", "cohort",
        "cohort-verified", "cohort-0.1",
    }  # fmt: skip
    assert run_station(0, ["fine-certified"])["fine-certified"].least is None
    assert bound.over([]) is None
    assert bound.over([None]) is None
