"""Whether the balance bears out verifications of chargers (检定结果与能量平衡是否相符).

A verification is an anchor of all errors. Of a charger that was altered after it, it makes the charger look right and
all others wrong. So what the balance says without verifications is compared with them: a charger that differs from its
verification, and from the others by as much, is another than was verified. Where it differs from its verification as
all others do from right, the master is off, and the verification is what tells.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import hypot
from statistics import median

from cloud_receiver.estimation.model import Setup
from cloud_receiver.estimation.noticed import LEAST_IDENTIFIED, Noticed
from diantan_core import ErrorEstimation

CONTRADICTED = "verification_contradicted"
_FAR = 4.0
_ODD = 3.0
"""Standard uncertainties: from the verification, and from the other chargers."""


@dataclass(frozen=True, slots=True)
class Tested:
    """The estimator to go on with, and what was noticed."""

    made: Setup
    noticed: tuple[Noticed, ...]


def tested(
    made: Setup, estimate: Callable[[Setup], ErrorEstimation], without: Callable[[frozenset[int]], Setup]
) -> Tested:
    """Return the estimator less the verifications that the balance contradicts.

    `without` makes one that leaves verifications of some chargers out.
    """
    if not made.anchored:
        return Tested(made, ())
    free = estimate(without(frozenset(made.anchored)))
    others = [
        one.error for one in free.chargers if one.active_windows and made.chargers[one.charger] not in made.anchored
    ]
    noticed = []
    for one in free.chargers:
        number = made.chargers[one.charger]
        if number not in made.anchored or one.identified < LEAST_IDENTIFIED:
            continue
        error, u = made.anchors[number]
        change = one.error - error
        if abs(change) <= _FAR * hypot(one.u, u):
            continue
        level = median(others) if others else 0.0
        if abs(change - level) > _ODD * hypot(one.u_own, u, made.sound_sd):
            numbers: dict[str, float | str] = {"verified_percent": 100 * error, "estimated_percent": 100 * one.error}
            noticed.append(Noticed(CONTRADICTED, (number,), numbers))
    if not noticed:
        return Tested(made, ())
    return Tested(without(frozenset(number for item in noticed for number in item.meters)), tuple(noticed))
