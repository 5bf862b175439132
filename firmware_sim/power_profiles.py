"""Loads that follow a profile (负荷曲线): daily, with dates, or a sine; power in mW, constant between its steps."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from diantan_core import day_start_ms, next_day_start_ms
from firmware_sim.curves import Curve

DAY_MS: Final = 86_400_000
_HOUR_MS: Final = 3_600_000


class DailyCurve(Curve):
    """The same steps on every local day: (time of day in ms, power), in order of time.

    Before the first step of a day the last one of the day before goes on. A day of 25 hours (夏令时) ends with its last
    step, one of 23 hours leaves out what falls into the hour that is not there: steps count from local midnight.
    """

    def __init__(self, start_ms: int, timezone: str, steps: Sequence[tuple[int, int]]) -> None:
        super().__init__(start_ms)
        times = [time for time, _ in steps]
        if not steps or times != sorted(set(times)) or not 0 <= times[0] <= times[-1] < DAY_MS:
            raise ValueError("a daily profile needs steps in order of time, from 0 to below 24 hours")
        self._timezone = timezone
        self._steps = tuple(steps)
        self._midnight = day_start_ms(start_ms, timezone)
        self._append(start_ms, steps[-1][1])

    def _extend(self, until_ms: int) -> None:
        while self._midnight < until_ms:
            following = next_day_start_ms(self._midnight, self._timezone)
            for time, power in self._steps:
                if self._midnight + time < following:
                    self._append(max(self._midnight + time, self.start_ms), power)
            self._midnight = following
        self.covered_ms = max(until_ms, self._midnight)


class DatedCurve(Curve):
    """Steps of (time in ms UTC, power) in order of time: none before the first, and the last one goes on."""

    def __init__(self, start_ms: int, steps: Sequence[tuple[int, int]]) -> None:
        super().__init__(start_ms)
        times = [time for time, _ in steps]
        if not steps or times != sorted(set(times)):
            raise ValueError("a profile needs steps in order of time")
        for time, power in steps:
            self._append(max(time, start_ms), power)

    def _extend(self, until_ms: int) -> None:
        self.covered_ms = until_ms


class SineCurve(Curve):
    """mean + amplitude · cos(2π·(t - peak)/period), taken at the beginning of each step; t counts from local midnight.

    The period divides a day, so that every day is the same.
    """

    def __init__(
        self,
        start_ms: int,
        timezone: str,
        *,
        mean_mw: int,
        amplitude_mw: int,
        period_ms: int,
        peak_ms: int,
        step_ms: int,
    ) -> None:
        super().__init__(start_ms)
        if DAY_MS % period_ms or DAY_MS % step_ms:
            raise ValueError("period and step of a sine have to divide a day")
        self._day = DailyCurve(
            start_ms,
            timezone,
            [
                (time, mean_mw + round(amplitude_mw * math.cos(2 * math.pi * (time - peak_ms) / period_ms)))
                for time in range(0, DAY_MS, step_ms)
            ],
        )

    def _extend(self, until_ms: int) -> None:
        for start, power in self._day.steps(self.covered_ms, until_ms):
            self._append(start, power)
        self.covered_ms = until_ms


def step_of(count: int) -> int | None:
    """Return how long each of so many steps of a day is, ms; None where they don't divide it into whole minutes."""
    return DAY_MS // count if count > 0 and (DAY_MS // 60_000) % count == 0 else None


def local_ms(moment: datetime, zone: ZoneInfo) -> int:
    """Return a time in ms UTC; local time unless it has an offset."""
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)
    return round(aware.timestamp() * 1000)
