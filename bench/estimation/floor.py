"""What no estimator gets below, whatever the readings: computed from what was drawn, where there is no certificate."""

import numpy as np

from bench.estimation.scenarios import Outcome, Scenario

GAIN_SD, SOUND_SD, SOUND = 0.0025, 0.0035, 0.01  # as the truth is drawn


def holds(scenario: Scenario) -> bool:
    """Return whether a row's truth is drawn as said here, and nothing else is known of it."""
    conditions = scenario.conditions
    told = scenario.certificate is not None or scenario.verified > 0
    cohort = conditions.cohort != 0 or conditions.cohort_sd != 0
    return not told and not cohort and conditions.gain_sd == GAIN_SD


def shared(outcomes: list[Outcome]) -> float:
    """Return the root mean square of what all chargers of a station share.

    Readings tell the differences between chargers and master, here exactly; which chargers are sound, and from which
    distributions they and the master were drawn, is known too. The master's gain remains a guess.
    """
    off = []
    for each in outcomes:
        apart = (each.true - each.gain)[np.abs(each.true) <= SOUND]
        guess = -apart.sum() / (len(apart) + (SOUND_SD / GAIN_SD) ** 2)
        off.append(guess - each.gain)
    return float(np.sqrt(np.mean(np.square(off))))


def own(outcomes: list[Outcome]) -> float:
    """Return the root mean square of what is a charger's own.

    A loss of its branch beyond the level of all (where voltages are known: beyond what its drop says) and an error that
    grows with power take the same course: readings tell their sum, here exactly, and how much of it is error is a guess
    by how far each scatters.
    """
    by_load = np.concatenate([each.by_load for each in outcomes if each.by_load is not None])
    by_branch = np.concatenate([each.by_branch for each in outcomes if each.by_branch is not None])
    both = float((by_load**2).mean() + (by_branch**2).mean())
    share = float((by_load**2).mean()) / both if both > 0 else 0.0
    return float(np.sqrt(np.mean((share * (by_load + by_branch) - by_load) ** 2)))
