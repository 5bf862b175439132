"""Clocks (时钟) of gateways and of meters."""

from cloud_receiver.validation.config import GatewayClock, Validation
from cloud_receiver.validation.model import MessageRow, Outcome, Verdict, Window, judged, not_applicable
from wire.records import ClockState, DetailKey, EventCode


def gateway_clock(window: Window, _: int, settings: Validation) -> Outcome:
    """Check that the gateways' clocks are right, as far as their messages, events and statuses tell.

    A message that comes before it was made is proof; one that comes long after may only have been under way.
    """
    limits = settings.gateway_clock
    messages: dict[str, list[MessageRow]] = {}
    for row in window.messages:
        messages.setdefault(row.gateway, []).append(row)
    events = [item for item in window.of_meter(0, [EventCode.CLOCK_STEPPED]) if window.first_ms <= item.time_ms]
    if not messages and not events and not window.offsets:
        return not_applicable("no messages, events or statuses")
    details = [
        {"start_ms": item.time_ms, "event": "clock_stepped", "step_ms": step}
        for item in events
        if isinstance(step := item.details.get(DetailKey.STEP), int) and abs(step) > limits.limit_s * 1000
    ]
    numbers: dict[str, object] = {}
    failed = False
    for gateway, rows in sorted(messages.items()):
        ahead = max(row.created_ms - row.received_ms for row in rows)
        doubtful = [row for row in rows if _doubtful(row.clock_state, limits)]
        numbers[gateway] = {"messages": len(rows), "doubtful": len(doubtful), "ahead_ms": ahead}
        details += [
            # It may have been made long after the span that it tells of, and by a clock that is not right.
            {
                "start_ms": min(max(row.created_ms, window.first_ms), window.end_ms - 1),
                "gateway": gateway,
                "clock": ClockState(row.clock_state).name.lower(),
                "created_ms": row.created_ms,
            }
            for row in doubtful
        ]
        if ahead > limits.limit_s * 1000:
            failed = failed or ahead > limits.ahead_failed_s * 1000
            details.append({"start_ms": window.first_ms, "gateway": gateway, "ahead_ms": ahead})
    for gateway, offsets in sorted(window.offsets.items()):
        beyond = {name: offset for name, offset in offsets.items() if abs(offset) > limits.limit_s * 1000}
        if beyond:
            details.append({"start_ms": window.first_ms, "gateway": gateway, **beyond})
    return judged(Verdict.FAILED if failed else Verdict.SUSPECT, details, gateways=numbers)


def _doubtful(state: int, limits: GatewayClock) -> bool:
    return state == ClockState.STEPPED or (limits.require_synchronised and state == ClockState.UNKNOWN)


def meter_clock(window: Window, number: int, _: Validation) -> Outcome:
    """Check that the gateway has not found the meter's clock to be off, or has found it right since.

    A new journal of the gateway knows nothing of it, and would have told of it anew.
    """
    events = window.of_meter(number, (EventCode.METER_CLOCK_OFF, EventCode.METER_CLOCK_RIGHT))
    if not window.rows(number) and not events:
        return not_applicable("no intervals and no events")
    before = [item for item in events if item.time_ms < window.first_ms]
    during = [item for item in events if window.first_ms <= item.time_ms < window.end_ms]
    oldest = min((row.journal for row in window.rows(number)), default=0)
    told = [item for item in before[-1:] if item.journal >= oldest]
    off = [item for item in (*told, *during) if item.code == EventCode.METER_CLOCK_OFF]
    details = [
        {
            "start_ms": max(item.time_ms, window.first_ms),
            "deviation_ms": item.details.get(DetailKey.DEVIATION),
            "since_ms": item.time_ms,
        }
        for item in off
    ]
    return judged(Verdict.SUSPECT, details)
