"""What waits behind the fresh records: the backlog (积压) and what the centre asked for again; order and rate."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from agent.spans import Span, Spans, united, without

MAX_SPANS: Final = 8
"""Runs of backlog that may lie between what was sent: each may become a gap at the centre, which names 64."""

_BURST_MS: Final = 1000.0  # how much of the rate may be made up for at once after a wait


class Kind(Enum):
    """Why records are sent."""

    FRESH = "fresh"  # as they are made
    BACKLOG = "backlog"  # later than that
    AGAIN = "again"  # the centre asked for them, though it has acknowledged them


class _Turn(Enum):
    NEWEST = "newest"
    OLDEST = "oldest"
    AGAIN = "again"


# The oldest have every fourth batch: enough that the cumulative acknowledgement advances and retention stays behind,
# as long as a quarter of the rate is more than what the meters make (agent.config says so of a configured rate).
_TURNS: Final = (_Turn.NEWEST, _Turn.AGAIN, _Turn.NEWEST, _Turn.OLDEST)
OLDEST_SHARE: Final = len(_TURNS)


@dataclass(frozen=True, slots=True)
class Run:
    """Sequences to send in one batch."""

    first: int
    count: int
    kind: Kind


class Drain:
    """The runs that wait, which batch of them is next, and when; times are monotonic ms."""

    def __init__(self, waiting: Iterable[Span], *, batch: int, per_second: int) -> None:
        """`per_second` records at most leave here; 0: no limit."""
        self.waiting: Spans = list(waiting)
        self.again: Spans = []
        self._batch = batch
        self._ms_a_record = 1000 / per_second if per_second else 0.0
        self._turn = 0
        self._free_ms: float | None = None  # when what has left is paid for

    def __bool__(self) -> bool:
        """Return whether anything waits."""
        return bool(self.waiting or self.again)

    @property
    def full(self) -> bool:
        """Whether another run would be one too many."""
        return len(self.waiting) >= MAX_SPANS

    def ready_ms(self) -> float:
        """Return from when on the rate allows another batch."""
        return 0.0 if self._free_ms is None else self._free_ms

    def next(self, *, probing: bool) -> Run | None:
        """Return the next batch; while `probing` it is the oldest, whose acknowledgement tells what the centre has."""
        if not self:
            return None
        turn = _Turn.OLDEST if probing else _TURNS[self._turn % len(_TURNS)]
        if not self.waiting:
            turn = _Turn.AGAIN
        elif turn is _Turn.AGAIN and not self.again:
            turn = _Turn.NEWEST
        if turn is _Turn.NEWEST:
            # Too many gaps: the smallest is closed first. None comes by sending from an end of a run.
            low, high = min(self.waiting, key=_length) if len(self.waiting) > MAX_SPANS else self.waiting[-1]
            low = max(low, high - self._batch + 1)
        else:
            low, high = (self.again if turn is _Turn.AGAIN else self.waiting)[0]
        count = min(high - low + 1, self._batch)
        return Run(low, count, Kind.AGAIN if turn is _Turn.AGAIN else Kind.BACKLOG)

    def sent(self, run: Run, now_ms: float) -> None:
        """Note that a batch has left."""
        self._turn += 1
        self.charge(run.count, now_ms)
        if run.kind is Kind.AGAIN:
            self.again = without(self.again, run.first, run.first + run.count - 1)

    def charge(self, count: int, now_ms: float) -> None:
        """Count records against the rate, also when they leave once more."""
        if self._ms_a_record:
            begun = now_ms if self._free_ms is None else max(self._free_ms, now_ms - _BURST_MS)
            self._free_ms = begun + count * self._ms_a_record

    def enter(self, first: int, last: int) -> None:
        """Let more records wait."""
        if first <= last:
            self.waiting = united(self.waiting, first, last)

    def enter_again(self, first: int, last: int) -> None:
        """Let records wait that the centre has acknowledged and asks for; not those that wait anyhow."""
        spans: Spans = [(first, last)]
        for low, high in self.waiting:
            spans = without(spans, low, high)
        for low, high in spans:
            self.again = united(self.again, low, high)

    def settle(self, first: int, last: int) -> None:
        """Take off records that the centre has, or that are under way."""
        self.waiting = without(self.waiting, first, last)

    def forget(self, first: int, last: int) -> None:
        """Take off records that there are no more."""
        self.settle(first, last)
        self.again = without(self.again, first, last)


def _length(span: Span) -> int:
    return span[1] - span[0]
