"""Carbon recomputed exactly in integers, and the factor used against the one the centre signed."""

from collections.abc import Iterable, Mapping

from wire.proof.contents import Adjustment, Contents, Interval
from wire.proof.dispatched import Dispatched
from wire.proof.statement import Issue
from wire.proof.times import shown
from wire.proof.verdict import Check, failed, not_checked, passed
from wire.records import FactorQuality
from wire.residual import dishonest

_SHOWN = 10

Key = tuple[bytes, int, int]
"""An interval: journal, start and duration."""


def arithmetic(contents: Contents) -> Check:
    """Check carbon = energy × factor of every interval and adjustment of the meter in the proof.

    A generating unit's emission (发电侧排放量) is measured, without a factor: there is nothing to compute it from.
    """
    name = "carbon arithmetic"
    if _of_a_unit(contents):
        text = "no factor was applied to any interval: the carbon was measured, as a generating unit's emission is"
        return not_checked(name, text)
    faults: list[str] = []
    for item in contents.intervals:
        faults += [
            f"sequence {item.sequence}, {shown(item.start_ms)}, {wrong.direction}: {wrong.energy_mwh} mWh × "
            f"{item.factor} mg/kWh is not {wrong.carbon_ug} µg, the difference is {wrong.difference_ng} ng"
            for wrong in dishonest(item, item.factor or 0)
        ]
    faults += _adjustments(contents)
    if faults:
        return failed(name, "carbon is not energy × factor", tuple(faults[:_SHOWN]))
    text = f"{len(contents.intervals)} interval(s)"
    if contents.adjustments:
        text += f" and {len(contents.adjustments)} adjustment(s)"
    return passed(name, f"{text}: carbon = energy × factor, to less than 1 µg")


def _of_a_unit(contents: Contents) -> bool:
    """Return whether all carbon of the meter came without a factor."""
    factors = {item.factor for item in contents.intervals}
    factors.update(factor for item in contents.adjustments for factor in (item.factor_used, item.factor_now))
    return factors == {None} and any(item.carbon_forward_ug for item in contents.intervals)


def _adjustments(contents: Contents) -> list[str]:
    faults = []
    intervals = {_key(item): item for item in contents.intervals}
    used: dict[Key, int | None] = {}
    for item in contents.adjustments:
        where = f"adjustment {item.sequence} of {shown(item.start_ms)}"
        change = (item.factor_now or 0) - (item.factor_used or 0)
        faults += [
            f"{where}, {wrong.direction}: {wrong.energy_mwh} mWh × {change} mg/kWh is not {wrong.carbon_ug} µg, "
            f"the difference is {wrong.difference_ng} ng"
            for wrong in dishonest(item, change)
        ]
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


def factors(
    contents: Contents,
    intervals: list[Interval],
    dispatched: Dispatched | None,
    received: Mapping[tuple[bytes, int], int],
) -> Check:
    """Check the factors of intervals and of their adjustments against those that the centre signed.

    A factor that claims to be dispatched (下发), and one that an adjustment brought, must have been dispatched for
    that slot; a held (沿用) one for an earlier slot. A default (缺省) or undefined (未定义) one claims nothing.
    `received`: when the centre stored a record, by journal and sequence.
    """
    name = "factor"
    issues = [] if dispatched is None else dispatched.issues()
    if dispatched is None or not issues:
        return not_checked(name, "there are no factors that are known to be signed by the centre")
    known = _Known(issues)
    wanted = {_key(item) for item in intervals}
    adjusted = {_key(item): item for item in contents.adjustments}
    claims = [
        (f"sequence {item.sequence}", item.start_ms, item.factor)
        for item in intervals
        if item.factor_quality == FactorQuality.DISPATCHED
    ]
    claiming = len(claims)
    claims += [
        (f"adjustment {item.sequence}", item.start_ms, item.factor_now)
        for item in contents.adjustments
        if _key(item) in wanted
    ]
    faults = []
    for who, start_ms, factor in claims:
        slot = [issue.factor for issue in known.slot(start_ms)]
        if factor not in slot:
            was = ", ".join(map(str, dict.fromkeys(slot))) or "none"
            faults.append(f"{who}, {shown(start_ms)}: used {factor} mg/kWh as dispatched, dispatched was {was}")
    held = [item for item in intervals if item.factor_quality == FactorQuality.HELD]
    strange = [item for item in held if not known.earlier(item.start_ms, item.factor)]
    # A file without messages may be of before the centre put in what was held: then nothing is said of it.
    if dispatched.messages or dispatched.unverified:
        faults += [
            f"sequence {item.sequence}, {shown(item.start_ms)}: held {item.factor} mg/kWh, "
            "which was dispatched for no slot before"
            for item in strange
        ]
    if faults:
        return failed(name, "a factor that is said to come from the centre never did", tuple(faults[:_SHOWN]))
    settled = sum(_settled(item, adjusted.get(_key(item)), known.slot(item.start_ms)) for item in intervals)
    notes = [f"{settled} of {len(intervals)} interval(s) stand, with their adjustments, at the factor dispatched last"]
    if held and not strange:
        notes.append(f"{len(held)} interval(s) held a factor that was dispatched for a slot before")
    elif strange:
        notes.append(f"{len(strange)} interval(s) held a factor of which the file has nothing")
    signed = _Known(dispatched.issues_of_messages())
    alone = sum(factor not in {issue.factor for issue in signed.slot(start_ms)} for _, start_ms, factor in claims)
    if alone:
        notes.append(f"{alone} of {len(claims)} factor(s) used stand in the centre's statement alone")
    notes += _times(intervals, known, received)
    return passed(name, f"{claiming} interval(s) used a factor that the centre dispatched for their slot", (*notes,))


def _times(intervals: list[Interval], known: "_Known", received: Mapping[tuple[bytes, int], int]) -> list[str]:
    """Return what is odd of when factors were issued and intervals stored: both by the centre's clock.

    It is no fault: factors take their time to a gateway, and a clock that was set back leaves issues ahead of it.
    """
    early = passed_by = 0
    for item in intervals:
        stored = received.get((item.context, item.sequence))
        if stored is None:
            continue
        own = [issue for issue in known.slot(item.start_ms) if issue.issued_ms <= stored]
        if item.factor_quality == FactorQuality.DISPATCHED:
            early += item.factor not in {issue.factor for issue in own}
        else:
            passed_by += any(issue.factor is not None and issue.issued_ms < item.end_ms for issue in own)
    notes = []
    if early:
        notes.append(f"{early} interval(s) were stored before their factor was issued, by the centre's clock")
    if passed_by:
        notes.append(f"{passed_by} interval(s) did without the factor that was issued before they ended")
    return notes


def _settled(interval: Interval, adjustment: Adjustment | None, slot: list[Issue]) -> bool:
    now = interval.factor if adjustment is None else adjustment.factor_now
    return bool(slot) and max(slot, key=lambda issue: issue.issued_ms).factor == now


class _Known:
    """The centre's factors by slot and by value."""

    def __init__(self, issues: Iterable[Issue]) -> None:
        self._slots: dict[tuple[int, int], list[Issue]] = {}
        self._first: dict[int | None, int] = {}
        for issue in issues:
            self._slots.setdefault((issue.slot_ms, issue.start_ms), []).append(issue)
            self._first[issue.factor] = min(issue.start_ms, self._first.get(issue.factor, issue.start_ms))
        self._lengths = sorted({slot_ms for slot_ms, _ in self._slots})

    def slot(self, time_ms: int) -> list[Issue]:
        """Return what was dispatched for the slot of an instant."""
        return [
            issue for length in self._lengths for issue in self._slots.get((length, time_ms - time_ms % length), ())
        ]

    def earlier(self, time_ms: int, factor: int | None) -> bool:
        """Return whether the factor was dispatched for a slot that had ended by then."""
        first = self._first.get(factor)
        return first is not None and any(first + length <= time_ms for length in self._lengths)
