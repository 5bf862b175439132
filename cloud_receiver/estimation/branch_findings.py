"""What measured branches (支路) show: a loose connection (接触不良), and drops that the energies contradict."""

from collections.abc import Callable
from math import hypot, sqrt
from statistics import median
from typing import Final

from cloud_receiver.checks.model import Context
from cloud_receiver.estimation.branch_losses import FEW, alike, uncertainty, usable
from cloud_receiver.estimation.branches import CONTRADICTED, Branch
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.model import Setup
from cloud_receiver.estimation.noticed import Noticed
from diantan_core import ErrorEstimation

HOT: Final = "hot_branch"
AGAINST: Final = "branch_contradicted"
_FAR = 4.0
"""Standard uncertainties between what energies and what voltages say of a branch."""
_SHORT_H = 0.3
"""Of windows whose energies say what a branch loses without others to compare with: a quarter of an hour, mostly."""
_MAD = 1.4826
_K = 3.0
RISE = 1.3
"""By what a branch's loss may rise from one month to another: copper by 0.4 % for each kelvin, and its load's phase."""
_OF_MEDIAN = 1.25


def contradicted(made: Setup, free: Setup, estimate: Callable[[Setup], ErrorEstimation]) -> frozenset[int]:
    """Return the chargers of which energies say another loss than their voltage drop.

    `free`: the estimator that is told of no measured branch, and of a design that says next to nothing of single ones.
    """
    if not any(known.measured for known in made.branch_losses):
        return frozenset()
    found = estimate(free)
    differing = []
    for one in found.chargers:
        measured, uneven = made.branch_losses[one.charger].measured, made.branch_losses[one.charger].uneven
        # What an uneven load loses doesn't go with the square of power: energies say another loss than there is.
        if measured is not None and uneven is None and one.active_windows:
            loss, u = one.branch_loss
            differing.append((made.chargers[one.charger], loss - measured[0], hypot(u, measured[1])))
    changes = [change for _, change, _ in differing]
    if len(differing) > FEW:
        # What energies say wrongly of all branches, such as by long windows, they say against none.
        middle = median(changes)
        scatter = _MAD * median(abs(change - middle) for change in changes)
    elif found.hours <= _SHORT_H * found.windows:
        middle, scatter = 0.0, 0.0
    else:
        return frozenset()
    return frozenset(number for number, change, u in differing if abs(change - middle) > _FAR * max(u, scatter))


def noticed(context: Context, made: Setup, settings: Estimation) -> list[Noticed]:
    """Return what is to be said of a station's branches; the same by a day that is added as by all windows."""
    used = usable(context, made.chargers, made.branches, settings)
    result = []
    for number in made.chargers:
        one = made.branches.by_meter.get(number)
        rated = float(context.meters[number].rated_kw)
        if one is not None and one.reason == CONTRADICTED and one.loss is not None:
            result.append(Noticed(AGAINST, (number,), {"percent": 100 * one.loss * rated}))
        elif number in used:
            numbers = _hot(
                used[number], alike(context, number, used), made, float(settings.branch_alarm_factor)
            ) | _risen(used[number])
            if numbers:
                percents = {name: 100 * value * rated for name, value in numbers.items()}
                result.append(Noticed(HOT, (number,), {"percent": 100 * (used[number].loss or 0.0) * rated} | percents))
    return result


def _hot(one: Branch, others: list[Branch], made: Setup, factor: float) -> dict[str, float]:
    """Return what branches like it lose, where it loses far more than they do and than it was designed for."""
    design = made.branch_design
    losses = [other.loss for other in others if other.loss is not None]
    if one.loss is None or len(losses) < FEW - 1:
        return {}
    usual = median(losses)
    u_usual = _OF_MEDIAN * sqrt(sum(uncertainty(other, made.drop_sd, design) ** 2 for other in others)) / len(losses)
    u = uncertainty(one, made.drop_sd, design)
    if one.loss - factor * usual <= _K * hypot(u, factor * u_usual) or one.loss - (design or 0.0) <= _K * u:
        return {}
    return {"usual_percent": usual}


def _risen(one: Branch) -> dict[str, float]:
    """Return what it lost before, where it loses far more now; what a drop says of a loss is the same both times."""
    before = one.before
    if before is None or one.loss is None:
        return {}
    if one.loss - RISE * before.loss <= _K * hypot(one.u, RISE * before.u):
        return {}
    return {"before_percent": before.loss}
