"""What a replay plays: which weeks of a session file, and chargers of which some are altered."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

from demo.plan import HOUR_MS, LEAD_MS, PlanError, factors, midnight_ms, offset_zone
from firmware_sim.replay import SessionFileError, replay

SOUND_SD: Final = Decimal("0.35")
SOUND_MOST: Final = Decimal(1)
"""Errors of sound chargers in per cent: normal, within the limit of class 1."""
MASTER_SD: Final = Decimal("0.2")
MASTER_MOST: Final = Decimal("0.5")
"""Likewise the master's, within the limit of class 0.5."""
ALTERED: Final = (Decimal("3.5"), Decimal("-3.0"), Decimal("5.0"))
"""What is added to the errors of three chargers, in per cent."""
CABLE_MILLIOHM: Final = 60
CABLE_SPREAD: Final = 0.3
"""Resistance of a charger's cable: even within this share of what the centre is told."""
VOLTAGE_SD: Final = Decimal("0.3")
VOLTAGE_MOST: Final = Decimal(1)
"""Errors of the voltages that meters show, in per cent, likewise."""

NIGHTLY_MS: Final = 2 * HOUR_MS + HOUR_MS // 2
"""When the nightly run begins, after midnight: half past two by default."""


@dataclass(frozen=True, slots=True)
class Charger:
    """A charger of the replay: what its meter's error is in per cent, and how its cable is."""

    id: str
    plug: str
    sessions: int
    error_percent: Decimal
    altered_percent: Decimal | None
    """What somebody added to its error; None for a sound one."""
    cable_milliohm: Decimal
    voltage_percent: Decimal
    """The error of the voltage that its meter shows."""

    @property
    def is_altered(self) -> bool:
        """Whether it is one of those to be found."""
        return self.altered_percent is not None


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """One replay."""

    sessions: Path
    day: date
    days: int
    timezone: str
    chargers: tuple[Charger, ...]
    master_percent: Decimal
    master_voltage_percent: Decimal
    seed: int

    @property
    def zone(self) -> ZoneInfo:
        """The station's time zone."""
        return ZoneInfo(self.timezone)

    @property
    def first_ms(self) -> int:
        """Local midnight of the first day, ms UTC."""
        return midnight_ms(self.day, self.zone)

    @property
    def last_ms(self) -> int:
        """The midnight after the last day."""
        return midnight_ms(self.day + timedelta(days=self.days), self.zone)

    @property
    def origin_ms(self) -> int:
        """Where the simulated clock starts."""
        return self.first_ms - LEAD_MS

    @property
    def end_ms(self) -> int:
        """Where it ends: at the nightly run of the last day."""
        return self.last_ms + NIGHTLY_MS

    @property
    def nights_ms(self) -> frozenset[int]:
        """When the nightly run of each day begins."""
        days = (self.day + timedelta(days=number) for number in range(1, self.days + 1))
        return frozenset(midnight_ms(day, self.zone) + NIGHTLY_MS for day in days)

    @property
    def altered(self) -> frozenset[str]:
        """The chargers to be found."""
        return frozenset(charger.id for charger in self.chargers if charger.is_altered)

    def factors(self, node: str) -> Iterator[tuple[str, str, str]]:
        """Yield (node, slot start, factor) rows, made up; longer than the run at both ends."""
        return factors(node, self.origin_ms - 3 * HOUR_MS, self.end_ms + 12 * HOUR_MS, self.zone, self.seed)


def make(
    sessions: Path,
    *,
    day: date | None,
    days: int,
    chargers: int,
    seed: int,
    altered: Sequence[Decimal] = ALTERED,
) -> ReplayPlan:
    """Return the replay of `days` days from `day` on, or of those with most arrivals; PlanError.

    The busiest plugs get the chargers; which of them are altered is drawn from the seed.
    """
    if chargers <= len(altered):
        raise PlanError(f"{len(altered)} of {chargers} chargers altered: expected some that are not")
    timezone = offset_zone(sessions)
    try:
        found = replay(sessions, chargers, ZoneInfo(timezone), day, days=days)
    except SessionFileError as error:
        raise PlanError(str(error)) from None
    if len(found.plugs) < chargers:
        raise PlanError(f"{sessions}: expected sessions at {chargers} plugs in this time, found {len(found.plugs)}")
    names = [f"c{number:02}" for number in range(1, chargers + 1)]
    chance = random.Random(f"{seed}/errors")  # noqa: S311 - a simulation's, no secret
    voltage_chance = random.Random(f"{seed}/voltages")  # noqa: S311
    chosen = dict(zip(chance.sample(names, len(altered)), altered, strict=True))
    made = []
    for number, name in enumerate(names):
        sound = drawn(chance, SOUND_SD, SOUND_MOST)
        added = chosen.get(name)
        cable = Decimal(round(CABLE_MILLIOHM * chance.uniform(1 - CABLE_SPREAD, 1 + CABLE_SPREAD)))
        count = sum(len(group) for group in found.by_day[number].values())
        voltage = drawn(voltage_chance, VOLTAGE_SD, VOLTAGE_MOST)
        made.append(Charger(name, found.plugs[number], count, sound + (added or 0), added, cable, voltage))
    master = drawn(chance, MASTER_SD, MASTER_MOST)
    voltage = drawn(voltage_chance, VOLTAGE_SD, MASTER_MOST)
    return ReplayPlan(sessions.resolve(), found.day, days, timezone, tuple(made), master, voltage, seed)


def drawn(chance: random.Random, deviation: Decimal, most: Decimal) -> Decimal:
    """Return a normal error in steps of 0.001 %, clipped."""
    error = Decimal(round(1000 * chance.gauss(0, float(deviation)))) / 1000
    return max(-most, min(most, error))


def local(time_ms: int, zone: ZoneInfo) -> str:
    """Return an instant as a command takes it."""
    return datetime.fromtimestamp(time_ms / 1000, zone).isoformat()
