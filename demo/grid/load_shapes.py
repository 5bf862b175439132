"""How loads, sun and wind go over a day: 96 values each, made up (not measured), the same for the same seed.

A shape is the mean of each quarter of an hour, as a share of what the network's file says. Loads of one class are alike
and not the same: each has its own small shift in time and its own slow noise.
"""

import math
import random
from enum import StrEnum
from typing import Final

SLOTS: Final = 96
_HOURS: Final = 24.0
_LARGEST_SHIFT_H: Final = 0.5
_NOISE_MEMORY: Final = 0.9  # of one slot's deviation, what is left in the next


class LoadClass(StrEnum):
    """What sort of consumer a load is."""

    RESIDENTIAL = "residential"  # 居民
    COMMERCIAL = "commercial"  # 商业
    INDUSTRIAL = "industrial"  # 工业
    CHARGING = "charging"  # 充电


_NOISE: Final = {
    LoadClass.RESIDENTIAL: 0.015,
    LoadClass.COMMERCIAL: 0.010,
    LoadClass.INDUSTRIAL: 0.006,
    LoadClass.CHARGING: 0.030,
}
"""Standard deviation of the noise, as a share of the load."""


def load_shape(kind: LoadClass, seed: str) -> list[float]:
    """Return the day of one load; `seed` is its own."""
    source = random.Random(f"{kind} {seed}")  # noqa: S311 - a demonstration's data, no secret
    shift = source.uniform(-_LARGEST_SHIFT_H, _LARGEST_SHIFT_H)
    noise = _slow_noise(source, _NOISE[kind])
    return [
        max(0.0, _mean(kind, (hour + shift) % _HOURS) * (1 + part)) for hour, part in zip(_hours(), noise, strict=True)
    ]


def sun_shape() -> list[float]:
    """Return a clear day in June: nothing before 5:30 and after 19:30."""
    return [max(0.0, math.sin((hour - 5.5) / 14 * math.pi)) ** 1.3 if 5.5 < hour < 19.5 else 0.0 for hour in _hours()]  # noqa: PLR2004 - sunrise and sunset


def wind_shape(seed: str) -> list[float]:
    """Return a day of wind: more by night, with slow and large deviations."""
    noise = _slow_noise(random.Random(f"wind {seed}"), 0.08)  # noqa: S311 - as above
    return [
        min(1.0, max(0.05, 0.55 + 0.2 * _bump(hour, 2, 5) + part)) for hour, part in zip(_hours(), noise, strict=True)
    ]


def _mean(kind: LoadClass, hour: float) -> float:
    if kind is LoadClass.RESIDENTIAL:
        return 0.42 + 0.16 * _bump(hour, 7.5, 1.3) + 0.14 * _bump(hour, 12.5, 1.5) + 0.48 * _bump(hour, 20, 2.2)
    if kind is LoadClass.COMMERCIAL:
        return 0.32 + 0.60 * _plateau(hour, 9, 20.5, 0.8)
    if kind is LoadClass.INDUSTRIAL:
        return 0.70 + 0.24 * _plateau(hour, 7.5, 18, 0.6) - 0.08 * _bump(hour, 12.2, 0.5)
    return 0.22 + 0.30 * _bump(hour, 12.5, 1.4) + 0.35 * _bump(hour, 18.5, 1.6) + 0.55 * _bump(hour, 0, 2.4)


def _hours() -> list[float]:
    return [(slot + 0.5) * _HOURS / SLOTS for slot in range(SLOTS)]


def _bump(hour: float, centre: float, width: float) -> float:
    distance = (hour - centre + _HOURS / 2) % _HOURS - _HOURS / 2
    return math.exp(-0.5 * (distance / width) ** 2)


def _plateau(hour: float, first: float, last: float, edge: float) -> float:
    return 0.5 * (math.tanh((hour - first) / edge) - math.tanh((hour - last) / edge))


def _slow_noise(source: random.Random, sigma: float) -> list[float]:
    values = [source.gauss(0, sigma)]
    fresh = sigma * math.sqrt(1 - _NOISE_MEMORY**2)
    while len(values) < SLOTS:
        values.append(_NOISE_MEMORY * values[-1] + source.gauss(0, fresh))
    return values
