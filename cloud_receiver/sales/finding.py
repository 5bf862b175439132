"""What a rule about orders found: it becomes part of a day's finding of its kind and charger."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from cloud_receiver.checks.day import Draft
from cloud_receiver.checks.model import Kind, Severity
from cloud_receiver.sales.order import Order
from cloud_receiver.sales.window import Window
from wire.domain import MAX_TIME_MS

SLOT_MS: Final = 900_000
_RANK: Final = {Severity.INFO: 0, Severity.WARNING: 1, Severity.ALARM: 2}


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that is wrong, in the slot of an instant."""

    kind: Kind
    meter: int
    time_ms: int
    detail: Mapping[str, Any]
    severity: Severity = Severity.WARNING


def of_order(
    kind: Kind, meter: int, order: Order, detail: Mapping[str, Any], severity: Severity = Severity.WARNING
) -> Found:
    """Return what is wrong with an order, in the slot in which it ended."""
    told = {"order": order.number, "from": iso(order.start_ms), "to": iso(order.end_ms), **detail}
    return Found(kind, meter, order.last_ms - 1, told, severity)


def iso(time_ms: int) -> str:
    """Return an instant as ISO 8601 in UTC; one that no calendar has as a number of ms."""
    if not 0 <= time_ms < 1 << 47:
        return f"{min(time_ms, MAX_TIME_MS)} ms"
    return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="seconds")


def drafts(found: Iterable[Found], window: Window) -> list[Draft]:
    """Return the findings: one a kind and meter, with the slots of the span."""
    result: dict[tuple[Kind, int], Draft] = {}
    severities: dict[tuple[Kind, int], Severity] = {}
    for item in found:
        key = item.kind, item.meter
        draft = result.setdefault(key, Draft(item.kind.value, item.meter, item.severity.value))
        inside = min(max(item.time_ms, window.first_ms), window.end_ms - 1)
        draft.starts.append(inside - inside % SLOT_MS)
        draft.details.append(dict(item.detail))
        severities[key] = max(severities.get(key, item.severity), item.severity, key=_RANK.__getitem__)
        draft.severity = severities[key].value
    return list(result.values())
