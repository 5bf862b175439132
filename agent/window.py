"""Which batches are under way to the centre, and which to send next: the delivery logic without any input or output.

Batches are contiguous runs of sequences. A few may be unacknowledged at a time; each is sent again when its time-out
passes (longer each time), when the centre names it missing, and when the link comes back.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_HASTE_SHARE = 8  # a batch named missing is sent again after this part of the time-out: it may still be on its way


@dataclass(slots=True)
class Batch:
    """A run of sequences that was sent and is not yet acknowledged."""

    first: int
    count: int
    sent_ms: float
    due_ms: float  # when to send it again
    attempts: int = 1

    @property
    def last(self) -> int:
        """The last sequence."""
        return self.first + self.count - 1


class Window:
    """Up to `size` unacknowledged batches of up to `batch` records; times are monotonic ms.

    `timeouts_ms` gives (the first time-out, the longest one), asked for each batch: they follow the clock's speed.
    """

    def __init__(
        self,
        acknowledged: int,
        *,
        batch: int,
        size: int,
        timeouts_ms: Callable[[], tuple[float, float]],
        chance: random.Random,
    ) -> None:
        self.acknowledged = acknowledged
        self.frontier = acknowledged + 1  # the first sequence that was not sent since the start
        self.resent = 0  # batches sent more than once
        self._given_up = 0  # the last sequence that the journal no longer had when it was to be sent
        self._batch = batch
        self._size = size
        self._timeouts_ms = timeouts_ms
        self._chance = chance
        self._open: dict[int, Batch] = {}

    def __len__(self) -> int:
        """Return the number of unacknowledged batches."""
        return len(self._open)

    @property
    def has_room(self) -> bool:
        """Whether another batch may be sent."""
        return len(self._open) < self._size

    def room_for(self, next_sequence: int, *, partial: bool) -> tuple[int, int] | None:
        """Return (first, count) of the next new batch; without `partial` only a full one; None when there is none."""
        count = min(self._batch, next_sequence - self.frontier)
        if not self.has_room or count <= 0 or (count < self._batch and not partial):
            return None
        return self.frontier, count

    def sent(self, first: int, count: int, now_ms: float) -> None:
        """Note that a new batch was handed to the link."""
        self._open[first] = Batch(first, count, now_ms, now_ms + self._delay(1))
        self.frontier = max(self.frontier, first + count)

    def sent_again(self, batch: Batch, now_ms: float) -> None:
        """Note that a batch was handed to the link once more."""
        batch.attempts += 1
        batch.sent_ms = now_ms
        batch.due_ms = now_ms + self._delay(batch.attempts)
        self.resent += 1

    def skip(self, until: int) -> None:
        """Give up every sequence before `until`: the journal no longer has them."""
        self._given_up = max(self._given_up, until - 1)
        self.frontier = max(self.frontier, until)
        kept = [batch for batch in self._open.values() if batch.last >= until]
        for batch in kept:
            first = max(batch.first, until)
            batch.first, batch.count = first, batch.last - first + 1
        self._open = {batch.first: batch for batch in kept}

    def due(self, now_ms: float) -> list[Batch]:
        """Return the batches to send again now, oldest first."""
        return sorted((batch for batch in self._open.values() if batch.due_ms <= now_ms), key=lambda batch: batch.first)

    def next_due_ms(self) -> float | None:
        """Return when the next batch falls due, or None when nothing is under way."""
        return min((batch.due_ms for batch in self._open.values()), default=None)

    def acknowledge(self, up_to: int, missing: Sequence[tuple[int, int]], now_ms: float, *, highest: int = 0) -> bool:
        """Take what the centre says it has; return whether `acknowledged` has grown.

        What the journal gave up counts as acknowledged: the centre would wait for it for ever. What is named missing
        otherwise is sent again soon.
        """
        settled = max(up_to, self.acknowledged, self._given_up)
        stored_to = max(highest, missing[-1][1] if missing else up_to)
        for low, high in missing:
            if high > settled:
                stored_to = low - 1
                break
        settled = max(settled, stored_to)
        news = settled > self.acknowledged
        self.acknowledged = settled
        self.frontier = max(self.frontier, settled + 1)
        self._open = {first: batch for first, batch in self._open.items() if batch.last > settled}
        haste_ms = self._timeouts_ms()[0] / _HASTE_SHARE
        for batch in self._open.values():
            if any(low <= batch.last and batch.first <= high for low, high in missing):
                batch.due_ms = min(batch.due_ms, max(now_ms, batch.sent_ms + haste_ms))
        return news

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
