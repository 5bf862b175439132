"""The uplink (上行): signed batches of journal records to the centre, until it says that it has them."""

import asyncio
import random
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from agent.drain import Kind, Run
from agent.journal import Journal
from agent.journal_schema import StorageFullError, translated
from agent.logs import log
from agent.spans import Spans, without
from agent.timing import at_least_real
from agent.window import Batch, Window
from agent.writer import JournalWriter
from clock import Clock
from wire import topics
from wire.batch import RecordBatchMessage, encode_batch
from wire.envelope import EnvelopeError, KeyRing, Signer, open_envelope
from wire.messages import Acknowledgement, MessageError

TIMEOUT_FLOOR_S: Final = 2.0  # a centre under load commits and answers within this real time
_QOS: Final = 1


class Publisher(Protocol):
    """What the uplink needs of the MQTT link (wire.link.Link)."""

    @property
    def connected(self) -> bool:
        """Whether a broker is there."""

    def publish(self, topic: str, payload: bytes, qos: int, *, retain: bool = False) -> "asyncio.Future[None]":
        """Hand a message to the broker; the future is done when it has it."""


@dataclass(frozen=True, slots=True)
class UplinkSettings:
    """How records travel; durations in ms."""

    gateway: str
    batch: int
    window: int
    linger_ms: float
    timeout_ms: float
    longest_timeout_ms: float
    drain_per_second: int = 0  # records of the backlog; 0: as fast as the window allows


@dataclass(frozen=True, slots=True)
class Resend:
    """What becomes of sequences that the centre wants once more (补传); ranges ascend, both ends included.

    Sequences that were never given to a record are in neither.
    """

    queued: tuple[tuple[int, int], ...]  # on their way, or as soon as it is their turn
    gone: tuple[tuple[int, int], ...]  # no longer in the journal


class Uplink:
    """Sends what the journal holds beyond the last acknowledgement."""

    def __init__(
        self,
        settings: UplinkSettings,
        writer: JournalWriter,
        link: Publisher,
        signer: Signer,
        centre: KeyRing,
        *,
        clock: Clock,
        now_ms: Callable[[], int],
        chance: random.Random,
    ) -> None:
        self._settings = settings
        self._writer = writer
        self._link = link
        self._signer = signer
        self._centre = centre
        self._clock = clock
        self._now_ms = now_ms
        self._topic = topics.records(settings.gateway)
        self._context = writer.journal.header.context
        self._wake = asyncio.Event()
        self._under_way: set[asyncio.Future[None]] = set()
        self._waiting_since: float | None = None
        self.window = Window(
            writer.journal.header.acknowledged,
            writer.next_sequence,
            batch=settings.batch,
            size=settings.window,
            timeouts_ms=self._timeouts_ms,
            chance=chance,
            drain_per_second=settings.drain_per_second,
        )
        self.on_centre_time: Callable[[int], None] = lambda _: None  # called with when the centre signed a message
        self.stale = 0  # acknowledgements that came again, or after a newer one
        self._newest: Acknowledgement | None = None
        self._newest_at = 0.0

    def _timeouts_ms(self) -> tuple[float, float]:
        first = at_least_real(self._clock, self._settings.timeout_ms, TIMEOUT_FLOOR_S)
        return first, max(self._settings.longest_timeout_ms, first)

    @property
    def unacknowledged(self) -> int:
        """How many records the centre has not acknowledged."""
        return self._writer.unacknowledged

    def records_written(self) -> None:
        """Look again: the journal has grown."""
        self.window.grown(self._writer.next_sequence, self._clock.monotonic_ms())
        self._wake.set()

    def connected(self) -> None:
        """Look again: the link is (back) up."""
        self.window.link_back(self._clock.monotonic_ms())
        self._wake.set()

    def acknowledgement(self, topic: str, envelope: bytes) -> bool:
        """Take a message from the acknowledgement topic; return False unless it is the centre's for this journal."""
        try:
            message = Acknowledgement.decode(open_envelope(envelope, topic, self._centre).payload)
        except (EnvelopeError, MessageError) as error:
            log.warning("acknowledgement refused: %s", error, extra={"about": "uplink"})
            return False
        if message.gateway != self._settings.gateway or message.context != self._context:
            log.warning(
                "acknowledgement is for %s in context %s, not this journal's",
                message.gateway,
                message.context.hex(),
                extra={"about": "uplink"},
            )
            return False
        self.on_centre_time(message.time_ms)
        known_to = max(message.up_to, message.highest)
        if known_to >= self._writer.next_sequence:
            log.error(
                "the centre has records up to %d, this journal only up to %d: was an old copy of it restored? "
                "Stop the agent and set the journal aside (diantan-agent journal set-aside)",
                known_to,
                self._writer.next_sequence - 1,
                extra={"about": "uplink"},
            )
            return False
        now = self._clock.monotonic_ms()
        stale = self._is_stale(message, now)
        self.window.acknowledge(message.up_to, message.missing, now, highest=message.highest, stale=stale)
        self._writer.note_acknowledged(self.window.acknowledged, self.window.beyond)
        self._wake.set()
        return True

    def _is_stale(self, message: Acknowledgement, now: float) -> bool:
        """Return whether a message is not the newest of its centre, by the centre's own clock; count it then.

        Receivers that share a gateway have clocks a little apart. One that is behind is taken for stale now and then:
        what it says is stored counts all the same, only what is missing waits for the next message, or the time-out.
        When nothing newer has come for as long as the longest time-out, the centre's clock was set back.
        """
        newest = self._newest
        lately = now - self._newest_at < self._timeouts_ms()[1]
        if newest is not None and (message == newest or (lately and message.time_ms < newest.time_ms)):
            self.stale += 1
            log.debug("acknowledgement of %d ms is not the newest: nothing is sent again for it", message.time_ms)
            return True
        self._newest, self._newest_at = message, now
        return False

    async def resend(self, first: int, last: int) -> Resend:
        """Send records once more, acknowledged or not, behind fresh ones; ValueError unless 1 <= first <= last.

        They go through the same window and rate as a backlog, each until an acknowledgement has it that came after.
        A restart of the program forgets those that have not left. StorageFullError when the journal can't be read.
        """
        if not 1 <= first <= last:
            raise ValueError(f"resend of {first} to {last}: expected 1 <= first <= last")
        last = min(last, self._writer.next_sequence - 1)
        if last < first:
            return Resend((), ())
        queued = await self._writer.call(_held, self._writer.journal, first, last)
        gone: Spans = [(first, last)]
        for low, high in queued:
            gone = without(gone, low, high)
            self.window.again(low, high)
        self._wake.set()
        return Resend(tuple(queued), tuple(gone))

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            self._wake.clear()
            try:
                delay_ms = await self._send_what_is_due() if self._link.connected else None
            except StorageFullError as error:
                log.error("the journal can't be read: %s", error, extra={"about": "uplink"})
                delay_ms = at_least_real(self._clock, 1000, 1.0)
            await self._pause(delay_ms)

    async def _pause(self, delay_ms: float | None) -> None:
        """Wait to be woken, or for a time of the clock."""
        if self._wake.is_set():
            await asyncio.sleep(0)
            return
        if delay_ms is None:
            await self._wake.wait()
            return
        timer = asyncio.ensure_future(self._clock.sleep_ms(max(delay_ms, 1)))
        # Not when it was cancelled: that would wake the next pause at once, and so for ever.
        timer.add_done_callback(lambda timer: None if timer.cancelled() else self._wake.set())
        try:
            await self._wake.wait()
        finally:
            timer.cancel()

    async def _send_what_is_due(self) -> float | None:
        """Send; return the ms until there may be more to do, or None."""
        if len(self._under_way) >= 2 * self._settings.window:
            return None  # the broker takes nothing: more copies would only fill the memory
        self.window.grown(self._writer.next_sequence, self._clock.monotonic_ms())
        while (run := self.window.next_fresh(partial=self._lingered())) is not None:
            await self._send(run, None)
        for batch in self.window.due(self._clock.monotonic_ms()):
            if self.window.wanted_again(batch, batch.first):
                await self._send(Run(batch.first, batch.count, batch.kind), batch)
        while (run := self._next_run()) is not None:
            if not self._link.connected:
                return None
            await self._send(run, None)
        now = self._clock.monotonic_ms()
        waits = [due - now for due in [self.window.next_due_ms()] if due is not None]
        if self._waiting_since is not None and self.window.has_room:
            waits.append(self._waiting_since + self._settings.linger_ms - now)
        return min(waits, default=None)

    def _next_run(self) -> Run | None:
        return self.window.next_run(self._clock.monotonic_ms(), partial=self._lingered())

    def _lingered(self) -> bool:
        """Return whether the records that don't fill a batch have waited long enough for others."""
        if self._writer.next_sequence <= self.window.frontier:
            self._waiting_since = None
            return False
        now = self._clock.monotonic_ms()
        if self._waiting_since is None:
            self._waiting_since = now
        return now - self._waiting_since >= self._settings.linger_ms

    async def _send(self, run: Run, again: Batch | None) -> None:
        start, records, clock_state = await self._writer.call(self._writer.journal.read, run.first, run.count)
        last = run.first + run.count - 1
        gone_to = min(start - 1, last) if records else last
        if gone_to >= run.first:
            log.error(
                "records %d to %d are no longer in the journal and can't be sent",
                run.first,
                gone_to,
                extra={"about": "uplink"},
            )
            self.window.give_up(run.first, gone_to)
            return
        # An acknowledgement may have come while the journal was read.
        if again is None and not self.window.wanted(run):
            return
        if again is not None:
            if not self.window.wanted_again(again, run.first):
                return
            records = records[: again.count]
        message = RecordBatchMessage(
            self._settings.gateway, self._context, run.first, self._now_ms(), clock_state, records
        )
        envelope = self._signer.sign(encode_batch(message), self._topic)
        now = self._clock.monotonic_ms()
        if again is None:
            self.window.sent(replace(run, count=len(records)), now)
            if run.kind is Kind.FRESH:
                self._waiting_since = None
        else:
            self.window.sent_again(again, len(records), now)
        # The broker's receipt proves nothing about the centre (QoS 1 loses acknowledged messages), so nobody waits for
        # it; a message the link lost is due again as soon as the link is back.
        future = self._link.publish(self._topic, envelope, _QOS)
        self._under_way.add(future)
        future.add_done_callback(self._taken)
        self._writer.note_sent(self.window.sent_to)

    def _taken(self, future: "asyncio.Future[None]") -> None:
        self._under_way.discard(future)
        self._wake.set()
        if not future.cancelled() and (error := future.exception()) is not None:
            log.debug("batch not taken by the broker: %s", error)


def _held(journal: Journal, first: int, last: int) -> Spans:
    """Return which of the sequences the journal holds; it forgets from its beginning, so they are one run."""
    try:
        (low,) = journal.connection.execute(
            "SELECT min(sequence) FROM records WHERE sequence BETWEEN ? AND ?", (first, last)
        ).fetchone()
        (high,) = journal.connection.execute(
            "SELECT max(sequence) FROM records WHERE sequence BETWEEN ? AND ?", (first, last)
        ).fetchone()
    except sqlite3.Error as error:
        raise translated(error, journal.path) from error
    return [] if low is None else [(low, high)]
