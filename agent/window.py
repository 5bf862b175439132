"""Which batches are under way to the centre, and which to send next: the delivery logic without any input or output.

Every sequence above `acknowledged` is in one of four places: fresh and not sent yet, waiting in the drain, under way,
or known to be stored (or gone from the journal). Fresh records come first; what waited too long for its turn, or was
there when the program started, is backlog. A batch is sent again when its time-out passes (longer each time), when one
sent after it has arrived and it has not, and when the link comes back.
"""

import random
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from agent.drain import Drain, Kind, Run
from agent.spans import Span, Spans, stored_spans, without

_HASTE_SHARE = 8  # a batch overtaken by another is sent again after this part of the time-out: receivers may race
_FRESH_IN_A_ROW = 4  # fresh batches before one of the backlog goes in any case
_RESERVE_SHARE = 4  # this part of the window is kept free of backlog, so that fresh records find room
_MARKS_A_TIMEOUT = 8


@dataclass(slots=True)
class Batch:
    """A run of sequences that was sent and is not yet acknowledged."""

    first: int
    count: int
    sent_ms: float
    due_ms: float  # when to send it again
    kind: Kind
    begun: int  # the number of its first transmission, among all
    order: int  # the number of its last one
    attempts: int = 1

    @property
    def last(self) -> int:
        """The last sequence."""
        return self.first + self.count - 1


class Window:
    """Up to `size` unacknowledged batches of up to `batch` records; times are monotonic ms.

    `timeouts_ms` gives (the first time-out, the longest one), asked for each batch: they follow the clock's speed.
    Until the first batch sent since the start is acknowledged, only one of the backlog is under way: its
    acknowledgement tells what the centre had before.
    """

    def __init__(
        self,
        acknowledged: int,
        next_sequence: int,
        *,
        batch: int,
        size: int,
        timeouts_ms: Callable[[], tuple[float, float]],
        chance: random.Random,
        drain_per_second: int = 0,
    ) -> None:
        self.acknowledged = acknowledged
        self.frontier = next_sequence  # the first fresh record that was not sent
        self.resent = 0  # batches sent more than once
        self.drain = Drain(
            [(acknowledged + 1, next_sequence - 1)] if next_sequence > acknowledged + 1 else [],
            batch=batch,
            per_second=drain_per_second,
        )
        self._next = next_sequence
        self._batch = batch
        self._size = size
        self._timeouts_ms = timeouts_ms
        self._chance = chance
        self._open: dict[int, Batch] = {}  # by the number of the first transmission
        self._transmissions = 0
        self._arrived = 0  # the highest number of a transmission that has arrived, or a later one instead
        self._heard = False
        self._blind = False  # the centre's gaps are too many for it to tell what it has above them
        self._in_a_row = 0
        self._marks: deque[tuple[float, int]] = deque()  # (ms, last sequence): when fresh records were first seen

    def __len__(self) -> int:
        """Return the number of unacknowledged batches."""
        return len(self._open)

    @property
    def has_room(self) -> bool:
        """Whether another batch may be sent."""
        return len(self._open) < self._size

    @property
    def sent_to(self) -> int:
        """The last sequence up to which everything has been sent."""
        return (self.drain.waiting[0][0] if self.drain.waiting else self.frontier) - 1

    @property
    def beyond(self) -> int:
        """How many records above `acknowledged` are dealt with: the centre has them, or nobody has."""
        waiting = sum(last - first + 1 for first, last in self.drain.waiting)
        under_way = sum(batch.count for batch in self._open.values() if batch.kind is not Kind.AGAIN)
        return self.frontier - 1 - self.acknowledged - waiting - under_way

    def grown(self, next_sequence: int, now_ms: float) -> None:
        """Note how far the journal goes now; fresh records that have waited for a time-out become backlog.

        Not while the drain has too many runs already: then fresh records wait for their turn in order.
        """
        late_ms = self._timeouts_ms()[0]
        if next_sequence > self._next:
            self._next = next_sequence
            at_ms = now_ms
            if self._marks and now_ms - self._marks[-1][0] < late_ms / _MARKS_A_TIMEOUT:
                at_ms, _ = self._marks.pop()
            self._marks.append((at_ms, next_sequence - 1))
        while self._marks and self._marks[0][1] < self.frontier:
            self._marks.popleft()
        while self._marks and self._marks[0][0] + late_ms <= now_ms and not self._parted():
            _, last = self._marks.popleft()
            self.drain.enter(self.frontier, last)
            self.frontier = last + 1

    def _parted(self) -> bool:
        """Return whether what is fresh would be one run too many in the drain."""
        waiting = self.drain.waiting
        return self.drain.full and waiting[-1][1] + 1 < self.frontier

    def next_run(self, now_ms: float, *, partial: bool) -> Run | None:
        """Return the next new batch, None when there is none; without `partial` only full ones of fresh records."""
        if not self.has_room:
            return None
        fresh = self._fresh(partial=partial)
        if fresh is not None and self._in_a_row < _FRESH_IN_A_ROW:
            return fresh
        return (self.drain.next(probing=self._blind or not self._heard) if self._may_drain(now_ms) else None) or fresh

    def next_fresh(self, *, partial: bool) -> Run | None:
        """Return the next batch of fresh records alone."""
        return self._fresh(partial=partial) if self.has_room and self._in_a_row < _FRESH_IN_A_ROW else None

    def _fresh(self, *, partial: bool) -> Run | None:
        count = min(self._batch, self._next - self.frontier)
        if count <= 0 or (count < self._batch and not partial):
            return None
        return Run(self.frontier, count, Kind.FRESH)

    def _may_drain(self, now_ms: float) -> bool:
        return self._room_to_drain() and self.drain.ready_ms() <= now_ms

    def _room_to_drain(self) -> bool:
        if not self.drain or not self.has_room:
            return False
        reserve = 0 if self._size == 1 else max(1, self._size // _RESERVE_SHARE)
        most = self._size - reserve if self._heard or not self.drain.waiting else 1
        return sum(batch.kind is not Kind.FRESH for batch in self._open.values()) < most

    def wanted(self, run: Run) -> bool:
        """Return whether a batch is still to be sent as it was given out: an acknowledgement may have come since."""
        first, last = run.first, run.first + run.count - 1
        if run.kind is Kind.FRESH:
            return self.frontier == first
        spans = self.drain.again if run.kind is Kind.AGAIN else self.drain.waiting
        return any(low <= first and last <= high for low, high in spans)

    def wanted_again(self, batch: Batch, first: int) -> bool:
        """Return whether a batch that was due still begins with a sequence that the centre does not have."""
        return batch.begun in self._open and batch.first == first

    def sent(self, run: Run, now_ms: float) -> None:
        """Note that a new batch was handed to the link; it may be shorter than what was given out."""
        self._transmissions += 1
        number = self._transmissions
        due_ms = now_ms + self._delay(1)
        self._open[number] = Batch(run.first, run.count, now_ms, due_ms, run.kind, number, number)
        if run.kind is Kind.FRESH:
            self.frontier = run.first + run.count
            self._in_a_row += 1
        else:
            self._in_a_row = 0
            self.drain.sent(run, now_ms)
            if run.kind is Kind.BACKLOG:
                self.drain.settle(run.first, run.first + run.count - 1)

    def sent_again(self, batch: Batch, count: int, now_ms: float) -> None:
        """Note that the first `count` records of a batch were handed to the link once more; the others wait anew."""
        if count < batch.count:
            rest = (batch.first + count, batch.last)
            (self.drain.enter_again if batch.kind is Kind.AGAIN else self.drain.enter)(*rest)
            batch.count = count
        if batch.kind is not Kind.FRESH:
            self.drain.charge(count, now_ms)
        self._transmissions += 1
        batch.order = self._transmissions
        batch.attempts += 1
        batch.sent_ms = now_ms
        batch.due_ms = now_ms + self._delay(batch.attempts)
        self.resent += 1

    def give_up(self, first: int, last: int) -> None:
        """Give up sequences that the journal no longer has."""
        self.drain.forget(first, last)
        if first <= self.frontier <= last:
            self.frontier = last + 1
        self._close([(first, last)], self._open.values())

    def again(self, first: int, last: int) -> None:
        """Send records once more even though the centre has acknowledged them; not those that are still to be sent."""
        spans: Spans = [(first, min(last, self.frontier - 1))] if first < self.frontier else []
        for batch in self._open.values():
            spans = without(spans, batch.first, batch.last)
        for low, high in spans:
            self.drain.enter_again(low, high)

    def due(self, now_ms: float) -> list[Batch]:
        """Return the batches to send again now, oldest first."""
        return sorted((batch for batch in self._open.values() if batch.due_ms <= now_ms), key=lambda batch: batch.first)

    def next_due_ms(self) -> float | None:
        """Return when there is something to do of itself: a batch falls due, or the rate allows another one."""
        times = [batch.due_ms for batch in self._open.values()]
        if self._room_to_drain():
            times.append(self.drain.ready_ms())
        return min(times, default=None)

    def acknowledge(
        self, up_to: int, missing: Sequence[Span], now_ms: float, *, highest: int = 0, stale: bool = False
    ) -> bool:
        """Take what the centre says it has; return whether `acknowledged` has grown.

        What it has is true whatever the age of the message. What it misses is news only of the newest message
        (`stale`: it is not), and a reason to send again only what was overtaken: the rest is on its way or was not
        sent yet. What the journal gave up counts as acknowledged: the centre would wait for it for ever.
        """
        stored = stored_spans(up_to, missing, highest)
        for low, high in stored:
            self.drain.settle(low, high)
        self.frontier = max(self.frontier, up_to + 1)
        arrived = self._close(stored, [batch for batch in self._open.values() if batch.kind is not Kind.AGAIN])
        self._heard = self._heard or bool(arrived)
        # Of a batch sent several times it is not known which one arrived: the first has the least to prove.
        self._arrived = max(self._arrived, max(arrived, default=0))
        if not stale:
            # Acknowledged long ago, these must be in what the centre says now.
            self._close(stored, [batch for batch in self._open.values() if batch.kind is Kind.AGAIN])
            self._hasten(missing, now_ms)
            self._blind = bool(missing) and not highest
            if self._blind:
                self._take_back(missing[-1][1])
        if arrived:
            self._be_patient_afresh()
        lowest = [self.frontier, *(low for low, _ in self.drain.waiting[:1])]
        lowest += [batch.first for batch in self._open.values() if batch.kind is not Kind.AGAIN]
        settled = min(lowest) - 1
        news = settled > self.acknowledged
        self.acknowledged = max(settled, self.acknowledged)
        return news

    def _close(self, spans: Spans, batches: Iterable[Batch]) -> list[int]:
        """Take runs off both ends of batches; return the numbers of those that had part in them."""
        touched = []
        for batch in list(batches):
            for low, high in spans:
                if high < batch.first or low > batch.last:
                    continue
                touched.append(batch.begun)
                if low <= batch.first:
                    batch.count = batch.last - high
                    batch.first = high + 1
                elif high >= batch.last:
                    batch.count = low - batch.first
                if batch.count <= 0:
                    del self._open[batch.begun]
                    break
        return touched

    def _hasten(self, missing: Sequence[Span], now_ms: float) -> None:
        haste_ms = self._timeouts_ms()[0] / _HASTE_SHARE
        for batch in self._open.values():
            if batch.order < self._arrived and any(low <= batch.last and batch.first <= high for low, high in missing):
                batch.due_ms = min(batch.due_ms, max(now_ms, batch.sent_ms + haste_ms))

    def _take_back(self, horizon: int) -> None:
        """Let batches that the centre can't speak of wait until it can, so that they don't keep the window shut."""
        for batch in list(self._open.values()):
            if batch.first > horizon and batch.attempts > 1 and batch.kind is not Kind.AGAIN:
                del self._open[batch.begun]
                self.drain.enter(batch.first, batch.last)

    def _be_patient_afresh(self) -> None:
        # The centre answers (again): what was sent while it did not need not wait for the longest time-out.
        for batch in self._open.values():
            if batch.attempts > 1:
                batch.attempts = 1
                batch.due_ms = min(batch.due_ms, batch.sent_ms + self._delay(1))

    def link_back(self, now_ms: float) -> None:
        """Everything under way when the link broke may be lost: send it again at once, and be patient afresh."""
        for batch in self._open.values():
            batch.due_ms = now_ms
            batch.attempts = 1

    def _delay(self, attempts: int) -> float:
        # Jitter from above only: never earlier than the time-out, and gateways that lost the same centre spread out.
        first_ms, longest_ms = self._timeouts_ms()
        delay = min(first_ms * 2.0 ** min(attempts - 1, 30), longest_ms)
        return delay * (1 + self._chance.random() / 2)
