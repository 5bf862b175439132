"""A station of two gateways whose readings go through the integrator of gateways, silences and all, into a centre."""

import random
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter

from checks_support import KWH
from receiver_support import FACTOR, SLOT_MS

from diantan_core import FactorSchedule, RegisterIntegrator
from wire.records import (
    EventCode,
    EventRecord,
    FactorQuality,
    FreezeKind,
    FreezeRecord,
    FreezeSource,
    IntervalRecord,
    Quality,
    Record,
)

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
STEP = 10_000
POLL_MS = 5 * MINUTE_MS
MEASURED_GAP_MS = 750_000
"""2.5 times the distance of the readings, as gateways have it."""
RATED_KW = 60
OWN_UG = 777_000_000
Span = tuple[int, int]


@dataclass
class Life:
    """What flowed in some days, and what is read of it."""

    first_ms: int
    days: int = 2
    chargers: Sequence[str] = ("C01", "C02", "C03")
    seed: int = 1
    timezone: str = "Asia/Shanghai"
    factors: dict[int, int] = field(default_factory=dict)
    """By the start of the slot; FACTOR for others."""
    begin: dict[str, int] = field(default_factory=dict)
    """Where a meter's register stands at first, mWh."""
    digits: dict[str, int] = field(default_factory=dict)
    """Beyond which a register begins again at 0, mWh."""
    silent: dict[str, list[Span]] = field(default_factory=dict)
    """When a meter is not read."""
    exchanged: dict[str, int] = field(default_factory=dict)
    """When another meter is put in, whose register begins at 0."""
    unseen: dict[str, list[Span]] = field(default_factory=dict)
    """When a meter counts nothing of what flows."""
    charges: dict[str, list[tuple[int, int, float]]] = field(init=False)
    """(begin, end, kW) of each charger."""

    def __post_init__(self) -> None:
        """Let the chargers come and go."""
        draw = random.Random(self.seed)
        self.charges = {}
        for name in self.chargers:
            at, found = self.first_ms + draw.randrange(0, 60) * MINUTE_MS, []
            while at < self.end_ms:
                end = at + draw.randrange(20, 90) * MINUTE_MS
                found.append((at, end, draw.uniform(20, 55)))
                at = end + draw.randrange(10, 180) * MINUTE_MS
            self.charges[name] = found

    @property
    def end_ms(self) -> int:
        return self.first_ms + self.days * 24 * HOUR_MS

    @property
    def last_ms(self) -> int:
        """Return the time of the last reading."""
        return self.end_ms + 2 * SLOT_MS

    def flowed(self, name: str, time_ms: int) -> float:
        """Return what had flowed by a time, mWh."""
        if name == "G":
            return sum(self.flowed(charger, time_ms) for charger in self.chargers)
        spans = ((max(0, min(end, time_ms) - begin), kw) for begin, end, kw in self.charges[name])
        return sum(duration * kw for duration, kw in spans) / HOUR_MS * KWH

    def counted(self, name: str, time_ms: int) -> float:
        """Return what the meter has counted of it."""
        spans = ((min(begin, time_ms), min(end, time_ms)) for begin, end in self.unseen.get(name, ()))
        return self.flowed(name, time_ms) - sum(
            self.flowed(name, end) - self.flowed(name, begin) for begin, end in spans
        )

    def register(self, name: str, time_ms: int) -> int:
        """Return what the meter shows."""
        since = self.exchanged.get(name)
        if since is not None and time_ms >= since:
            shown = int(self.counted(name, time_ms) - self.counted(name, since))
        else:
            shown = self.begin.get(name, 0) + int(self.counted(name, time_ms))
        shown = shown // STEP * STEP
        return shown % self.digits[name] if name in self.digits else shown

    def schedule(self) -> FactorSchedule:
        starts = range(self.first_ms - 4 * SLOT_MS, self.last_ms + SLOT_MS, SLOT_MS)
        found = FactorSchedule()
        found.extend(list(starts), [self.factors.get(start, FACTOR) for start in starts])
        return found

    def records(self, name: str) -> list[Record]:
        """Return what the gateway tells of a meter, in order of time."""
        limit = (400 if name == "G" else RATED_KW) * 1_500_000
        rollover = self.digits.get(name)
        integrator = RegisterIntegrator(
            timezone=self.timezone, rollover_mwh=rollover, max_power_mw=limit, measured_gap_ms=MEASURED_GAP_MS
        )
        times = [
            time_ms for time_ms in range(self.first_ms, self.last_ms + 1, POLL_MS) if not self._is_silent(name, time_ms)
        ]
        since = self.exchanged.get(name, self.last_ms + 1)
        schedule = self.schedule()
        found: list[Record] = []
        for part, new in (([t for t in times if t < since], False), ([t for t in times if t >= since], True)):
            if not part:
                continue
            shown = array("q", (self.register(name, time_ms) for time_ms in part))
            closed = integrator.feed(array("q", part), shown, array("q", [0] * len(part)), schedule, exchanged=new)
            for time_ms, code, direction, before, after in closed.events:
                found.append(EventRecord(name, time_ms, EventCode(code), {1: before, 2: after, 3: direction}))
            found += [
                IntervalRecord(name, *row[:7], FactorQuality(row[7]), *row[8:13], Quality(row[13]))
                for row in closed.intervals
            ]
            found += [
                FreezeRecord(name, row[0], FreezeKind(row[1]), *row[2:6], _SOURCES[Quality(row[6])])
                for row in closed.freezes
            ]
        return sorted(found, key=_time)

    def own_freezes(self, name: str) -> list[Record]:
        """Return the meter's own freezes: its carbon by the factor that it was told with the last reading."""
        times = [t for t in range(self.first_ms, self.last_ms, POLL_MS) if not self._is_silent(name, t)]
        carbon, told, found = OWN_UG * 1000, FACTOR, []
        for time_ms in range(self.first_ms, self.end_ms + 1, POLL_MS):
            if (time_ms - self.first_ms) % (24 * HOUR_MS) == 0:
                total = (self.register(name, time_ms), 0, carbon // 1000, 0)
                found.append(FreezeRecord(name, time_ms, FreezeKind.DAILY, *total, FreezeSource.METER))
            if time_ms in times:
                told = self.factors.get(time_ms - time_ms % SLOT_MS, FACTOR)
            carbon += int(self.counted(name, time_ms + POLL_MS) - self.counted(name, time_ms)) * told
        return list(found)

    def _is_silent(self, name: str, time_ms: int) -> bool:
        return any(begin <= time_ms < end for begin, end in self.silent.get(name, ()))

    def all(self, names: Iterable[str] | None = None) -> list[Record]:
        """Return what is told of all meters, in order of time."""
        return sorted((item for name in names or (*self.chargers, "G") for item in self.records(name)), key=_time)


_SOURCES = {
    Quality.MEASURED: FreezeSource.GATEWAY_MEASURED,
    Quality.INTERPOLATED: FreezeSource.GATEWAY_INTERPOLATED,
    Quality.ESTIMATED: FreezeSource.GATEWAY_INTERPOLATED,
    Quality.PARTIAL: FreezeSource.GATEWAY_PARTIAL,
}


def _time(item: Record) -> int:
    return item.start_ms if isinstance(item, IntervalRecord) else attrgetter("time_ms")(item)
