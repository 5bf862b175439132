"""The small messages: acknowledgement, factors, status and live values (docs/wire.cddl); batches are in wire.batch."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from wire import fields
from wire.domain import INT64_MAX, MAX_NAME_BYTES, MAX_TIME_MS, RecordError, check_factor, text, whole
from wire.fields import CONTEXT_BYTES, SCHEMA_VERSION, Fields, MessageError
from wire.records import ClockState
from wire.status_facts import (
    Backlog,
    Overdue,
    backlog_parts,
    check_backlog,
    check_dropped_by,
    check_overdue,
    overdue_parts,
)

__all__ = [
    "CONTEXT_BYTES",
    "MAX_MISSING",
    "SCHEMA_VERSION",
    "Acknowledgement",
    "Factors",
    "Live",
    "MessageError",
    "Origin",
    "Status",
    "StatusState",
]

MAX_MISSING = 64  # ranges in one acknowledgement: the rest follows in a later one
MAX_SLOTS = 4096
MAX_SLOT_MS = 86_400_000
MAX_METERS = 4096
MAX_POINTS = 1024


class StatusState(IntEnum):
    """Why a gateway's status was sent."""

    OFFLINE = 0  # the will, left with the broker
    BIRTH = 1
    HEALTH = 2


class Origin(IntEnum):
    """Where a dispatched carbon factor comes from."""

    SOLVED = 0  # 潮流计算: the carbon flow of the slot, or a schedule
    HELD = 1  # 沿用: the node's last solved factor, while the slot can't be solved
    OFFICIAL = 2  # 官方因子: the published average of a region


def _clock_state(value: object, what: str) -> ClockState:
    return ClockState(whole(value, what, 0, max(ClockState)))


def _status_state(value: object, what: str) -> StatusState:
    return StatusState(whole(value, what, 0, max(StatusState)))


def _missing(value: object, what: str) -> tuple[tuple[int, int], ...]:
    return fields.ranges(value, what, MAX_MISSING)


def _factors(value: object, what: str) -> tuple[int | None, ...]:
    factors: list[int | None] = []
    for index, item in enumerate(fields.items(value, what, MAX_SLOTS, 1)):
        check_factor(item, f"{what}[{index}]")
        factors.append(item)  # type: ignore[arg-type]  # check_factor just said so
    return tuple(factors)


def _solve_ids(value: object, what: str) -> tuple[bytes, ...]:
    listed = fields.items(value, what, MAX_SLOTS, 1)
    return tuple(fields.solve_id(item, f"{what}[{index}]") for index, item in enumerate(listed))


def _origins(value: object, what: str) -> tuple[Origin, ...]:
    listed = fields.items(value, what, MAX_SLOTS, 1)
    return tuple(Origin(whole(item, f"{what}[{index}]", 0, max(Origin))) for index, item in enumerate(listed))


def _meters(value: object, what: str) -> tuple[tuple[str, int, Mapping[str, int]], ...]:
    meters = []
    for index, item in enumerate(fields.items(value, what, MAX_METERS)):
        here = f"{what}[{index}]"
        meter, time_ms, values = fields.items(item, here, 3, 3)
        if not isinstance(values, Mapping):
            raise RecordError(f"{here} values: expected a map, got {type(values).__name__}")
        if len(values) > MAX_POINTS:
            raise RecordError(f"{here} values: expected at most {MAX_POINTS}, got {len(values)}")
        points = {
            text(point, f"{here} point", MAX_NAME_BYTES): whole(amount, f"{here} {point}", -INT64_MAX - 1, INT64_MAX)
            for point, amount in values.items()
        }
        meters.append((fields.name(meter, f"{here} meter"), fields.time(time_ms, f"{here} time_ms"), points))
    return tuple(meters)


_ACKNOWLEDGEMENT: Fields = (
    (1, "gateway", fields.name),
    (2, "context", fields.context),
    (3, "up_to", fields.count),
    (4, "missing", _missing),
    (5, "time_ms", fields.time),
    (6, "highest", fields.count),
)
_FACTORS: Fields = (
    (1, "node", fields.name),
    (2, "solve_id", fields.solve_id),
    (3, "issued_ms", fields.time),
    (4, "slot_ms", fields.integer(1, MAX_SLOT_MS)),
    (5, "first_start_ms", fields.time),
    (6, "factors", _factors),
    (7, "solve_ids", _solve_ids),
    (8, "origins", _origins),
)
_SLOT_DETAILS: Mapping[int, object] = {7: None, 8: None}
_STATUS: Fields = (
    (1, "gateway", fields.name),
    (2, "state", _status_state),
    (3, "time_ms", fields.time),
    (4, "context", fields.context),
    (5, "next_sequence", fields.count),
    (6, "unacknowledged", fields.count),
    (7, "clock_state", _clock_state),
    (8, "dropped", fields.count),
    (9, "backlog", check_backlog),
    (10, "resent", fields.count),
    (11, "dropped_by", check_dropped_by),
    (12, "clock_offset_ms", fields.integer(-MAX_TIME_MS, MAX_TIME_MS)),
    (13, "overdue", check_overdue),
)
_TOLD_SINCE: Mapping[int, object] = dict.fromkeys((9, 10, 11, 12, 13))  # a gateway that doesn't tell them yet: None
_LIVE: Fields = ((1, "gateway", fields.name), (2, "time_ms", fields.time), (3, "meters", _meters))


def _travelling(field: object) -> object:
    match field:
        case Backlog():
            return backlog_parts(field)
        case Overdue():
            return overdue_parts(field)
    return field


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """What the centre has stored of a gateway's context: everything up to `up_to`, without the `missing` ranges."""

    gateway: str
    context: bytes
    up_to: int  # 0: nothing yet; sequences start at 1
    missing: tuple[tuple[int, int], ...]  # above `up_to`, both ends included, ascending, not adjoining
    time_ms: int
    highest: int = 0  # where something is missing: the highest sequence stored; 0 if not told

    def encode(self) -> bytes:
        """Return the message's bytes; MessageError when a field can't travel."""
        _check_order(self)
        return fields.encode(self, _ACKNOWLEDGEMENT)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return the message in the bytes; MessageError when they are not one."""
        message = cls(*fields.decode(data, cls.__name__, _ACKNOWLEDGEMENT, {6: 0}))  # type: ignore[arg-type]  # checked by field
        _check_order(message)
        return message


def _check_order(message: Acknowledgement) -> None:
    if message.missing and message.missing[0][0] <= message.up_to:
        raise MessageError(
            f"Acknowledgement: missing begins with {message.missing[0][0]}, which up_to {message.up_to} says is stored"
        )
    if message.highest and message.missing and message.highest <= message.missing[-1][1]:
        raise MessageError(
            f"Acknowledgement: expected a highest sequence above the missing {message.missing[-1][1]}, "
            f"got {message.highest}"
        )


@dataclass(frozen=True, slots=True)
class Factors:
    """The carbon factors (电碳因子) of a node for consecutive slots."""

    node: str
    solve_id: bytes  # of the carbon-flow solution they come from
    issued_ms: int
    slot_ms: int
    first_start_ms: int
    factors: tuple[int | None, ...]  # mg/kWh; None: undefined, the node has no through-flow
    solve_ids: tuple[bytes, ...] | None = None  # by slot, where they differ: each slot has a solution of its own
    origins: tuple[Origin, ...] | None = None  # by slot; without them all are solved

    def solve_id_of(self, index: int) -> bytes:
        """Return the solution that a slot's factor comes from."""
        return self.solve_id if self.solve_ids is None else self.solve_ids[index]

    def origin_of(self, index: int) -> Origin:
        """Return where a slot's factor comes from."""
        return Origin.SOLVED if self.origins is None else self.origins[index]

    def encode(self) -> bytes:
        """Return the message's bytes; MessageError when a field can't travel."""
        _check_slots(self)
        return fields.encode(self, _FACTORS, _SLOT_DETAILS, _listed)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return the message in the bytes; MessageError when they are not one."""
        message = cls(*fields.decode(data, cls.__name__, _FACTORS, _SLOT_DETAILS))  # type: ignore[arg-type]  # checked by field
        _check_slots(message)
        return message


def _listed(field: object) -> object:
    # Codes travel as the numbers they are.
    return [int(item) if isinstance(item, Origin) else item for item in field] if isinstance(field, tuple) else field


def _check_slots(message: Factors) -> None:
    for name in ("solve_ids", "origins"):
        listed = getattr(message, name)
        if listed is not None and len(listed) != len(message.factors):
            raise MessageError(
                f"Factors: {name}: expected one for each of {len(message.factors)} slots, got {len(listed)}"
            )


@dataclass(frozen=True, slots=True)
class Status:
    """A gateway's birth, health or will."""

    gateway: str
    state: StatusState
    time_ms: int
    context: bytes
    next_sequence: int
    unacknowledged: int  # records in the journal that the centre has not acknowledged
    clock_state: ClockState
    dropped: int = 0  # records given up unacknowledged, ever in this context
    backlog: Backlog | None = None
    resent: int | None = None  # batches sent more than once since the program's start
    dropped_by: Mapping[int, int] | None = None  # by wire.status_facts.Dropped
    clock_offset_ms: int | None = None  # of the gateway's time from its system clock, which may have been set back
    overdue: Overdue | None = None

    def encode(self) -> bytes:
        """Return the message's bytes; MessageError when a field can't travel."""
        return fields.encode(self, _STATUS, _TOLD_SINCE, _travelling)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return the message in the bytes; MessageError when they are not one."""
        return cls(*fields.decode(data, cls.__name__, _STATUS, {8: 0, **_TOLD_SINCE}))  # type: ignore[arg-type]  # checked field by field


@dataclass(frozen=True, slots=True)
class Live:
    """A gateway's latest instantaneous values; dropped when stale, never stored as readings."""

    gateway: str
    time_ms: int
    meters: tuple[tuple[str, int, Mapping[str, int]], ...]  # meter, time of its reading, value by point name

    def encode(self) -> bytes:
        """Return the message's bytes; MessageError when a field can't travel."""
        return fields.encode(self, _LIVE)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return the message in the bytes; MessageError when they are not one."""
        return cls(*fields.decode(data, cls.__name__, _LIVE, {}))  # type: ignore[arg-type]  # checked field by field
