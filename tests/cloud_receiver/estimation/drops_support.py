"""A station whose branches drop voltage, minute by minute: its intervals and its means of voltage, for a store."""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import accumulate, pairwise
from math import exp, pi, sin
from typing import Any

from estimation_support import DAY, Site
from known_orders_support import Sold
from plant_support import DAY_MINUTES, MINUTE_MS
from receiver_support import SLOT_MS, station_model
from sqlalchemy import insert

from cloud_receiver import database
from cloud_receiver.checks.model import IntervalRow
from cloud_receiver.registry import Loss, Station
from cloud_receiver.schema import event
from wire.records import EventCode, FactorQuality, Quality
from wire.voltage_means import VoltageBlock, VoltageMean

LINE_V = 400
DESIGN = 1.5e-3
"""Loss of a branch by design, 1/kW: 1 % at 6.7 kW."""
TRUNK = 1e-4
RATED_KW = 9
QUARTERS = 48
"""Of a block."""
_STEP_MWH = 10_000
_MEANS = range(15)


def wired(chargers: int, *, designed: bool = True, **changes: object) -> Station:
    """Return station S1 with chargers of 9 kW, on three phases, and, if `designed`, the losses of its cables."""
    base = station_model(chargers)
    *meters, grid = base.meter
    small = [meter.model_copy(update={"rated_kw": Decimal(RATED_KW)} | changes) for meter in meters]
    ohm = {"trunk_ohm": TRUNK, "branch_ohm": DESIGN} if designed else {}
    loss = Loss.model_validate(
        {name: Decimal(str(value * LINE_V**2 / 1000)) for name, value in ohm.items()}
        | ({"line_voltage_v": Decimal(LINE_V)} if designed else {})
    )
    return base.model_copy(update={"meter": (*small, grid), "loss": loss})


@dataclass
class Wired:
    """What truly happens at chargers of `kw` (lowest, highest), whose branches lose `branches`, 1/kW."""

    branches: Sequence[float]
    days: int = 10
    kw: tuple[float, float] = (6.2, 7.0)
    seed: int = 3
    shared: Sequence[int] = ()
    """Chargers that have a cable in common before their branches."""
    shared_loss: float = 0.0
    later: tuple[int, Sequence[float]] | None = None
    """From a minute on branches lose something else."""
    power: list[list[float]] = field(default_factory=list)
    """By charger and minute, kW."""
    master_kw: list[float] = field(default_factory=list)
    """What flows through the master, by minute."""

    def __post_init__(self) -> None:
        dice = random.Random(self.seed)
        minutes = self.days * DAY_MINUTES
        for _ in self.branches:
            own, now = [0.0] * minutes, dice.randrange(300)
            while now < minutes:
                length, kw = dice.randrange(60, 240), dice.uniform(*self.kw)
                last = min(now + length, minutes)
                own[now:last] = [kw] * (last - now)
                now += length + 20 + int(dice.expovariate(1 / 240))
            self.power.append(own)
        self.master_kw = [self._through(minute) for minute in range(minutes)]

    def loss(self, charger: int, minute: int) -> float:
        """Return what a charger's branch loses, 1/kW."""
        if self.later is not None and minute >= self.later[0]:
            return self.later[1][charger]
        return self.branches[charger]

    def common_kw(self, minute: int) -> float:
        """Return the power through the cable that some share."""
        return sum(self.power[charger][minute] for charger in self.shared)

    def _through(self, minute: int) -> float:
        power = [own[minute] for own in self.power]
        through = sum(power) + sum(self.loss(charger, minute) * kw**2 for charger, kw in enumerate(power))
        through += self.shared_loss * self.common_kw(minute) ** 2
        return through + TRUNK * through**2 + 0.3

    def rows(self, numbers: Sequence[int], errors: Sequence[float]) -> list[IntervalRow]:
        """Return the intervals of all meters: of the chargers, and of the master as the last."""
        powers = [*self.power, self.master_kw]
        return sorted(
            row
            for number, power, error in zip(numbers, powers, (*errors, 0.0), strict=True)
            for row in _rows(number, power, error)
        )

    def voltage(self, charger: int, seed: int = 9, *, jitter: float = 2e-4) -> list[float]:
        """Return a charger's voltage by quarter; the master's with the number after the last charger's."""
        dice = random.Random(f"{seed} {charger}")
        gain = exp(dice.gauss(0, 0.003))
        found = []
        for quarter in range(self.days * 96):
            volts = 0.0
            for minute in (quarter * 15 + place for place in _MEANS):
                mains = 230 * (1 + 0.01 * sin(2 * pi * minute / 1440) + 0.006 * sin(2 * pi * minute / 131 + seed))
                if charger < len(self.power):
                    mains /= 1 + TRUNK * self.master_kw[minute]
                    mains /= 1 + (self.shared_loss * self.common_kw(minute) if charger in self.shared else 0.0)
                    mains /= 1 + self.loss(charger, minute) * self.power[charger][minute]
                volts += mains
            found.append(gain * volts / len(_MEANS) * exp(dice.gauss(0, jitter)))
        return found

    def kilowatts(self, charger: int) -> list[float]:
        """Return a meter's mean power by quarter."""
        power = self.power[charger] if charger < len(self.power) else self.master_kw
        return [sum(power[place : place + 15]) / 15 for place in range(0, len(power), 15)]

    def orders(self, charger: int, error: float) -> list[Sold]:
        """Return an order for every session of a charger that ended."""
        found: list[Sold] = []
        begun = None
        for minute, kw in enumerate(self.power[charger]):
            if kw and begun is None:
                begun = minute
            elif not kw and begun is not None:
                mwh = int(sum(self.power[charger][begun:minute]) / 60 * (1 + error) * 100) * _STEP_MWH
                found.append(Sold(charger, DAY + begun * MINUTE_MS, DAY + minute * MINUTE_MS, mwh))
                begun = None
        return found

    def means(self, charger: int) -> list[VoltageMean | None]:
        """Return what a meter's gateway makes of both, to 0.01 V and 1 W."""
        return means_of(self.voltage(charger), self.kilowatts(charger))


def means_of(volts: Sequence[float], kilowatts: Sequence[float]) -> list[VoltageMean | None]:
    return [
        VoltageMean((round(100 * voltage) * 10,), round(1000 * kw) * 1000)
        for voltage, kw in zip(volts, kilowatts, strict=True)
    ]


def _rows(number: int, power: Sequence[float], error: float) -> list[IntervalRow]:
    totals = [int(kwh * 1e6) // _STEP_MWH * _STEP_MWH for kwh in accumulate(kw / 60 * (1 + error) for kw in power)]
    ends = [0, *totals[14::15]]
    return [
        IntervalRow(
            DAY + slot * SLOT_MS,
            *(number, number, slot + 1, SLOT_MS, last - first, 0, last, 0),
            *(None, int(FactorQuality.UNDEFINED), 0, 0, 0, 0, 15, int(Quality.MEASURED)),
        )
        for slot, (first, last) in enumerate(pairwise(ends))
    ]


def blocks_of(means: Sequence[VoltageMean | None], quarters: int = QUARTERS) -> list[VoltageBlock]:
    return [
        VoltageBlock(DAY + place * SLOT_MS, tuple(means[place : place + quarters]))
        for place in range(0, len(means), quarters)
    ]


def sent(
    site: Site,
    number: int,
    blocks: Sequence[VoltageBlock],
    *,
    journal: int = 1,
    first: int = 1,
    change: Callable[[dict[int, int | str]], Mapping[Any, Any]] = lambda details: details,
) -> None:
    """Put a meter's blocks into the store; `first`: sequence of the first one; `change`: what becomes of details."""
    station = site.context().number
    rows = [
        {
            "station": station,
            "time_ms": block.end_ms,
            "meter": number,
            "journal": journal,
            "sequence": first + place,
            "code": int(EventCode.VOLTAGE_MEANS),
            "details": json.dumps({str(key): value for key, value in change(block.to_details()).items()}),
        }
        for place, block in enumerate(blocks)
    ]
    with database.writing(site.engine) as connection:
        connection.execute(insert(event), rows)


def filled(site: Site, plant: Wired, errors: Sequence[float], *, voltages: bool = True) -> list[int]:
    """Store all of a plant's intervals and voltages; return the numbers of its meters."""
    numbers = site.numbers()
    site.store(plant.rows(numbers, errors))
    if voltages:
        for place, number in enumerate(numbers):
            sent(site, number, blocks_of(plant.means(place)), first=1_000_000 * (place + 1))
    return numbers
