"""Split halves (对半检验): whether two halves of a span say the same of each charger, within what they state.

Nothing but the data is needed for that. It shows noise that is larger than stated, and errors that change; what is
wrong with both halves alike it can't show. What all chargers share is left out of it: it is the same in both.

The halves agree unless the sum of squares of their differences, each by its standard uncertainty, is beyond the 95 %
quantile of chi-square: by chance that happens to one station in twenty. Where they don't, each charger's own u is
multiplied by the root mean square of those quotients, the factor by which it is too small. Estimates are compared as
the data alone say them: what both halves take from the same prior would make them look alike.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from math import hypot, sqrt
from statistics import NormalDist

from cloud_receiver.estimation.model import Setup
from cloud_receiver.estimation.windows import StationWindows
from diantan_core import ErrorEstimate, ErrorEstimation, EstimationError

Estimate = Callable[[StationWindows], ErrorEstimation]
CONFIDENCE = 0.95
MOST = 5.0
"""The largest factor: where it would be larger, the model is wrong, and no factor makes it right."""
_LEAST_IDENTIFIED = 0.1
"""Of a charger of which data say less, halves say nothing."""
_FEW = 3
ODD = 3.0
"""Standard uncertainties by which a charger's halves differ that is named."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How a charger's error by the second half differs from that by the first, less what all have in common; per cent.

    `u`: of that, as stated.
    """

    meter: int
    change: float
    u: float

    @property
    def z(self) -> float:
        """Return the change in standard uncertainties."""
        return self.change / self.u


@dataclass(frozen=True, slots=True)
class Halves:
    """What the halves say of stated uncertainties; `split_ms`: where the second begins."""

    split_ms: int
    differences: tuple[Difference, ...]
    rms: float
    """Root mean square of the changes, per cent."""
    z_rms: float
    """Root of the sum of squares of z by the degrees of freedom: 1 where u is right."""
    z_limit: float
    """What chance leaves it below, with 95 %."""
    factor: float
    """What each charger's own u was multiplied by."""

    @property
    def agree(self) -> bool:
        """Return whether the halves agree at the stated confidence."""
        return self.z_rms <= self.z_limit

    @property
    def needed(self) -> float:
        """Return the smallest factor on u with which they would."""
        return self.z_rms / self.z_limit


def chi_square_quantile(degrees: int, share: float) -> float:
    """Return a quantile of chi-square by Wilson and Hilferty's cube: within 1 % from two degrees on."""
    spread = 2 / (9 * degrees)
    return degrees * float(1 - spread + NormalDist().inv_cdf(share) * sqrt(spread)) ** 3


@dataclass(frozen=True, slots=True)
class Parts:
    """The estimates of both halves of the time; `split_ms`: where the second begins."""

    first: ErrorEstimation
    second: ErrorEstimation
    split_ms: int


def parted(found: StationWindows, estimate: Estimate) -> Parts | None:
    """Estimate both halves of the time; None where one of them has no windows, or none that can be estimated from."""
    starts, ends = found.windows.starts_ms, found.windows.ends_ms
    if not starts:
        return None
    middle = (starts[0] + ends[-1]) // 2
    places = range(len(starts))
    parts = [place for place in places if ends[place] <= middle], [place for place in places if starts[place] >= middle]
    if not all(parts):
        return None
    try:
        first, second = (estimate(found.part(part)) for part in parts)
    except EstimationError:
        return None
    return Parts(first, second, starts[parts[1][0]])


def compare(setup: Setup, parts: Parts | None) -> Halves | None:
    """Compare the halves; None where too few chargers charged enough in both."""
    if parts is None:
        return None
    differences = []
    for place, number in enumerate(setup.chargers):
        before, after = (_alone(setup, one, one.chargers[place]) for one in (parts.first, parts.second))
        if number not in setup.anchored and before is not None and after is not None:
            differences.append(Difference(number, 100 * (after[0] - before[0]), 100 * hypot(before[1], after[1])))
    return judged(parts.split_ms, differences)


def without(halves: Halves, numbers: Collection[int]) -> Halves:
    """Return what the halves of all others say, where there are enough: one that changed widens no other's u."""
    if not numbers:
        return halves
    rest = [item for item in halves.differences if item.meter not in numbers]
    return judged(halves.split_ms, rest) or halves


def _alone(setup: Setup, estimation: ErrorEstimation, one: ErrorEstimate) -> tuple[float, float] | None:
    """Return what data alone say of a charger against the others, and its own u: the estimate without its prior.

    None of a charger of which they say next to nothing.
    """
    if not one.active_windows or one.identified < _LEAST_IDENTIFIED:
        return None
    variance = setup.sound_sd**2 * (1 / one.identified - 1)
    altered = setup.altered_sd**2 / (setup.altered_sd**2 + variance)
    # The prior draws a sound charger to the others by more than an altered one.
    kept = (1 - one.altered) * one.identified + one.altered * altered
    return (one.error - estimation.cohort[0]) / kept, one.u_own / sqrt(kept)


def judged(split_ms: int, differences: Sequence[Difference]) -> Halves | None:
    """Return what differences say; their weighted mean is what is common to all."""
    if len(differences) < _FEW:
        return None
    weights = [item.u**-2 for item in differences]
    mean = sum(item.change * weight for item, weight in zip(differences, weights, strict=True)) / sum(weights)
    own = tuple(Difference(item.meter, item.change - mean, item.u) for item in differences)
    degrees = len(own) - 1
    z_rms = sqrt(sum(item.z**2 for item in own) / degrees)
    z_limit = sqrt(chi_square_quantile(degrees, CONFIDENCE) / degrees)
    rms = sqrt(sum(item.change**2 for item in own) / len(own))
    return Halves(split_ms, own, rms, z_rms, z_limit, 1.0 if z_rms <= z_limit else min(z_rms, MOST))


def widened(
    one: ErrorEstimate, factor: float, limit: float, bounds: tuple[float, float]
) -> tuple[float, float, str, str | None]:
    """Return u, P, decision and reason with a charger's own u multiplied.

    `bounds`: P below which it is clear, and above which it is flagged. A decision can be withdrawn by it, none is made.
    """
    if factor == 1:
        return one.u, one.probability, one.decision, one.reason
    u = hypot(one.u_common, factor * one.u_own)
    normal = NormalDist()
    probability = normal.cdf(-(limit - one.error) / u) + normal.cdf(-(limit + one.error) / u)
    clear, flag = bounds
    # Of a flag the error's own side counts: with a u beyond all measure, most of what is possible is beyond the limit.
    beyond = normal.cdf((abs(one.error) - limit) / u)
    stands = {"clear": probability < clear, "flag": beyond > flag}.get(one.decision, True)
    return (u, probability, one.decision, one.reason) if stands else (u, probability, "undetermined", "halves")
