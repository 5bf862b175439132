"""A charging station minute by minute, with whatever may be wrong with it, as rows of the store and as orders."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise
from typing import NamedTuple

from receiver_support import DAY_MS, SLOT_MS

from cloud_receiver.checks.model import IntervalRow
from wire.records import FactorQuality, Quality

MINUTE_MS = 60_000
DAY_MINUTES = 1440
_BEFORE = DAY_MINUTES
"""The plant runs for a day before and after what is read of it, so that clocks may be off."""
_STEP_MWH = 10_000


class Session(NamedTuple):
    """A charging session, in minutes from the beginning, and its power."""

    first: int
    last: int
    kw: float


def drawn(dice: random.Random, days: int) -> list[Session]:
    """Draw one charger's sessions."""
    now, found = -_BEFORE + dice.randrange(120), []
    while now < (days + 1) * DAY_MINUTES - 120:
        length = dice.randrange(20, 60)
        found.append(Session(now, now + length, dice.uniform(25, 55)))
        now += length + 10 + int(dice.expovariate(1 / 210))
    return found


@dataclass
class Plant:
    """What truly happens; `unmetered` is a load in kW by minute (negative: generation) behind the master."""

    days: int = 10
    chargers: int = 5
    seed: int = 5
    unmetered: Callable[[int], float] = lambda _minute: 0.0
    sessions: list[list[Session]] = field(default_factory=list)

    def __post_init__(self) -> None:
        dice = random.Random(self.seed)
        self.sessions = [drawn(dice, self.days) for _ in range(self.chargers)]

    def energies(self, charger: int) -> list[float]:
        """Return what a charger took until each minute, kWh."""
        power = [0.0] * ((self.days + 2) * DAY_MINUTES)
        for one in self.sessions[charger]:
            power[one.first + _BEFORE : one.last + _BEFORE] = [one.kw / 60] * (one.last - one.first)
        return list(accumulate(power, initial=0.0))

    def master(self, without: Sequence[int] = ()) -> list[float]:
        """Return what all chargers, cables and other loads took until each minute."""
        each = [self.energies(charger) for charger in range(self.chargers) if charger not in without]
        total, found = 0.0, [0.0]
        for minute in range((self.days + 2) * DAY_MINUTES):
            power = sum(one[minute + 1] - one[minute] for one in each)
            total += power + 2e-3 * power * power + (0.4 + self.unmetered(minute - _BEFORE)) / 60
            found.append(total)
        return found

    def rows(
        self, number: int, energies: Sequence[float], *, error: float = 0.0, late: int = 0, every: int = 1
    ) -> list[IntervalRow]:
        """Return a meter's intervals; `late`: its clock, in minutes; `every`: quarters of an hour of an interval."""
        forward, reverse = [0], [0]
        slots = self.days * 96 // every
        places = [_BEFORE + 15 * every * slot - late for slot in range(slots + 1)]
        for first, last in pairwise(places):
            change = (energies[last] - energies[first]) * (1 + error) * 1_000_000
            forward.append(forward[-1] + int(max(change, 0)))
            reverse.append(reverse[-1] + int(max(-change, 0)))
        shown = [[total - total % _STEP_MWH for total in totals] for totals in (forward, reverse)]
        return [
            IntervalRow(
                DAY_MS + slot * every * SLOT_MS,
                *(number, number, slot + 1, every * SLOT_MS),
                *(shown[0][slot + 1] - shown[0][slot], shown[1][slot + 1] - shown[1][slot]),
                *(shown[0][slot + 1], shown[1][slot + 1]),
                *(None, int(FactorQuality.UNDEFINED), 0, 0, 0, 0, 15, int(Quality.MEASURED)),
            )
            for slot in range(slots)
        ]

    def station(
        self, numbers: Sequence[int], errors: Sequence[float] = (), late: Sequence[int] = ()
    ) -> list[IntervalRow]:
        """Return the intervals of all meters: `numbers` of the chargers, and of the master as the last."""
        given = [*errors, *[0.0] * self.chargers], [*late, *[0] * self.chargers]
        rows = [
            row
            for charger, (number, error, minutes) in enumerate(zip(numbers[:-1], *given, strict=False))
            for row in self.rows(number, self.energies(charger), error=error, late=minutes)
        ]
        return rows + self.rows(numbers[-1], self.master())

    def orders(self, charger: int, error: float = 0.0) -> list[tuple[int, int, int]]:
        """Return a charger's orders: begin and end in ms, energy in mWh."""
        return [
            (
                DAY_MS + one.first * MINUTE_MS,
                DAY_MS + one.last * MINUTE_MS,
                int(one.kw * (one.last - one.first) / 60 * (1 + error) * 100) * 10_000,
            )
            for one in self.sessions[charger]
            if one.first >= 0 and one.last <= self.days * DAY_MINUTES
        ]
