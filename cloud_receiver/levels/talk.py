"""The talk with the centres above and below (分级核对), as a task of the receiver.

All that was said stands in the store before it is published or acknowledged, so a receiver that is killed goes on where
it was, and both sides end with the same statements whatever was lost on the way.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import SQLAlchemyError

from clock import Clock
from cloud_receiver.database import reading, writing
from cloud_receiver.grid.telemetry import TelemetryError
from cloud_receiver.levels import book, boundary, hear, speak
from cloud_receiver.levels.book import Message, Said
from cloud_receiver.levels.checks import check_day, days_of
from cloud_receiver.levels.config import LevelStore
from cloud_receiver.levels.partner import Partner, Side
from cloud_receiver.levels.solved import SolvedSlots
from cloud_receiver.levels.state import State
from cloud_receiver.quarantine import Quarantine, Refused
from cloud_receiver.refusal import Reason, RefusalError
from cloud_receiver.schema import grid_slot
from wire.envelope import Signer
from wire.levels import MAX_HEARD, Statement
from wire.link import LinkError, Received

log = logging.getLogger(__name__)

POLL_S: Final = 0.5  # real time: how soon a solved slot is told of
SLOT_MS: Final = 900_000
RECENT_MS: Final = 2 * 86_400_000
"""What is looked at whenever something has changed; all that may still be corrected, once an hour."""
ALL_MS: Final = 35 * 86_400_000
HOUR_MS: Final = 3_600_000
DAY_MS: Final = 86_400_000
GRACE_MS: Final = 2 * SLOT_MS
"""How long after a slot's end both sides may still be silent, or a correction under way."""
PIECE_MS: Final = 32 * SLOT_MS
"""What is looked at without giving way to others."""
HEARD_BYTES: Final = 1 << 20
"""Of statements that one transaction stores."""
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
        keep_days: int = LevelStore().keep_days,
    ) -> None:
        """`partners` by name, each with the link to the broker where it listens; days are those of `timezone`."""
        self._keep_ms = keep_days * DAY_MS
        self._engine = engine
        self._signer = signer
        self._clock = clock
        self._own = own_name
        self._partners = dict(partners)
        self._zone = timezone
        self._quarantine = quarantine
        self._waiting: deque[Received] = deque()
        self._states = {name: State() for name in partners}
        self._solved = SolvedSlots([partner.element for partner, _ in partners.values()])
        self._topics = {item.topic_of(Side.THEIRS, own_name): name for name, (item, _) in partners.items()}
        self._wake = asyncio.Event()
        self._troubled = False
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
            await self.round()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), POLL_S)

    async def round(self) -> None:
        """Hear, say, compare; what fails is tried again in the next round, and stops nobody else."""
        now_ms = self._clock.now_ms()
        try:
            self._hear(now_ms)
        except Exception as error:
            self._trouble("hearing other centres", error, told=self._troubled)
            self._troubled = True
        else:
            self._troubled = False
        for name, (partner, link) in self._partners.items():
            state = self._states[name]
            try:
                await self._say(partner, link, state, now_ms)
                await self._compare(partner, state, now_ms)
            except Exception as error:
                self._trouble(f"the talk with centre {name}", error, told=state.troubled)
                state.troubled = True
            else:
                state.troubled = False
            await asyncio.sleep(0)

    def _trouble(self, what: str, error: Exception, *, told: bool) -> None:
        if told:
            return
        if isinstance(error, (SQLAlchemyError, OSError)):
            log.warning("%s waits for the store: %s", what, str(error).splitlines()[0])
        else:
            # A fault here must end neither the intake nor the talk with the others.
            log.error("%s failed, trying again", what, exc_info=error)

    def _hear(self, now_ms: int) -> None:
        batch = list(_first(self._waiting, HEARD_BYTES))
        if not batch:
            return
        refused: list[Refused] = []
        heard: list[tuple[str, Statement, list[int]]] = []
        try:
            self._store(batch, heard, refused, now_ms)
        except SQLAlchemyError:
            self._quarantine.rolled_back()
            raise
        self._quarantine.committed()
        self.figures.heard += len(heard)
        self.figures.refused += len(refused)
        for name, statement, news in heard:
            state = self._states[name]
            state.changed.note(news, now_ms)
            if statement.forward_mwh:
                # Said again, it has not been confirmed yet, for all that the other side knows.
                state.owed.add(statement.issued_ms)
        for item in refused:
            log.warning("what came on %s is not believed: %s: %s", item.topic, item.reason, item.detail)
        for message in batch:
            self._waiting.popleft()
            message.ack()
        if self._waiting:
            self._wake.set()

    def _store(
        self,
        batch: Iterable[Received],
        heard: list[tuple[str, Statement, list[int]]],
        refused: list[Refused],
        now_ms: int,
    ) -> None:
        with writing(self._engine) as connection:
            for message in batch:
                partner, _ = self._partners[self._topics[message.topic]]
                try:
                    statement = hear.verified(partner, self._own, message.topic, message.payload, now_ms)
                    if not self._allowed(connection, partner, statement, len(message.payload)):
                        continue
                    with connection.begin_nested():
                        news = hear.take(
                            *(connection, partner, statement),
                            topic=message.topic,
                            envelope=message.payload,
                            now_ms=now_ms,
                            kept_ms=self._kept_ms(now_ms),
                        )
                except RefusalError as error:
                    refused.append(Refused(message.topic, message.payload, error.reason, error.detail))
                except TelemetryError as error:
                    # One statement that can't be kept must not come back for ever, and stop all others.
                    refused.append(Refused(message.topic, message.payload, Reason.PAYLOAD, str(error)))
                else:
                    heard.append((partner.centre, statement, news))
            if refused:
                self._quarantine.store(connection, refused, [], now_ms)

    def _allowed(self, connection: Connection, partner: Partner, statement: Statement, size: int) -> bool:
        if not statement.forward_mwh or book.knows(connection, partner.centre, Side.THEIRS, statement.issued_ms):
            return True  # nothing of it is stored
        state = self._states[partner.centre]
        allowed = state.allowance.take(size, self._clock.now_ms())
        if not allowed:
            self.figures.refused += 1
            if not state.flooded:
                log.warning("centre %s says more than can be kept: what is beyond is heard later", partner.centre)
            state.flooded = True
        return allowed

    async def _say(self, partner: Partner, link: LevelLink, state: State, now_ms: int) -> None:
        with reading(self._engine) as connection:
            token = self._token(connection, partner, now_ms)
        whole = state.whole_ms is None or not 0 <= now_ms - state.whole_ms < HOUR_MS
        if token != state.seen or whole:
            said = await self._look(partner, _slot(now_ms - (ALL_MS if whole else RECENT_MS)), _slot(now_ms))
            if said:
                self._speak(partner, state, said, now_ms)
            state.seen = token
            if state.whole_ms is None:
                # What a former run had not compared yet.
                state.changed.note(range(_slot(now_ms - RECENT_MS), now_ms, SLOT_MS), now_ms)
            if whole:
                state.whole_ms = now_ms
                self._thin(partner, state, now_ms)
                await self._prune(partner, now_ms)
        if link.connected:
            await self._publish(partner, link, state, now_ms)

    def _thin(self, partner: Partner, state: State, now_ms: int) -> None:
        self._solved.forget_before(now_ms - ALL_MS - HOUR_MS)
        day_ms = now_ms - ALL_MS - (now_ms - ALL_MS) % DAY_MS
        if day_ms > state.thinned_ms:
            with writing(self._engine) as connection:
                book.thin(connection, partner.centre, state.thinned_ms, day_ms)
            state.thinned_ms = day_ms

    async def _prune(self, partner: Partner, now_ms: int) -> None:
        """Forget what is older than it is to be kept; piece by piece, for others have work to do too."""
        while True:
            with writing(self._engine) as connection:
                lost = book.prune(connection, partner.centre, self._kept_ms(now_ms))
            if lost is None:
                return
            if lost:
                log.warning("centre %s never heard %d statements that are too old to be kept", partner.centre, lost)
            await asyncio.sleep(0)

    def _kept_ms(self, now_ms: int) -> int:
        """Return the start of the oldest day UTC that is kept."""
        oldest_ms = now_ms - self._keep_ms
        return oldest_ms - oldest_ms % DAY_MS

    async def _look(self, partner: Partner, first_ms: int, end_ms: int) -> dict[int, Said]:
        """Return what can be said where something of it is new; piece by piece, for others have work to do too."""
        said: dict[int, Said] = {}
        news = False
        for begin in range(first_ms, end_ms, PIECE_MS):
            with reading(self._engine) as connection:
                piece = boundary.said(connection, partner, self._solved, begin, min(begin + PIECE_MS, end_ms))
                news |= bool(speak.news(connection, partner, piece))
            said |= piece
            await asyncio.sleep(0)
        return said if news else {}

    def _speak(self, partner: Partner, state: State, said: Mapping[int, Said], now_ms: int) -> None:
        with writing(self._engine) as connection:
            found = speak.statements(connection, partner, said, self._own, now_ms)
            news = [speak.enter(connection, partner, statement, self._signer, self._own)[1] for statement in found]
        for starts in news:
            state.changed.note(starts, now_ms)

    def _token(self, connection: Connection, partner: Partner, now_ms: int) -> tuple[int, ...]:
        """Return what changes whenever there may be something new to say."""
        solved = connection.execute(
            select(func.max(grid_slot.c.solved_ms)).where(grid_slot.c.start_ms >= now_ms - RECENT_MS)
        ).scalar()
        heard = book.last_issue(connection, partner.centre, Side.THEIRS)
        # Records of the boundary's meter come between two solutions too.
        return (solved or 0, heard, now_ms // (SLOT_MS // 15))

    async def _publish(self, partner: Partner, link: LevelLink, state: State, now_ms: int) -> None:
        with reading(self._engine) as connection:
            waiting = book.unheard(connection, partner.centre, speak.AT_ONCE)
        state.repetition.keep({item.issued_ms for item in waiting})
        due = self._restated(partner, [item for item in waiting if state.repetition.due(item, now_ms)])
        newest = max((item.issued_ms for item in waiting), default=0)
        owed = sorted(state.owed)
        sent = [link.publish(item.topic, item.envelope, 1, retain=item.issued_ms == newest) for item in due]
        sent += [self._confirm(partner, link, part, now_ms) for part in _parts(owed, MAX_HEARD)]
        results = await asyncio.gather(*sent, return_exceptions=True)
        failures = [item for item in results if isinstance(item, BaseException)]
        for item, result in zip(due, results, strict=False):
            if not isinstance(result, BaseException):
                state.repetition.sent(item, now_ms)
                self.figures.said += 1
        if not failures:
            state.owed.difference_update(owed)
        for failure in failures:
            if not isinstance(failure, LinkError):
                raise failure

    def _restated(self, partner: Partner, due: Iterable[Message]) -> list[Message]:
        restated = [(item, speak.restated(partner, item, self._signer, self._own)) for item in due]
        if changed := [present for former, present in restated if present is not former]:
            with writing(self._engine) as connection:
                for present in changed:
                    book.restate(connection, partner.centre, present)
        return [present for _, present in restated]

    def _confirm(self, partner: Partner, link: LevelLink, heard: Sequence[int], now_ms: int) -> "asyncio.Future[None]":
        statement = speak.confirmation(partner, self._own, heard, now_ms)
        topic = partner.topic_of(Side.OURS, self._own)
        # Not retained: in the place of the newest statement it would hide what that tells.
        return link.publish(topic, self._signer.sign(statement.encode(), topic), 1)

    async def _compare(self, partner: Partner, state: State, now_ms: int) -> None:
        """Compare the days of which something new was said, each slot once both sides have had their time."""
        until_ms = now_ms - GRACE_MS
        due = state.changed.due(until_ms, SLOT_MS, now_ms)
        for day in sorted({day for start in due for day in days_of(start, start, self._zone)}):
            with writing(self._engine) as connection:
                opened, closed = check_day(connection, partner, day, self._zone, until_ms=until_ms, now_ms=now_ms)
            if opened or closed:
                log.info("boundary with %s: %d findings opened, %d closed", partner.centre, opened, closed)
            await asyncio.sleep(0)
        state.changed.done(due)


def _first(messages: Iterable[Received], most: int) -> Iterator[Received]:
    """Yield the first messages, at least one, of together at most so many bytes."""
    for number, message in enumerate(messages):
        most -= len(message.payload)
        if number and most < 0:
            return
        yield message


def _parts(issues: Sequence[int], most: int) -> list[Sequence[int]]:
    """Return parts of at most so many."""
    return [issues[place : place + most] for place in range(0, len(issues), most)]


def _slot(time_ms: int) -> int:
    return time_ms - time_ms % SLOT_MS
