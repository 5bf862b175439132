"""What is written to a journal in one go: records, already encoded, and what must become durable together with them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from agent import journal_schema as schema
from wire.records import (
    AdjustmentRecord,
    ClockState,
    DetailKey,
    EventCode,
    EventRecord,
    FreezeRecord,
    IntervalRecord,
    Record,
)
from wire.row import to_body


@dataclass(frozen=True, slots=True)
class Row:
    """A record on its way into the journal, already encoded."""

    kind: int
    meter: str | None
    start_ms: int
    body: bytes


@dataclass(frozen=True, slots=True)
class StoredCommand:
    """What is kept of a command (命令) from the centre, so that it is done at most once; `outcome` None: under way."""

    id: bytes
    issued_ms: int
    expires_ms: int
    verb: int
    outcome: int | None = None
    reply: bytes | None = None  # the payload; Journal.commands leaves it out


@dataclass(frozen=True, slots=True)
class Append:
    """Records, and the integrator states (by meter) that follow from the same readings."""

    rows: Sequence[Row] = ()
    states: Mapping[str, bytes] = field(default_factory=dict)
    serial_numbers: Mapping[str, int] = field(default_factory=dict)
    notes: Mapping[str, bytes] = field(default_factory=dict)  # agent.notes, by meter
    clock_state: ClockState = ClockState.UNKNOWN  # set by the writer
    command: StoredCommand | None = None  # put in the place of what was kept of the same one
    on_kept: Callable[[], None] | None = None  # called by the writer when all this is on the disk


@dataclass(frozen=True, slots=True)
class FactorUpdate:
    """Factors of a node as they were dispatched; the journal finds the closed intervals that they change."""

    slots: Sequence[tuple[int, int | None]]  # start ms, mg/kWh: what to store
    changed: Sequence[tuple[int, int | None]]  # those of them that differ from what was known
    slot_ms: int
    solve_id: bytes
    issued_ms: int
    rows: Sequence[Row] = ()  # none of its own: adjustments are made when it is written
    clock_state: ClockState = ClockState.UNKNOWN


Operation = Append | FactorUpdate


@dataclass(frozen=True, slots=True)
class StoredFactor:
    """A factor in the journal."""

    start_ms: int
    factor: int | None
    solve_id: bytes
    issued_ms: int


def to_row(record: Record) -> Row:
    """Return the record encoded; RecordError when a field can't travel."""
    match record:
        case IntervalRecord():
            return Row(schema.KIND_INTERVAL, record.meter, record.start_ms, to_body(record))
        case FreezeRecord():
            return Row(schema.KIND_FREEZE, record.meter, record.time_ms, to_body(record))
        case AdjustmentRecord():
            return Row(schema.KIND_ADJUSTMENT, record.meter, record.start_ms, to_body(record))
        case EventRecord():
            return Row(schema.KIND_EVENT, record.meter, record.time_ms, to_body(record))


def event(
    time_ms: int, code: EventCode, meter: str | None = None, details: Mapping[DetailKey, int | str] | None = None
) -> EventRecord:
    """Return an event record with its details by their keys in docs/wire.md."""
    return EventRecord(meter, time_ms, code, {int(key): value for key, value in (details or {}).items()})
