"""Meter exchange (换表) and other events of registers."""

from datetime import datetime

from cloud_receiver.registry import Meter
from cloud_receiver.validation.config import Validation
from cloud_receiver.validation.model import EventRow, Outcome, Verdict, Window, judged, not_applicable
from wire.records import DetailKey, EventCode

KNOWN_WITHIN_MS = 86_400_000
"""How near the registry's `since` or `until` must be to an exchange for it to be known there."""
_EMISSION = 3
"""The direction of a generating unit's emission register (docs/wire.md, section "Events")."""
_SHOWN = 10
_CODES = (EventCode.ROLLOVER, EventCode.RESET, EventCode.EXCHANGE, EventCode.JUMP)


def exchange(window: Window, number: int, _: Validation) -> Outcome:
    """Check that no register began anew but by a rollover, or an exchange that the registry (台账) knows of."""
    if not window.rows(number) and not window.of_meter(number, _CODES):
        return not_applicable("no intervals and no events")
    meter = window.context.meters[number]
    events = [item for item in window.of_meter(number, _CODES) if window.first_ms <= item.time_ms < window.end_ms]
    expected = [item for item in events if _is_expected(item, meter)]
    details = [_shown(item) for item in events if not _is_expected(item, meter)]
    shown = [_shown(item) for item in expected[:_SHOWN]]
    return judged(Verdict.SUSPECT, details, expected_events=len(expected), expected=shown)


def _is_expected(item: EventRow, meter: Meter) -> bool:
    if item.code == EventCode.ROLLOVER:
        return True
    return item.code == EventCode.EXCHANGE and any(
        abs(_ms(time) - item.time_ms) <= KNOWN_WITHIN_MS for time in (meter.since, meter.until) if time is not None
    )


def _ms(time: datetime) -> int:
    return int(time.timestamp()) * 1000


def _shown(item: EventRow) -> dict[str, object]:
    result: dict[str, object] = {"start_ms": item.time_ms, "event": EventCode(item.code).name.lower()}
    unit = "mg" if item.details.get(DetailKey.DIRECTION) == _EMISSION else "mwh"
    for key, name in ((DetailKey.BEFORE, "before"), (DetailKey.AFTER, "after")):
        if key in item.details:
            result[f"{name}_{unit}"] = item.details[key]
    return result
