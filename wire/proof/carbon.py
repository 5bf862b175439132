"""Carbon recomputed exactly in integers, and the factor used against the one the centre signed."""

from collections.abc import Iterable

from wire.proof.contents import Adjustment, Contents, Interval
from wire.proof.statement import Issue
from wire.proof.times import shown
from wire.proof.verdict import Check, failed, not_checked, passed
from wire.records import FactorQuality

HONEST_RESIDUAL_NG = 999
"""Carbon leaves a meter's exact register as floored µg: a difference of two such values is off by less than 1 µg."""

_SHOWN = 10

Key = tuple[bytes, int, int]
"""An interval: journal, start and duration."""


def arithmetic(contents: Contents) -> Check:
    """Check carbon = energy × factor of every interval and adjustment of the meter in the proof."""
    name = "carbon arithmetic"
    faults: list[str] = []
    for item in contents.intervals:
        for direction, energy, carbon in (
            ("forward", item.forward_mwh, item.carbon_forward_ug),
            ("reverse", item.reverse_mwh, item.carbon_reverse_ug),
        ):
            residual = carbon * 1000 - energy * (item.factor or 0)
            if abs(residual) > HONEST_RESIDUAL_NG:
                faults.append(
                    f"sequence {item.sequence}, {shown(item.start_ms)}, {direction}: "
                    f"{energy} mWh × {item.factor} mg/kWh is not {carbon} µg, the difference is {residual} ng"
                )
    faults += _adjustments(contents)
    if faults:
        return failed(name, "carbon is not energy × factor", tuple(faults[:_SHOWN]))
    text = f"{len(contents.intervals)} interval(s)"
    if contents.adjustments:
        text += f" and {len(contents.adjustments)} adjustment(s)"
    return passed(name, f"{text}: carbon = energy × factor, to less than 1 µg")


def _adjustments(contents: Contents) -> list[str]:
    faults = []
    intervals = {_key(item): item for item in contents.intervals}
    used: dict[Key, int | None] = {}
    for item in contents.adjustments:
        where = f"adjustment {item.sequence} of {shown(item.start_ms)}"
        change = (item.factor_now or 0) - (item.factor_used or 0)
        for direction, energy, carbon in (
            ("forward", item.forward_mwh, item.carbon_forward_ug),
            ("reverse", item.reverse_mwh, item.carbon_reverse_ug),
        ):
            residual = carbon * 1000 - energy * change
            if abs(residual) > HONEST_RESIDUAL_NG:
                faults.append(
                    f"{where}, {direction}: {energy} mWh × {change} mg/kWh is not {carbon} µg, "
                    f"the difference is {residual} ng"
                )
        interval = intervals.get(_key(item))
        if interval is None:
            continue
        if (item.forward_mwh, item.reverse_mwh) != (interval.forward_mwh, interval.reverse_mwh):
            faults.append(f"{where}: its energy is not that of the interval it adjusts")
        before = used.get(_key(item), interval.factor)
        if item.factor_used != before:
            faults.append(f"{where}: it starts from the factor {item.factor_used}, the one in use was {before}")
        used[_key(item)] = item.factor_now
    return faults


def _key(item: Interval | Adjustment) -> Key:
    return item.context, item.start_ms, item.duration_ms


def factors(contents: Contents, intervals: list[Interval], issues: Iterable[Issue]) -> Check:
    """Check the factors of intervals and of their adjustments against those that the centre signed.

    A factor that claims to be dispatched (下发), and one that an adjustment brought, must have been dispatched for
    that slot; a held (沿用) or default (缺省) one claims nothing.
    """
    name = "factor"
    known: dict[tuple[int, int], list[Issue]] = {}
    for issue in issues:
        known.setdefault((issue.slot_ms, issue.start_ms), []).append(issue)
    if not known:
        return not_checked(name, "there are no factors that are known to be signed by the centre")
    lengths = sorted({slot_ms for slot_ms, _ in known})
    wanted = {_key(item) for item in intervals}
    adjusted = {_key(item): item for item in contents.adjustments}
    claims = [
        (f"sequence {item.sequence}", item.start_ms, item.factor)
        for item in intervals
        if item.factor_quality == FactorQuality.DISPATCHED
    ]
    dispatched = len(claims)
    claims += [
        (f"adjustment {item.sequence}", item.start_ms, item.factor_now)
        for item in contents.adjustments
        if _key(item) in wanted
    ]
    faults = []
    for who, start_ms, factor in claims:
        slot = [issue.factor for issue in _slot(known, lengths, start_ms)]
        if factor not in slot:
            was = ", ".join(map(str, slot)) or "none"
            faults.append(f"{who}, {shown(start_ms)}: used {factor} mg/kWh as dispatched, dispatched was {was}")
    if faults:
        return failed(name, "a factor that is said to be dispatched never was", tuple(faults[:_SHOWN]))
    settled = sum(_settled(item, adjusted.get(_key(item)), _slot(known, lengths, item.start_ms)) for item in intervals)
    return passed(
        name,
        f"{dispatched} interval(s) used the factor that the centre says it dispatched",
        (f"{settled} of {len(intervals)} interval(s) stand, with their adjustments, at the factor dispatched last",),
    )


def _settled(interval: Interval, adjustment: Adjustment | None, slot: list[Issue]) -> bool:
    now = interval.factor if adjustment is None else adjustment.factor_now
    return bool(slot) and max(slot, key=lambda issue: issue.issued_ms).factor == now


def _slot(known: dict[tuple[int, int], list[Issue]], lengths: list[int], time_ms: int) -> list[Issue]:
    return [issue for length in lengths for issue in known.get((length, time_ms - time_ms % length), ())]
