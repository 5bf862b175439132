"""The nightly run (夜间任务): every station's estimate of the days up to midnight, beside the intake.

It takes a share of the process's time only, and waits while the intake has work. Who runs it besides on the same store,
be it another process or another receiver, has its share of the stations (`claims`). A station that fails is told of,
and tried again the next night; the others go on.
"""

import asyncio
import logging
import secrets
from collections.abc import Callable, Sequence

from sqlalchemy import Engine
from sqlalchemy.exc import DataError, IntegrityError, SQLAlchemyError

from clock import Clock
from cloud_receiver.checks import load as checks_load
from cloud_receiver.checks.model import Context
from cloud_receiver.database import reading, writing
from cloud_receiver.estimation import claims
from cloud_receiver.estimation.claims import FLEET, Claims, Kind, State, Taken
from cloud_receiver.estimation.config import Estimation
from cloud_receiver.estimation.due import Due
from cloud_receiver.estimation.fleet import night as fleet_night
from cloud_receiver.estimation.keeping import keep_nights
from cloud_receiver.estimation.run import Done, nightly
from cloud_receiver.registry import Registry
from cloud_receiver.rounds import repeat
from diantan_core import EstimationError

log = logging.getLogger(__name__)

PAUSE_S = 5.0  # real time
KEPT_AT_ONCE = 8
"""Stations whose nights are kept in one transaction, which others wait for: some 30 ms, and the disk once."""
GIVE_WAY_S = 0.005
GIVE_WAY_TURNS = 200
"""Up to a second of intake between two pieces of estimation, each of which takes some 10 ms."""
_SAME_NIGHT_MS = 12 * 3_600_000
_NIGHT_BEFORE_MS = 20 * 3_600_000
"""Where a start finds all stations estimated, and the fleet's night made within this, there is nothing new to say."""


class Nights:
    """The nightly run of all stations, as a task of the receiver or of a process of its own.

    `owner`: its name in the store, random if not given. `anew`: begin with what failed before it started. `told`: is
    called with how many stations are left, and how many this process has estimated.
    """

    def __init__(
        self,
        engine: Engine,
        registry: Registry,
        clock: Clock,
        settings: Estimation,
        intake_backlog: Callable[[], int] = lambda: 0,
        *,
        owner: str | None = None,
        anew: bool = True,
        told: Callable[[int, int], None] = lambda *_: None,
    ) -> None:
        self._engine = engine
        self._registry = registry
        self._clock = clock
        self._settings = settings
        self._intake_backlog = intake_backlog
        self._anew = anew
        self._told = told
        self._claims = Claims(engine, clock.now_ms, owner or secrets.token_hex(8))
        self._due = Due(registry, settings)
        self._left = self._due.left
        self._fleet_due = False
        self.estimated = self._estimated_before = 0
        self.failed = 0

    async def run(self) -> None:
        """Estimate until cancelled."""
        try:
            await repeat(self._turn, PAUSE_S, log, "error estimation waits for the store")
        finally:
            self.close()

    async def once(self) -> None:
        """Estimate until the night is over, whoever has a share in it."""
        try:
            while True:
                await self.round()
                if not self.waits:
                    return
                await asyncio.sleep(PAUSE_S)
        finally:
            self.close()

    def close(self) -> None:
        """Leave what was taken and not made to others."""
        try:
            self._claims.close()
        except (SQLAlchemyError, OSError) as error:
            log.warning("stations that were taken stay so for a while: %s", str(error).splitlines()[0])

    @property
    def waits(self) -> bool:
        """Return whether there is something of this night that another process has."""
        return bool(self._left) or self._fleet_due

    async def _turn(self) -> float:
        await self.round()
        return PAUSE_S

    async def round(self) -> int:
        """Estimate the stations that are due and that no other process has; return how many were."""
        if self._due.note(self._engine, self._clock.now_ms()):
            self._fleet_due = self._settings.fleet.enabled
            self._estimated_before = self.estimated
        if not self.waits:
            return 0
        if self._anew:
            with writing(self._engine) as connection:
                claims.begin(connection)
            self._anew = False
        before = self.estimated
        await self._walk()
        count = self.estimated - before
        if count:
            log.info("errors of %d stations estimated", count)
        if self._fleet_due and not self._left:
            within_ms = _SAME_NIGHT_MS if self.estimated > self._estimated_before else _NIGHT_BEFORE_MS
            self._fleet_due = not await self._fleet(within_ms)
        return count

    async def _walk(self) -> None:
        """Pass by all stations that are left, and make those that are free."""
        waiting, place = list(self._left), 0
        while place < len(waiting):
            some = waiting[place : place + claims.portion(len(waiting) - place)]
            place += len(some)
            while await self._portion([number for number in some if number in self._left]):
                pass
            self._told(len(self._left), self.estimated)
        self._claims.write()

    async def _portion(self, some: Sequence[int]) -> bool:
        """Make those of some stations that are free; return whether there may be more of them."""
        if not some:
            return False
        begun = asyncio.get_running_loop().time()
        found = self._claims.look({number: self._left[number] for number in some})
        for number, kind in found.items():
            if kind is Kind.OVER:
                del self._left[number]
        wanted = {
            number: self._left[number] for number, kind in found.items() if kind not in (Kind.OVER, Kind.ANOTHERS)
        }
        if wanted:
            await self._make(self._claims.take(wanted))
        else:
            await self._give_way(asyncio.get_running_loop().time() - begun)
        return bool(wanted)

    async def _make(self, taken: Taken) -> None:
        for number in taken.given_up:
            log.error(
                "station %s: no error estimation: %d processes that made it were ended",
                self._due.stations[number].id,
                claims.MOST_TRIES,
            )
            del self._left[number]
            self.failed += 1
        with reading(self._engine) as connection:
            stations = {number: self._due.stations[number] for number in taken.stations}
            contexts = checks_load.contexts_of(connection, stations)
        made: list[tuple[Context, Done]] = []
        for place, context in enumerate(contexts, 1):
            found = await self._guarded(context, taken.stations[context.number])
            if found is not None:
                made.append((context, found))
            if len(made) == KEPT_AT_ONCE or place == len(contexts):
                await self._keep(made)
                made.clear()

    async def _guarded(self, context: Context, midnight_ms: int) -> Done | None:
        """Make a station's night; return it to be kept, None where there is nothing to keep of it."""
        try:
            found = await self._station(context, midnight_ms)
        except (SQLAlchemyError, OSError):
            raise
        except EstimationError as error:
            log.warning("station %s: no error estimation: %s", context.station.id, error)
        except Exception:
            # A fault in one station's estimate must end neither the intake nor the others.
            log.exception("the error estimation of station %s failed", context.station.id)
        else:
            if found is None and self._claims.holds(context.number):
                self._settle(context, State.DONE)  # it was made before
            return found
        self._settle(context, State.FAILED)
        return None

    async def _station(self, context: Context, midnight_ms: int) -> Done | None:
        """Make a station's night, unless another process has taken it from this one, which was too slow."""
        loop = asyncio.get_running_loop()
        begun, found = loop.time(), None
        for done in nightly(self._engine, context, self._settings, midnight_ms):
            found = done
            await self._give_way(loop.time() - begun)
            begun = loop.time()
            if not self._claims.holds(context.number):
                return None
        return found

    async def _keep(self, made: Sequence[tuple[Context, Done]]) -> None:
        """Keep what is still this process's to make, at once, or each by itself where that fails."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        mine = [one for one in made if self._claims.holds(one[0].number)]
        together = len(mine) > 1 and self._kept(mine)
        for one in mine:
            done = together or self._kept([one])
            self.estimated += done
            self._settle(one[0], State.DONE if done else State.FAILED)
        if made:
            await self._give_way(loop.time() - begun)

    def _kept(self, nights: Sequence[tuple[Context, Done]]) -> bool:
        """Keep nights, all of them or nothing; return whether that was possible."""
        names = ", ".join(context.station.id for context, _ in nights)
        try:
            keep_nights(self._engine, nights, self._clock.now_ms())
        except (IntegrityError, DataError):
            log.exception("the store rejects the error estimation of %s", names)
        except (SQLAlchemyError, OSError):
            raise
        except Exception:
            log.exception("the error estimation of %s can't be kept", names)
        else:
            return True
        return False

    def _settle(self, context: Context, state: State) -> None:
        self.failed += state is State.FAILED
        self._claims.settle(context.number, state)
        del self._left[context.number]
        self._told(len(self._left), self.estimated)

    async def _fleet(self, within_ms: int) -> bool:
        """Let stations together say of makes what they can; return whether they have, within such a time."""
        now_ms = self._clock.now_ms()
        with reading(self._engine) as connection:
            if claims.made_within(connection, within_ms, now_ms):
                return True
        kind = self._claims.take_fleet(within_ms)
        if kind is Kind.GIVEN_UP:
            log.error("what stations say of makes: %d processes that solved for it were ended", claims.MOST_TRIES)
        if kind in (Kind.OVER, Kind.ANOTHERS, Kind.GIVEN_UP):
            return kind is not Kind.ANOTHERS
        with reading(self._engine) as connection:
            found = {item.station.id: item for item in checks_load.contexts(connection, self._registry)}
        contexts = [found[name] for name in sorted(found)]
        loop = asyncio.get_running_loop()
        begun, state = loop.time(), State.FAILED
        try:
            for _ in fleet_night.nightly(self._engine, contexts, self._settings, now_ms):
                await self._give_way(loop.time() - begun)
                begun = loop.time()
                if not self._claims.holds(FLEET):
                    return False
            state = State.DONE
        except (SQLAlchemyError, OSError):
            raise
        except Exception:
            log.exception("what stations say of makes could not be solved for; what they are told stays as it was")
        self._claims.settle(FLEET, state)
        self._claims.write()
        return True

    async def _give_way(self, took_s: float) -> None:
        """Rest for as long as the share of time asks, and let the intake work off what waits, within limits."""
        share = self._settings.share_percent
        await asyncio.sleep(took_s * (100 - share) / share)
        for _ in range(GIVE_WAY_TURNS):
            if not self._intake_backlog():
                return
            await asyncio.sleep(GIVE_WAY_S)
