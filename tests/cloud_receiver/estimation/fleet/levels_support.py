"""Stations' levels, drawn: of makes, masters and operators that are known."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from math import hypot, sqrt

import numpy as np
from numpy.typing import NDArray

from cloud_receiver.estimation.fleet.levels import Heard, Level
from cloud_receiver.estimation.fleet.solve import Known, Solution, solving
from cloud_receiver.estimation.fleet.steps import at_once
from cloud_receiver.estimation.fleet.told import Told, told

SOUND, GAIN = 0.35, 0.25
KNOWN = Known(0.1, 0.05, 0.05)


@dataclass
class Drawn:
    """Per cent; `own`: of each operator and make."""

    makes: list[float]
    bias: float
    own: dict[tuple[str, int], float]
    levels: list[Level]
    gains: list[float]


def drawn(
    seed: int,
    stations: int,
    makes: Sequence[float],
    *,
    operators: int = 1,
    own_sd: float = 0.0,
    bias_sd: float = 0.05,
    at_once: int = 1,
    chargers: int = 20,
) -> Drawn:
    """Draw stations; each has up to `at_once` makes."""
    dice = random.Random(seed)
    bias = dice.gauss(0, bias_sd) if bias_sd else 0.0
    names = [f"operator {number}" for number in range(operators)]
    own = {(name, make): dice.gauss(0, own_sd) for name in names for make in range(len(makes))}
    levels, gains = [], []
    for number in range(stations):
        operator = names[number % operators]
        gain = dice.gauss(bias, GAIN)
        chosen = sorted(dice.sample(range(len(makes)), dice.randint(1, min(at_once, len(makes)))))
        count = chargers // len(chosen)
        precision = count / hypot(SOUND, 0.06) ** 2
        heard = [
            Heard(make, makes[make] + own[operator, make] - gain + dice.gauss(0, 1 / sqrt(precision)), precision, count)
            for make in chosen
        ]
        levels.append(Level(number, operator, tuple(heard), (0.0, GAIN)))
        gains.append(gain)
    return Drawn(list(makes), bias, own, levels, gains)


def solved(levels: Sequence[Level], makes: int, known: Known = KNOWN) -> Solution:
    return at_once(solving(levels, makes, known))


def by_brute_force(
    levels: Sequence[Level], makes: int, solution: Solution
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return all unknowns and their covariance by the variances that were learnt.

    Makes, masters' mean, all makes' mean, every station's level, every operator's own part of each make.
    """
    names = sorted({level.operator for level in levels})
    first_own = makes + 2 + len(levels)
    size = first_own + (len(names) * makes if len(names) > 1 else 0)
    matrix, side = np.zeros((size, size)), np.zeros(size)

    def know(row: dict[int, float], value: float, precision: float) -> None:
        line = np.zeros(size)
        line[list(row)] = list(row.values())
        matrix[:] += precision * np.outer(line, line)
        side[:] += precision * value * line

    for place, level in enumerate(levels):
        master = makes + 2 + place
        for one in level.makes:
            own = first_own + names.index(level.operator) * makes + one.make
            know({one.make: 1, master: -1} | ({own: 1} if len(names) > 1 else {}), one.mean, one.precision)
        know({master: 1} | ({} if level.certified else {makes: -1}), level.gain[0], level.gain[1] ** -2)
        if level.verified is not None:
            know({master: 1}, *level.verified)
    for make in range(makes):
        know({make: 1, makes + 1: -1}, 0, solution.cohort**-2)
    know({makes: 1}, 0, KNOWN.bias**-2)
    know({makes + 1: 1}, 0, KNOWN.cohort**-2)
    for own in range(first_own, size):
        know({own: 1}, 0, solution.operator**-2)
    covariance = np.linalg.inv(matrix)
    return covariance @ side, covariance


def told_by(solution: Solution, least: int = 3, station: float = 0.0) -> dict[int, Told]:
    return {item.station: item for item in told(solution, least, station) if item is not None}


def rms(values: Sequence[float]) -> float:
    return sqrt(sum(value**2 for value in values) / len(values))
