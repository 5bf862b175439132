"""When slots are due (截止): each is looked at once its meters have had their time of grace, and not again then."""

from sqlalchemy import BigInteger, ColumnElement, Connection, Engine, and_, delete, literal_column, select

from cloud_receiver.checks.model import SLOT_MS, Context
from cloud_receiver.database import writing
from cloud_receiver.schema import slot_check
from diantan_core import day_start_ms

DEADLINES_AT_ONCE = 480
"""Slots of a station that one round looks at after their deadline."""


class Deadlines:
    """How far each station has been looked at after the deadlines of its slots; `grace_ms` is their time of grace."""

    def __init__(self, grace_ms: int) -> None:
        self._grace_ms = grace_ms
        self._cursor: dict[int, int] = {}
        """By station: every slot before it has been checked after its deadline."""
        self._next: dict[int, int] = {}
        self._behind: set[int] = set()
        """Stations of which more slots were due than one round looks at."""
        self._hasty: set[int] = set()
        """Stations that may have been checked before their time."""

    def newest(self, now_ms: int) -> int:
        """Return the start of the newest slot whose deadline has passed, or a time before it."""
        return now_ms - SLOT_MS - self._grace_ms

    def through(self, station: int) -> int:
        """Return up to when a station has been looked at with this round."""
        return self._next.get(station, 0)

    def due(self, connection: Connection, context: Context, begin_ms: int | None, now_ms: int) -> set[int]:
        """Return the slots whose deadline has passed since they were last looked at; none before `begin_ms`."""
        if begin_ms is None:
            return set()
        last = self._last_due(context, now_ms)
        coming = max(begin_ms, last + SLOT_MS)
        first = self._cursor.get(context.number)
        if first is None or first > coming:
            # At the start, and when a clock that was ahead has been put right: it took the cursor with it.
            self._hasty.add(context.number)
            first = min(coming, self._first_due(connection, context, begin_ms, now_ms))
        left = range(first, last + 1, SLOT_MS)
        due = left[:DEADLINES_AT_ONCE]
        (self._behind.discard if len(due) == len(left) else self._behind.add)(context.number)
        self._next[context.number] = due[-1] + SLOT_MS if due else first
        if not due:
            return set()
        # What came after its deadline, as a backlog does, has been checked when it came.
        done = select(slot_check.c.start_ms).where(
            self._in_time(context, now_ms), slot_check.c.start_ms.between(due[0], due[-1])
        )
        return set(due).difference(connection.execute(done).scalars())

    @property
    def behind(self) -> bool:
        """Return whether slots were left to be looked at after their deadline when `due` was last asked."""
        return bool(self._behind)

    def done(self, station: int) -> None:
        """Take note that what was due of a station has been checked."""
        if station in self._next:
            self._cursor[station] = self._next[station]

    def forget_hasty(self, engine: Engine, context: Context, now_ms: int) -> set[int]:
        """Delete what was found of slots that have not come, by a clock that was ahead; return their days."""
        if context.number not in self._hasty:
            return set()
        hasty = (
            (slot_check.c.station == context.number)
            & (slot_check.c.start_ms > self._last_due(context, now_ms))
            & (slot_check.c.checked_ms > now_ms)
        )
        with writing(engine) as connection:
            starts = list(connection.execute(select(slot_check.c.start_ms).where(hasty)).scalars())
            connection.execute(delete(slot_check).where(hasty))
        self._hasty.discard(context.number)
        return {day_start_ms(start, context.station.timezone) for start in starts}

    def _last_due(self, context: Context, now_ms: int) -> int:
        """Return the start of the newest slot whose deadline has passed, that of a meter's longer interval included."""
        over_ms = self.newest(now_ms) + SLOT_MS
        return over_ms - over_ms % context.block_ms - SLOT_MS

    def _in_time(self, context: Context, now_ms: int) -> ColumnElement[bool]:
        """Return the condition that a slot has been checked after its deadline, by a clock that was not ahead."""
        block_ms = literal_column(str(context.block_ms), BigInteger)
        end_ms = slot_check.c.start_ms - slot_check.c.start_ms % block_ms + block_ms
        return and_(
            slot_check.c.station == context.number,
            slot_check.c.checked_ms >= end_ms + self._grace_ms,
            slot_check.c.checked_ms <= now_ms,
        )

    def _first_due(self, connection: Connection, context: Context, begin_ms: int, now_ms: int) -> int:
        # What a former run checked after its deadline need not be checked again.
        done = connection.execute(
            select(slot_check.c.start_ms)
            .where(self._in_time(context, now_ms), slot_check.c.start_ms <= self._last_due(context, now_ms))
            .order_by(slot_check.c.start_ms.desc())
            .limit(1)
        ).scalar()
        return begin_ms if done is None else max(begin_ms, done + SLOT_MS)
