"""What became another within the span (时段内的变化): a charger's error, a clock, the master beside all chargers.

An estimate over a span is of its mean. A charger that was altered half-way, whose label was exchanged with another's,
or whose clock runs away has none that means anything, and may look sound, or be flagged, for no good reason. Halves of
the span tell: what they don't bear out isn't decided.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import hypot, sqrt
from statistics import median
from typing import Final

from cloud_receiver.estimation.halves import Halves, Parts
from cloud_receiver.estimation.model import Setup
from cloud_receiver.estimation.noticed import LEAST_IDENTIFIED, TENSION, Noticed
from diantan_core import ErrorEstimate, ErrorEstimation

CHANGED: Final = "changed"
EXCHANGED: Final = "labels_exchanged"
CLOCK_DRIFT: Final = "clock_drift"
LEVEL_CHANGED: Final = "level_changed"
_FAR = 4.0
_CLEARLY = 5.0
"""Standard uncertainties by which a charger's halves differ that became another, and the level of all."""
_OF_LIMIT = 0.3
"""A smaller change, by the class limit, is of no consequence."""
_MAD = 1.4826
_OF_MEDIAN = 1.25
_LEAST_S = 60.0
"""Clocks are set right by less, again and again."""
_LEAST_LEVEL = 0.004
_FEW = 3
_ACTIVE = 8
"""Windows in a half in which a charger charged: its offset is by their edges, and fewer may all lie by chance."""
_ODD = frozenset({"implausible", "negative", "clock_shift"})
_DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Turned:
    """A charger whose error changed: what the half before `since_ms` says of it, and that after."""

    before: ErrorEstimate
    after: ErrorEstimate
    since_ms: int


def noticed(made: Setup, estimation: ErrorEstimation, parts: Parts | None, halves: Halves | None) -> list[Noticed]:
    """Return what the halves of a span show to have become another, and what may not be decided because of it."""
    if parts is None:
        return []
    changed = _errors(made, estimation, parts, halves)
    return [
        *changed,
        *_exchanged(made, parts, [item.meters[0] for item in changed]),
        *_clocks(made, estimation, parts),
        *_level(made, estimation, parts, halves),
    ]


def turned(made: Setup, parts: Parts | None, found: Sequence[Noticed], pairs: Collection[int]) -> dict[int, Turned]:
    """Return the chargers that changed and are beyond their limit now, so that they are judged by what they are now.

    The mean of the span says neither what such a charger was nor what it is. Not those of `pairs` whose labels were
    exchanged, of which who knows which one is beyond, nor where the level of all changed.
    """
    if parts is None or any(item.name == LEVEL_CHANGED for item in found):
        return {}
    apart = {*pairs, *(number for item in found if item.name == EXCHANGED for number in item.meters)}
    result = {}
    for number in (item.meters[0] for item in found if item.name == CHANGED):
        place = made.chargers.index(number)
        before, after = parts.first.chargers[place], parts.second.chargers[place]
        if number not in apart and after.decision == "flag":
            result[number] = Turned(before, after, parts.split_ms)
    return result


def _errors(made: Setup, estimation: ErrorEstimation, parts: Parts, halves: Halves | None) -> list[Noticed]:
    if halves is None:
        return []
    # From the median: the mean goes with the one that is another.
    middle = median(item.change for item in halves.differences)
    changes = [(item, abs(item.change - middle)) for item in halves.differences]
    scatter = max(1.0, _MAD * median(change / item.u for item, change in changes))
    result = []
    for item, change in changes:
        if change <= max(_FAR * scatter * item.u, _OF_LIMIT * made.limits[item.meter]):
            continue
        place = made.chargers.index(item.meter)
        before, after = parts.first.chargers[place], parts.second.chargers[place]
        said = estimation.chargers[place].decision
        # What it is now counts for an accusation, what it ever was for being cleared.
        stands = {"flag": _beyond(made, after), "clear": _within(made, before, after)}.get(said, False)
        numbers: dict[str, float | str] = {"before_percent": 100 * before.error, "after_percent": 100 * after.error}
        result.append(Noticed(CHANGED, (item.meter,), numbers, withdrawn=() if stands else (item.meter,)))
    return result


def _exchanged(made: Setup, parts: Parts, changed: Sequence[int]) -> list[Noticed]:
    """Return pairs of which each has become what the other was: their labels, or addresses, were exchanged."""

    def same(first: int, second: int) -> bool:
        was, became = (part.chargers[place] for part, place in ((parts.first, first), (parts.second, second)))
        return abs(was.error - became.error) <= _FAR * hypot(was.u_own, became.u_own)

    places = {number: made.chargers.index(number) for number in changed}
    return [
        Noticed(EXCHANGED, (first, second))
        for first, second in combinations(changed, 2)
        if same(places[first], places[second]) and same(places[second], places[first])
    ]


def _clocks(made: Setup, estimation: ErrorEstimation, parts: Parts) -> list[Noticed]:
    # What is nothing like its meter has no offset that means anything.
    odd = {place for name, about, *_ in estimation.findings if name in _ODD for place in about}
    moved: dict[int, float] = {}
    withdrawn = set()
    compared = 0
    for place, number in enumerate(made.chargers):
        before, after = parts.first.chargers[place], parts.second.chargers[place]
        if before.offset_s is None or after.offset_s is None or place in odd:
            continue
        if min(before.active_windows, after.active_windows) < _ACTIVE:
            continue
        compared += 1
        change = after.offset_s[0] - before.offset_s[0]
        if abs(change) <= max(_LEAST_S, _CLEARLY * hypot(before.offset_s[1], after.offset_s[1])):
            continue
        moved[number] = change
        if not _stands(made, estimation.chargers[place], before, after):
            withdrawn.add(number)
    starts, ends, *_ = estimation.residuals
    days = max((ends[-1] - starts[0]) / 2000 / _DAY_S, 1e-3) if starts else 1.0
    if len(moved) >= _FEW and 2 * len(moved) > compared:
        change = median(moved.values())
        numbers: dict[str, float | str] = {"seconds": change, "seconds_a_day": change / days}
        return [Noticed(CLOCK_DRIFT, tuple(moved), numbers, withdrawn=tuple(sorted(withdrawn)))]
    return [
        Noticed(
            CLOCK_DRIFT,
            (number,),
            {"seconds": change, "seconds_a_day": change / days},
            withdrawn=(number,) if number in withdrawn else (),
        )
        for number, change in moved.items()
    ]


def _level(made: Setup, estimation: ErrorEstimation, parts: Parts, halves: Halves | None) -> list[Noticed]:
    """Return whether the master changed beside all chargers, or they beside it: which, nobody can say.

    A change as large as nobody believes a master to be off leaves none judged; else what both halves bear out stands.
    """
    levels = [_beside_master(part) for part in (parts.first, parts.second)]
    (before, u_before), (after, u_after) = levels
    if before is None or after is None:
        return []
    u = hypot(u_before, u_after) * (1.0 if halves is None else max(1.0, halves.z_rms))
    if abs(after - before) <= max(_LEAST_LEVEL, _CLEARLY * u):
        return []
    numbers: dict[str, float | str] = {"percent": 100 * (after - before), "u": 100 * u}
    blocks = not made.anchored and abs(after - before) > TENSION * made.gain[1]
    open_ = tuple(
        made.chargers[one.charger]
        for one, *halves_ in zip(estimation.chargers, parts.first.chargers, parts.second.chargers, strict=True)
        if not _stands(made, one, *halves_)
    )
    return [Noticed(LEVEL_CHANGED, (), numbers, blocks, open_)]


def _beside_master(part: ErrorEstimation) -> tuple[float | None, float]:
    known = [one for one in part.chargers if one.active_windows and one.identified >= LEAST_IDENTIFIED]
    if len(known) < _FEW:
        return None, 0.0
    u = _OF_MEDIAN * sqrt(sum(one.u_own**2 for one in known)) / len(known)
    return median(one.error for one in known) - part.gain[0], u


def _stands(made: Setup, one: ErrorEstimate, before: ErrorEstimate, after: ErrorEstimate) -> bool:
    """Return whether both halves say what is said of a charger."""
    both = _beyond(made, before) and _beyond(made, after)
    return {"flag": both, "clear": _within(made, before, after)}.get(one.decision, True)


def _beyond(made: Setup, one: ErrorEstimate) -> bool:
    return one.probability > made.flag_above


def _within(made: Setup, *parts: ErrorEstimate) -> bool:
    return all(one.probability < made.clear_below for one in parts)
