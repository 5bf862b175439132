"""A charger that counts a little whenever another one charges (伴随计量): it makes the other look wrong.

The balance can't tell energy that one charger invents in proportion to another's from an error of that other. A vehicle
doesn't charge at a few per cent of the power of a neighbour's for days: where a charger seems to, the neighbour is not
flagged, and both are named.
"""

from functools import cached_property
from itertools import compress
from math import sqrt
from operator import mul

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
    if not flagged or not len(found.windows):
        return []
    # As a rule a charger counts nothing where it doesn't charge.
    counting = [place for place in range(len(found.chargers)) if found.windows.quiet(place, _SMALL) >= _FEW]
    if not counting:
        return []
    columns = found.windows.columns_kwh()
    quiet = {place: _Quiet(columns[place]) for place in counting}
    result = []
    for one in flagged:
        for other, small in quiet.items():
            if other == one.charger:
                continue
            slope, like = small.along(columns[one.charger])
            if like > _LIKE and slope > _SHARE * abs(one.error):
                pair = made.chargers[one.charger], made.chargers[other]
                result.append(Noticed(MIRRORED, pair, {"percent": 100 * slope, "correlation": like}))
    return result


class _Quiet:
    """The windows in which a charger doesn't charge, and what it counts in them."""

    def __init__(self, column: list[float]) -> None:
        limit = _SMALL * max(column, default=0.0)
        low = [energy < limit for energy in column]
        edge = limit > 0
        # Windows beside those in which it charges hold the edges of its own sessions.
        around = zip([edge, *low[:-1]], low, [*low[1:], edge], strict=True)
        self._mask = [before and own and after for before, own, after in around]
        self._own = list(compress(column, self._mask))
        self._counting = [own > 0 for own in self._own]

    def along(self, large: list[float]) -> tuple[float, float]:
        """Return by how much it counts in proportion to another one where it doesn't charge, and their correlation."""
        others = list(compress(large, self._mask))
        if sum(other > 0 for other in compress(others, self._counting)) < _FEW:
            return 0.0, 0.0
        deviations, squares = self._spread
        mean_other = sum(others) / len(others)
        off = [other - mean_other for other in others]
        products = sum(map(mul, deviations, off))
        other_squares = sum(each**2 for each in off)
        if not squares or not other_squares:
            return 0.0, 0.0
        return products / other_squares, products / sqrt(squares * other_squares)

    @cached_property
    def _spread(self) -> tuple[list[float], float]:
        """Return the deviations from the mean of what it counts, and the sum of their squares."""
        mean = sum(self._own) / len(self._own)
        deviations = [own - mean for own in self._own]
        return deviations, sum(each**2 for each in deviations)
