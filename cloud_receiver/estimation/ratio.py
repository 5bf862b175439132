"""The master by the chargers (总表与各桩之比), day by day: a transformer ratio (变比) that is wrong, or became so.

On each day the master's energies are laid on the sum of the chargers', with a load that runs all the time. The slope is
1 but for losses and errors; of chargers that meter their output counts what they draw by their stated efficiency.
Unlike the estimate it takes nothing for believed of the ratio, and unlike an estimate over all days it has a date.
"""

from bisect import bisect_left
from datetime import datetime
from math import sqrt
from statistics import median
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from cloud_receiver.checks.conversion import of_meter, relative_limit
from cloud_receiver.checks.model import Context
from cloud_receiver.estimation.noticed import Noticed
from cloud_receiver.estimation.windows import StationWindows
from diantan_core import ErrorEstimation, next_day_start_ms

RATIO: Final = "ratio"
RATIO_CHANGED: Final = "ratio_changed"
_GAIN = "gain"
"""What the core calls a ratio that it finds by its own means."""
_WRONG = 0.1
"""Beyond losses, and what the core names by its own means."""
_FAR = 5.0
"""Times the scatter from day to day."""
_MAD = 1.4826
_CLOSE = 0.98
"""Correlation of master and chargers on a day of which the slope tells a ratio: with a shifted clock it is low."""
_LEAST_WINDOWS = 12
_LEAST_KWH = 5.0
_FEW = 3


class Day(NamedTuple):
    """When a day's windows begin, and its slope."""

    start_ms: int
    slope: float


def noticed(context: Context, found: StationWindows, estimation: ErrorEstimation) -> list[Noticed]:
    """Return whether the master counts a multiple of what chargers do, always or from some day on."""
    days = slopes(context, found)
    if len(days) < _FEW:
        return []
    changed = _changed(days, ZoneInfo(context.station.timezone))
    if changed is not None:
        return [changed]
    if any(name == _GAIN for name, *_ in estimation.findings):
        return []
    values = [day.slope for day in days]
    middle = median(values)
    scatter = _MAD * median(abs(value - middle) for value in values)
    converted = max((relative_limit(context.meters[number]) for number in found.chargers), default=0.0)
    if abs(middle - 1) <= max(_WRONG + converted, _FAR * scatter):
        return []
    return [Noticed(RATIO, (), {"ratio": middle}, blocks=True)]


def slopes(context: Context, found: StationWindows) -> list[Day]:
    """Return the slope of each of the station's days on which chargers and master go together."""
    zone = context.station.timezone
    windows = found.windows
    starts, master = windows.starts_ms, windows.master_kwh
    sold = windows.weighted_kwh([1 + of_meter(context.meters[number], (1, 0)).mwh for number in found.chargers])
    result = []
    first = 0
    while first < len(starts):
        end = bisect_left(starts, next_day_start_ms(starts[first], zone), first)
        slope = _slope(list(zip(sold[first:end], master[first:end], strict=True)))
        if slope is not None:
            result.append(Day(starts[first], slope))
        first = end
    return result


def _slope(pairs: list[tuple[float, float]]) -> float | None:
    count = len(pairs)
    if count < _LEAST_WINDOWS or sum(abs(sold) for sold, _ in pairs) < _LEAST_KWH:
        return None
    mean, mean_master = (sum(values) / count for values in zip(*pairs, strict=True))
    squares = sum((sold - mean) ** 2 for sold, _ in pairs)
    own = sum((took - mean_master) ** 2 for _, took in pairs)
    products = sum((sold - mean) * (took - mean_master) for sold, took in pairs)
    if not squares or not own or abs(products) < _CLOSE * sqrt(squares * own):
        return None
    return float(products / squares)


def _changed(days: list[Day], zone: ZoneInfo) -> Noticed | None:
    """Return the day from which on the ratio is another one: at least two days before it, at least one since."""
    best: tuple[float, int] | None = None
    for place in range(2, len(days)):
        before, after = ([day.slope for day in part] for part in (days[:place], days[place:]))
        rest = sum(abs(value - median(part)) for part in (before, after) for value in part)
        if best is None or rest < best[0]:
            best = rest, place
    if best is None:
        return None
    place = best[1]
    before, after = ([day.slope for day in part] for part in (days[:place], days[place:]))
    first, second = median(before), median(after)
    off = [abs(value - first) for value in before] + [abs(value - second) for value in after]
    if abs(second - first) <= max(_WRONG, _FAR * _MAD * median(off), 2 * max(off)):
        return None
    since = datetime.fromtimestamp(days[place].start_ms / 1000, zone).isoformat(timespec="minutes")
    return Noticed(RATIO_CHANGED, (), {"before": first, "after": second, "since": since}, blocks=True)
