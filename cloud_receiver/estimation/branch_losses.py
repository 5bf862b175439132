"""What the estimator is told of branches: the design, and the loss that a voltage drop measured.

In the core all branches share how far the design is off, and each lies about that level. So a branch that is far from
the design, or is said to be, would make all others look like it: it gets the measured loss for its design, and pulls
none.
"""

from collections.abc import Sequence
from decimal import Decimal
from math import hypot
from typing import Final, NamedTuple

from cloud_receiver.checks.model import Context
from cloud_receiver.estimation.branches import Branch, Branches
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.registry import Meter
from diantan_core import ErrorPair

OWN_SD: Final = 0.3
"""How far single branches lie about their level, relative: as `branch_own_sd` of the core."""
_ODD = 3.0
"""Standard deviations beyond the design."""
FEW: Final = 3
"""Branches that say something of others."""
_MOST_UNEVEN = 5 / 3
"""What a vehicle on one phase loses beyond an even load of its power, by what the charger loses at rated power, both of
their energy: 6 times as much with a neutral like the lines, at a third of that power."""
_USUAL = 0.01
"""Of the power at rated power: what branches lose of which nothing is known. An example, no standard's."""
_RECTANGULAR = 12**-0.5
_LIKE = Decimal("1.5")
"""Between the rated powers of chargers whose cables are of a kind."""


class BranchLoss(NamedTuple):
    """Of one charger, in 1/kW: by design (None: to be guessed), and as measured, with its standard uncertainty.

    `uneven`: what an uneven load loses more, of the charger's energy, and how sure that is.
    """

    design: float | None
    measured: ErrorPair | None
    uneven: ErrorPair | None = None


def drop_sd_of(settings: Estimation) -> float:
    """Return how well a drop says what a branch loses, relative."""
    return float(settings.voltage_drop_percent) / 100


def uncertainty(one: Branch, drop_sd: float, design: float | None) -> float:
    """Return the standard uncertainty of a measured loss: statistical, and of what a drop says of a loss (`drop_sd`).

    The latter is at least that of a branch as designed: of next to no loss nobody is sure without end.
    """
    return hypot(one.u, drop_sd * max(abs(one.loss or 0.0), design or 0.0))


def losses(
    context: Context, chargers: Sequence[int], found: Branches, settings: Estimation, design: float | None
) -> list[BranchLoss]:
    """Return what is known of the branches of `chargers`; `design`: the station's, None where it has none."""
    used = usable(context, chargers, found, settings)
    every = used
    drop_sd = drop_sd_of(settings)
    if design is None and len(used) < min(FEW, len(chargers)):
        used = {}  # the others would be taken to be like one or two
    result = []
    for number in chargers:
        one = used.get(number)
        uneven = _uneven(context.meters[number], every.get(number), design)
        u = 0.0 if one is None else uncertainty(one, drop_sd, design)
        if one is None or one.loss is None or not u:
            result.append(BranchLoss(design, None, uneven))
            continue
        odd = design is not None and one.loss - design > hypot(_ODD * OWN_SD * design, _ODD * u)
        # What seems to be less than nothing is next to nothing, as surely as it was measured.
        result.append(BranchLoss(one.loss if odd else design, (max(one.loss, 0.0), u), uneven))
    return result


def _uneven(meter: Meter, one: Branch | None, design: float | None) -> ErrorPair | None:
    """Return what an uneven load loses more, as voltages tell it; else, where vehicles are said to make it, all it can.

    That is from nothing to what it were if every vehicle charged on one phase: 1 to 6 times the even loss.
    """
    if one is not None and one.uneven_loss is not None:
        return one.uneven_loss
    if not meter.single_phase_vehicles or (one is not None and one.even):
        return None
    rated_kw = float(meter.rated_kw)
    known = [loss for loss in (None if one is None else one.loss, design) if loss]
    most = _MOST_UNEVEN * (max(known) * rated_kw if known else _USUAL)
    return (most / 2, most * _RECTANGULAR) if most > 0 else None


def usable(context: Context, chargers: Sequence[int], found: Branches, settings: Estimation) -> dict[int, Branch]:
    """Return the measurements that are used, as far as settings and registry ask for them."""
    if not settings.voltage_drop:
        return {}
    meters = ((number, context.meters[number], found.by_meter.get(number)) for number in chargers)
    return {
        number: one
        for number, meter, one in meters
        if one is not None and one.used and meter.voltage_drop and not meter.dc_output
    }


def alike(context: Context, number: int, used: dict[int, Branch]) -> list[Branch]:
    """Return the measured branches of the other chargers of about the same rated power."""
    rated = context.meters[number].rated_kw
    powers = {other: context.meters[other].rated_kw for other in used if other != number}
    return [used[other] for other, power in powers.items() if max(rated, power) <= _LIKE * min(rated, power)]
