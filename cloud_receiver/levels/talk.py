"""The talk with the centres above and below (分级核对), as a task of the receiver.

All that was said stands in the store before it is published or acknowledged, so a receiver that is killed goes on where
it was, and both sides end with the same statements whatever was lost on the way.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from clock import Clock
from cloud_receiver.database import reading, writing
from cloud_receiver.levels import book, boundary, hear, speak
from cloud_receiver.levels.checks import check_day, days_of
from cloud_receiver.levels.partner import Partner, Side
from cloud_receiver.levels.speak import Repetition
from cloud_receiver.quarantine import Quarantine, Refused
from cloud_receiver.refusal import RefusalError
from cloud_receiver.schema import grid_slot
from wire.envelope import Signer
from wire.link import LinkError, Received

log = logging.getLogger(__name__)

POLL_S: Final = 0.5  # real time: how soon a solved slot is told of
SLOT_MS: Final = 900_000
RECENT_MS: Final = 2 * 86_400_000
"""What is looked at whenever something has changed; all that may still be corrected, once an hour."""
ALL_MS: Final = 35 * 86_400_000
HOUR_MS: Final = 3_600_000
GRACE_MS: Final = 2 * SLOT_MS
"""How long after a slot's end both sides may still be silent, or a correction under way."""
MOST_WAITING: Final = 256
"""Received statements in memory; who is not heard says it again."""


class LevelLink(Protocol):
    """What the talk needs of a link."""

    @property
    def connected(self) -> bool:
        """Return whether the broker is there."""

    def publish(self, topic: str, payload: bytes, qos: int, *, retain: bool = False) -> "asyncio.Future[None]":
        """Send a message; the future fails with LinkError when the broker can't acknowledge it."""


@dataclass(slots=True)
class Figures:
    """What is counted since the process started."""

    said: int = 0
    heard: int = 0
    refused: int = 0


@dataclass(slots=True)
class _State:
    """How far this centre has come with one partner."""

    repetition: Repetition
    seen: tuple[int, ...] = ()
    whole_ms: int | None = None
    confirmed: tuple[int, ...] = ()


class Talk:
    """Says what is new at a boundary, hears what the other side says, and compares both."""

    def __init__(
        self,
        engine: Engine,
        signer: Signer,
        clock: Clock,
        own_name: str,
        partners: Mapping[str, tuple[Partner, LevelLink]],
        *,
        timezone: str,
        quarantine: Quarantine,
    ) -> None:
        """`partners` by name, each with the link to the broker where it listens; days are those of `timezone`."""
        self._engine = engine
        self._signer = signer
        self._clock = clock
        self._own = own_name
        self._partners = dict(partners)
        self._zone = timezone
        self._quarantine = quarantine
        self._waiting: deque[Received] = deque()
        self._states = {name: _State(Repetition()) for name in partners}
        self._topics = {item.topic_of(Side.THEIRS, own_name): name for name, (item, _) in partners.items()}
        self._wake = asyncio.Event()
        self._troubled = False
        self._dirty: dict[str, set[int]] = {name: set() for name in partners}
        self.figures = Figures()

    @property
    def topics(self) -> list[str]:
        """Return the topics on which the partners speak."""
        return list(self._topics)

    def takes(self, topic: str) -> bool:
        """Return whether a topic is one on which a partner speaks."""
        return topic in self._topics

    def receive(self, message: Received) -> None:
        """Take a message of a partner's topic; it is acknowledged once it is stored or refused."""
        if len(self._waiting) == MOST_WAITING:
            self._waiting.popleft().ack()
        self._waiting.append(message)
        self._wake.set()

    def connected(self) -> None:
        """Say again what may have been lost with the former connection."""
        for state in self._states.values():
            state.repetition.forget()
        self._wake.set()

    async def run(self) -> None:
        """Talk until cancelled."""
        while True:
            self._wake.clear()
            try:
                await self.round()
            except (SQLAlchemyError, OSError) as error:
                if not self._troubled:
                    log.warning("the talk with other centres waits for the store: %s", str(error).splitlines()[0])
                self._troubled = True
            else:
                self._troubled = False
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), POLL_S)

    async def round(self) -> None:
        """Hear, say, compare."""
        now_ms = self._clock.now_ms()
        self._hear(now_ms)
        for name, (partner, link) in self._partners.items():
            await self._say(partner, link, self._states[name], now_ms)
            self._compare(partner, now_ms)
            await asyncio.sleep(0)

    def _hear(self, now_ms: int) -> None:
        batch = list(self._waiting)
        if not batch:
            return
        refused: list[Refused] = []
        try:
            self._store(batch, refused, now_ms)
        except SQLAlchemyError:
            self._quarantine.rolled_back()
            raise
        self._quarantine.committed()
        self.figures.heard += len(batch) - len(refused)
        self.figures.refused += len(refused)
        for item in refused:
            log.warning("what came on %s is not believed: %s: %s", item.topic, item.reason, item.detail)
        self._waiting.clear()  # nothing has come since: there was no pause
        for message in batch:
            message.ack()

    def _store(self, batch: Iterable[Received], refused: list[Refused], now_ms: int) -> None:
        with writing(self._engine) as connection:
            for message in batch:
                partner, _ = self._partners[self._topics[message.topic]]
                try:
                    statement = hear.verified(partner, self._own, message.topic, message.payload, now_ms)
                except RefusalError as error:
                    refused.append(Refused(message.topic, message.payload, error.reason, error.detail))
                    continue
                news = hear.take(
                    connection, partner, statement, topic=message.topic, envelope=message.payload, now_ms=now_ms
                )
                self._dirty[partner.centre].update(news)
                if statement.forward_mwh:
                    # Said again, it has not been confirmed yet, for all that the other side knows.
                    self._states[partner.centre].confirmed = ()
            if refused:
                self._quarantine.store(connection, refused, [], now_ms)

    async def _say(self, partner: Partner, link: LevelLink, state: _State, now_ms: int) -> None:
        with reading(self._engine) as connection:
            token = self._token(connection, partner, now_ms)
            whole = state.whole_ms is None or not 0 <= now_ms - state.whole_ms < HOUR_MS
        if token != state.seen or whole:
            first_ms = now_ms - (ALL_MS if whole else RECENT_MS)
            with writing(self._engine) as connection:
                said = boundary.said(connection, partner, _slot(first_ms), _slot(now_ms))
                for statement in speak.statements(connection, partner, said, self._own, now_ms):
                    speak.enter(connection, partner, statement, self._signer, self._own)
                    self._dirty[partner.centre].update(
                        range(
                            statement.first_start_ms,
                            statement.first_start_ms + len(statement.forward_mwh) * SLOT_MS,
                            SLOT_MS,
                        )
                    )
            state.seen = token
            if state.whole_ms is None:
                # What a former run had not compared yet.
                self._dirty[partner.centre].update(range(_slot(now_ms - RECENT_MS), now_ms, SLOT_MS))
            if whole:
                state.whole_ms = now_ms
        if link.connected:
            await self._publish(partner, link, state, now_ms)

    def _token(self, connection: Connection, partner: Partner, now_ms: int) -> tuple[int, ...]:
        """Return what changes whenever there may be something new to say."""
        solved = connection.execute(
            select(func.max(grid_slot.c.solved_ms)).where(grid_slot.c.start_ms >= now_ms - RECENT_MS)
        ).scalar()
        heard = book.last_issue(connection, partner.centre, Side.THEIRS)
        # Records of the boundary's meter come between two solutions too.
        return (solved or 0, heard, now_ms // (SLOT_MS // 15))

    async def _publish(self, partner: Partner, link: LevelLink, state: _State, now_ms: int) -> None:
        with reading(self._engine) as connection:
            waiting = book.unheard(connection, partner.centre, speak.AT_ONCE)
            heard = book.heard(connection, partner.centre)
        due = [item for item in waiting if state.repetition.due(item, now_ms)]
        newest = max((item.issued_ms for item in waiting), default=0)
        sent = [link.publish(item.topic, item.envelope, 1, retain=item.issued_ms == newest) for item in due]
        if heard != state.confirmed:
            sent.append(self._confirm(partner, link, now_ms))
        results = await asyncio.gather(*sent, return_exceptions=True)
        failures = [item for item in results if isinstance(item, BaseException)]
        for item, result in zip(due, results, strict=False):
            if not isinstance(result, BaseException):
                state.repetition.sent(item, now_ms)
                self.figures.said += 1
        if not failures:
            state.confirmed = heard
        for failure in failures:
            if not isinstance(failure, LinkError):
                raise failure

    def _confirm(self, partner: Partner, link: LevelLink, now_ms: int) -> "asyncio.Future[None]":
        with reading(self._engine) as connection:
            statement = speak.confirmation(connection, partner, self._own, now_ms)
        topic = partner.topic_of(Side.OURS, self._own)
        # Not retained: in the place of the newest statement it would hide what that tells.
        return link.publish(topic, self._signer.sign(statement.encode(), topic), 1)

    def _compare(self, partner: Partner, now_ms: int) -> None:
        """Compare the days of which something new was said, and each slot once both sides have had their time."""
        until_ms = now_ms - GRACE_MS
        dirty = self._dirty[partner.centre]
        due = {start for start in dirty if start + SLOT_MS <= until_ms}
        if not due:
            return
        days = {day for start in due for day in days_of(start, start, self._zone)}
        with writing(self._engine) as connection:
            for day in sorted(days):
                opened, closed = check_day(connection, partner, day, self._zone, until_ms=until_ms, now_ms=now_ms)
                if opened or closed:
                    log.info("boundary with %s: %d findings opened, %d closed", partner.centre, opened, closed)
        dirty.difference_update(due)


def _slot(time_ms: int) -> int:
    return time_ms - time_ms % SLOT_MS
