"""What values a record may have: checked before a record is journalled, so that no record can be kept but not sent."""

from collections.abc import Mapping

from wire.records import (
    AdjustmentRecord,
    EventCode,
    EventRecord,
    FactorQuality,
    FreezeKind,
    FreezeRecord,
    FreezeSource,
    IntervalRecord,
    Quality,
    Record,
)

# 2.3 x 10^18 mWh or µg. Every difference the column coding forms from such values stays within 64 bits.
MAX_AMOUNT = 2**61
# 2 Mt: where the cumulative emission (排放量) of a generating unit starts again from 0. A plant passes it in months.
EMISSION_END_UG = 2 * 10**18
MAX_TIME_MS = 2**53  # what a double holds exactly: a reader in any language can take it
MAX_FACTOR = 2**32 - 1
MAX_READINGS = 2**32 - 1
MAX_SEQUENCE = 2**63 - 1
MAX_NAME_BYTES = 64
MAX_SOLVE_ID_BYTES = 32
MAX_DETAILS = 16
MAX_DETAIL_KEY = 255
MAX_DETAIL_BYTES = 256
INT64_MAX = 2**63 - 1

_EVENT_CODES = frozenset(int(code) for code in EventCode)


class RecordError(ValueError):
    """A record that can't be written, or bytes that are no record."""


def whole(value: object, what: str, low: int, high: int) -> int:
    """Return an integer within [low, high], bool not counting as one; RecordError otherwise."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise RecordError(f"{what}: expected an integer, got {_shown(value)}")
    if not low <= value <= high:
        raise RecordError(f"{what}: expected {low} to {high}, got {value}")
    return int(value)


def text(value: object, what: str, maximum: int, minimum: int = 1) -> str:
    """Return a text whose UTF-8 form has `minimum` to `maximum` bytes."""
    if not isinstance(value, str):
        raise RecordError(f"{what}: expected text, got {_shown(value)}")
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise RecordError(f"{what}: {value!r} has no UTF-8 form") from None
    if not minimum <= size <= maximum:
        raise RecordError(f"{what}: expected {minimum} to {maximum} bytes of UTF-8, got {size}")
    return value


def octets(value: object, what: str, minimum: int, maximum: int) -> bytes:
    """Return a byte string of `minimum` to `maximum` bytes."""
    if not isinstance(value, bytes):
        raise RecordError(f"{what}: expected bytes, got {_shown(value)}")
    if not minimum <= len(value) <= maximum:
        raise RecordError(f"{what}: expected {minimum} to {maximum} bytes, got {len(value)}")
    return value


def check_record(record: Record) -> None:
    """Raise RecordError unless every field of the record can travel (limits: docs/wire.md)."""
    match record:
        case IntervalRecord():
            _check_interval(record)
        case FreezeRecord():
            _check_freeze(record)
        case AdjustmentRecord():
            _check_adjustment(record)
        case EventRecord():
            _check_event(record)
        case _:
            raise RecordError(f"expected a record, got {_shown(record)}")


def _check_interval(record: IntervalRecord) -> None:
    _check_span(record)
    for name in ("forward_total_mwh", "reverse_total_mwh"):
        _check_amount(record, name)
    for name in ("carbon_forward_ug", "carbon_reverse_ug", "carbon_forward_total_ug", "carbon_reverse_total_ug"):
        _check_amount(record, name)
    check_factor(record.factor, "interval: factor")
    whole(record.factor_quality, "interval: factor_quality", 0, max(FactorQuality))
    if (record.factor is None) != (record.factor_quality == FactorQuality.UNDEFINED):
        raise RecordError(
            f"interval: factor {record.factor} with factor_quality {record.factor_quality}: "
            f"an undefined factor is None and its quality {int(FactorQuality.UNDEFINED)}"
        )
    whole(record.readings, "interval: readings", 0, MAX_READINGS)
    whole(record.quality, "interval: quality", 0, max(Quality))


def _check_freeze(record: FreezeRecord) -> None:
    text(record.meter, "freeze: meter", MAX_NAME_BYTES)
    whole(record.time_ms, "freeze: time_ms", 0, MAX_TIME_MS)
    whole(record.kind, "freeze: kind", 0, max(FreezeKind))
    for name in ("forward_total_mwh", "reverse_total_mwh", "carbon_forward_total_ug", "carbon_reverse_total_ug"):
        _check_amount(record, name)
    whole(record.source, "freeze: source", 0, max(FreezeSource))


def _check_adjustment(record: AdjustmentRecord) -> None:
    _check_span(record)
    check_factor(record.factor_used, "adjustment: factor_used")
    check_factor(record.factor_now, "adjustment: factor_now")
    for name in ("carbon_forward_ug", "carbon_reverse_ug"):
        _check_amount(record, name)
    octets(record.solve_id, "adjustment: solve_id", 1, MAX_SOLVE_ID_BYTES)


def _check_event(record: EventRecord) -> None:
    if record.meter is not None:
        text(record.meter, "event: meter", MAX_NAME_BYTES)
    whole(record.time_ms, "event: time_ms", 0, MAX_TIME_MS)
    if record.code not in _EVENT_CODES:
        raise RecordError(f"event: code: expected one of {sorted(_EVENT_CODES)}, got {record.code!r}")
    check_details(record.details)


def check_details(details: object) -> None:
    """Raise RecordError unless these can be an event's details."""
    if not isinstance(details, Mapping):
        raise RecordError(f"event: details: expected a mapping, got {_shown(details)}")
    if len(details) > MAX_DETAILS:
        raise RecordError(f"event: details: expected at most {MAX_DETAILS}, got {len(details)}")
    for key, value in details.items():
        whole(key, "event: key of details", 0, MAX_DETAIL_KEY)
        if isinstance(value, str):
            text(value, f"event: details[{key}]", MAX_DETAIL_BYTES, minimum=0)
        else:
            whole(value, f"event: details[{key}]", -INT64_MAX - 1, INT64_MAX)


def check_factor(factor: object, what: str) -> None:
    """Raise RecordError unless this is a carbon factor in mg/kWh, or None (undefined)."""
    if factor is not None:
        whole(factor, what, 0, MAX_FACTOR)


def _check_span(record: IntervalRecord | AdjustmentRecord) -> None:
    kind = "interval" if isinstance(record, IntervalRecord) else "adjustment"
    text(record.meter, f"{kind}: meter", MAX_NAME_BYTES)
    whole(record.start_ms, f"{kind}: start_ms", 0, MAX_TIME_MS)
    whole(record.duration_ms, f"{kind}: duration_ms", 1, MAX_TIME_MS)
    whole(record.forward_mwh, f"{kind}: forward_mwh", 0, MAX_AMOUNT)
    whole(record.reverse_mwh, f"{kind}: reverse_mwh", 0, MAX_AMOUNT)


def _check_amount(record: Record, name: str) -> None:
    kind = type(record).__name__.removesuffix("Record").lower()
    whole(getattr(record, name), f"{kind}: {name}", -MAX_AMOUNT, MAX_AMOUNT)


def _shown(value: object, limit: int = 60) -> str:
    shown = repr(value)
    return f"{type(value).__name__} {shown if len(shown) <= limit else shown[:limit] + '…'}"
