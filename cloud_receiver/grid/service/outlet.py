"""The way from the store to the broker: factor messages and the feed, in order, again until the broker has them."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from sqlalchemy.exc import SQLAlchemyError

from clock import Clock
from cloud_receiver.factor_messages import Dispatched
from cloud_receiver.factor_rounds import Unsent
from cloud_receiver.publication import RETRY_MS, DispatchLink, rest
from wire.link import LinkError

log = logging.getLogger(__name__)

MOST_WAITING: Final = 20_000
AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Told:
    """A message that nobody need keep: one of the feed."""

    topic: str
    envelope: bytes


class Stored(Protocol):
    """The factor messages of the store."""

    def unsent(self, limit: int) -> Sequence[Unsent]:
        """Return the oldest that the broker is yet to confirm, in order of issue."""

    def sent(self, messages: Sequence[Unsent]) -> None:
        """Note that it has confirmed these."""

    def standing(self) -> Sequence[Dispatched]:
        """Return the newest of each node."""


class Outlet:
    """Publishes what the store has unsent, and the feed; after a reconnection also what stands, byte for byte."""

    def __init__(self, link: DispatchLink, clock: Clock, stored: Stored) -> None:
        self._link = link
        self._clock = clock
        self._stored = stored
        self._waiting: deque[Told] = deque()
        self._wake = asyncio.Event()
        self._again = True
        self._failed = False
        self.failures = 0
        self.published = 0

    def put(self, messages: Sequence[Told] = ()) -> None:
        """Publish these after those before, and what is unsent in the store; returns at once."""
        self._waiting.extend(messages)
        if len(self._waiting) > MOST_WAITING:
            log.warning("%d messages of the grid's feed wait for the broker: the oldest are dropped", MOST_WAITING)
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
            while unsent := self._stored.unsent(AT_ONCE):
                await self._send(unsent, retain=True)
                self._stored.sent(unsent)
            while self._waiting:
                chunk = [self._waiting[place] for place in range(min(len(self._waiting), AT_ONCE))]
                await self._send(chunk)
                for item in chunk:
                    # What was too much may have pushed some of them out meanwhile.
                    if self._waiting and self._waiting[0] is item:
                        self._waiting.popleft()
            if again:
                # Last, since the broker retains what it got last.
                standing = self._stored.standing()
                for place in range(0, len(standing), AT_ONCE):
                    await self._send(standing[place : place + AT_ONCE], retain=True)
        except BaseException:
            self._again = self._again or again
            raise

    async def _send(self, chunk: Sequence[Unsent | Dispatched | Told], *, retain: bool = False) -> None:
        """Publish; LinkError when the broker did not take all of them."""
        sent = [self._link.publish(item.topic, item.envelope, 1, retain=retain) for item in chunk]
        for result in await asyncio.gather(*sent, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result
        self.published += len(chunk)
