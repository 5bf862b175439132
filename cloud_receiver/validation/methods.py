"""Methods of estimation (估补方法), on numbers alone. Energies are whole mWh; what is shared out adds up exactly."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean

from cloud_receiver.checks.freezes import BROKEN
from cloud_receiver.checks.model import SLOT_MS, Context, IntervalRow
from cloud_receiver.checks.tolerance import SlotEnergy, balance
from cloud_receiver.registry import Role
from cloud_receiver.validation.model import EventRow
from wire.domain import MAX_AMOUNT
from wire.records import Quality

_ROUNDS = 20
"""The charger's own energy changes the loss it is found by: a few rounds settle it to 1 mWh."""


class Method(StrEnum):
    """How an estimate was made."""

    REGISTER = "register"  # 示数差分摊: the total is measured, its profile is estimated
    BALANCE = "balance"  # 站内平衡: the grid side less the other meters
    LIKE_DAY = "like_day"  # 同类日: the mean of the same weekday in the weeks before
    VALUE = "value"  # 人工给定: a person's


@dataclass(frozen=True, slots=True)
class Span:
    """A slot or a part of one."""

    start_ms: int
    duration_ms: int

    @property
    def slot_ms(self) -> int:
        """Return the start of its slot."""
        return self.start_ms - self.start_ms % SLOT_MS


def pieces(first_ms: int, end_ms: int) -> list[Span]:
    """Return a time cut at the boundaries of slots."""
    result = []
    while first_ms < end_ms:
        after = min(end_ms, first_ms - first_ms % SLOT_MS + SLOT_MS)
        result.append(Span(first_ms, after - first_ms))
        first_ms = after
    return result


def covered(rows: Iterable[IntervalRow], period_ms: int) -> list[tuple[int, int]]:
    """Return the times [first, end) that intervals cover, cut at the boundaries of slots.

    An interval that leaves its period counts up to the end of the slot in which it begins.
    """
    result = []
    for row in rows:
        slot_end = row.start_ms - row.start_ms % SLOT_MS + SLOT_MS
        within = row.start_ms % period_ms + row.duration_ms <= period_ms
        end_ms = row.end_ms if within else min(row.end_ms, slot_end)
        result += [(span.start_ms, span.start_ms + span.duration_ms) for span in pieces(row.start_ms, end_ms)]
    return sorted(result)


def gaps(spans: Sequence[tuple[int, int]], wanted: Sequence[int]) -> list[tuple[int, int]]:
    """Return the times [first, end) within the wanted slots that no span covers, joined where they meet.

    The spans are those of `covered`: in order of time, and none reaches over the boundary of a slot.
    """
    found: list[tuple[int, int]] = []
    for slot in sorted(wanted):
        place = slot
        for start, end in spans[bisect_left(spans, (slot, 0)) : bisect_left(spans, (slot + SLOT_MS, 0))]:
            if start > place:
                found.append((place, start))
            place = max(place, end)
        if place < slot + SLOT_MS:
            found.append((place, slot + SLOT_MS))
    joined: list[tuple[int, int]] = []
    for first, end in found:
        if joined and joined[-1][1] == first:
            joined[-1] = joined[-1][0], end
        else:
            joined.append((first, end))
    return joined


def shared(total_mwh: int, weights: Sequence[int]) -> list[int]:
    """Share a total in proportion to weights, remainders carried: the parts add up to it exactly.

    Without any weight the parts are even. ValueError for a negative total or weight, or no part to give it to.
    """
    if total_mwh < 0 or not weights or min(weights) < 0:
        raise ValueError(f"expected a total and weights of 0 or more, found {total_mwh} and {list(weights)[:10]}")
    used = list(weights) if any(weights) else [1] * len(weights)
    whole = sum(used)
    result, run, given = [], 0, 0
    for weight in used:
        run += weight
        upto = total_mwh * run // whole
        result.append(upto - given)
        given = upto
    return result


def register_total(
    before: IntervalRow | None, after: IntervalRow | None, events: Sequence[EventRow]
) -> tuple[int, int] | str:
    """Return what a meter counted, (forward, reverse), between two intervals; why not, where nobody knows.

    The register after the gap less what its interval counted, less the register before: both of one journal, with
    no event of the register in between.
    """
    if before is None or after is None:
        return "no interval before the gap" if before is None else "no interval after the gap yet"
    if before.journal != after.journal:
        return "a new journal began in the gap"
    if (qualities := {before.quality, after.quality}) != {Quality.MEASURED}:
        ends = Quality.PARTIAL in qualities
        return "a segment of the register ends at the gap" if ends else "the register was not read beside the gap"
    if any(
        item.meter == before.meter and item.code in BROKEN and before.end_ms <= item.time_ms <= after.end_ms
        for item in events
    ):
        return "the register began anew in the gap"
    forward = after.forward_total_mwh - after.forward_mwh - before.forward_total_mwh
    reverse = after.reverse_total_mwh - after.reverse_mwh - before.reverse_total_mwh
    if min(forward, reverse) < 0:
        return "the register is lower after the gap than before it"
    return forward, reverse


def like_day(
    likes: Sequence[Mapping[int, tuple[int, int]]], spans: Sequence[Span], minimum: int
) -> list[tuple[int, int]] | str:
    """Return the mean (forward, reverse) of each span over like days; why not, where too few have it.

    `likes`: by like day, the energies of a whole slot by the start of the slot that it stands for.
    """
    result = []
    for span in spans:
        known = [day[span.slot_ms] for day in likes if span.slot_ms in day]
        if len(known) < minimum:
            return f"{len(known)} like days, expected {minimum}"
        forward, reverse = (
            round(fmean(pair[place] for pair in known) * span.duration_ms / SLOT_MS) for place in (0, 1)
        )
        result.append((forward, reverse))
    return result


def by_balance(
    context: Context, energy: Mapping[int, tuple[int, int]], number: int, start_ms: int, coverage_factor: float
) -> tuple[int, int] | str:
    """Return (net energy, tolerance) of the one meter of a slot that is not known, from all others; why not.

    The tolerance is that of the balance with the estimate in it.
    """
    meter = context.meters.get(number)
    if meter is None or number not in context.balanced():
        return "the meter is not in the balance"
    if context.balanced().keys() - energy.keys() - {number}:
        return "other meters have not reported"
    net = 0
    sign = 1 if meter.role is Role.GRID else -1
    for _ in range(_ROUNDS):
        pair = (net, 0) if net >= 0 else (0, -net)
        result = balance(context, [SlotEnergy(start_ms, {**energy, number: pair})], coverage_factor)
        if result is None:
            return "no grid-side meter or no charger"
        step = sign * result.imbalance_mwh
        net += step
        if abs(step) <= 1:
            return net, result.tolerance_mwh
        if abs(net) > MAX_AMOUNT:
            break
    return "the loss model does not settle"
