"""The outbox: publishes the commands that stand in the store, again and again, until each is answered or expires.

What is to be published is decided from the store alone, so a receiver that is killed loses nothing, and several of one
store share the work: who counts a publication first does it.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from sqlalchemy import Engine

from clock import Clock
from cloud_receiver.database import reading, writing
from cloud_receiver.orders import book
from cloud_receiver.orders.book import Entry
from cloud_receiver.rounds import repeat
from wire import topics
from wire.commands import Outcome
from wire.messages import StatusState

log = logging.getLogger(__name__)

POLL_S: Final = 0.5  # real time: how soon a new command is found
FIRST_MS: Final = 5_000
LONGEST_MS: Final = 300_000
OFFLINE_MS: Final = 3_600_000
"""A broker that keeps sessions keeps every repetition for a gateway that is away."""
UNDER_WAY_MS: Final = 60_000
"""The least pause once the gateway has said that it is busy with it."""
GAP_MS: Final = 2_000
"""What was published so shortly before its gateway came back is on its way, from another receiver if not from here."""
BACKWARD_MS: Final = 60_000
"""By how much clocks of receivers may differ: a publication further in the future was before a clock was put back."""
AT_ONCE: Final = 100
WINDOW: Final = 16
"""Commands that a gateway is sent before it has answered the oldest of them: it takes no more than so many a minute."""


class OutboxLink(Protocol):
    """What the outbox needs of the link."""

    @property
    def connected(self) -> bool:
        """Return whether the broker is there."""

    def publish(self, topic: str, payload: bytes, qos: int, *, retain: bool = False) -> "asyncio.Future[None]":
        """Send a message; the future fails with LinkError when the broker can't acknowledge it."""

    async def wait_connected(self) -> None:
        """Wait until the connection stands."""


@dataclass(slots=True)
class Figures:
    """What is counted since the process started."""

    published: int = 0
    failed: int = 0


class Outbox:
    """Publishes commands, in the task that runs `run`."""

    def __init__(self, engine: Engine, link: OutboxLink, clock: Clock) -> None:
        self._engine = engine
        self._link = link
        self._clock = clock
        self._wake = asyncio.Event()
        self._states: dict[str, StatusState] = {}
        self._back: dict[str, int] = {}
        self._lost: set[bytes] = set()
        self._again: set[bytes] = set()
        self.figures = Figures()

    def heard(self, gateway: str, state: StatusState) -> None:
        """Take note of a gateway's status: one that comes back is sent its commands at once."""
        before = self._states.get(gateway)
        self._states[gateway] = state
        # A health whose birth was not heard, as after a start of the receiver, shows that it is there as well.
        if state is StatusState.BIRTH or (state is StatusState.HEALTH and before in {None, StatusState.OFFLINE}):
            self._back[gateway] = self._clock.now_ms()
            self._wake.set()

    def connected(self) -> None:
        """Publish again what the former connection may have lost."""
        self._again |= self._lost
        self._lost.clear()
        self._wake.set()

    async def run(self) -> None:
        """Publish what is due, until cancelled."""
        await repeat(self._turn, POLL_S, log, "commands wait for the store", rest=self._rest)

    async def _turn(self) -> float:
        await self._link.wait_connected()
        self._wake.clear()
        await self._round()
        return POLL_S

    async def _rest(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), seconds)

    async def _round(self) -> None:
        now_ms = self._clock.now_ms()
        with reading(self._engine) as connection:
            found = _in_window(book.waiting(connection, now_ms))
        due = [entry for entry in found if entry.id in self._again or is_due(entry, now_ms, self._back)]
        if not self._link.connected:
            return
        if len(due) <= AT_ONCE:
            self._back, self._again = {}, set()
        else:
            self._wake.set()
        if due:
            await self._publish(due[:AT_ONCE], now_ms)

    async def _publish(self, due: list[Entry], now_ms: int) -> None:
        with writing(self._engine) as connection:
            claimed = [(entry, book.claim(connection, entry, now_ms)) for entry in due]
        # Else what is lost and fills a round would be in the next one too, at once and for ever.
        self._again.difference_update(entry.id for entry in due)
        # Counted before, not after: else a crash in between would let every receiver publish it anew, without a pause.
        mine = [(entry, envelope) for entry, envelope in claimed if envelope is not None]
        sent = []
        for entry, envelope in mine:
            sent.append(self._link.publish(topics.command(entry.gateway), envelope, 1))
        results = await asyncio.gather(*sent, return_exceptions=True)
        for (entry, _), result in zip(mine, results, strict=True):
            if isinstance(result, BaseException):
                self.figures.failed += 1
                self._lost.add(entry.id)
                log.warning("command %s for %s is not with the broker: %s", entry.id.hex(), entry.gateway, result)
                continue
            self.figures.published += 1
            level = logging.INFO if entry.published == 0 else logging.DEBUG
            log.log(level, "command %s (%s) published for %s", entry.id.hex(), entry.verb_name, entry.gateway)


def _in_window(waiting: Iterable[Entry]) -> list[Entry]:
    """Return the oldest commands of each gateway."""
    unanswered: Counter[str] = Counter()
    found = []
    for entry in waiting:
        unanswered[entry.gateway] += entry.outcome is None
        if unanswered[entry.gateway] <= WINDOW or entry.outcome is not None:
            found.append(entry)
    return found


def is_due(entry: Entry, now_ms: int, back: Mapping[str, int]) -> bool:
    """Return whether a command without a final answer is to be published; `back`: when gateways came back."""
    if entry.published_ms is None or entry.published_ms > now_ms + BACKWARD_MS:
        return True
    # One that is under way has arrived; a gateway that tries a configuration waits for a word of the centre.
    gap_ms = 0 if entry.outcome == Outcome.UNDER_WAY else GAP_MS
    if entry.gateway in back and entry.published_ms < back[entry.gateway] - gap_ms:
        return True
    return now_ms - entry.published_ms >= pause_ms(entry)


def pause_ms(entry: Entry) -> int:
    """Return how long after its last publication a command is published again."""
    pause = min(FIRST_MS << min(entry.published - 1, 20), OFFLINE_MS if entry.offline else LONGEST_MS)
    return max(pause, UNDER_WAY_MS) if entry.outcome == Outcome.UNDER_WAY else pause
