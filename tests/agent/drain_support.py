"""A gateway's window, a centre and a bad link in simulated time: the model that the drain is checked with."""

import random
from collections import Counter
from collections.abc import Callable

from agent.drain import Kind, Run
from agent.window import Batch, Window
from cloud_receiver.commit import MAX_RANGES, MISSING_RANGES
from cloud_receiver.ranges import RangeSet

TICK_MS = 50.0
BATCH = 10
SIZE = 8
TIMEOUT_MS = 3000.0
LONGEST_MS = 12_000.0

Told = tuple[int, tuple[tuple[int, int], ...], int, float]


class World:
    """Time passes by `tick`; everything else that happens is called for."""

    def __init__(self, seed: int, *, backlog: int = 0, latency_ms: float = 150, per_second: int = 0) -> None:
        self.chance = random.Random(seed)
        self.latency_ms = latency_ms
        self.loss = self.double = self.jitter_ms = 0.0
        self.skew_ms = 0.0  # of the clock of every other receiver
        self.now = 0.0
        self.low, self.following = 1, backlog + 1  # what the journal holds: low..following - 1
        self.holes: set[int] = set()
        self.connected = True
        self.centre = RangeSet()
        self.taken: Counter[int] = Counter()  # how often each sequence came
        self.first_taken: dict[int, float] = {}
        self.written: dict[int, float] = {}
        self.order: list[int] = []  # first sequences of the batches as they were stored
        self.lives = self.cuts = self.lost = 0
        self.asked = 0  # records that the centre wanted once more
        self.most_pieces = 0
        self.per_second = per_second
        self.state_records = 37  # after so many the clock's state is another, which ends a run
        self._stored_acknowledged = 0
        self._newest_ms = float("-inf")
        self._up: list[tuple[float, int, int]] = []
        self._down: list[tuple[float, Told]] = []
        self.sends: list[tuple[float, Run | Batch, int]] = []
        self._begin()

    def _begin(self) -> None:
        self.lives += 1
        self._newest_ms = float("-inf")
        self.window = Window(
            self._stored_acknowledged,
            self.following,
            batch=BATCH,
            size=SIZE,
            timeouts_ms=lambda: (TIMEOUT_MS, LONGEST_MS),
            chance=self.chance,
            drain_per_second=self.per_second,
        )

    def write(self, count: int) -> None:
        """Let the meters make records."""
        for sequence in range(self.following, self.following + count):
            self.written[sequence] = self.now
        self.following += count
        self.window.grown(self.following, self.now)

    def cut(self) -> None:
        """Break the link: what was under way is lost."""
        self.cuts += 1
        self.connected = False
        self._up.clear()
        self._down.clear()

    def heal(self) -> None:
        """Bring the link back."""
        if not self.connected:
            self.connected = True
            self.window.link_back(self.now)

    def restart(self) -> None:
        """Kill the agent and start it again; what it remembers of the acknowledgements may be old."""
        self._down.clear()  # its session is clean
        low = self._stored_acknowledged
        self._stored_acknowledged = self.chance.randint(low, max(low, self.window.acknowledged))
        self._begin()

    def prune(self, count: int) -> None:
        """Let retention take the oldest records, acknowledged or not; never the newest."""
        self.low = max(self.low, min(self.low + count, self.following - 1))

    def lose(self, sequence: int) -> None:
        """Let a record vanish from the journal, if it is there."""
        if sequence < self.following:
            self.holes.add(sequence)

    def again(self, last: int) -> None:
        """Let the centre ask for the first records once more."""
        last = min(last, self.following - 1)
        if last:
            self.asked += last
            self.window.again(1, last)

    def outage(self, ticks: int) -> None:
        """Cut the link for a while, in which the meters go on."""
        self.cut()
        for _ in range(ticks):
            self.write(self.chance.randrange(2))
            self.tick()
        self.heal()

    def act(self, action: str, value: int) -> None:
        """Let something happen: `write`, `outage`, `restart`, `prune`, `lose` or `again`; nothing for `wait`."""
        if action == "restart":
            self.restart()
        elif action != "wait":
            getattr(self, action)(value)

    def kept(self) -> set[int]:
        """Return what the journal still holds."""
        return set(range(self.low, self.following)) - self.holes

    def gone(self) -> set[int]:
        """Return what the journal no longer holds."""
        return set(range(1, self.low)) | self.holes

    def tick(self) -> None:
        """Let time pass: deliver, then send."""
        self.now += TICK_MS
        self._deliver()
        if not self.connected:
            return
        self.window.grown(self.following, self.now)
        for batch in self.window.due(self.now):
            self._send(Run(batch.first, batch.count, batch.kind), batch)
        while (run := self.window.next_run(self.now, partial=True)) is not None:
            self._send(run, None)

    def _read(self, run: Run) -> tuple[int, int]:
        """Do as agent.journal does: return (first, count) of a run from `run.first` or later."""
        first = max(run.first, self.low)
        while first in self.holes:
            first += 1
        end = first
        while end < self.following and end - first < run.count and end not in self.holes:
            end += 1
            if end % self.state_records == 0:
                break
        return first, end - first

    def _send(self, run: Run, again: Batch | None) -> None:
        first, count = self._read(run)
        last = run.first + run.count - 1
        gone_to = min(first - 1, last) if count else last
        if gone_to >= run.first:
            self.window.give_up(run.first, gone_to)
            return
        if again is None:
            self.window.sent(Run(run.first, count, run.kind), self.now)
        else:
            self.window.sent_again(again, count, self.now)
        self.sends.append((self.now, run, count))
        for _ in range(2 if self.chance.random() < self.double else 1):
            if self.chance.random() < self.loss:
                self.lost += 1
            else:
                self._up.append((self._arrival(), run.first, count))

    def _arrival(self) -> float:
        return self.now + self.latency_ms + self.chance.random() * self.jitter_ms

    def _deliver(self) -> None:
        ready = sorted(item for item in self._up if item[0] <= self.now)
        self._up = [item for item in self._up if item[0] > self.now]
        for _, first, count in ready:
            if len(self.centre) >= MAX_RANGES and not self.centre.touches(first, first + count - 1):
                continue
            new = self.centre.add(first, first + count - 1)
            self.order += [low for low, _ in new]
            for sequence in range(first, first + count):
                self.taken[sequence] += 1
                self.first_taken.setdefault(sequence, self.now)
            self.most_pieces = max(self.most_pieces, len(self.centre))
            self._answer()
        told = sorted(item for item in self._down if item[0] <= self.now)
        self._down = [item for item in self._down if item[0] > self.now]
        for _, (up_to, missing, highest, time_ms) in told:
            stale = time_ms < self._newest_ms
            self._newest_ms = max(self._newest_ms, time_ms)
            self.window.acknowledge(up_to, missing, self.now, highest=highest, stale=stale)

    def _answer(self) -> None:
        missing = self.centre.missing(MISSING_RANGES)
        highest = self.centre.highest() if 0 < len(missing) < MISSING_RANGES else 0
        skew = self.skew_ms if self.chance.random() < 0.5 else 0
        for _ in range(2 if self.chance.random() < self.double else 1):
            if self.chance.random() < self.loss:
                self.lost += 1
            else:
                told = (self.centre.up_to(), missing, highest, self.now + skew)
                self._down.append((self._arrival(), told))

    def until(self, ready: Callable[[], bool], limit_s: float) -> None:
        """Let time pass until something is so; AssertionError when it takes too long."""
        end = self.now + 1000 * limit_s
        while not ready():
            assert self.now < end, f"not within {limit_s} simulated seconds: {self.window.drain.waiting}"
            self.tick()

    def all_stored(self) -> bool:
        """Return whether the centre has everything that the journal holds, and the window is at rest."""
        return not self.window and not self.window.drain and self.kept() <= self.first_taken.keys()

    @property
    def repeated(self) -> int:
        """How many records the agent sent more than once."""
        sent: Counter[int] = Counter()
        for _, run, count in self.sends:
            sent.update(range(run.first, run.first + count))
        return sum(count - 1 for count in sent.values())

    def fresh_delays(self) -> list[float]:
        """Return how long after it was made each stored record that was made since the start was stored, ms."""
        return [
            self.first_taken[sequence] - at for sequence, at in self.written.items() if sequence in self.first_taken
        ]

    def drained(self) -> list[Run]:
        """Return the batches of the backlog in the order in which they were sent."""
        return [run for _, run, _ in self.sends if isinstance(run, Run) and run.kind is Kind.BACKLOG]
