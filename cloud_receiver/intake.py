"""The intake: what the link receives is verified, committed in groups, acknowledged to the gateway, then to the broker.

Order matters: commit, then the signed acknowledgement, then the broker's. A crash between two steps repeats messages,
never loses one, and what is repeated is dropped by its sequences (design section 5).
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeAlias

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from clock import Clock
from cloud_receiver.commit import REJECTED, TALLY_MS, Committer, cause
from cloud_receiver.config import Intake as IntakeSettings
from cloud_receiver.counters import Counters
from cloud_receiver.database import reading
from cloud_receiver.enrolment import Enrolled, enrolled
from cloud_receiver.grid.notices import Noticed
from cloud_receiver.orders.budget import PutOffError, ReplyBudget
from cloud_receiver.portion import Arrived, Portion
from cloud_receiver.quarantine import STRANGER, Quarantine, Refused
from cloud_receiver.refusal import Reason, RefusalError
from cloud_receiver.verify import Verified
from cloud_receiver.waiting import Waiting
from wire import topics
from wire.envelope import Signer
from wire.messages import Acknowledgement, StatusState

log = logging.getLogger(__name__)

QUEUE_LIMIT = 4000
"""Messages that wait. While the store fails every reconnection brings the unacknowledged ones again."""
QUEUE_BYTES = 32 * 1024 * 1024
"""Their bytes: the broker may send a thousand messages of 1 MiB before it waits."""
FLOOD_PATIENCE = 4
"""How many times larger a group of messages grows, and longer, where most of the last one were refused.

A flood would else fill the groups, and every few good batches would pay for a flush of the disk.
"""
LOG_PAUSE_MS = 10_000
"""How often one reason of refusal is logged."""
_Journal: TypeAlias = tuple[str, bytes]
"""A gateway's name and the context of one of its journals."""


class Publisher(Protocol):
    """What the intake needs of the link to send."""

    def publish(self, topic: str, payload: bytes, qos: int, *, retain: bool = False) -> "asyncio.Future[None]":
        """Send a message; the future fails with LinkError when the broker can't acknowledge it."""


class Intake:
    """Takes messages from `receive` to the store, in the task that runs `run`."""

    def __init__(
        self,
        engine: Engine,
        signer: Signer,
        link: Publisher,
        clock: Clock,
        settings: IntakeSettings,
        *,
        on_status: Callable[[str, StatusState], None] = lambda _gateway, _state: None,
        noticed: Noticed | None = None,
    ) -> None:
        """Tell `on_status` of each status that is stored, and not replayed; `noticed`: who measures the grid."""
        self._engine = engine
        self._signer = signer
        self._link = link
        self._clock = clock
        self._settings = settings
        self.counters = Counters()
        self._committer = Committer(
            engine,
            Quarantine(settings.quarantine_per_minute, settings.quarantine_rows, settings.quarantine_bytes),
            self.counters,
            settings.replay_after_s * 1000,
        )
        self._queue = Waiting[Arrived](QUEUE_LIMIT, QUEUE_BYTES, self._lane)
        self._committer.on_status = on_status
        self._budget = ReplyBudget(clock)
        self._patience = 1
        self._told: dict[Reason, tuple[int | None, int]] = {}
        self._arrival = asyncio.Event()
        self._stopping = False
        self._noticed = noticed
        self._enrolled: Enrolled | None = None
        self._keys_read_ms = 0
        self._in_flight: dict[_Journal, asyncio.Future[None]] = {}
        self._newest: dict[_Journal, Acknowledgement] = {}

    def receive(self, message: Arrived) -> None:
        """Take a message from the link; returns at once."""
        for displaced in self._queue.put(message):
            # Else it would take up room in what the broker sends ahead. The gateway has it, and sends it again.
            displaced.ack()
            self.counters.displaced += 1
        self._arrival.set()

    def _lane(self, message: Arrived) -> str:
        return self._named(message.topic)

    def _named(self, topic: str) -> str:
        """Return the enrolled gateway that a topic names."""
        levels = topic.split("/", 4)
        name = levels[3] if len(levels) > 3 else STRANGER  # noqa: PLR2004  # diantan/1/up/{gateway}/…
        return name if self._enrolled is not None and name in self._enrolled.gateways else STRANGER

    def stop(self) -> None:
        """Let `run` end when everything that has arrived is stored."""
        self._stopping = True
        self._arrival.set()

    @property
    def backlog(self) -> int:
        """Return how many messages wait to be stored."""
        return len(self._queue)

    async def run(self) -> None:
        """Store what arrives until `stop`."""
        while True:
            await self._next()
            self._arrival.clear()
            while self._queue:
                await self._gather()
                await self._store(self._queue.take(self._settings.commit_batches * self._patience))
                await asyncio.sleep(0)
            if self._stopping:
                break
        self._count_up()
        while self._in_flight:
            done, _ = await asyncio.wait(self._in_flight.values(), timeout=2)
            if not done:
                break

    async def _next(self) -> None:
        """Wait for a message, or the end; what is counted in memory alone is written when none comes."""
        while self._committer.uncounted:
            try:
                await asyncio.wait_for(self._arrival.wait(), TALLY_MS / 1000)
            except TimeoutError:
                self._count_up()
            else:
                return
        await self._arrival.wait()

    async def _gather(self) -> None:
        """Wait while more arrives, so that a group shares one flush of the disk; no longer than `commit_wait_ms`."""
        for _ in range(self._settings.commit_wait_ms * self._patience):
            before = len(self._queue)
            if before >= self._settings.commit_batches * self._patience or self._stopping:
                return
            await asyncio.sleep(0.001)
            if len(self._queue) == before:
                return

    def _count_up(self) -> None:
        """Write what is counted in memory alone."""
        try:
            self._committer.commit((), (), self._clock.now_ms())
        except (SQLAlchemyError, OSError) as error:
            log.warning("the counts of refused messages are not written: %s", cause(error))

    async def _store(self, group: list[Arrived]) -> None:
        while group:
            done = await self._store_portion(group)
            group = group[done:]
            await asyncio.sleep(0)

    async def _store_portion(self, group: list[Arrived]) -> int:
        """Store as much of a group as one transaction takes; return how many messages that were."""
        wait_ms = self._settings.retry_first_ms
        failures = 0
        while True:
            try:
                acknowledgements, done = self._attempt(group)
            except (SQLAlchemyError, OSError) as error:
                self.counters.store_errors += 1
                failures += 1
                log.error(  # noqa: TRY400  # the cause is one line; a trace a minute would bury it
                    "store failed (%s): %d messages stay unacknowledged, trying again in %.1f s (failure %d)",
                    cause(error),
                    len(group),
                    wait_ms / 1000,
                    failures,
                )
                if self._stopping:
                    log.warning("stopping with %d messages unacknowledged: the broker keeps them", len(group))
                    self._queue.clear()
                    return len(group)
                await asyncio.sleep(max(self._clock.to_real_seconds(wait_ms), 0.01))
                wait_ms = min(wait_ms * 2, self._settings.retry_longest_ms)
                continue
            break
        if failures:
            log.info("store works again after %d failures", failures)
        for acknowledgement in acknowledgements:
            self._acknowledge(acknowledgement)
        for message in group[:done]:
            message.ack()
        return done

    def _attempt(self, group: list[Arrived]) -> tuple[list[Acknowledgement], int]:
        known = self._keys()
        done = 0
        portion = Portion(self._budget)
        for message in group:
            done += 1
            known = self._sort(message, portion, known)
            if portion.full or len(portion.batches) >= self._settings.commit_batches:
                break
        self._patience = FLOOD_PATIENCE if len(portion.refused) > done // 2 else 1
        return self._commit(portion), done

    def _sort(self, message: Arrived, portion: Portion, known: Enrolled) -> Enrolled:
        """Add a message to a portion; return what is known of gateways now."""
        try:
            try:
                portion.sort(message, known)
            except RefusalError as refusal:
                # The key may have been enrolled a moment ago.
                if refusal.reason not in {Reason.UNKNOWN_KEY, Reason.UNKNOWN_GATEWAY} or not self._stale(1000):
                    raise
                known = self._read_keys()
                portion.sort(message, known)
        except RefusalError as refusal:
            portion.refuse(message, refusal, self._named(message.topic))
        except PutOffError:
            self.counters.displaced += 1
        return known

    def _commit(self, portion: Portion) -> list[Acknowledgement]:
        now_ms = self._clock.now_ms()
        if portion.only_refused and self._committer.only_counts(portion.refused, now_ms):
            return []
        rest = portion.refused, now_ms, portion.heard
        try:
            acknowledgements = self._committer.commit(portion.batches, *rest, answered=portion.answered)
        except REJECTED as error:
            count = len(portion.batches)
            log.error("a group of %d batches can't be stored (%s): storing one by one", count, cause(error))  # noqa: TRY400  # one line
            acknowledgements = self._one_by_one(portion.batches, now_ms)
            self._committer.commit((), *rest, answered=portion.answered)
        self._tell(portion.refused, now_ms)
        return acknowledgements

    def _tell(self, refused: list[Refused], now_ms: int) -> None:
        """Log one line for many: a hostile sender must not fill the log."""
        for reason in dict.fromkeys(item.reason for item in refused):
            told_ms, total = self._told.get(reason, (None, 0))
            if told_ms is not None and 0 <= now_ms - told_ms < LOG_PAUSE_MS:
                continue
            now = self.counters.refused[reason.value]
            self._told[reason] = now_ms, now
            first = next(item for item in refused if item.reason is reason)
            # Quoted: anybody may choose a topic, line ends and all.
            log.warning("refused %d messages (%s), the first on %r: %s", now - total, reason, first.topic, first.detail)

    def _one_by_one(self, batches: list[Verified], now_ms: int) -> list[Acknowledgement]:
        """Store the batches that can be stored, and set aside the others: none may keep the rest out, or be lost."""
        result: dict[tuple[str, bytes], Acknowledgement] = {}
        for item in batches:
            try:
                done = self._committer.commit([item], (), now_ms)
            except REJECTED as error:
                done = self._committer.set_aside(item, cause(error), now_ms)
                self.counters.set_aside += 1
                log.error(  # noqa: TRY400  # the cause is one line
                    "the store rejects records of %s, %d from sequence %d (%s): the message is set aside",
                    *(item.gateway.name, item.batch.count, item.batch.first, cause(error)),
                )
            result.update({(each.gateway, each.context): each for each in done})
        return list(result.values())

    def take_back(self) -> None:
        """Enter the records of messages that were set aside, if the store takes them now."""
        entered, left = self._committer.take_back(self._keys(), self._clock.now_ms())
        if entered or left:
            log.warning("messages set aside: %d are entered now, %d stay", entered, left)

    def _keys(self) -> Enrolled:
        if self._enrolled is None or self._stale(self._settings.key_refresh_s * 1000):
            return self._read_keys()
        return self._enrolled

    def _stale(self, age_ms: int) -> bool:
        return self._enrolled is None or self._clock.monotonic_ms() - self._keys_read_ms >= age_ms

    def _read_keys(self) -> Enrolled:
        with reading(self._engine) as connection:
            self._enrolled = enrolled(connection, self._clock.now_ms())
            if self._noticed is not None:
                self._noticed.refresh(connection)
                self._committer.grid_gateways = self._noticed.gateways
        self._keys_read_ms = self._clock.monotonic_ms()
        return self._enrolled

    def _acknowledge(self, acknowledgement: Acknowledgement) -> None:
        """Send an acknowledgement; the newest only, once the broker has taken the one before it of the same journal.

        It says all that the ones between would: many journals would else have more on the way than a broker takes.
        """
        journal = acknowledgement.gateway, acknowledgement.context
        if journal in self._in_flight:
            self._newest[journal] = acknowledgement
            return
        topic = topics.acknowledgement(acknowledgement.gateway)
        sent = self._link.publish(topic, self._signer.sign(acknowledgement.encode(), topic), 1)
        self.counters.acknowledgements += 1
        self._in_flight[journal] = sent
        sent.add_done_callback(partial(self._sent, journal))

    def _sent(self, journal: _Journal, future: "asyncio.Future[None]") -> None:
        del self._in_flight[journal]
        # One that was lost is no harm: the gateway sends the batch again and is acknowledged again.
        if not future.cancelled() and (error := future.exception()) is not None:
            log.debug("acknowledgement lost: %s", error)
        newest = self._newest.pop(journal, None)
        if newest is not None:
            self._acknowledge(newest)
