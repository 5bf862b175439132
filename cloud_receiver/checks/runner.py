"""Runs the checks beside the intake: on slots with new records, and on every slot when its deadline has passed."""

import asyncio
import json
import logging
from collections.abc import Callable, Iterable

from sqlalchemy import Connection, Engine, delete, func, insert, select
from sqlalchemy.exc import SQLAlchemyError

from clock import Clock
from cloud_receiver import findings
from cloud_receiver.checks import load
from cloud_receiver.checks.day import findings as findings_of_day
from cloud_receiver.checks.evaluate import SlotResult, evaluate
from cloud_receiver.checks.model import SLOT_MS, Context
from cloud_receiver.config import Checks
from cloud_receiver.database import reading, writing
from cloud_receiver.registry import Registry
from cloud_receiver.schema import dirty, slot_check
from diantan_core import day_start_ms, next_day_start_ms

log = logging.getLogger(__name__)

DIRTY_ROWS = 1000
"""Notices of the intake taken in one round."""
SLOTS_AT_ONCE = 24
"""Slots of one transaction: short enough that the intake waits no longer than for a group of its own."""
DEADLINES_AT_ONCE = 480
GIVE_WAY_S = 0.005
GIVE_WAY_TURNS = 40
"""Up to 0.2 s of intake between two pieces of checking, each of which takes some 10 ms."""
MINUTE_MS = 60_000


class Runner:
    """The checks of all stations, as a task of the receiver."""

    def __init__(
        self,
        engine: Engine,
        registry: Registry,
        clock: Clock,
        settings: Checks,
        intake_backlog: Callable[[], int] = lambda: 0,
    ) -> None:
        self._intake_backlog = intake_backlog
        self._engine = engine
        self._registry = registry
        self._clock = clock
        self._settings = settings
        self._cursor: dict[int, int] = {}
        """By station: every slot before it has been checked after its deadline."""
        self._next: dict[int, int] = {}

    async def run(self) -> None:
        """Check until cancelled."""
        failed = False
        while True:
            try:
                busy = await self.round()
            except (SQLAlchemyError, OSError) as error:
                busy = False
                if not failed:
                    log.warning("checks wait for the store: %s", str(error).splitlines()[0])
                failed = True
            else:
                failed = False
            await asyncio.sleep(0 if busy else self._settings.pause_ms / 1000)

    async def round(self) -> bool:
        """Check what is new or due; return whether more waits."""
        now_ms = self._clock.now_ms()
        with reading(self._engine) as connection:
            notices = connection.execute(select(dirty).order_by(dirty.c.id).limit(DIRTY_ROWS)).all()
            contexts = load.contexts(connection, self._registry)
            work = {context.number: self._due(connection, context, now_ms) for context in contexts}
            for notice in notices:
                if notice.station in work:
                    work[notice.station].update(
                        load.slot_starts(connection, notice.station, notice.first_ms, notice.last_ms)
                    )
        for context in contexts:
            await self._station(context, sorted(work[context.number]), now_ms)
        if notices:
            with writing(self._engine) as connection:
                # By number: notices that came during the round stay.
                connection.execute(delete(dirty).where(dirty.c.id.in_([notice.id for notice in notices])))
        return len(notices) == DIRTY_ROWS

    async def _give_way(self) -> None:
        """Let the intake work off what waits, within limits: a steady stream must not stop the checks for ever."""
        for _ in range(GIVE_WAY_TURNS):
            await asyncio.sleep(GIVE_WAY_S if self._intake_backlog() else 0)
            if not self._intake_backlog():
                return

    def _deadline(self, now_ms: int) -> int:
        """Return the start of the newest slot whose deadline has passed, or a time before it."""
        return now_ms - SLOT_MS - self._settings.grace_minutes * MINUTE_MS

    def _due(self, connection: Connection, context: Context, now_ms: int) -> set[int]:
        """Return the slots whose deadline has passed since they were last looked at."""
        first = self._cursor.get(context.number)
        if first is None:
            first = self._first_due(connection, context)
            if first is None:
                return set()
        due = range(first, self._deadline(now_ms) + 1, SLOT_MS)[:DEADLINES_AT_ONCE]
        self._next[context.number] = due[-1] + SLOT_MS if due else first
        return set(due)

    def _first_due(self, connection: Connection, context: Context) -> int | None:
        begin = context.station.since_ms
        if begin is None:
            begin = load.first_record_ms(connection, context.number)
        if begin is None:
            return None
        # What a former run checked after its deadline need not be checked again.
        done = connection.execute(
            select(func.max(slot_check.c.start_ms)).where(
                slot_check.c.station == context.number,
                slot_check.c.checked_ms >= slot_check.c.start_ms + SLOT_MS + self._settings.grace_minutes * MINUTE_MS,
            )
        ).scalar()
        begin -= begin % SLOT_MS
        return begin if done is None else max(begin, done + SLOT_MS)

    async def _station(self, context: Context, starts: list[int], now_ms: int) -> None:
        days: set[int] = set()
        for place in range(0, len(starts), SLOTS_AT_ONCE):
            chunk = starts[place : place + SLOTS_AT_ONCE]
            with writing(self._engine) as connection:
                self._check(connection, context, chunk, now_ms)
            days.update(day_start_ms(start, context.station.timezone) for start in chunk)
            await self._give_way()
        for day in sorted(days):
            with writing(self._engine) as connection:
                self._day(connection, context, day, now_ms)
            await self._give_way()
        if context.number in self._next:
            # Only now: a round that failed is repeated in full.
            self._cursor[context.number] = self._next[context.number]

    def _check(self, connection: Connection, context: Context, starts: Iterable[int], now_ms: int) -> None:
        results = [
            (slot.start_ms, evaluate(slot, context, self._settings))
            for slot in load.slots(connection, context, starts, self._deadline(now_ms))
        ]
        connection.execute(
            delete(slot_check).where(
                slot_check.c.station == context.number, slot_check.c.start_ms.in_([start for start, _ in results])
            )
        )
        connection.execute(
            insert(slot_check),
            [
                {
                    "station": context.number,
                    "start_ms": start,
                    "complete": int(result["energy"] is not None),
                    "result": json.dumps(result, separators=(",", ":")),
                    "checked_ms": now_ms,
                }
                for start, result in results
            ],
        )

    def _day(self, connection: Connection, context: Context, day_ms: int, now_ms: int) -> None:
        end_ms = next_day_start_ms(day_ms, context.station.timezone)
        results = results_of_day(connection, context.number, day_ms, end_ms)
        over = end_ms - SLOT_MS <= self._deadline(now_ms)
        drafts = findings_of_day(results, context, self._settings, over=over)
        opened, closed = findings.synchronise(connection, context, day_ms, drafts, now_ms)
        if opened or closed:
            log.info("station %s: %d findings opened, %d closed", context.station.id, opened, closed)


def results_of_day(connection: Connection, station: int, day_ms: int, end_ms: int) -> dict[int, SlotResult]:
    """Return the stored results of a day's slots by their start."""
    rows = connection.execute(
        select(slot_check.c.start_ms, slot_check.c.result).where(
            slot_check.c.station == station, slot_check.c.start_ms >= day_ms, slot_check.c.start_ms < end_ms
        )
    )
    return {row.start_ms: json.loads(row.result) for row in rows}
