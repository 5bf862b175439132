"""Which slots are to be solved now: those that are due by the clock, and those of which something new was measured."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from sqlalchemy import Connection, func, select

from cloud_receiver.grid.config import Grid as GridSettings
from cloud_receiver.grid.service import records
from cloud_receiver.grid.service.newest import kept_starts, last_start_ms
from cloud_receiver.grid.service.plan import SLOT_MS, Metered
from cloud_receiver.schema import grid_notice, grid_telemetry

NOTICES_AT_ONCE: Final = 1000
_HOUR_MS: Final = 3_600_000


class Notice(NamedTuple):
    """Something new was measured in [first_ms, last_ms]."""

    id: int
    first_ms: int
    last_ms: int


@dataclass
class Due:
    """The slots of a round."""

    starts: set[int] = field(default_factory=set)
    """Those whose deadline has passed."""
    hasty: set[int] = field(default_factory=set)
    """Those that are solved before it if nothing is missing."""
    corrections: set[int] = field(default_factory=set)
    """Those that were solved or passed over, and of which something new was measured."""
    last_ms: int = 0
    """The last slot that was solved."""


def notices(connection: Connection) -> list[Notice]:
    """Return the oldest notices."""
    statement = select(grid_notice).order_by(grid_notice.c.id).limit(NOTICES_AT_ONCE)
    return [Notice(row.id, row.first_ms, row.last_ms) for row in connection.execute(statement)]


def due(
    connection: Connection,
    settings: GridSettings,
    begin_ms: int,
    told: Iterable[Notice],
    *,
    meters: Collection[Metered],
    now_ms: int,
) -> Due:
    """Return what is to be solved; the first grid is valid from `begin_ms`."""
    ended = _floor(now_ms) - SLOT_MS  # start of the last slot that has ended
    deadline = _floor(now_ms - settings.wait_s * 1000) - SLOT_MS
    last = last_start_ms(connection, ended + 1)
    if last is None:
        first = _first(connection, meters, begin_ms)
        last = max(min(deadline if first is None else first, deadline), _ceiling(begin_ms)) - SLOT_MS
    corrected_from = now_ms - settings.correct_hours * _HOUR_MS
    # Of what is too old to be dispatched only what was measured: a clock that leaps must not fill the store.
    recent = max(last + SLOT_MS, _ceiling(min(corrected_from, deadline - settings.slots * SLOT_MS)))
    starts = set(range(recent, deadline + 1, SLOT_MS))
    if last + SLOT_MS < recent:
        starts |= _with_data(connection, meters, last + SLOT_MS, recent)
    hasty: set[int] = set()
    corrections: set[int] = set()
    for first_ms, last_ms in _merged(told):
        first, end = max(_floor(first_ms), _ceiling(begin_ms)), min(_floor(last_ms), ended) + SLOT_MS
        hasty |= set(range(max(first, last + SLOT_MS, deadline + SLOT_MS), end, SLOT_MS))
        before = min(end, last + SLOT_MS)
        if first >= before:
            continue
        kept = kept_starts(connection, first, before)
        corrections |= {start for start in kept if start >= corrected_from}
        # Measurements of slots that were never solved, as of a history that is imported.
        corrections |= _with_data(connection, meters, first, before) - kept
    return Due(starts, hasty - starts, corrections, last)


def _first(connection: Connection, meters: Collection[Metered], begin_ms: int) -> int | None:
    """Return the first slot of which anything was measured."""
    told = connection.execute(
        select(func.min(grid_telemetry.c.start_ms)).where(grid_telemetry.c.start_ms >= begin_ms)
    ).scalar()
    found = [start for start in (told, records.first_start_ms(connection, meters, begin_ms)) if start is not None]
    return min(found, default=None)


def _with_data(connection: Connection, meters: Collection[Metered], first_ms: int, end_ms: int) -> set[int]:
    statement = select(grid_telemetry.c.start_ms).where(
        grid_telemetry.c.start_ms >= first_ms, grid_telemetry.c.start_ms < end_ms
    )
    told = {start for start in connection.execute(statement.distinct()).scalars() if start % SLOT_MS == 0}
    return told | {start for start in records.starts(connection, meters, first_ms, end_ms) if start >= first_ms}


def _merged(told: Iterable[Notice]) -> Sequence[tuple[int, int]]:
    """Return the spans of notices, those that touch made one: each costs queries."""
    result: list[tuple[int, int]] = []
    for first, last in sorted((notice.first_ms, notice.last_ms) for notice in told):
        if result and first <= result[-1][1] + SLOT_MS:
            result[-1] = (result[-1][0], max(result[-1][1], last))
        else:
            result.append((first, last))
    return result


def _floor(time_ms: int) -> int:
    return time_ms - time_ms % SLOT_MS


def _ceiling(time_ms: int) -> int:
    return -(-time_ms // SLOT_MS) * SLOT_MS
