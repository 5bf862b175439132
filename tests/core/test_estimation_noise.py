"""The noise of readings: an estimate is that of dense matrices, with the whole covariance written out and inverted.

The core whitens in one sweep; here is nothing but the model: an error at a boundary moves energy from one window to the
next, a reading that is missing makes a window longer, and one that is left out parts its neighbours.
"""

from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from diantan_core import ErrorCharger, ErrorEstimator, ErrorWindows

QUARTER = 900_000
START = 1_767_196_800_000
COUNT, CHARGERS = 200, 3
ERRORS = np.array([0.004, -0.003, 0.001])
GAIN, LOAD_KW = 0.002, 0.4
STEP, FLOOR = 0.5, 0.001
BOUNDARY = STEP**2 / 12
"""Variance of the master's register at an instant, kWh²; the chargers' are as good as exact."""
SOUND_SD, COHORT_SD, GAIN_U, LOAD_U = 0.005, 0.0004, 0.003, 2.0
LOST = (37, 38, 120)
"""Instants at which a charger wasn't read."""
WRONG = 80
"""The window in which one counted more than its power gives."""

Floats = NDArray[np.float64]


def _readings() -> tuple[Floats, Floats]:
    """Return what each charger and the master counted in each quarter of an hour, kWh."""
    dice = np.random.default_rng(4)
    energies = dice.uniform(2, 12, (COUNT, CHARGERS))
    true = (energies / (1 + ERRORS)).sum(axis=1) + LOAD_KW / 4
    shown = dice.normal(0, 0.5 * BOUNDARY**0.5, COUNT + 1)
    return energies, (1 + GAIN) * true + np.diff(shown)


def _estimated(energies: Floats, master: Floats) -> tuple[Floats, Floats]:
    """Return the core's errors and their uncertainties; losses, clocks and altered chargers are as good as none."""
    registers = [np.concatenate([[0.0], np.cumsum(column)]).tolist() for column in (*energies.T, master)]
    for place in LOST:
        registers[1][place] = None
    for place in range(WRONG + 1, COUNT + 1):
        registers[2][place] += 500.0
    estimator = ErrorEstimator(
        [ErrorCharger(branch_loss=1e-12, step_kwh=1e-6, max_kw=100.0) for _ in range(CHARGERS)],
        gain=(0.0, GAIN_U),
        cohort_sd=COHORT_SD,
        sound_sd=SOUND_SD,
        altered_share=1e-9,
        strange_share=0.0,
        curve_sd=0.0,
        trunk_loss=1e-12,
        fit_offsets=False,
        fixed_load_kw=(0.0, LOAD_U),
        night=None,
        profile_kw=0.0,
        master_step_kwh=STEP,
        jitter_s=0.0,
        white=0.0,
        floor_kwh=FLOOR,
        fit_noise=False,
        huber=1e6,
    )
    times = [START + place * QUARTER for place in range(COUNT + 1)]
    found = estimator.estimate(ErrorWindows.from_registers(times, registers[-1], registers[:-1]))
    assert found.windows == COUNT - len(LOST) - 1
    assert found.scale == 1.0  # residuals are smaller than stated
    return np.array([one.error for one in found.chargers]), np.array([one.u for one in found.chargers])


def _by_the_book(energies: Floats, master: Floats, *, linked: bool = True) -> tuple[Floats, Floats]:
    """Return errors e and their uncertainties by y = Σ θx + P₀h + v, 1 + θ = (1 + g)/(1 + e), with the covariance of v.

    The unknowns are b = g - θ less what all have in common, that, g, and P₀.
    """
    instants = [place for place in range(COUNT + 1) if place not in LOST]
    x, m = (np.add.reduceat(column, instants[:-1]) for column in (energies, master))
    hours = np.diff(instants) / 4
    covariance = np.diag(np.full(len(hours), 2 * BOUNDARY + FLOOR**2))
    if linked:
        beside = np.arange(len(hours) - 1)
        covariance[beside, beside + 1] = covariance[beside + 1, beside] = -BOUNDARY
    used = np.array([not first <= WRONG < last for first, last in pairwise(instants)])
    x, m, hours, covariance = x[used], m[used], hours[used], covariance[np.ix_(used, used)]
    whole = x.sum(axis=1, keepdims=True)
    columns = np.hstack([-x, -whole, whole, hours[:, None]])
    priors = np.array([*[SOUND_SD] * CHARGERS, COHORT_SD, GAIN_U, LOAD_U]) ** -2
    weighted = columns.T @ np.linalg.inv(covariance)
    spread = np.linalg.inv(weighted @ columns + np.diag(priors))
    found = spread @ (weighted @ (m - x.sum(axis=1)))
    b, g = found[:CHARGERS] + found[CHARGERS], found[CHARGERS + 1]
    of_b = np.zeros((CHARGERS, len(found)))
    of_b[range(CHARGERS), range(CHARGERS)] = of_b[:, CHARGERS] = 1
    slope = (1 + g) / (1 + g - b) ** 2
    return b / (1 + g - b), slope * np.sqrt(np.diag(of_b @ spread @ of_b.T))


def test_the_sweep_is_the_inverse_of_the_covariance() -> None:
    energies, master = _readings()
    errors, u = _estimated(energies, master)
    expected, spread = _by_the_book(energies, master)
    assert errors == pytest.approx(expected, abs=1e-8)
    assert u == pytest.approx(spread, rel=1e-6)


def test_windows_taken_for_independent_would_be_another_estimate() -> None:
    """So that it is the covariance which the other test sees."""
    energies, master = _readings()
    errors, u = _estimated(energies, master)
    others, spread = _by_the_book(energies, master, linked=False)
    assert np.abs(errors - others).max() > 1e-3
    assert (spread > 1.3 * u).all()
