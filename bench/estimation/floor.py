"""What no estimator gets below, whatever the readings: computed from what was drawn, where there is no certificate."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from bench.estimation.scenarios import Outcome, Scenario
from bench.estimation.sites import Floats

Bools = NDArray[np.bool_]

GAIN_SD, SOUND_SD, SOUND = 0.0025, 0.0035, 0.01  # as the truth is drawn
ALTERED = (0.015, 0.05)  # and the altered ones
_POINTS, _HALVINGS = 2000, 50


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


@dataclass(frozen=True)
class Conversion:
    """What the best estimator finds where the conversion before each meter is unknown, and nothing else; shares."""

    found: float  # of those beyond the limit, by the mean of what the error may be
    false: float  # and of the others
    most: float  # found by whatever estimate has as many false alarms as are allowed
    as_here: float | None  # and by whatever has as many as there were, where there were any

    def __str__(self) -> str:
        """Say it in words."""
        here = "" if self.as_here is None else f", or {100 * self.as_here:.1f} % beside as many as here"
        return (
            f"with nothing unknown but single conversions {100 * self.found:.1f} % are found beside "
            f"{100 * self.false:.2f} % false alarms, by no estimate more than {100 * self.most:.1f} % beside as many "
            f"as are allowed{here}"
        )


def conversion(outcomes: list[Outcome], spread: float, limit: float, allowed: float, here: float) -> Conversion:
    """Return what can be found of a row's errors where chargers meter their output.

    `spread` is how conversions scatter, `limit` beyond which error a charger is to be found, both relative; `allowed`
    and `here` are shares of false alarms among those that are not beyond it: the target, and what came out.

    Readings tell of each charger the sum of its error and of its conversion's deviation from the others', here exactly;
    how conversions scatter, which chargers are sound and how errors were drawn is known too. What all have in common
    isn't: the mean of the sound ones stands for it. A sound one is never called. The larger the sum is of an altered
    one, the larger is the error it speaks for, so that whatever is estimated, it is beyond the limit where its sum is
    beyond some bound.
    """
    true = np.concatenate([each.true for each in outcomes])
    altered = np.abs(true) > (SOUND + ALTERED[0]) / 2  # load takes errors a little beyond what was drawn
    sd = np.concatenate([_unknown(each.true, spread) for each in outcomes])
    beyond = np.abs(true) > limit
    typical = float(np.sqrt((sd**2).mean()))

    def called(bound: float, which: Bools) -> float:
        off, unknown = true[which & altered], sd[which & altered]
        return float((ndtr((off - bound) / unknown) + ndtr((-off - bound) / unknown)).sum() / max(which.sum(), 1))

    def beside(false: float) -> float:
        return called(_crossing(lambda total: called(total, ~beyond) > false, 0.0, 2 * limit), beyond)

    bound = _crossing(lambda total: _mean(total, typical) < limit, 0.0, 2 * limit)
    as_here = beside(here) if here > 0 else None
    return Conversion(called(bound, beyond), called(bound, ~beyond), beside(allowed), as_here)


def _unknown(true: Floats, spread: float) -> Floats:
    """Return the standard deviation of each charger's sum around its error: its conversion, and the level of all."""
    sound = int((np.abs(true) <= (SOUND + ALTERED[0]) / 2).sum())
    return np.full(len(true), np.sqrt(spread**2 + (SOUND_SD**2 + spread**2) / max(sound, 1)))


def _mean(total: float, sd: float) -> float:
    """Return the mean of the errors of altered chargers that may be behind a sum, as they are drawn."""
    drawn = ALTERED[0] + (ALTERED[1] - ALTERED[0]) * (np.arange(_POINTS) + 0.5) / _POINTS
    errors = np.concatenate([drawn, -drawn])
    distance = ((total - errors) / sd) ** 2 / 2
    weight = np.exp(distance.min() - distance)
    return float((weight * errors).sum() / weight.sum())


def _crossing(below: Callable[[float], bool], low: float, high: float) -> float:
    """Return where what holds below ends."""
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) else (low, middle)
    return high
