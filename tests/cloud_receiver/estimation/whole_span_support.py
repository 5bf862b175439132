"""What is said of a station's chargers, made up, for the tests of what is noticed in it."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from estimation_support import DAY
from receiver_support import SLOT_MS, station_model

from cloud_receiver.checks.model import Context
from cloud_receiver.estimation.orders import Orders
from cloud_receiver.estimation.windows import StationWindows
from cloud_receiver.registry import Station
from diantan_core import ErrorWindows

SLOTS_A_DAY = 96


@dataclass
class One:
    """An estimate of one charger, relative."""

    charger: int
    error: float = 0.0
    u_own: float = 0.0005
    decision: str = "clear"
    probability: float = 0.0
    offset_s: tuple[float, float] | None = (0.0, 1.0)
    active_windows: int = 100
    identified: float = 1.0


@dataclass
class Said:
    """An estimation; `span`: what its residuals reach over."""

    chargers: Sequence[One] = ()
    findings: Sequence[tuple[str, list[int], dict[str, float | str], bool]] = ()
    gain: tuple[float, float] = (0.0, 0.002)
    span: tuple[int, int] = (DAY, DAY + 10 * SLOTS_A_DAY * SLOT_MS)

    @property
    def residuals(self) -> tuple[list[int], list[int], list[float], list[float], list[float]]:
        return [self.span[0]], [self.span[1]], [0.0], [0.0], [1.0]


@dataclass
class Made:
    """What is known before: chargers are numbered from 11."""

    count: int
    limit: float = 1.0
    anchored: tuple[int, ...] = ()
    gain: tuple[float, float] = (0.0, 0.0025)
    clear_below: float = 0.05
    flag_above: float = 0.95
    chargers: tuple[int, ...] = field(init=False)
    limits: dict[int, float] = field(init=False)

    def __post_init__(self) -> None:
        self.chargers = tuple(range(11, 11 + self.count))
        self.limits = dict.fromkeys(self.chargers, self.limit)


def made(count: int, **changes: Any) -> Any:
    return Made(count, **changes)


def said(*chargers: One, **changes: Any) -> Any:
    return Said(chargers, **changes)


def context(count: int, station: Station | None = None) -> Context:
    """Return a station whose chargers are numbered from 11."""
    model = station or station_model(count)
    return Context(1, model, dict(enumerate(model.meter, 11)), {})


def windows_of(master: Sequence[float], columns: Sequence[Sequence[float]], begin_ms: int = DAY) -> StationWindows:
    """Return windows of a quarter of an hour with these energies."""
    times = [begin_ms + slot * SLOT_MS for slot in range(len(master) + 1)]
    energies = ErrorWindows.from_energies(times, list(master), [list(column) for column in columns])
    return StationWindows(energies, tuple(range(11, 11 + len(columns))), (), 0, begins=True, orders=Orders())


def drawn(count: int, days: int, seed: int = 1, kw: float = 40.0) -> list[list[float]]:
    """Return what chargers take in each quarter of an hour, kWh."""
    dice = random.Random(seed)
    return [
        [dice.uniform(0.5, 1) * kw / 4 if dice.random() < 0.2 else 0.0 for _ in range(days * SLOTS_A_DAY)]
        for _ in range(count)
    ]


def total(columns: Sequence[Sequence[float]]) -> list[float]:
    """Return what all take, with 0.3 kW besides."""
    return [sum(row) + 0.075 for row in zip(*columns, strict=True)]
