"""One record's own CBOR, for the journal: `record-body` of docs/wire.cddl."""

from dataclasses import fields

from wire import strict
from wire.domain import RecordError, check_record
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

__all__ = ["RecordError", "from_body", "to_body"]

# The first item of a body; never reassigned, journals outlive programs.
_KINDS: dict[int, type[Record]] = {0: IntervalRecord, 1: FreezeRecord, 2: AdjustmentRecord, 3: EventRecord}
_NUMBERS = {kind: number for number, kind in _KINDS.items()}
_NAMES = {kind: tuple(field.name for field in fields(kind)) for kind in _NUMBERS}


def to_body(record: Record) -> bytes:
    """Return the record as CBOR: an array of the kind's number and the fields in their order.

    Raises RecordError when a field can't travel (wire.domain), so that what is journalled can always be sent.
    """
    check_record(record)
    kind = type(record)
    return strict.dump([_NUMBERS[kind], *(_plain(getattr(record, name)) for name in _NAMES[kind])])


def from_body(body: bytes) -> Record:
    """Return the record that `to_body` wrote; RecordError when the bytes are anything else."""
    try:
        value = strict.load(body)
    except strict.StrictError as error:
        raise RecordError(f"record body: {error}") from error
    if not isinstance(value, list) or not value or type(value[0]) is not int:
        raise RecordError("record body: expected an array that begins with the kind's number")
    kind = _KINDS.get(value[0])
    if kind is None:
        raise RecordError(f"record body: expected a kind of 0 to {max(_KINDS)}, got {value[0]}")
    names = _NAMES[kind]
    if len(value) != 1 + len(names):
        raise RecordError(f"record body: a {kind.__name__} has {len(names)} fields, got {len(value) - 1}")
    # Checked as plain values first: the enumerations below then can't meet a value they don't know.
    plain = kind(*value[1:])
    check_record(plain)
    return _typed(plain)


def _typed(record: Record) -> Record:
    match record:
        case IntervalRecord():
            return IntervalRecord(
                record.meter,
                record.start_ms,
                record.duration_ms,
                record.forward_mwh,
                record.reverse_mwh,
                record.forward_total_mwh,
                record.reverse_total_mwh,
                record.factor,
                FactorQuality(record.factor_quality),
                record.carbon_forward_ug,
                record.carbon_reverse_ug,
                record.carbon_forward_total_ug,
                record.carbon_reverse_total_ug,
                record.readings,
                Quality(record.quality),
            )
        case FreezeRecord():
            return FreezeRecord(
                record.meter,
                record.time_ms,
                FreezeKind(record.kind),
                record.forward_total_mwh,
                record.reverse_total_mwh,
                record.carbon_forward_total_ug,
                record.carbon_reverse_total_ug,
                FreezeSource(record.source),
            )
        case EventRecord():
            return EventRecord(record.meter, record.time_ms, EventCode(record.code), record.details)
        case _:
            return record


def _plain(value: object) -> object:
    # cbor2 would write an IntEnum by its own rules, and a mapping other than dict not at all.
    if isinstance(value, int):
        return int(value)
    if value is None or isinstance(value, (str, bytes)):
        return value
    return {int(key): _plain(entry) for key, entry in dict(value).items()}  # type: ignore[call-overload]  # checked above
