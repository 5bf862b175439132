"""The nightly run (夜间任务): every station's estimate of the days up to midnight, beside the intake.

It takes a share of the process's time only, and waits while the intake has work. A station that fails is told of, and
tried again the next night; the others go on.
"""

import asyncio
import logging
from collections.abc import Callable

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from clock import Clock
from cloud_receiver.checks import load as checks_load
from cloud_receiver.checks.model import Context
from cloud_receiver.database import reading
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.fleet import night as fleet_night
from cloud_receiver.estimation.fleet import store as fleet_store
from cloud_receiver.estimation.keeping import keep_night
from cloud_receiver.estimation.run import Done, nightly
from cloud_receiver.registry import Registry, Role
from cloud_receiver.rounds import repeat
from diantan_core import EstimationError, day_start_ms

log = logging.getLogger(__name__)

PAUSE_S = 5.0  # real time
GIVE_WAY_S = 0.005
GIVE_WAY_TURNS = 200
"""Up to a second of intake between two pieces of estimation, each of which takes some 10 ms."""
_MINUTE_MS = 60_000
_SAME_NIGHT_MS = 12 * 3_600_000
_NIGHT_BEFORE_MS = 20 * 3_600_000
"""Where a start finds all stations estimated, and the fleet's night made within this, there is nothing new to say."""


class Nights:
    """The nightly run of all stations, as a task of the receiver."""

    def __init__(
        self,
        engine: Engine,
        registry: Registry,
        clock: Clock,
        settings: Estimation,
        intake_backlog: Callable[[], int] = lambda: 0,
    ) -> None:
        self._engine = engine
        self._registry = registry
        self._clock = clock
        self._settings = settings
        self._intake_backlog = intake_backlog
        hours, minutes = settings.nightly.split(":")
        self._offset_ms = (60 * int(hours) + int(minutes)) * _MINUTE_MS
        self._through: dict[str, int] = {}
        """By station: the midnight up to which it has been tried."""
        self._fleet_due = False

    async def run(self) -> None:
        """Estimate until cancelled."""
        await repeat(self._turn, PAUSE_S, log, "error estimation waits for the store")

    async def _turn(self) -> float:
        await self.round()
        return PAUSE_S

    def _due(self) -> dict[str, int]:
        """Return the stations whose night has come, with the midnight up to which they are estimated."""
        now_ms = self._clock.now_ms()
        due = {
            station.id: day_start_ms(now_ms - self._offset_ms, station.timezone)
            for station in self._registry.station
            if station.estimation.enabled and station.meters(Role.CHARGER) and station.meters(Role.GRID)
        }
        return {name: midnight for name, midnight in due.items() if self._through.get(name, -1) < midnight}

    async def round(self) -> int:
        """Estimate the stations that are due; return how many were."""
        due = self._due()
        self._fleet_due = self._fleet_due or (bool(due) and self._settings.fleet.enabled)
        if not due and not self._fleet_due:
            return 0
        with reading(self._engine) as connection:
            contexts = {item.station.id: item for item in checks_load.contexts(connection, self._registry)}
        count = 0
        for name, midnight in due.items():
            if name in contexts:
                count += await self._guarded(contexts[name], midnight)
            self._through[name] = midnight
        if count:
            log.info("errors of %d stations estimated", count)
        if self._fleet_due:
            within_ms = _SAME_NIGHT_MS if count else _NIGHT_BEFORE_MS
            await self._fleet([contexts[name] for name in sorted(contexts)], within_ms)
            self._fleet_due = False
        return count

    async def _fleet(self, contexts: list[Context], within_ms: int) -> None:
        """Let stations together say of makes what they can, unless they did `within_ms` from now."""
        now_ms = self._clock.now_ms()
        with reading(self._engine) as connection:
            before = fleet_store.last_night(connection)
        if before is not None and 0 <= now_ms - before.made_ms < within_ms:
            return
        loop = asyncio.get_running_loop()
        begun = loop.time()
        try:
            for _ in fleet_night.nightly(self._engine, contexts, self._settings, now_ms):
                await self._give_way(loop.time() - begun)
                begun = loop.time()
        except (SQLAlchemyError, OSError):
            raise
        except Exception:
            log.exception("what stations say of makes could not be solved for; what they are told stays as it was")

    async def _guarded(self, context: Context, midnight_ms: int) -> int:
        try:
            return await self._station(context, midnight_ms)
        except (SQLAlchemyError, OSError):
            raise
        except EstimationError as error:
            log.warning("station %s: no error estimation: %s", context.station.id, error)
        except Exception:
            # A fault in one station's estimate must end neither the intake nor the others.
            log.exception("the error estimation of station %s failed", context.station.id)
        return 0

    async def _station(self, context: Context, midnight_ms: int) -> int:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        count = 0
        for done in nightly(self._engine, context, self._settings, midnight_ms):
            if done is not None:
                self._keep(context, done)
                count = 1
            await self._give_way(loop.time() - begun)
            begun = loop.time()
        return count

    def _keep(self, context: Context, done: Done) -> None:
        keep_night(self._engine, context, done, self._clock.now_ms())

    async def _give_way(self, took_s: float) -> None:
        """Rest for as long as the share of time asks, and let the intake work off what waits, within limits."""
        share = self._settings.share_percent
        await asyncio.sleep(took_s * (100 - share) / share)
        for _ in range(GIVE_WAY_TURNS):
            if not self._intake_backlog():
                return
            await asyncio.sleep(GIVE_WAY_S)
