"""What the centre notices beside what the core finds in windows: by meter number, before names are known."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import hypot, sqrt
from statistics import median

from cloud_receiver.estimation.model import Setup
from diantan_core import ErrorEstimation

LEVEL = "level"
LEAST_IDENTIFIED = 0.2
"""Of a charger of which data say less, nothing is concluded."""
TENSION = 3.5
"""Standard deviations by which the chargers' median may lie beside what is expected of the master."""
_PAIR = 2
"""Of one charger nobody can say whether it is off or its master."""
_OF_MEDIAN = 1.25
"""Standard deviation of a median by that of a mean."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """A finding about meters or, without any, the station; `blocks`: none can be judged with it."""

    name: str
    meters: tuple[int, ...] = ()
    numbers: Mapping[str, float | str] = field(default_factory=dict)
    blocks: bool = False
    withdrawn: tuple[int, ...] = ()
    """Chargers of which nothing may be decided because of it."""


def level(made: Setup, estimation: ErrorEstimation) -> list[Noticed]:
    """Return whether most chargers, or both of two, lie further from the master than its u and theirs allow.

    Either may be wrong, and the balance can't say which. Chargers that were verified can: with them it blocks nothing.
    Likewise where the estimate puts the master where nobody believes it to be: single chargers that are nothing like
    meters draw it there, and all others with it.
    """
    errors = [one.error for one in estimation.chargers if one.active_windows and one.identified >= LEAST_IDENTIFIED]
    if len(errors) < _PAIR:
        return []
    gain, u_gain = made.gain
    # By the master as it was believed to be before any reading: what the estimate has made of it explains nothing.
    drawn = estimation.gain[0] - gain
    # Of two what both have: were one of them altered, their median would have half of it.
    beside = sorted(error - made.cohort_mean - drawn for error in errors)
    off = _both(*beside) if len(beside) == _PAIR else median(beside)
    expected = hypot(u_gain, made.cohort_sd, _OF_MEDIAN * made.sound_sd / sqrt(len(errors)))
    if abs(off) <= TENSION * expected:
        off = drawn
    if abs(off) <= TENSION * expected:
        return []
    numbers: dict[str, float | str] = {"percent": 100 * off, "tension": abs(off) / expected}
    return [Noticed(LEVEL, (), numbers, blocks=not made.anchored)]


def _both(least: float, most: float) -> float:
    return max(least, 0.0) + min(most, 0.0)


def collinear(estimation: ErrorEstimation, made: Setup) -> set[int]:
    """Return chargers of which only the sum with another is known: nothing may be decided of either."""
    return {made.chargers[place] for name, about, *_ in estimation.findings if name == "collinear" for place in about}
