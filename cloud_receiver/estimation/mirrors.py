"""A charger that counts a little whenever another one charges (伴随计量): it makes the other look wrong.

The balance can't tell energy that one charger invents in proportion to another's from an error of that other. A vehicle
doesn't charge at a few per cent of the power of a neighbour's for days: where a charger seems to, the neighbour is not
flagged, and both are named.
"""

from math import sqrt

from cloud_receiver.estimation.model import Setup
from cloud_receiver.estimation.noticed import Noticed
from cloud_receiver.estimation.windows import StationWindows
from diantan_core import ErrorEstimation

MIRRORED = "mirrored"
_SMALL = 0.2
"""Of the largest energy of its windows: what is less is no charging."""
_LIKE = 0.8
"""Correlation of what it counts then with what the other one does."""
_SHARE = 0.3
"""Of the other's error, that what it counts then would explain at least."""
_FEW = 12


def mirrored(made: Setup, found: StationWindows, estimation: ErrorEstimation) -> list[Noticed]:
    """Return pairs of a charger that is flagged and one that counts a little whenever it charges."""
    flagged = [one for one in estimation.chargers if one.decision == "flag"]
    if not flagged:
        return []
    rows = [found.windows.energies_kwh(place) for place in range(len(found.windows))]
    columns = [list(column) for column in zip(*rows, strict=True)]
    result = []
    for one in flagged:
        for other, column in enumerate(columns):
            if other == one.charger:
                continue
            slope, like = _small_with(column, columns[one.charger])
            if like > _LIKE and slope > _SHARE * abs(one.error):
                pair = made.chargers[one.charger], made.chargers[other]
                result.append(Noticed(MIRRORED, pair, {"percent": 100 * slope, "correlation": like}))
    return result


def _small_with(small: list[float], large: list[float]) -> tuple[float, float]:
    """Return by how much a charger counts in proportion to another where it doesn't charge, and their correlation."""
    limit = _SMALL * max(small, default=0.0)
    # Windows beside those in which it charges hold the edges of its own sessions.
    around = zip([0.0, *small[:-1]], small, [*small[1:], 0.0], large, strict=True)
    pairs = [(own, other) for before, own, after, other in around if max(before, own, after) < limit]
    if sum(own > 0 and other > 0 for own, other in pairs) < _FEW:
        return 0.0, 0.0
    count = len(pairs)
    mean, mean_other = sum(own for own, _ in pairs) / count, sum(other for _, other in pairs) / count
    products = sum((own - mean) * (other - mean_other) for own, other in pairs)
    own_squares = sum((own - mean) ** 2 for own, _ in pairs)
    squares = sum((other - mean_other) ** 2 for _, other in pairs)
    if not own_squares or not squares:
        return 0.0, 0.0
    return products / squares, products / sqrt(own_squares * squares)
