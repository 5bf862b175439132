"""The way from the store to the broker: factor messages and the feed, in order, again until the broker has them."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from clock import Clock
from cloud_receiver.factor_messages import Dispatched
from cloud_receiver.publication import RETRY_MS, DispatchLink, publish, rest
from wire.link import LinkError

log = logging.getLogger(__name__)

MOST_WAITING: Final = 20_000
AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Told:
    """A message that nobody need keep: one of the feed."""

    topic: str
    envelope: bytes


class Outlet:
    """Publishes what it is given; after a reconnection also what stands, byte for byte."""

    def __init__(self, link: DispatchLink, clock: Clock, standing: Callable[[], Sequence[Dispatched]]) -> None:
        """`standing`: the stored messages that the broker is to have, asked for whenever the link is new."""
        self._link = link
        self._clock = clock
        self._standing = standing
        self._waiting: deque[Dispatched | Told] = deque()
        self._wake = asyncio.Event()
        self._again = True
        self._failed = False
        self.failures = 0
        self.published = 0

    def put(self, messages: Sequence[Dispatched | Told]) -> None:
        """Publish these after those before; returns at once."""
        self._waiting.extend(messages)
        if len(self._waiting) > MOST_WAITING:
            log.warning("%d messages of the grid wait for the broker: the oldest are dropped", len(self._waiting))
            while len(self._waiting) > MOST_WAITING:
                self._waiting.popleft()
        self._wake.set()

    def connected(self) -> None:
        """Publish what stands: the broker may have lost it."""
        self._again = True
        self._wake.set()

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            await self._link.wait_connected()
            self._wake.clear()
            try:
                await self._all()
            except Exception as error:
                # Told once: a broker may be away for days. What else is wrong is a fault, and no reason to end.
                if not self._failed:
                    fault = not isinstance(error, (SQLAlchemyError, LinkError, OSError))
                    log.warning("factors of the grid can't be published: %s", error, exc_info=fault)
                self._failed = True
                self.failures += 1
                await rest(self._clock, self._wake, RETRY_MS, retry=True)
            else:
                self._failed = False
                await self._wake.wait()

    async def _all(self) -> None:
        again, self._again = self._again, False
        try:
            while self._waiting:
                chunk = [self._waiting[place] for place in range(min(len(self._waiting), AT_ONCE))]
                await self._send(chunk)
                for item in chunk:
                    # What was too much may have pushed some of them out meanwhile.
                    if self._waiting and self._waiting[0] is item:
                        self._waiting.popleft()
            if again:
                # Last, since the broker retains what it got last.
                standing = self._standing()
                for place in range(0, len(standing), AT_ONCE):
                    await self._send(standing[place : place + AT_ONCE])
        except BaseException:
            self._again = self._again or again
            raise

    async def _send(self, chunk: Sequence[Dispatched | Told]) -> None:
        told = [self._link.publish(item.topic, item.envelope, 1) for item in chunk if isinstance(item, Told)]
        await publish(self._link, [item for item in chunk if isinstance(item, Dispatched)])
        for result in await asyncio.gather(*told, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result
        self.published += len(chunk)
