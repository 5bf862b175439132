"""Writing to the journal without stalling the polls, in strict order, whatever the disk does.

All use of the journal runs in one named thread: an fsync on a gateway's flash card can take a second, and in the
event loop it would delay every line by that. One thread, fed from one queue, keeps the order of the operations.
"""

import asyncio
import itertools
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final, TypeVar

from agent.journal import Journal
from agent.journal_entry import Append, Operation, event, to_row
from agent.journal_schema import StorageFullError
from agent.logs import log
from agent.timing import at_least_real
from clock import Clock
from wire.records import ClockState, DetailKey, EventCode

RETRY_MS: Final = 5_000  # between attempts while the disk refuses
_RETRY_FLOOR_S: Final = 0.2
_TOGETHER: Final = 256  # operations in one transaction at most

T = TypeVar("T")


class JournalWriter:
    """Takes operations in the event loop and commits them in groups."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        now_ms: Callable[[], int],
        *,
        memory_records: int,
        clock_state: Callable[[], ClockState] = lambda: ClockState.UNKNOWN,
    ) -> None:
        self.journal = journal
        self._clock = clock
        self._now_ms = now_ms
        self._memory_records = memory_records
        self._clock_state = clock_state
        self.on_written: Callable[[], None] = lambda: None  # called after each transaction that wrote records
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._queue: deque[Operation] = deque()
        self._queued_records = 0
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._acknowledged = journal.header.acknowledged
        self._beyond = 0
        self._sent = journal.header.sent
        self._centre_ms = journal.header.centre_ms
        self.full = False  # the last attempt to write failed for want of space
        self.attempts = 0  # transactions that came to an end, well or not

    @property
    def waiting_records(self) -> int:
        """How many records wait in memory."""
        return self._queued_records

    @property
    def waiting_operations(self) -> int:
        """How many operations are not written yet."""
        return len(self._queue)

    @property
    def has_room(self) -> bool:
        """Whether more records may be submitted; if not, readings wait in the meters' registers instead."""
        return self._queued_records < self._memory_records

    @property
    def next_sequence(self) -> int:
        """The sequence that the next written record gets."""
        return self.journal.header.next_sequence

    @property
    def acknowledged(self) -> int:
        """The sequence up to which the centre has everything."""
        return self._acknowledged

    @property
    def unacknowledged(self) -> int:
        """How many written records the centre has not acknowledged."""
        return self.next_sequence - 1 - self._acknowledged - self._beyond

    def submit(self, operation: Operation) -> None:
        """Queue an operation; it is written after all those before it, with the clock state of now."""
        self._queue.append(replace(operation, clock_state=self._clock_state()))
        self._queued_records += len(operation.rows)
        self._idle.clear()
        self._work.set()

    def note_acknowledged(self, up_to: int, beyond: int = 0) -> None:
        """Remember what the centre has: everything up to a sequence, and so many records beyond the gap after it.

        The sequence is written with the next transaction or `store_counters`; losing it only costs a repetition.
        """
        self._acknowledged = max(self._acknowledged, up_to)
        self._beyond = beyond

    def note_sent(self, last: int) -> None:
        """Remember the highest sequence that was published."""
        self._sent = max(self._sent, last)

    def note_centre_time(self, time_ms: int) -> None:
        """Remember the newest time that the centre has signed; written with the next transaction.

        Losing it costs as little: the centre signs something every few seconds.
        """
        self._centre_ms = max(self._centre_ms, time_ms)

    def store_counters(self) -> None:
        """Have the counters written if they changed and nothing else is about to carry them."""
        stored = self.journal.header
        if not self._queue and (self._acknowledged > stored.acknowledged or self._sent > stored.sent):
            self.submit(Append())

    async def run(self) -> None:
        """Write until cancelled; JournalError when the journal turns out to be damaged."""
        while True:
            await self._work.wait()
            self._work.clear()
            while self._queue:
                await self._write_some()
            self._idle.set()

    async def flush(self) -> bool:
        """Wait until everything submitted is written; False when the disk refuses."""
        await self._idle.wait()
        return not self._queue

    async def call(self, function: Callable[..., T], *arguments: object) -> T:
        """Run a function on the journal in its thread, after what is being written."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, function, *arguments)

    async def close(self) -> None:
        """Write the counters and close the file."""
        try:
            await self.call(self._commit, [])
            await self.call(self.journal.close)
        except StorageFullError as error:
            log.error("the journal was not closed: %s", error)
        finally:
            self._executor.shutdown()

    def _commit(self, operations: list[Operation]) -> int:
        return self.journal.commit(
            operations, acknowledged=self._acknowledged, sent=self._sent, centre_ms=self._centre_ms
        )

    async def _write_some(self) -> None:
        group = list(itertools.islice(self._queue, _TOGETHER))
        commit = asyncio.ensure_future(self.call(self._commit, group))
        try:
            # Cancelled in the middle, the transaction still ends one way or the other: know which before leaving.
            written = await asyncio.shield(commit)
        except asyncio.CancelledError:
            await asyncio.wait({commit})
            if commit.exception() is None:
                self._done(group)
            raise
        except StorageFullError as error:
            self.attempts += 1
            if not self.full:
                self.full = True
                details = {DetailKey.COUNT: self._queued_records}
                self.submit(Append([to_row(event(self._now_ms(), EventCode.STORAGE_FULL, details=details))]))
            log.error(
                "the journal can't be written (%s); records wait in memory",
                error,
                extra={"about": "journal", "details": {"waiting": self._queued_records}},
            )
            self._idle.set()
            await self._clock.sleep_ms(at_least_real(self._clock, RETRY_MS, _RETRY_FLOOR_S))
            return
        self.attempts += 1
        self._done(group)
        if self.full:
            self.full = False
            log.warning("the journal can be written again", extra={"about": "journal"})
        if written:
            self.on_written()

    def _done(self, group: list[Operation]) -> None:
        for operation in group:
            self._queue.popleft()
            self._queued_records -= len(operation.rows)
            if isinstance(operation, Append) and operation.on_kept is not None:
                operation.on_kept()
