"""The grid service as a task of the receiver: driven by the clock, and by what the intake and the imports tell."""

import asyncio
import logging
from collections.abc import Collection, Sequence
from itertools import groupby
from typing import Final

from sqlalchemy import Connection, Engine, delete, func, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from clock import Clock
from cloud_receiver import factor_rounds
from cloud_receiver.database import reading, writing
from cloud_receiver.grid import findings, official, shelf
from cloud_receiver.grid.config import Grid as GridSettings
from cloud_receiver.grid.service import due, feed, plan, tell
from cloud_receiver.grid.service.due import Notice
from cloud_receiver.grid.service.figures import Figures, Hooks
from cloud_receiver.grid.service.newest import Summaries, last_start_ms, node_results, under_other_grids
from cloud_receiver.grid.service.outlet import Outlet
from cloud_receiver.grid.service.plan import SLOT_MS, Metered, Plan
from cloud_receiver.grid.service.publish import FactorPublisher
from cloud_receiver.grid.service.returned import Returned
from cloud_receiver.grid.service.stored import StoredMessages
from cloud_receiver.grid.service.versions import Solved, Versions
from cloud_receiver.publication import DispatchLink
from cloud_receiver.registry import Registry
from cloud_receiver.schema import grid as grid_table
from cloud_receiver.schema import grid_notice
from diantan_core import day_start_ms, next_day_start_ms
from wire.domain import MAX_TIME_MS
from wire.envelope import Signer

log = logging.getLogger(__name__)

SLOTS_AT_ONCE: Final = 16
NODES_OF_SLOTS_AT_ONCE: Final = 8192
"""Slots of one transaction, and their nodes together: the intake waits for the store, and for the loop, as long."""
PAUSE_S: Final = 0.1
TELL_CONFLICTS: Final = 10
GIVE_WAY_S: Final = 0.005
GIVE_WAY_TURNS: Final = 40
PROGRESS_SLOTS: Final = 1000
NODES_AT_ONCE: Final = 4
"""Nodes whose messages of up to a month are signed anew in one transaction."""


class GridService:
    """Solves, stores, publishes and corrects the slots of the grid."""

    def __init__(
        self,
        engine: Engine,
        registry: Registry,
        signer: Signer,
        link: DispatchLink,
        clock: Clock,
        *,
        settings: GridSettings,
        centre: str,
        hooks: Hooks | None = None,
    ) -> None:
        """OfficialError or ConfigError when there is no official factor as configured."""
        self._engine = engine
        self._registry = registry
        self._signer = signer
        self._clock = clock
        self._settings = settings
        self._centre = centre
        self._hooks = hooks or Hooks()
        self._official = official.find(settings.official.region, settings.official.year, settings.official.table)
        self._publisher = FactorPublisher(signer, settings, self._hooks.stations, self._hooks.grace_ms)
        self.outlet = Outlet(link, clock, StoredMessages(engine, signer.kid, self._names))
        self._returned = Returned(registry)
        self.figures = Figures()
        self._summaries = Summaries()
        self._plans: dict[int, Plan] = {}
        self._grids: shelf.KeptGrids | None = None
        self._stamp: tuple[int, int] | None = None
        self._started = False
        self._present: Plan | None = None
        self._corrected_ms = -MAX_TIME_MS
        self._goes_on = False

    def prepare(self) -> frozenset[str]:
        """Read the grids; return the names under which factors are dispatched from now on."""
        with reading(self._engine) as connection:
            self._refresh(connection)
        return self._served()

    def _served(self) -> frozenset[str]:
        """Return the names in the grid that is valid now: until it is, the schedule may have factors of its nodes."""
        plan = self._plan(self._clock.now_ms())
        return frozenset(() if plan is None else (name for name, _ in self._publisher.names(plan)))

    async def run(self) -> None:
        """Serve until cancelled."""
        publishing = asyncio.create_task(self.outlet.run(), name="grid outlet")
        try:
            await self._rounds(publishing)
        finally:
            publishing.cancel()
            await asyncio.gather(publishing, return_exceptions=True)

    async def _rounds(self, publishing: "asyncio.Task[None]") -> None:
        failures = 0
        while True:
            if publishing.done():
                publishing.result()
            try:
                busy = await self.round()
            except (SQLAlchemyError, OSError) as error:
                busy = False
                self._undo()
                self._started = False
                failures += 1
                # Where another receiver that solves the same slots was faster, there is nothing to tell.
                if failures == (TELL_CONFLICTS if isinstance(error, IntegrityError) else 1):
                    log.warning("the grid service waits for the store: %s", str(error).splitlines()[0])
            except Exception:
                # A fault in the service must not end the intake.
                busy = False
                self._undo()
                failures += 1
                if failures == 1:
                    log.exception("the grid service failed, trying again")
            else:
                failures = 0
            await asyncio.sleep(0 if busy else PAUSE_S)

    def _undo(self) -> None:
        """Forget what a transaction that failed had begun."""
        self._publisher.rolled_back()
        self._returned.forget()

    async def round(self) -> bool:
        """Solve what is due or new; return whether more waits."""
        now_ms = self._clock.now_ms()
        with reading(self._engine) as connection:
            changed = self._refresh(connection)
        if changed:
            self._solve_under_other_grids()
        if self._plan(now_ms) is not self._present:
            self._present = self._plan(now_ms)
            self._hooks.grid_nodes(self._served())
        with reading(self._engine) as connection:
            told = due.notices(connection)
            grids = self._grids
            if grids is None or not grids.all:
                work = due.Due()
            else:
                begin = grids.all[0].valid_from_ms
                meters = self._meters()
                work = due.due(connection, self._settings, begin, told, meters=meters, now_ms=now_ms)
        if not self._started:
            self._begin(now_ms)
        done_with = told
        if work.corrections and self._too_soon(now_ms):
            work.corrections = set()
            done_with = [notice for notice in told if notice.first_ms >= work.last_ms + SLOT_MS]
        elif work.corrections:
            self._corrected_ms = now_ms
        self._goes_on = await self._solve_all(work, now_ms)
        await self._tell_again(now_ms)
        if done_with:
            self._done_with(done_with)
        return self._goes_on or len(done_with) == due.NOTICES_AT_ONCE

    def _too_soon(self, now_ms: int) -> bool:
        """Return whether corrections wait: what trickles in is corrected together. One that goes on doesn't."""
        pause_ms = self._settings.correct_pause_s * 1000
        return not self._goes_on and 0 <= now_ms - self._corrected_ms < pause_ms

    def _refresh(self, connection: Connection) -> bool:
        """Take over grids that were entered since; return whether there are any."""
        count, newest = connection.execute(select(func.count(), func.max(grid_table.c.id))).one()
        if (count, newest) == self._stamp:
            return False
        numbers = plan.numbers(connection)
        grids = shelf.grids(connection)
        self._plans = {kept.id: Plan(kept, self._registry, numbers) for kept in grids.all}
        self._grids, self._stamp = grids, (count, newest)
        for item in self._plans.values():
            for measures in item.strangers():
                log.warning(
                    "grid %s: the registry has a meter that measures the %s %s, which the grid doesn't have",
                    *(item.kept.name or item.kept.id, measures.element, measures.id),
                )
        log.info("grid service: %d grids, the last with %d nodes", count, len(grids.all[-1].grid.nodes) if count else 0)
        if self._plan(self._clock.now_ms()) is None:
            log.warning("grid service: no grid is valid yet, and no factors are dispatched but the schedule's")
        return True

    def _solve_under_other_grids(self) -> None:
        """Give notice of slots that were solved under another grid than is valid for them now."""
        grids = [] if self._grids is None else self._grids.all
        starts = [kept.valid_from_ms for kept in grids]
        with writing(self._engine) as connection:
            for kept, end_ms in zip(grids, [*starts[1:], MAX_TIME_MS], strict=False):
                for first_ms, last_ms in under_other_grids(connection, kept.id, kept.valid_from_ms, end_ms):
                    shelf.notify(connection, first_ms, last_ms)

    def _meters(self) -> Collection[Metered]:
        return {number: item for known in self._plans.values() for number, item in known.meters.items()}.values()

    def _begin(self, now_ms: int) -> None:
        """Make up for what a former run may have left: factors under a former key, and those it didn't dispatch."""
        if self._plans:
            with writing(self._engine) as connection:
                self._publisher.enter(connection, self._plans, (), now_ms)
                unsent = factor_rounds.unsent_under_other_keys(connection, self._signer.kid)
                self._publisher.enter_again(connection, unsent, now_ms)
                newest = last_start_ms(connection, now_ms - SLOT_MS + 1)
                if newest is not None:
                    self.figures.note(
                        newest, dict(self._summaries.between(connection, newest, newest + SLOT_MS))[newest]
                    )
            self._publisher.committed()
            self.outlet.put()
            self._started = True

    async def _tell_again(self, now_ms: int) -> None:
        """Tell gateways that have come back what they missed of slots that the newest messages don't have."""
        with reading(self._engine) as connection:
            back = self._returned.since(connection, now_ms)
            served = self._served() if back else frozenset()  # other nodes are the schedule's
            since = {node: since_ms for node, since_ms in back.items() if node in served}
            firsts = sorted(self._publisher.missed(connection, since, now_ms).items()) if since else []
        for place in range(0, len(firsts), NODES_AT_ONCE):
            with writing(self._engine) as connection:
                self._publisher.enter_again(connection, dict(firsts[place : place + NODES_AT_ONCE]), now_ms)
            self._publisher.committed()
            self.outlet.put()
            await self._give_way()
        if self._returned.unstored():
            with writing(self._engine) as connection:
                self._returned.store(connection)

    def _names(self, connection: Connection) -> list[str]:
        """Return the names whose messages are the service's: those of the newest slot's grid."""
        newest = last_start_ms(connection, self._clock.now_ms() - SLOT_MS + 1)
        if newest is None:
            return []
        grid, _, _ = node_results(connection, newest, newest + SLOT_MS)[newest]
        return [name for name, _ in self._publisher.names(self._plans[grid])] if grid in self._plans else []

    async def _solve_all(self, work: due.Due, now_ms: int) -> bool:
        """Solve in order of time; return whether corrections go on into slots that another round solves."""
        pending = {start for start in work.starts | work.hasty | work.corrections if self._plan(start) is not None}
        total, done, days, follow = len(pending), 0, set[int](), False
        while pending:
            starts, end_ms = self._next(pending)
            pending.difference_update(starts)
            solved = self._solve(starts, end_ms, work.hasty, now_ms, last=not pending)
            follow |= bool(solved.follow)
            done += len(starts)
            if total > PROGRESS_SLOTS and done // PROGRESS_SLOTS != (done - len(starts)) // PROGRESS_SLOTS:
                log.info("grid service: %d of %d slots solved", done, total)
            days |= {day_start_ms(slot.start_ms, self._settings.timezone) for slot in solved.slots}
            await self._give_way()
            for day in sorted(days):
                if not pending or next_day_start_ms(day, self._settings.timezone) <= min(pending):
                    days.discard(day)
                    self._tell_day(day, now_ms)
                    await self._give_way()
        return follow

    def _plan(self, start_ms: int) -> Plan | None:
        kept = None if self._grids is None else self._grids.at(start_ms)
        return None if kept is None else self._plans[kept.id]

    def _next(self, pending: Collection[int]) -> tuple[list[int], int]:
        """Return the first slots that are near each other and of one grid, and where they end."""
        first = min(pending)
        plan = self._plan(first)
        end = first + SLOT_MS
        nodes = 1 if plan is None else len(plan.grid.nodes)
        most = max(min(NODES_OF_SLOTS_AT_ONCE // max(nodes, 1), SLOTS_AT_ONCE), 1)
        while end < first + most * SLOT_MS and self._plan(end) is plan:
            end += SLOT_MS
        return [start for start in range(first, end, SLOT_MS) if start in pending], end

    def _solve(self, starts: list[int], end_ms: int, hasty: Collection[int], now_ms: int, *, last: bool) -> Solved:
        known = self._plan(starts[0])
        assert known is not None  # only such slots are pending
        with writing(self._engine) as connection:
            versions = Versions(connection, self._plans, self._settings, self._official, now_ms)
            solved = versions.solve(known, starts, end_ms, hasty)
            for start in sorted(solved.follow):
                # In the same transaction: a correction goes on even if this process doesn't.
                shelf.notify(connection, start, start)
            if solved.slots:
                changed = {slot.start_ms for slot in solved.slots}
                to, newest = self._publisher.dispatched_to(connection, self._plans, now_ms)
                if last or min(changed) <= to or newest - to >= self._settings.slots * SLOT_MS:
                    self._publisher.enter(connection, self._plans, changed, now_ms)
                    self._publisher.thin(connection, known, newest, now_ms)
        self._publisher.committed()
        self.outlet.put()
        for slot in solved.slots:
            self.figures.count(slot)
            if slot.start_ms > now_ms - self._settings.correct_hours * 3_600_000:
                self.outlet.put(list(feed.messages(self._signer, self._centre, self._plans[slot.grid].grid, slot)))
        return solved

    def _tell_day(self, day_ms: int, now_ms: int) -> None:
        end_ms = next_day_start_ms(day_ms, self._settings.timezone)
        with writing(self._engine) as connection:
            slots = self._summaries.between(connection, day_ms, end_ms)
            drafts = tell.drafts(slots, self._lost([start for start, _ in slots]))
            opened, closed = findings.synchronise(connection, day_ms, tell.KINDS, drafts, now_ms)
        if opened or closed:
            log.info("grid: %d findings opened, %d closed", opened, closed)

    def _lost(self, starts: Sequence[int]) -> list[tuple[int, str, str]]:
        """Return which stations have a node that neither the grid of a slot nor the schedule has."""
        scheduled = set(self._hooks.scheduled())
        found = []
        for known, group in groupby(starts, self._plan):
            if known is not None:
                slots = list(group)
                lost = [
                    (station, node)
                    for station, node in known.stations.items()
                    if node not in known.grid.node_ids and node not in scheduled
                ]
                found += [(start, *item) for item in lost for start in slots]
        return found

    def _done_with(self, told: Sequence[Notice]) -> None:
        with writing(self._engine) as connection:
            # By number: notices that came during the round stay.
            connection.execute(delete(grid_notice).where(grid_notice.c.id.in_([notice.id for notice in told])))

    async def _give_way(self) -> None:
        """Let the intake work off what waits, within limits: a steady stream must not stop the service for ever."""
        for _ in range(GIVE_WAY_TURNS):
            await asyncio.sleep(GIVE_WAY_S if self._hooks.intake_backlog() else 0)
            if not self._hooks.intake_backlog():
                return
