"""Orders and their results as objects for JSON; cloud_receiver.orders.lines makes text of them."""

from collections.abc import Mapping
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from cloud_receiver.orders.values import exact, local, point_text
from cloud_receiver.report_text import kg, kwh
from wire.commands import Reply
from wire.orders import Configure, Order, Read, ReadDay, Resend
from wire.results import Configuration, DayRead, Figures, MeterRead, Resent, Result, SlotFactor, StoredFreeze

Object: TypeAlias = dict[str, Any]
_FACTOR_DIGITS = 6  # mg/kWh


def order_object(order: Order) -> Object:
    """Return what was ordered."""
    match order:
        case Read():
            return {"meter": order.meter, "points": list(order.points)}
        case ReadDay():
            return {"day": order.day, "meters": list(order.meters), "from_meters": order.from_meters}
        case Resend():
            return {"journal": order.context.hex(), "first": order.first, "last": order.last}
        case Configure():
            found: Object = {"action": order.action.name.lower()}
            if order.document is not None:
                base = None if order.base is None else order.base.hex()
                found |= {"base": base, "trial_s": order.trial_s, "document": order.document}
            return found
    return {}


def reply_object(reply: Reply, zone: ZoneInfo) -> Object:
    """Return a reply with its result, times in the station's zone."""
    return {
        "time": local(reply.time_ms, zone),
        "outcome": reply.outcome.name.lower(),
        "text": reply.text,
        "result": None if reply.result is None else result_object(reply.result, zone),
    }


def result_object(result: Result, zone: ZoneInfo) -> Object:
    """Return a result; amounts are texts, which keep every decimal."""
    match result:
        case MeterRead():
            return {
                "meter": result.meter,
                "time": local(result.time_ms, zone),
                "values": {name: _value(name, value, zone) for name, value in result.values.items()},
                "refused": dict(result.refused),
            }
        case DayRead():
            return {
                "freezes": [_freeze(item, zone) for item in result.freezes],
                "factors": [_factor(item, zone) for item in result.factors],
                "refused": dict(result.refused),
            }
        case Resent():
            return {"queued": [list(item) for item in result.queued], "gone": [list(item) for item in result.gone]}
        case Figures():
            return {"figures": dict(result.figures)}
        case Configuration():
            return {
                "state": result.state.name.lower(),
                "digest": result.digest.hex(),
                "previous": None if result.previous is None else result.previous.hex(),
                "document": result.document,
                "problems": list(result.problems),
            }


def contradiction(order: Order, result: Result | None) -> str | None:
    """Return in which way a result is not of what was ordered; None if it is."""
    match order, result:
        case Read(), MeterRead() if result.meter != order.meter:
            return f"meter {order.meter} was to be read, and the values are of {result.meter}"
        case ReadDay(), DayRead() if order.meters:
            others = sorted({item.record.meter for item in result.freezes} - set(order.meters))
            return f"freezes of meters that were not asked for: {', '.join(others)}" if others else None
    return None


def _value(name: str, value: int, zone: ZoneInfo) -> Mapping[str, str]:
    text, unit = point_text(name, value, zone)
    return {"value": text, "unit": unit}


def _freeze(item: StoredFreeze, zone: ZoneInfo) -> Object:
    record = item.record
    return {
        "meter": record.meter,
        "time": local(record.time_ms, zone),
        "kind": record.kind.name.lower(),
        "source": record.source.name.lower(),
        "sequence": item.sequence or None,
        "energy_forward_kwh": kwh(record.forward_total_mwh),
        "energy_reverse_kwh": kwh(record.reverse_total_mwh),
        "carbon_forward_kg": kg(record.carbon_forward_total_ug),
        "carbon_reverse_kg": kg(record.carbon_reverse_total_ug),
    }


def _factor(item: SlotFactor, zone: ZoneInfo) -> Object:
    return {
        "start": local(item.start_ms, zone),
        "factor_kg_per_kwh": None if item.factor is None else exact(item.factor, _FACTOR_DIGITS),
        "issued": local(item.issued_ms, zone),
        "solve_id": item.solve_id.hex(),
    }
