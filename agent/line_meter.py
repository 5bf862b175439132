"""What a line knows of each of its meters, and of itself."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from fieldbus.drivers.base import Address, Driver
from profiles import Block, Profile

SILENT_AFTER: Final = 3  # polls in a row that brought no reading, before it is said that a meter is silent
BACK_OFF_AFTER: Final = 2  # one lost frame costs nothing
_STRIKES: Final = 2  # of an unanswered poll; an answered one takes one away: more than every third lost is too many
_TOO_MANY_STRIKES: Final = _STRIKES * BACK_OFF_AFTER
_MOST_STRIKES: Final = 6  # so that a meter that is back is trusted again after three answers
LATENESS_MS: Final = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 1000, 5000, 60_000)
FACTOR: Final = -1
_LONGEST_SKIP: Final = 6  # what is never answered is tried with every 2^6th poll


@dataclass(frozen=True, slots=True)
class LineSettings:
    """How a line is used; durations in ms of the clock."""

    name: str
    interval_ms: int
    phase_ms: int
    longest_silence_ms: int
    timezone: str  # of the meters' clocks
    timeout_ms: int = 1000  # what an attempt at a silent meter costs
    pause_after_connect_ms: int = 0


@dataclass(slots=True)
class LineMeter:
    """A meter as its line sees it."""

    id: str
    driver: Driver
    address: Address
    period_ms: int
    blocks: Sequence[Block]  # those with the energies first
    energy_points: frozenset[str]
    emission_point: str | None = None  # of a generating unit: read with every poll, but no reading fails for it
    identity: Block | None = None  # where the serial number stands
    profile: Profile | None = None  # set where the factor is written to the meter
    serial_number: int | None = None
    due_ms: int = 0
    began_ms: int = 0  # of the last poll
    poll_ms: int = 0  # how long a whole poll takes, smoothed
    failures: int = 0  # polls without an answer, in a row
    strikes: int = 0  # how often it did not answer of late
    unread: int = 0  # polls without a reading, in a row: also those that were refused
    unreachable: bool = False  # the last poll found no connection, which says nothing of the meter
    silent_since: int | None = None
    back_ms: int = 0  # when it answered again, if it has since
    identity_due: bool = True  # the meter may be another one: at the start and after every silence
    factor_written: tuple[int, int | None] | None = None  # slot start, factor
    _mute: dict[int, tuple[int, int]] = field(default_factory=dict)  # by block: failures in a row, polls left

    @property
    def is_silent(self) -> bool:
        """Whether it did not answer several times in a row."""
        return self.failures >= BACK_OFF_AFTER and not self.unreachable

    @property
    def is_unreliable(self) -> bool:
        """Whether a poll is an attempt, for which no neighbour should wait: it is silent, or answers now and then."""
        return self.is_silent or (self.strikes >= _TOO_MANY_STRIKES and not self.unreachable)

    @property
    def is_doubtful(self) -> bool:
        """Whether its last poll was not answered, so that the next one may cost a time-out."""
        return self.failures > 0 and not self.unreachable

    @property
    def is_known(self) -> bool:
        """Whether its last poll was answered; else it may not be there, or not be the same."""
        return not self.failures and not self.identity_due

    @property
    def energy_blocks(self) -> list[Block]:
        """The blocks without which there is no reading."""
        return [block for block in self.blocks if self.is_needed(block)]

    def is_needed(self, block: Block) -> bool:
        """Whether a block has an energy."""
        return any(point.name in self.energy_points for point in block.points)

    def has_emission(self, block: Block) -> bool:
        """Whether a block has a generating unit's emission."""
        return any(point.name == self.emission_point for point in block.points)

    def strike(self, *, answered: bool) -> None:
        """Take note whether a poll was answered."""
        self.strikes = max(self.strikes - 1, 0) if answered else min(self.strikes + _STRIKES, _MOST_STRIKES)

    def wants(self, index: int) -> bool:
        """Whether to ask for a block beside the energies, by its place, or to write the factor (`FACTOR`).

        What is never answered is tried less and less.
        """
        times, left = self._mute.get(index, (0, 0))
        if left:
            self._mute[index] = (times, left - 1)
        return not left

    def answered(self, index: int, *, well: bool) -> None:
        """Take note whether a block beside the energies came, or the factor was taken."""
        if well:
            self._mute.pop(index, None)
            return
        times = min(self._mute.get(index, (0, 0))[0] + 1, _LONGEST_SKIP)
        self._mute[index] = (times, (1 << times) - 1 if times > 1 else 0)


@dataclass(slots=True)
class Lateness:
    """How late polls begin, as counts by upper bound."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(LATENESS_MS) + 1))
    total_ms: int = 0

    def add(self, late_ms: int) -> None:
        """Count a poll."""
        self.total_ms += late_ms
        for index, bound in enumerate(LATENESS_MS):
            if late_ms <= bound:
                self.counts[index] += 1
                return
        self.counts[-1] += 1

    def bound_ms(self, share: float) -> int:
        """Return the bound within which this share of the polls began; the largest bound if it is beyond all."""
        wanted = share * sum(self.counts)
        seen = 0
        for bound, count in zip(LATENESS_MS, self.counts, strict=False):
            seen += count
            if seen >= wanted:
                return bound
        return LATENESS_MS[-1]
