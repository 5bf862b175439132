"""What a gateway tells of itself beyond its counters: backlog, what was dropped and why, meters without a reading."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from wire.domain import MAX_NAME_BYTES, MAX_SEQUENCE, MAX_TIME_MS, RecordError, text, whole

MAX_REASON: Final = 255
MAX_WORST: Final = 16  # meters that are named; the others are counted


class Dropped(IntEnum):
    """Why something did not go on its way; a reader keeps codes it doesn't know."""

    STORAGE = 0  # records given up unacknowledged because the journal was full, ever in this context
    UNFIT = 1  # records that the wire's limits don't let travel; this and the others since the program's start
    STALE = 2  # live values that were too old when they could be published
    HELD_BACK = 3  # readings not used at once (no room, unknown time, doubt): their energy comes with a later one
    UNUSABLE = 4  # readings that the integrator refused


@dataclass(frozen=True, slots=True)
class Backlog:
    """What was made and the centre has not acknowledged, in the journal and waiting for the disk."""

    records: int
    size: int  # bytes in the journal
    oldest_age_ms: int  # since the oldest interval began, or the oldest event; 0 where there is none


@dataclass(frozen=True, slots=True)
class Overdue:
    """Meters without a good reading for longer than `limit_ms`, the worst of them by name."""

    meters: int  # of the gateway, in all
    overdue: int
    limit_ms: int
    worst: tuple[tuple[str, int | None], ...] = ()  # meter, age of its last good reading in ms; None: there was none


def _parts(value: object, what: str, low: int, high: int) -> list[object]:
    if not isinstance(value, (list, tuple)):
        raise RecordError(f"{what}: expected an array, got {type(value).__name__}")
    if not low <= len(value) <= high:
        raise RecordError(f"{what}: expected {low} to {high} items, got {len(value)}")
    return list(value)


def check_backlog(value: object, what: str) -> Backlog:
    """Return the backlog in an array; RecordError when it is not one."""
    records, size, age = _parts(value, what, 3, 3)
    return Backlog(
        whole(records, f"{what} records", 0, MAX_SEQUENCE),
        whole(size, f"{what} size", 0, MAX_SEQUENCE),
        whole(age, f"{what} oldest_age_ms", 0, MAX_TIME_MS),
    )


def check_dropped_by(value: object, what: str) -> Mapping[int, int]:
    """Return the counts by reason; RecordError when they are not a map of that."""
    if not isinstance(value, Mapping):
        raise RecordError(f"{what}: expected a map, got {type(value).__name__}")
    if len(value) > MAX_REASON + 1:
        raise RecordError(f"{what}: expected at most {MAX_REASON + 1} reasons, got {len(value)}")
    return {
        int(whole(reason, f"{what} reason", 0, MAX_REASON)): whole(count, f"{what} {reason}", 0, MAX_SEQUENCE)
        for reason, count in value.items()
    }


def check_overdue(value: object, what: str) -> Overdue:
    """Return the overdue meters in an array; RecordError when it is not one."""
    meters, overdue, limit, worst = _parts(value, what, 4, 4)
    total = whole(meters, f"{what} meters", 0, MAX_SEQUENCE)
    named = []
    for index, item in enumerate(_parts(worst, f"{what} worst", 0, MAX_WORST)):
        here = f"{what} worst[{index}]"
        meter, age = _parts(item, here, 2, 2)
        known = None if age is None else whole(age, f"{here} age", 0, MAX_TIME_MS)
        named.append((text(meter, f"{here} meter", MAX_NAME_BYTES), known))
    return Overdue(
        total,
        whole(overdue, f"{what} overdue", 0, total),
        whole(limit, f"{what} limit_ms", 0, MAX_TIME_MS),
        tuple(named),
    )


def backlog_parts(backlog: Backlog) -> tuple[int, int, int]:
    """Return the backlog as it travels."""
    return backlog.records, backlog.size, backlog.oldest_age_ms


def overdue_parts(overdue: Overdue) -> tuple[object, ...]:
    """Return the overdue meters as they travel."""
    return overdue.meters, overdue.overdue, overdue.limit_ms, overdue.worst
