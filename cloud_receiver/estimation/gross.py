"""Chargers whose numbers are those of no meter: more than its power allows, or far beyond what meters are off.

What is said of such a charger may be right. But its cause is rarely its meter, and whoever is sent there must know.
"""

from typing import Final

from cloud_receiver.checks.model import Context
from cloud_receiver.estimation.model import Setup
from cloud_receiver.estimation.noticed import Noticed
from cloud_receiver.estimation.windows import StationWindows
from diantan_core import ErrorEstimation

BEYOND_POWER: Final = "beyond_power"
FAR_OFF: Final = "far_off"
_POWER = 1.5
"""Of the rated power: what a window may have, as the estimator is told."""
_SHARE = 0.2
"""Of the windows in which it counts."""
_LEAST = 8
_OFF = 0.1
"""Error beyond which a wrong wire, ratio or multiplier is likelier than a meter that is off."""


def noticed(context: Context, made: Setup, found: StationWindows, estimation: ErrorEstimation) -> list[Noticed]:
    """Return what is to be said of chargers whose numbers are those of no meter."""
    beyond = _beyond_power(context, found)
    result = [
        Noticed(BEYOND_POWER, (number,), {"windows": float(count), "largest_kw": kw}, withdrawn=(number,))
        for number, (count, kw) in beyond.items()
    ]
    odd = {place for name, about, *_ in estimation.findings if name in ("implausible", "negative") for place in about}
    for one in estimation.chargers:
        number = made.chargers[one.charger]
        if one.charger not in odd and number not in beyond and one.decision == "flag" and abs(one.error) > _OFF:
            result.append(Noticed(FAR_OFF, (number,), {"percent": 100 * one.error}))
    return result


def _beyond_power(context: Context, found: StationWindows) -> dict[int, tuple[int, float]]:
    result = {}
    for place, number in enumerate(found.chargers):
        used, count, largest_kw = found.windows.powers(place, _POWER * float(context.meters[number].rated_kw))
        if count >= _LEAST and count > _SHARE * used:
            result[number] = count, largest_kw
    return result
