"""Runs the checks beside the intake: on slots with new records, and on every slot when its deadline has passed."""

import asyncio
import json
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Engine, Row, and_, delete, insert, literal_column, select
from sqlalchemy.exc import SQLAlchemyError

from clock import Clock
from cloud_receiver import findings
from cloud_receiver.checks import causes, day_sum, freezes, gateways, load, month, parties
from cloud_receiver.checks.causes import Checked
from cloud_receiver.checks.day import findings as findings_of_day
from cloud_receiver.checks.evaluate import evaluate
from cloud_receiver.checks.model import SLOT_MS, Context, Kind
from cloud_receiver.completeness import day as completeness
from cloud_receiver.completeness import limits
from cloud_receiver.config import Checks
from cloud_receiver.database import reading, writing
from cloud_receiver.registry import Registry
from cloud_receiver.sales import day as sales_day
from cloud_receiver.sales.config import Sales
from cloud_receiver.schema import dirty, slot_check
from cloud_receiver.validation import day_end
from cloud_receiver.validation.config import Validation
from diantan_core import day_start_ms, next_day_start_ms, next_month_start_ms

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
DAY_MS = 86_400_000
RETENTION_MS = 400 * DAY_MS
"""How long a gateway keeps records: what is older than this before its enrolment can't be a reading."""
FUTURE_MS = DAY_MS
"""How far ahead of the centre's clock a record may be to be checked when it comes; later its deadline checks it."""


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
        self._validation = Validation() if validation is None else validation
        self._sales = Sales() if sales is None else sales
        self._contexts: dict[int, Context] = {}
        self._begin: dict[int, int] = {}
        """By station: from when its meters are expected to report."""
        self._cursor: dict[int, int] = {}
        """By station: every slot before it has been checked after its deadline."""
        self._failed: set[int] = set()
        """Stations whose checks raise: told once."""
        self._hasty: set[int] = set()
        """Stations that may have been checked before their time."""
        self._next: dict[int, int] = {}
        self._settings_digest = causes.digest(settings, self._validation)
        self._through_message = 0
        """The last message of the store when this round began."""

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
        due = dirty.c.due_ms.is_(None) | (dirty.c.due_ms <= now_ms)
        with reading(self._engine) as connection:
            notices = connection.execute(select(dirty).where(due).order_by(dirty.c.id).limit(DIRTY_ROWS)).all()
            if notices or not self._contexts:
                # A notice may be of a meter that was not in the store before, or of earlier records than before.
                self._refresh(connection, {notice.station for notice in notices}, now_ms)
            work = {number: self._due(connection, context, now_ms) for number, context in self._contexts.items()}
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
            if number in self._hasty:
                days[number] |= self._forget_hasty(context, now_ms)
                self._hasty.discard(number)
            await self._guarded(context, sorted(work[number]), days[number], now_ms)
        if notices:
            with writing(self._engine) as connection:
                # By number: notices that came during the round stay.
                connection.execute(delete(dirty).where(dirty.c.id.in_([notice.id for notice in notices])))
        return len(notices) == DIRTY_ROWS

    def _refresh(self, connection: Connection, stations: set[int], now_ms: int) -> None:
        self._contexts = {item.number: item for item in load.contexts(connection, self._registry)}
        enrolled = load.enrolments(connection)
        for number, context in self._contexts.items():
            if number in self._begin and number not in stations:
                continue
            begin = context.station.since_ms
            if begin is None:
                begin = load.first_record_ms(connection, number, self._floor(enrolled.get(number, now_ms), now_ms))
            if begin is not None:
                self._begin[number] = begin - begin % SLOT_MS

    @staticmethod
    def _floor(enrolled_ms: int, now_ms: int) -> int:
        # A gateway whose clock began at 1970 must not make decades of slots that everything is missing from.
        return min(enrolled_ms, now_ms) - RETENTION_MS

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

    async def _guarded(self, context: Context, starts: list[int], days: set[int], now_ms: int) -> None:
        try:
            await self._station(context, starts, days, now_ms)
        except (SQLAlchemyError, OSError):
            raise
        except Exception:
            # A fault in a check must end neither the intake nor the checks of the other stations.
            if context.number not in self._failed:
                log.exception("the checks of station %s failed", context.station.id)
            self._failed.add(context.number)
        else:
            self._failed.discard(context.number)
        if context.number in self._next:
            # Only now: a round in which the store failed is repeated in full.
            self._cursor[context.number] = self._next[context.number]

    async def _give_way(self) -> None:
        """Let the intake work off what waits, within limits: a steady stream must not stop the checks for ever."""
        for _ in range(GIVE_WAY_TURNS):
            await asyncio.sleep(GIVE_WAY_S if self._intake_backlog() else 0)
            if not self._intake_backlog():
                return

    def _deadline(self, now_ms: int) -> int:
        """Return the start of the newest slot whose deadline has passed, or a time before it."""
        return now_ms - SLOT_MS - self._settings.grace_minutes * MINUTE_MS

    def _last_due(self, context: Context, now_ms: int) -> int:
        """Return the start of the newest slot whose deadline has passed, that of a meter's longer interval included."""
        over_ms = self._deadline(now_ms) + SLOT_MS
        return over_ms - over_ms % context.block_ms - SLOT_MS

    def _due(self, connection: Connection, context: Context, now_ms: int) -> set[int]:
        """Return the slots whose deadline has passed since they were last looked at."""
        begin = self._begin.get(context.number)
        if begin is None:
            return set()
        last = self._last_due(context, now_ms)
        coming = max(begin, last + SLOT_MS)
        first = self._cursor.get(context.number)
        if first is None or first > coming:
            # At the start, and when a clock that was ahead has been put right: it took the cursor with it.
            self._hasty.add(context.number)
            first = min(coming, self._first_due(connection, context, begin, now_ms))
        due = range(first, last + 1, SLOT_MS)[:DEADLINES_AT_ONCE]
        self._next[context.number] = due[-1] + SLOT_MS if due else first
        if not due:
            return set()
        # What came after its deadline, as a backlog does, has been checked when it came.
        done = select(slot_check.c.start_ms).where(
            self._in_time(context, now_ms), slot_check.c.start_ms.between(due[0], due[-1])
        )
        return set(due).difference(connection.execute(done).scalars())

    def _in_time(self, context: Context, now_ms: int) -> ColumnElement[bool]:
        """Return the condition that a slot has been checked after its deadline, by a clock that was not ahead."""
        block_ms = literal_column(str(context.block_ms), BigInteger)
        end_ms = slot_check.c.start_ms - slot_check.c.start_ms % block_ms + block_ms
        return and_(
            slot_check.c.station == context.number,
            slot_check.c.checked_ms >= end_ms + self._settings.grace_minutes * MINUTE_MS,
            slot_check.c.checked_ms <= now_ms,
        )

    def _first_due(self, connection: Connection, context: Context, begin: int, now_ms: int) -> int:
        # What a former run checked after its deadline need not be checked again.
        done = connection.execute(
            select(slot_check.c.start_ms)
            .where(self._in_time(context, now_ms), slot_check.c.start_ms <= self._last_due(context, now_ms))
            .order_by(slot_check.c.start_ms.desc())
            .limit(1)
        ).scalar()
        return begin if done is None else max(begin, done + SLOT_MS)

    def _forget_hasty(self, context: Context, now_ms: int) -> set[int]:
        """Delete what was found of slots that have not come, by a clock that was ahead; return their days."""
        hasty = (
            (slot_check.c.station == context.number)
            & (slot_check.c.start_ms > self._last_due(context, now_ms))
            & (slot_check.c.checked_ms > now_ms)
        )
        with writing(self._engine) as connection:
            starts = list(connection.execute(select(slot_check.c.start_ms).where(hasty)).scalars())
            connection.execute(delete(slot_check).where(hasty))
        return {day_start_ms(start, context.station.timezone) for start in starts}

    async def _station(self, context: Context, starts: list[int], days: set[int], now_ms: int) -> None:
        for place in range(0, len(starts), SLOTS_AT_ONCE):
            chunk = starts[place : place + SLOTS_AT_ONCE]
            with writing(self._engine) as connection:
                self._check(connection, context, chunk, now_ms)
            days.update(day_start_ms(start, context.station.timezone) for start in chunk)
            await self._give_way()
        months: dict[int, list[Checked | None]] = {}
        for day in sorted(days):
            with writing(self._engine) as connection:
                before = self._day(connection, context, day, now_ms)
            months.setdefault(month.start_ms(day, context.station.timezone), []).append(before)
            await self._give_way()
        for start_ms, checked in months.items():
            with writing(self._engine) as connection:
                self._month(connection, context, start_ms, checked, now_ms)
            await self._give_way()

    def _check(self, connection: Connection, context: Context, starts: list[int], now_ms: int) -> None:
        results = [
            (slot.start_ms, evaluate(slot, context, self._settings))
            for slot in load.slots(
                connection, context, starts, self._begin.get(context.number, starts[0]), self._deadline(now_ms)
            )
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

    def _day(self, connection: Connection, context: Context, day_ms: int, now_ms: int) -> Checked | None:
        """Judge a day; return how far it had been checked before."""
        end_ms = next_day_start_ms(day_ms, context.station.timezone)
        results = load.results_of_day(connection, context.number, day_ms, end_ms)
        over = end_ms - SLOT_MS <= self._deadline(now_ms)
        drafts = findings_of_day(results, context, self._settings, over=over)
        drafts += freezes.findings(connection, context, end_ms)
        drafts += gateways.findings(connection, context.number, day_ms, end_ms)
        if over and self._validation.enabled:
            drafts += day_end.findings(
                connection,
                context,
                (day_ms, end_ms),
                self._validation,
                begin_ms=self._begin.get(context.number, day_ms),
                deadline_ms=self._deadline(now_ms),
                coverage_factor=self._settings.coverage_factor,
                now_ms=now_ms,
            )
        factor, day = self._settings.coverage_factor, (day_ms, end_ms)
        drafts += sales_day.findings(
            connection, context, day, self._sales, coverage_factor=factor, now_ms=now_ms, over=over
        )
        span = (day_ms, end_ms)
        registry = causes.digest(context.station)
        checked = causes.Checked(now_ms, self._through_message, registry, self._settings_digest)
        before = causes.checked(connection, context.number, day_ms)
        if over:
            began_ms = self._begin.get(context.number, day_ms)
            grace_ms = self._settings.grace_minutes * MINUTE_MS
            figures = completeness.figures(connection, context, span, begin_ms=began_ms, grace_ms=grace_ms)
            completeness.enter(connection, context.number, day_ms, figures, now_ms)
            drafts += limits.findings(Kind.COMPLETENESS_DAY, span, figures, self._settings)
        carbons = parties.of_day(connection, context, *span)
        drafts += parties.findings(connection, context, span, carbons)
        opened, closed = findings.synchronise(
            *(connection, context, day_ms, drafts, now_ms),
            cause=lambda: causes.cause(connection, context, span, before, checked),
            running=not over,
        )
        content = day_sum.to_json(day_sum.make(results, context, carbons), registry) if over else "{}"
        causes.enter(connection, context.number, day_ms, checked, over=over, content=content)
        self._tell(context, opened, closed)
        return before

    def _tell(self, context: Context, opened: int, closed: int) -> None:
        if opened or closed:
            log.info("station %s: %d findings opened, %d closed", context.station.id, opened, closed)

    def _month(
        self, connection: Connection, context: Context, month_ms: int, before: Sequence[Checked | None], now_ms: int
    ) -> None:
        """Judge a month that is over, and whose days have just been judged; `before`: when they were the last time."""
        end_ms = next_month_start_ms(month_ms, context.station.timezone)
        if self._next.get(context.number, 0) < end_ms:
            return  # not over, or slots of it are still to be looked at after their deadline
        begin_ms = self._begin.get(context.number, month_ms)
        registry = causes.digest(context.station)
        found = month.make(connection, context, month_ms, self._settings, begin_ms=begin_ms, registry=registry)
        checked = causes.Checked(now_ms, self._through_message, registry, self._settings_digest)
        span = (month_ms, end_ms)
        drafts = month.findings(connection, context, found)
        figures = limits.of_month(connection, context.number, *span)
        drafts += limits.findings(Kind.COMPLETENESS_MONTH, span, figures, self._settings)
        self._tell(
            context,
            *findings.synchronise(
                *(connection, context, month_ms, drafts, now_ms),
                monthly=True,
                cause=lambda: causes.cause(connection, context, span, causes.earliest(before), checked),
            ),
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
