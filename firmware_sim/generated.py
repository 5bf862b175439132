"""A seeded model of arrivals and energies, for stations without recorded sessions.

Arrivals of a day are Poisson with a morning and an evening peak; energies are triangular, stays are what charging takes
and some more. Every day of every charger has its own random stream, so a day is the same whichever day came before.
"""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from firmware_sim.sessions import Session

_MWH: Final = 10**6  # in a kWh
_HOUR_MS: Final = 3_600_000
# Share of the arrivals, hour of the peak, spread in hours.
_PEAKS: Final = ((0.45, 9.0, 1.5), (0.80, 18.0, 2.0))


@dataclass(frozen=True, slots=True)
class Habits:
    """What kind of sessions a charger sees: energies (least, usual, most) in kWh, and how much longer cars stay."""

    energy_kwh: tuple[float, float, float]
    stay_hours: float


AC: Final = Habits((3.0, 12.0, 36.0), 2.5)
DC: Final = Habits((8.0, 26.0, 65.0), 0.3)


@dataclass(frozen=True, slots=True)
class GeneratedSessions:
    """The sessions of one charger; a share of them, `v2g_share`, feeds energy back in the evening."""

    seed: int
    charger: str
    zone: ZoneInfo
    rated_mw: int
    per_day: Decimal
    v2g_share: Decimal
    habits: Habits

    def __call__(self, day: date) -> Sequence[Session]:
        """Return the sessions that arrive on a local day."""
        # No secret depends on it: the same seed has to give the same day for ever.
        stream = random.Random(f"{self.seed}/{self.charger}/{day.isoformat()}")  # noqa: S311
        midnight_ms = int(datetime(day.year, day.month, day.day, tzinfo=self.zone).timestamp() * 1000)
        sessions = []
        for number in range(_poisson(stream, float(self.per_day))):
            arrival_ms = midnight_ms + int(_hour(stream) * _HOUR_MS)
            least, usual, most = self.habits.energy_kwh
            energy_mwh = round(stream.triangular(least, most, usual) * 1000) * (_MWH // 1000)
            needed_ms = energy_mwh * _HOUR_MS / self.rated_mw
            stay_ms = needed_ms * stream.uniform(1.15, 1.5) + stream.expovariate(1 / self.habits.stay_hours) * _HOUR_MS
            reverse = stream.random() < self.v2g_share
            name = f"{self.charger}-{day.isoformat()}-{number + 1}"
            sessions.append(Session(arrival_ms, arrival_ms + int(stay_ms), energy_mwh, name, reverse))
        return sessions


def _hour(stream: random.Random) -> float:
    draw = stream.random()
    for upto, peak, spread in _PEAKS:
        if draw < upto:
            return min(max(stream.gauss(peak, spread), 0.0), 23.99)
    return stream.uniform(0.0, 23.99)


def _poisson(stream: random.Random, mean: float) -> int:
    limit, product, count = math.exp(-mean), stream.random(), 0
    while product > limit:
        product *= stream.random()
        count += 1
    return count
