"""Runs the checks beside the intake: on slots with new records, and on every slot when its deadline has passed.

What is to be checked anew follows in small portions between two rounds of these.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Engine, Row, delete, select
from sqlalchemy.exc import SQLAlchemyError

from clock import Clock
from cloud_receiver.checks import again, causes, load, month, notes
from cloud_receiver.checks.again import Again, Portion
from cloud_receiver.checks.causes import Checked
from cloud_receiver.checks.day import local_time
from cloud_receiver.checks.deadlines import Deadlines
from cloud_receiver.checks.judging import MINUTE_MS, Judge, Round
from cloud_receiver.checks.load import RETENTION_MS
from cloud_receiver.checks.model import SLOT_MS, Context
from cloud_receiver.checks.notes import Failed
from cloud_receiver.config import Checks
from cloud_receiver.database import reading, writing
from cloud_receiver.registry import Registry
from cloud_receiver.rounds import repeat
from cloud_receiver.sales.config import Sales
from cloud_receiver.schema import dirty
from cloud_receiver.validation.config import Validation
from diantan_core import day_start_ms, next_month_start_ms

log = logging.getLogger(__name__)

DIRTY_ROWS = 1000
"""Notices of the intake taken in one round."""
SLOTS_AT_ONCE = 24
"""Slots of one transaction: short enough that the intake waits no longer than for a group of its own."""
GIVE_WAY_S = 0.005
GIVE_WAY_TURNS = 40
"""Up to 0.2 s of intake between two pieces of checking, each of which takes some 10 ms."""
DAY_MS = 86_400_000
FUTURE_MS = DAY_MS
"""How far ahead of the centre's clock a record may be to be checked when it comes; later its deadline checks it."""


@dataclass(frozen=True, slots=True)
class Work:
    """What of a station is to be checked."""

    starts: set[int]
    days: set[int]
    """Local midnights; the days of the slots are added."""
    anew: Mapping[int, str | None] = field(default_factory=dict)
    """Days that are checked whole, and who asked for it."""
    unfinished: frozenset[int] = frozenset()
    """Months that are judged later."""


class Runner:
    """The checks of all stations, as a task of the receiver."""

    def __init__(
        self,
        engine: Engine,
        registry: Registry,
        clock: Clock,
        settings: Checks,
        intake_backlog: Callable[[], int] = lambda: 0,
        *,
        validation: Validation | None = None,
        sales: Sales | None = None,
    ) -> None:
        self._intake_backlog = intake_backlog
        self._engine = engine
        self._registry = registry
        self._clock = clock
        self._settings = settings
        self._judge = Judge(settings, validation or Validation(), sales or Sales())
        self._deadlines = Deadlines(settings.grace_minutes * MINUTE_MS)
        self._again = Again(settings.recheck_days)
        self._contexts: dict[int, Context] = {}
        self._begin: dict[int, int] = {}
        """By station: from when its meters are expected to report."""
        self._failed: set[int] = set()
        """Stations whose checks raise: told once."""
        self._unchecked: set[tuple[int, int]] = set()
        """By station: days whose check anew has failed, and was not made up for."""
        self._begun = False
        self._through_message = 0
        """The last message of the store when this round began."""

    async def run(self) -> None:
        """Check until cancelled."""
        await repeat(self._turn, self._settings.pause_ms / 1000, log, "checks wait for the store")

    async def _turn(self) -> float:
        if await self.round():
            return 0
        await self.again()
        return self._settings.pause_ms / 1000

    async def round(self) -> bool:
        """Check what is new or due; return whether more waits."""
        now_ms = self._clock.now_ms()
        due = dirty.c.due_ms.is_(None) | (dirty.c.due_ms <= now_ms)
        with reading(self._engine) as connection:
            notices = connection.execute(select(dirty).where(due).order_by(dirty.c.id).limit(DIRTY_ROWS)).all()
            if notices or not self._contexts:
                # A notice may be of a meter that was not in the store before, or of earlier records than before.
                self._refresh(connection, {notice.station for notice in notices}, now_ms)
            work = {
                number: self._deadlines.due(connection, context, self._begin.get(number), now_ms)
                for number, context in self._contexts.items()
            }
            if notices or any(work.values()):
                self._through_message = causes.last_message(connection)
            days: dict[int, set[int]] = {number: set() for number in work}
            for station, spans in self._spans(notices, now_ms).items():
                zone = self._contexts[station].station.timezone
                for first_ms, last_ms in spans:
                    # What follows a midnight tells how well the freeze of the day before is known.
                    days[station].update(day_start_ms(time_ms, zone) for time_ms in (first_ms - SLOT_MS, last_ms))
                for first_ms, last_ms in merged(spans):
                    work[station].update(load.slot_starts(connection, self._contexts[station], first_ms, last_ms))
        for number, context in self._contexts.items():
            days[number] |= self._deadlines.forget_hasty(self._engine, context, now_ms)
            await self._guarded(context, Work(work[number], days[number]), now_ms)
        if notices:
            with writing(self._engine) as connection:
                # By number: notices that came during the round stay.
                connection.execute(delete(dirty).where(dirty.c.id.in_([notice.id for notice in notices])))
        return len(notices) == DIRTY_ROWS

    @property
    def behind(self) -> bool:
        """Return whether the last round left slots to be looked at after their deadline."""
        return self._deadlines.behind

    @property
    def unchecked(self) -> int:
        """Return how many of the days that were to be checked anew could not be."""
        return len(self._unchecked)

    async def again(self) -> int:
        """Check a portion of the days that wait to be checked anew, once nothing is behind; return how many."""
        if not self._contexts or self.behind:
            return 0
        now_ms = self._clock.now_ms()
        if not self._begun:
            with reading(self._engine) as connection:
                failed_before = notes.any_failed(connection)
            if failed_before:
                with writing(self._engine) as connection:
                    notes.begin(connection)
            self._begun = True
        portion = self._again.next(self._engine, self._contexts, self._begin, self._judge.digest, now_ms)
        if portion is None:
            return 0
        with reading(self._engine) as connection:
            self._through_message = causes.last_message(connection)
        context = self._contexts[portion.station]
        failed = await self._anew(context, portion, now_ms)
        with writing(self._engine) as connection:
            told = self._again.done(connection, portion, failed, now_ms)
        days = {(context.number, day) for day in portion.days}
        self._unchecked = (self._unchecked - days) | {(context.number, day) for day in failed}
        if len(portion.days) > len(failed):
            log.info("station %s: %d days checked anew", context.station.id, len(portion.days) - len(failed))
        for day, what in told.items():
            _tell(context, day, what, now_ms)
        return len(portion.days)

    async def _anew(self, context: Context, portion: Portion, now_ms: int) -> set[int]:
        """Check a portion, and where that fails each of its days alone; return the days that could not be."""
        work = Work(set(), set(portion.days), portion.days, portion.unfinished)
        if await self._guarded(context, work, now_ms):
            return set()
        if len(portion.days) == 1:
            return set(portion.days)
        failed = set()
        left = sorted(portion.days)
        while left:
            day = left.pop()
            later = {month.start_ms(one, context.station.timezone) for one in left}
            work = Work(set(), {day}, {day: portion.days[day]}, portion.unfinished | later)
            if not await self._guarded(context, work, now_ms):
                failed.add(day)
        return failed

    def _refresh(self, connection: Connection, stations: set[int], now_ms: int) -> None:
        self._contexts = {item.number: item for item in load.contexts(connection, self._registry)}
        enrolled = load.enrolments(connection)
        for number, context in self._contexts.items():
            if number in self._begin and number not in stations:
                continue
            begin = load.begin_ms(connection, context, enrolled.get(number, now_ms), now_ms)
            if begin is not None:
                self._begin[number] = begin

    def _spans(self, notices: Iterable[Row[Any]], now_ms: int) -> dict[int, list[tuple[int, int]]]:
        """Return the spans of the notices by station, without what can't be: it is kept and not checked."""
        spans: dict[int, list[tuple[int, int]]] = {}
        for notice in notices:
            begin = self._begin.get(notice.station)
            if notice.station not in self._contexts:
                continue
            low = (now_ms if begin is None else min(begin, now_ms)) - RETENTION_MS
            first, last = max(notice.first_ms, low), min(notice.last_ms, now_ms + FUTURE_MS)
            if (first, last) != (notice.first_ms, notice.last_ms):
                log.warning(
                    "station %s: records of %d to %d ms are kept, but only those of %d to %d ms are checked: "
                    "is the clock of a gateway wrong?",
                    *(self._contexts[notice.station].station.id, notice.first_ms, notice.last_ms),
                    *(low, now_ms + FUTURE_MS),
                )
            if first <= last:
                spans.setdefault(notice.station, []).append((first, last))
        return spans

    async def _guarded(self, context: Context, work: Work, now_ms: int) -> bool:
        """Check what there is of a station; return whether that came to its end."""
        try:
            await self._station(context, work, now_ms)
        except (SQLAlchemyError, OSError):
            raise
        except Exception:
            # A fault in a check must end neither the intake nor the checks of the other stations.
            if context.number not in self._failed:
                log.exception("the checks of station %s failed", context.station.id)
            self._failed.add(context.number)
        else:
            self._failed.discard(context.number)
        # Only now: a round in which the store failed is repeated in full.
        self._deadlines.done(context.number)
        return context.number not in self._failed

    async def _give_way(self) -> None:
        """Let the intake work off what waits, within limits: a steady stream must not stop the checks for ever."""
        for _ in range(GIVE_WAY_TURNS):
            await asyncio.sleep(GIVE_WAY_S if self._intake_backlog() else 0)
            if not self._intake_backlog():
                return

    async def _station(self, context: Context, work: Work, now_ms: int) -> None:
        number, zone = context.number, context.station.timezone
        newest = self._deadlines.newest(now_ms)
        known = Round(now_ms, newest, self._through_message, self._begin.get(number))
        days = work.days | {day_start_ms(start, zone) for start in work.starts}
        if not days:
            return  # as most stations in most rounds: tens of thousands of them must cost nothing
        with reading(self._engine) as connection:
            # Of a day that another registry judged no slot may stay as it is: the day is noted as judged by this one.
            whole = again.outdated(connection, context, days, self._judge.digest).union(work.anew)
            starts = sorted(work.starts.union(*(self._slots(connection, context, day, known) for day in whole)))
        for place in range(0, len(starts), SLOTS_AT_ONCE):
            chunk = starts[place : place + SLOTS_AT_ONCE]
            with writing(self._engine) as connection:
                self._judge.slots(connection, context, chunk, known)
            await self._give_way()
        months: dict[int, list[Checked | None]] = {}
        for day in sorted(days):
            with writing(self._engine) as connection:
                before = self._judge.day(connection, context, day, known, asked=work.anew.get(day))
            months.setdefault(month.start_ms(day, zone), []).append(before)
            await self._give_way()
        for start_ms, checked in months.items():
            if start_ms in work.unfinished or self._deadlines.through(number) < next_month_start_ms(start_ms, zone):
                continue  # not over, or slots of it are still to be looked at after their deadline
            asked = next((who for day, who in work.anew.items() if who and month.start_ms(day, zone) == start_ms), None)
            with writing(self._engine) as connection:
                self._judge.month(connection, context, start_ms, checked, known, asked=asked)
            await self._give_way()

    @staticmethod
    def _slots(connection: Connection, context: Context, day_ms: int, known: Round) -> Iterable[int]:
        return again.slots(connection, context, day_ms, known.begin_ms, known.deadline_ms)


def _tell(context: Context, day_ms: int, what: Failed, now_ms: int) -> None:
    """Say that a day could not be checked anew, and what becomes of it."""
    name = local_time(day_ms, ZoneInfo(context.station.timezone))[: len("2026-07-01")]
    if what.due_ms is None:
        log.error(
            "station %s: day %s could not be checked anew %d times, and is tried no more: ask for it with `recheck` "
            "once it is seen to, or start the receiver again",
            *(context.station.id, name, what.tries),
        )
    else:
        log.warning(
            "station %s: day %s could not be checked anew (try %d of %d), the next try is in %d min",
            *(context.station.id, name, what.tries, notes.MOST_TRIES, (what.due_ms - now_ms) // MINUTE_MS),
        )


def merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the spans with those that overlap or share a slot made one: each costs a query."""
    result: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if result and first <= result[-1][1] + SLOT_MS:
            result[-1] = (result[-1][0], max(result[-1][1], last))
        else:
            result.append((first, last))
    return result
