"""Charging sessions (充电会话) and the load they make.

The load of a session is a documented model, not a car's: constant power at the charger's rated power, then a linear
taper from it down to a tenth over the last fifth of the energy, in steps of about a minute; a session that would not
end before its departure tapers later. The energy is met exactly; what even constant rated power can't deliver before
the departure is not delivered.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from firmware_sim.curves import UJ_PER_MWH, Curve

TAPER_PERCENT: Final = 20  # of the energy
TAPER_END_PERCENT: Final = 10  # of the power
TAPER_STEP_MS: Final = 60_000
GAP_MS: Final = 60_000
"""The least time between two sessions of one charger."""


@dataclass(frozen=True, slots=True)
class Session:
    """A wish to charge: `energy_mwh` between arrival and departure; `reverse`: the car feeds back (V2G, 车网互动)."""

    arrival_ms: int
    departure_ms: int
    energy_mwh: int
    name: str = ""
    reverse: bool = False


def shape(session: Session, rated_mw: int) -> list[tuple[int, int]]:
    """Return the (start, power) steps of a session, ending with power 0; the sum of energy is exact."""
    sign = -1 if session.reverse else 1
    room_ms = session.departure_ms - session.arrival_ms
    energy = session.energy_mwh * UJ_PER_MWH
    if room_ms <= 0 or energy <= 0:
        return []
    if energy >= rated_mw * room_ms:
        return [(session.arrival_ms, sign * rated_mw), (session.departure_ms, 0)]
    mean_percent = (100 + TAPER_END_PERCENT) // 2
    # Tapering x of the energy takes x/(rated·mean) instead of x/rated; what room there is for that bounds x.
    spare = (rated_mw * room_ms - energy) * mean_percent // (100 - mean_percent)
    tapered = min(energy * TAPER_PERCENT // 100, spare)
    constant_ms = (energy - tapered) // rated_mw
    rest = energy - constant_ms * rated_mw
    steps = [(session.arrival_ms, rated_mw)] if constant_ms else []
    start = session.arrival_ms + constant_ms
    taper_ms = min(-(-rest * 100 // (rated_mw * mean_percent)), room_ms - constant_ms)
    count = max(taper_ms // TAPER_STEP_MS, 1)
    length = taper_ms // count
    for number in range(count - 1):
        middle = 100 * 2 * count - (100 - TAPER_END_PERCENT) * (2 * number + 1)
        power = rated_mw * middle // (200 * count)
        steps.append((start, power))
        start += length
        rest -= power * length
    last_ms = session.arrival_ms + constant_ms + taper_ms - start
    power, odd_ms = divmod(rest, last_ms)
    steps.append((start, power))
    if odd_ms:
        steps.append((start + last_ms - odd_ms, power + 1))
    steps.append((start + last_ms, 0))
    return [(start, sign * power) for start, power in steps]


class SessionCurve(Curve):
    """The load of one charger: the sessions of each local day, one after another.

    A car that arrives while another one charges waits; one that would find no time before its departure leaves again.
    """

    def __init__(
        self, start_ms: int, zone: ZoneInfo, rated_mw: int, sessions_of: Callable[[date], Sequence[Session]]
    ) -> None:
        super().__init__(start_ms)
        self.rated_mw = rated_mw
        self.served: list[Session] = []
        self.turned_away: list[Session] = []
        self.cut_short: list[Session] = []
        self._zone = zone
        self._sessions_of = sessions_of
        self._day = datetime.fromtimestamp(start_ms / 1000, zone).date()
        self._free_ms = start_ms

    def _extend(self, until_ms: int) -> None:
        while self.covered_ms < until_ms:
            for session in sorted(self._sessions_of(self._day), key=lambda item: (item.arrival_ms, item.name)):
                self._place(session)
            self._day += timedelta(days=1)
            midnight = datetime(self._day.year, self._day.month, self._day.day, tzinfo=self._zone)
            self.covered_ms = max(int(midnight.timestamp() * 1000), self.covered_ms)

    def _place(self, wish: Session) -> None:
        if wish.arrival_ms < self.start_ms:
            return
        arrival_ms = max(wish.arrival_ms, self._free_ms)
        session = Session(arrival_ms, wish.departure_ms, wish.energy_mwh, wish.name, wish.reverse)
        steps = shape(session, self.rated_mw)
        if not steps:
            self.turned_away.append(wish)
            return
        if session.energy_mwh * UJ_PER_MWH > self.rated_mw * (session.departure_ms - arrival_ms):
            self.cut_short.append(wish)
        for start, power in steps:
            self._append(start, power)
        self.served.append(session)
        self._free_ms = session.departure_ms + GAP_MS
