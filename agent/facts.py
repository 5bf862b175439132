"""Facts that the centre and Prometheus see of a gateway: backlog (积压), what was dropped and why, overdue meters."""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from agent import journal_schema as schema
from agent.journal import Journal
from agent.journal_pruning import used_bytes
from agent.journal_schema import StorageFullError
from agent.logs import log
from agent.writer import JournalWriter
from clock import Clock
from wire.status_facts import MAX_WORST, Backlog, Dropped, Overdue

MEASURE_MS: Final = 15_000
_SAMPLED: Final = 10_000  # records whose bytes are counted; those of the whole backlog are estimated from them
_LOOKED_AT: Final = 1_000  # records among which the oldest interval or event is looked for
_POLLS: Final = 3  # a meter that is read seldom is not overdue before so many polls


@dataclass(frozen=True, slots=True)
class Measured:
    """What the journal's file says; bytes and ms."""

    backlog_bytes: int = 0
    oldest_ms: int | None = None
    used_bytes: int = 0


def measure(journal: Journal, acknowledged: int, unacknowledged: int) -> Measured:
    """Look at the records behind `acknowledged`; StorageFullError, or another JournalError, when that fails.

    `unacknowledged` is their number less those that the centre has beyond a gap.
    """
    connection = journal.connection
    try:
        (count, total) = connection.execute(
            "SELECT count(*), coalesce(sum(length(body)), 0) FROM"
            " (SELECT body FROM records WHERE sequence > ? ORDER BY sequence DESC LIMIT ?)",
            (acknowledged, _SAMPLED),
        ).fetchone()
        # Freezes and adjustments may be of long ago, and yet new.
        oldest = connection.execute(
            "SELECT start_ms FROM (SELECT kind, start_ms FROM records WHERE sequence > ? ORDER BY sequence LIMIT ?)"
            " WHERE kind IN (?, ?) LIMIT 1",
            (acknowledged, _LOOKED_AT, schema.KIND_INTERVAL, schema.KIND_EVENT),
        ).fetchone()
        used = used_bytes(connection)
    except sqlite3.Error as error:
        raise schema.translated(error, journal.path) from error
    # Of a smaller number all were counted, and those that the centre has beyond a gap are some of them.
    wanted = unacknowledged if count == _SAMPLED else min(unacknowledged, count)
    size = total * wanted // count if count else 0
    return Measured(size, oldest[0] if oldest else None, used)


class Facts:
    """Keeps what nobody else counts, and puts the facts together."""

    def __init__(
        self,
        periods_ms: Mapping[str, int],
        last_ms: Mapping[str, int],
        writer: JournalWriter,
        clock: Clock,
        now_ms: Callable[[], int],
        *,
        limit_ms: int,
        held_back: Callable[[], int],
        stale: Callable[[], int],
        resent: Callable[[], int],
    ) -> None:
        """`periods_ms` are the poll periods of all meters, `last_ms` the times of the last readings that are stored."""
        self.unfit = 0
        self.unusable = 0
        self._periods_ms = periods_ms
        self._writer = writer
        # Not by the writer's thread: nobody else uses the journal yet.
        self.measured = measure(writer.journal, writer.acknowledged, writer.unacknowledged)
        self._clock = clock
        self._now_ms = now_ms
        self._limit_ms = limit_ms
        self._held_back = held_back
        self._stale = stale
        self._resent = resent
        self._began_ms = clock.monotonic_ms()
        # Ages are counted by the monotonic clock: the wall clock may leap.
        now = now_ms()
        self._read_ms = {meter: self._began_ms - max(now - time, 0) for meter, time in last_ms.items()}

    def read(self, meter: str) -> None:
        """Take note of a good reading."""
        self._read_ms[meter] = self._clock.monotonic_ms()

    async def measure(self) -> None:
        """Look at the journal; what was known stays while the disk refuses."""
        try:
            self.measured = await self._writer.call(
                measure, self._writer.journal, self._writer.acknowledged, self._writer.unacknowledged
            )
        except StorageFullError as error:
            log.error("the backlog can't be measured: %s", error, extra={"about": "journal"})

    def ages_ms(self) -> dict[str, int | None]:
        """Return how long ago each meter was read well; None: not yet."""
        now = self._clock.monotonic_ms()
        return {meter: None if (at := self._read_ms.get(meter)) is None else now - at for meter in self._periods_ms}

    def backlog(self) -> Backlog:
        """Return what the centre has not acknowledged."""
        records = self._writer.unacknowledged + self._writer.waiting_records
        if not self._writer.unacknowledged:
            return Backlog(records, 0, 0)
        oldest = self.measured.oldest_ms
        return Backlog(records, self.measured.backlog_bytes, 0 if oldest is None else max(self._now_ms() - oldest, 0))

    def dropped_by(self) -> dict[Dropped, int]:
        """Return what was dropped, by reason."""
        return {
            Dropped.STORAGE: self._writer.journal.header.dropped,
            Dropped.UNFIT: self.unfit,
            Dropped.STALE: self._stale(),
            Dropped.HELD_BACK: self._held_back(),
            Dropped.UNUSABLE: self.unusable,
        }

    def clock_offset_ms(self) -> int:
        """Return how far the gateway's time is from the system clock; not 0 while a step is not followed yet."""
        return self._now_ms() - self._clock.now_ms()

    def overdue(self) -> Overdue:
        """Return the meters without a good reading for too long, those never read and the oldest first."""
        up_ms = self._clock.monotonic_ms() - self._began_ms
        late = [
            (meter, age)
            for meter, age in self.ages_ms().items()
            if (up_ms if age is None else age) > max(self._limit_ms, _POLLS * self._periods_ms[meter])
        ]
        late.sort(key=lambda item: (item[1] is not None, -(item[1] or 0), item[0]))
        return Overdue(len(self._periods_ms), len(late), self._limit_ms, tuple(late[:MAX_WORST]))

    def fields(self) -> dict[str, object]:
        """Return the facts as fields of a status."""
        return {
            "backlog": self.backlog(),
            "resent": self._resent(),
            "dropped_by": {int(reason): count for reason, count in self.dropped_by().items()},
            "clock_offset_ms": self.clock_offset_ms(),
            "overdue": self.overdue(),
        }
