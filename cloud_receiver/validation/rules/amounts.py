"""Energies against the rated power (上下限) and against the meter's own past (突变)."""

from cloud_receiver.checks.freezes import energy_mwh
from cloud_receiver.checks.model import SLOT_MS
from cloud_receiver.checks.tolerance import MWH_PER_KWH
from cloud_receiver.registry import Meter
from cloud_receiver.validation.config import Validation
from cloud_receiver.validation.model import Outcome, Verdict, Window, judged, not_applicable, passed

_THIRD = 2


def limit_mwh(window: Window, meter: Meter, duration_ms: int, settings: Validation) -> int:
    """Return the most that an interval can count, in mWh: rated power and margin, clocks at both ends, one step."""
    clocks_ms = 2 * int(window.context.station.time_uncertainty_s * 1000)
    margin = 1 + settings.high.margin_percent / 100
    return (
        int(energy_mwh(meter, duration_ms) * margin)
        + energy_mwh(meter, clocks_ms)
        + int(meter.resolution_kwh * MWH_PER_KWH)
    )


def high(window: Window, number: int, settings: Validation) -> Outcome:
    """Check that no interval counts more than the rated power gives in its time, in either direction."""
    rows = window.rows(number)
    if not rows:
        return not_applicable("no intervals")
    meter = window.context.meters[number]
    limits = {duration: limit_mwh(window, meter, duration, settings) for duration in {row.duration_ms for row in rows}}
    details = [
        {
            "start_ms": row.start_ms,
            "forward_mwh": row.forward_mwh,
            "reverse_mwh": row.reverse_mwh,
            "limit_mwh": limits[row.duration_ms],
        }
        for row in rows
        if max(row.forward_mwh, row.reverse_mwh) > limits[row.duration_ms]
    ]
    return judged(Verdict.FAILED, details, rated_kw=str(meter.rated_kw))


def low(window: Window, number: int, settings: Validation) -> Outcome:
    """Check that a charger which counts in several slots reaches a share of its rated power in one at least."""
    counted = {start: energy for start, energy in window.forward(number).items() if energy > 0}
    if len(counted) < settings.low.minimum_slots:
        return not_applicable(f"energy in {len(counted)} slots, expected {settings.low.minimum_slots}")
    rated = energy_mwh(window.context.meters[number], SLOT_MS)
    limit, idle = (int(rated * share / 100) for share in (settings.low.low_percent, settings.low.idle_percent))
    highest = max(counted.values())
    if highest >= limit or highest < idle:
        return passed(highest_mwh=highest, limit_mwh=limit, idle_mwh=idle)
    details = [{"start_ms": start, "forward_mwh": energy} for start, energy in sorted(counted.items())]
    return judged(Verdict.SUSPECT, details, highest_mwh=highest, limit_mwh=limit, idle_mwh=idle)


def spike(window: Window, number: int, settings: Validation) -> Outcome:
    """Check that no slot lies far above the third highest of the span and the days before."""
    present = {start: energy for start, energy in window.forward(number).items() if energy > 0}
    known = sorted([*present.values(), *window.history.get(number, {}).values()], reverse=True)
    if len(known) < settings.spike.minimum_slots or len(known) <= _THIRD or not present:
        return not_applicable(f"energy in {len(known)} slots, expected {settings.spike.minimum_slots}")
    third = known[_THIRD]
    floor = int(energy_mwh(window.context.meters[number], SLOT_MS) * settings.spike.floor_percent / 100)
    details = [
        {"start_ms": start, "forward_mwh": energy, "third_highest_mwh": third}
        for start, energy in sorted(present.items())
        if energy > settings.spike.ratio * third and energy > floor
    ]
    return judged(Verdict.SUSPECT, details, highest_mwh=max(present.values()), third_highest_mwh=third)
