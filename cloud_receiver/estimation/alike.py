"""Chargers that charge only together (同时充电): of a group of them nothing but the sum is known.

The core names pairs of which the estimates pull against each other. Of three and more no pair need look worse than
another, and where two err by as much in opposite ways nothing pulls: each would be cleared, as the sum is right.
"""

from math import sqrt
from typing import Final

from cloud_receiver.estimation.model import Setup
from cloud_receiver.estimation.noticed import Noticed, collinear
from cloud_receiver.estimation.windows import StationWindows
from diantan_core import ErrorEstimation

TOGETHER: Final = "charge_together"
_ALIKE = 0.95
"""Correlation of two chargers' energies by window."""
_KNOWN = 0.5
"""Of a charger of which the data say as much, they say it apart from those like it."""
_PAIR = 2
_FEW = "few_windows"


def noticed(made: Setup, found: StationWindows, estimation: ErrorEstimation) -> list[Noticed]:
    """Return groups of chargers that always charge together, and of which little else is known.

    In a few windows any two may look alike: then that is said (`few_windows`).
    """
    active = [one.charger for one in estimation.chargers if one.active_windows]
    unknown = [one.charger for one in estimation.chargers if one.active_windows and one.identified < _KNOWN]
    if not unknown or len(active) < _PAIR or any(name == _FEW for name, *_ in estimation.findings):
        return []
    energies = found.windows.columns_kwh()
    columns = {place: _deviations(energies[place]) for place in active}
    named = collinear(estimation, made)
    result = []
    while unknown:
        first = unknown[0]
        group = [place for place in active if place == first or _product(columns[first], columns[place]) > _ALIKE]
        unknown = [place for place in unknown if place not in group]
        active = [place for place in active if place not in group]
        meters = tuple(made.chargers[place] for place in group)
        if len(group) >= _PAIR and not named >= set(meters):
            result.append(Noticed(TOGETHER, meters, withdrawn=meters))
    return result


def _deviations(column: list[float]) -> list[float]:
    """Return the deviations from the mean, their squares adding up to 1: long windows all have some energy."""
    mean = sum(column) / len(column)
    size = sqrt(sum((value - mean) ** 2 for value in column))
    return [(value - mean) / size if size else 0.0 for value in column]


def _product(first: list[float], second: list[float]) -> float:
    return sum(own * other for own, other in zip(first, second, strict=True))
