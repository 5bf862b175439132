"""Energies against the rated power (上下限) and against the meter's own past (突变)."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Final, NamedTuple

from cloud_receiver.checks.freezes import energy_mwh
from cloud_receiver.checks.model import SLOT_MS, Context
from cloud_receiver.checks.tolerance import MWH_PER_KWH
from cloud_receiver.registry import Meter
from cloud_receiver.validation.config import Validation
from cloud_receiver.validation.model import Outcome, Verdict, Window, judged, not_applicable, passed
from wire.records import Quality

GAP: Final = "gap_s"
"""In a detail of `high`: it is of a time without intervals."""
_THIRD = 2
_SPREAD = (Quality.INTERPOLATED, Quality.ESTIMATED)


class _Direction(NamedTuple):
    """What a meter counted, in mWh by slot: in the span, and in the days before it."""

    name: str
    counted: Mapping[int, int]
    before: Mapping[int, int]


def limit_mwh(window: Window, meter: Meter, duration_ms: int, settings: Validation) -> int:
    """Return the most that an interval can count, in mWh: rated power and margin, clocks at both ends, one step."""
    return most_mwh(window.context, meter, duration_ms, settings)


def most_mwh(context: Context, meter: Meter, duration_ms: int, settings: Validation) -> int:
    """Return `limit_mwh` without a window."""
    clocks_ms = 2 * int(context.station.time_uncertainty_s * 1000)
    margin = 1 + settings.high.margin_percent / 100
    return (
        int(energy_mwh(meter, duration_ms) * margin)
        + energy_mwh(meter, clocks_ms)
        + int(meter.resolution_kwh * MWH_PER_KWH)
    )


def high(window: Window, number: int, settings: Validation) -> Outcome:
    """Check that no interval counts more than the rated power gives in its time, nor a register over a gap."""
    rows = window.rows(number)
    if not rows:
        return not_applicable("no intervals")
    meter = window.context.meters[number]
    limits = {duration: limit_mwh(window, meter, duration, settings) for duration in {row.duration_ms for row in rows}}
    details: list[dict[str, object]] = [
        {
            "start_ms": row.start_ms,
            "duration_s": row.duration_ms // 1000,
            "forward_mwh": row.forward_mwh,
            "reverse_mwh": row.reverse_mwh,
            "limit_mwh": limits[row.duration_ms],
        }
        for row in rows
        if max(row.forward_mwh, row.reverse_mwh) > limits[row.duration_ms]
    ]
    details += _over_gaps(window, number, settings)
    return judged(Verdict.FAILED, details, rated_kw=str(meter.rated_kw))


def _over_gaps(window: Window, number: int, settings: Validation) -> Iterator[dict[str, object]]:
    """Yield the gaps in which a register has risen by more than the rated power gives, without an event of it."""
    breaks = window.breaks(number)
    for rows in window.chains(number):
        for before, after in pairwise(rows):
            gap_ms = after.start_ms - before.end_ms
            place = bisect_left(breaks, before.end_ms)
            broken = place < len(breaks) and breaks[place] <= after.end_ms
            if gap_ms <= 0 or broken or Quality.PARTIAL in (before.quality, after.quality):
                continue
            forward = after.forward_total_mwh - after.forward_mwh - before.forward_total_mwh
            reverse = after.reverse_total_mwh - after.reverse_mwh - before.reverse_total_mwh
            limit = limit_mwh(window, window.context.meters[number], gap_ms, settings)
            if max(forward, reverse) > limit:
                yield {
                    "start_ms": max(before.end_ms, window.first_ms),
                    GAP: gap_ms // 1000,
                    "forward_mwh": forward,
                    "reverse_mwh": reverse,
                    "limit_mwh": limit,
                }


def charging_mwh(meter: Meter, settings: Validation) -> int:
    """Return the energy of a slot in mWh below which nothing charges: it may be a charger's own consumption."""
    return int(energy_mwh(meter, SLOT_MS) * settings.low.low_percent / 100)


def low(window: Window, number: int, settings: Validation) -> Outcome:
    """Check that a charger which counts in several slots reaches a share of its rated power in one at least.

    It passes where all it counts may be its own consumption: little, or the same around the clock. What a gateway
    spread over a time without readings may have been a short charge.
    """
    energies = window.forward(number)
    spread = {row.start_ms - row.start_ms % SLOT_MS for row in window.rows(number) if row.quality in _SPREAD}
    counted = {start: energy for start, energy in energies.items() if energy > 0 and start not in spread}
    if len(counted) < settings.low.minimum_slots:
        return not_applicable(f"energy in {len(counted)} slots, expected {settings.low.minimum_slots}")
    meter = window.context.meters[number]
    step = int(meter.resolution_kwh * MWH_PER_KWH)
    limit, idle = charging_mwh(meter, settings), int(energy_mwh(meter, SLOT_MS) * settings.low.idle_percent / 100)
    highest, lowest = max(energies.values()), min(energies.values())
    # A register shows what it has counted to its step.
    steady = 2 * (lowest + step) >= highest and lowest > 0
    if highest + step > limit or highest - step < idle or steady:
        return passed(highest_mwh=highest, limit_mwh=limit, idle_mwh=idle)
    details = [{"start_ms": start, "forward_mwh": energy} for start, energy in sorted(counted.items())]
    return judged(Verdict.SUSPECT, details, highest_mwh=highest, limit_mwh=limit, idle_mwh=idle)


def spike(window: Window, number: int, settings: Validation) -> Outcome:
    """Check that no slot lies far above the third highest of the span and the days before, of either direction.

    Slots in which nothing charges, or more than the rated power allows, are not counted among these. A slot that
    balances is no spike.
    """
    found = (
        _Direction("forward", window.forward(number), window.history.get(number, {})),
        _Direction("reverse", window.reverse(number), window.given_back.get(number, {})),
    )
    details: list[dict[str, object]] = []
    numbers: dict[str, object] = {}
    most_known = 0
    meter = window.context.meters[number]
    least, most = charging_mwh(meter, settings), limit_mwh(window, meter, SLOT_MS, settings)
    floor = int(energy_mwh(meter, SLOT_MS) * settings.spike.floor_percent / 100)
    for name, counted, before in found:
        present = {start: energy for start, energy in counted.items() if least < energy <= most}
        known = sorted([*present.values(), *(each for each in before.values() if least < each <= most)], reverse=True)
        most_known = max(most_known, len(known))
        if len(known) < settings.spike.minimum_slots or len(known) <= _THIRD or not present:
            continue
        third = known[_THIRD]
        details += [
            {"start_ms": start, f"{name}_mwh": energy, "third_highest_mwh": third}
            for start, energy in sorted(present.items())
            if energy > settings.spike.ratio * third and energy > floor and not window.closing.get(start, False)
        ]
        side = "" if name == "forward" else f"{name}_"
        numbers |= {f"highest_{side}mwh": max(present.values()), f"third_highest_{side}mwh": third}
    if not numbers:
        return not_applicable(f"energy in {most_known} slots, expected {settings.spike.minimum_slots}")
    return judged(Verdict.SUSPECT, sorted(details, key=lambda detail: int(str(detail["start_ms"]))), **numbers)
