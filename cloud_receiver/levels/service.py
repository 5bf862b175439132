"""The levels of a running receiver: its talks, the link to its parent's broker, and the check of its stations."""

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from sqlalchemy import Engine

from clock import Clock
from cloud_receiver.broker_config import Broker
from cloud_receiver.config import Settings
from cloud_receiver.database import reading, writing
from cloud_receiver.grid import shelf
from cloud_receiver.grid.config import Grid
from cloud_receiver.levels.checks import check_station_day, days_of
from cloud_receiver.levels.partner import Rank, partners
from cloud_receiver.levels.stations import pairs
from cloud_receiver.levels.talk import LevelLink, Talk
from cloud_receiver.quarantine import Quarantine
from cloud_receiver.registry import Registry
from cloud_receiver.rounds import repeat
from wire.envelope import Signer
from wire.link import Link, LinkSettings, Received

log = logging.getLogger(__name__)

SLOT_MS: Final = 900_000
GRACE_MS: Final = 2 * SLOT_MS
LOOK_BACK_MS: Final = 2 * 86_400_000
PAUSE_S: Final = 1.0  # real time


class Levels:
    """What a receiver does as a parent, as a child, and for its stations."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        engine: Engine,
        clock: Clock,
        *,
        signer: Signer,
        own_link: LevelLink,
        link_settings: Callable[[Broker], LinkSettings],
    ) -> None:
        """ConfigError for partners that can't be. Children speak at this centre's own broker, a parent at its own."""
        found = partners(settings.parent, settings.child, registry, settings.centre.name)
        self._engine = engine
        self._registry = registry
        self._clock = clock
        self._checked: int | None = None
        self._parent_link: Link | None = None
        intake = settings.intake
        self._talks: list[Talk] = []
        for rank in Rank:
            those = [item for item in found if item.rank is rank]
            if not those:
                continue
            link: LevelLink = own_link
            if rank is Rank.PARENT:
                assert settings.parent is not None
                link = self._parent_link = Link(
                    link_settings(settings.parent.broker),
                    clock,
                    on_message=self._from_parent,
                    on_connect=self.connected,
                )
            self._talks.append(
                Talk(
                    *(engine, signer, clock, settings.centre.name, {item.centre: (item, link) for item in those}),
                    quarantine=Quarantine(
                        intake.quarantine_per_minute, intake.quarantine_rows, intake.quarantine_bytes
                    ),
                    timezone=zone_of(settings),
                    keep_days=settings.levels.keep_days,
                )
            )
        self._upward = self._talks[0] if self._parent_link is not None else None
        self._downward = next((talk for talk in self._talks if talk is not self._upward), None)

    @property
    def topics(self) -> list[str]:
        """Return the topics on which children speak, at this centre's own broker."""
        return [] if self._downward is None else self._downward.topics

    @property
    def talks(self) -> list[Talk]:
        """Return the talks, for what is counted of them."""
        return list(self._talks)

    def takes(self, topic: str) -> bool:
        """Return whether a message at this centre's own broker is a child's."""
        return self._downward is not None and self._downward.takes(topic)

    def receive(self, message: Received) -> None:
        """Take a child's message."""
        assert self._downward is not None
        self._downward.receive(message)

    def connected(self) -> None:
        """Say again what may have been lost with a former connection."""
        for talk in self._talks:
            talk.connected()

    def _from_parent(self, message: Received) -> None:
        if self._upward is not None and self._upward.takes(message.topic):
            self._upward.receive(message)
        else:
            message.ack()

    async def run(self) -> None:
        """Talk and check until cancelled."""
        if self._parent_link is not None and self._upward is not None:
            for topic in self._upward.topics:
                self._parent_link.subscribe(topic, 1)
            await self._parent_link.start()
        try:
            async with asyncio.TaskGroup() as group:
                for talk in self._talks:
                    group.create_task(talk.run())
                group.create_task(self._stations())
        finally:
            if self._parent_link is not None:
                await self._parent_link.stop()

    async def _stations(self) -> None:
        async def turn() -> float:
            await self.check_stations(self._clock.now_ms())
            return PAUSE_S

        await repeat(
            *(turn, PAUSE_S, log, "the check of stations' loads waits for the store"),
            # A fault in a check must end neither the intake nor the talks.
            fault="the check of stations' loads failed, trying again",
        )

    async def check_stations(self, now_ms: int) -> None:
        """Compare stations with the grid's meters of their loads, once in each slot."""
        until_ms = now_ms - GRACE_MS
        until_ms -= until_ms % SLOT_MS
        if self._checked == until_ms:
            return
        with reading(self._engine) as connection:
            kept = shelf.grids(connection).at(until_ms)
        found = pairs(self._registry, None if kept is None else kept.grid)
        for pair in found:
            for day in days_of(until_ms - LOOK_BACK_MS, until_ms - 1, pair.station.timezone):
                with writing(self._engine) as connection:
                    opened, closed = check_station_day(connection, pair, day, until_ms=until_ms, now_ms=now_ms)
                if opened or closed:
                    log.info("load of station %s: %d findings opened, %d closed", pair.station.id, opened, closed)
                await asyncio.sleep(0)  # a province has many: the intake goes on between them
        self._checked = until_ms


def zone_of(settings: Settings) -> str:
    """Return the zone in which days are counted at boundaries: that of the grid."""
    return (settings.grid or Grid()).timezone
