"""Maximum demand (最大需量): the greatest mean power of a demand period since the month began, and when it was."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from diantan_core import next_month_start_ms
from firmware_sim.curves import Curve
from firmware_sim.device_clock import DeviceClock

DEFAULT_PERIOD_MS: Final = 900_000


@dataclass(slots=True)
class Demand:
    """One direction: the mean of the last whole period in mW, the greatest of the month and the end of its period."""

    last: int = 0
    greatest: int = 0
    time_ms: int | None = None

    def take(self, mean_mw: int, end_ms: int) -> None:
        """Count a period that has ended."""
        self.last = mean_mw
        if mean_mw > self.greatest:
            self.greatest, self.time_ms = mean_mw, end_ms

    def clear(self) -> None:
        """Forget the greatest one."""
        self.greatest, self.time_ms = 0, None


class DemandMemory:
    """Demand by periods that follow each other (区间式), on the meter's clock; cleared when its month begins.

    `gain` is what the meter makes of 1. A period in which the clock is set is left out.
    """

    def __init__(self, load: Curve, gain: Fraction, clock: DeviceClock, timezone: str, period_ms: int) -> None:
        self.forward = Demand()
        self.reverse = Demand()
        self._load = load
        self._gain = gain
        self._clock = clock
        self._timezone = timezone
        self._period_ms = period_ms
        self.restart(load.start_ms)

    def restart(self, now_ms: int) -> None:
        """Begin with the first whole period after an instant: at the start, and when the clock has been set."""
        device_ms = self._clock.at(now_ms)
        self._from_ms = device_ms + -device_ms % self._period_ms  # of the meter's clock
        self._month_end_ms = next_month_start_ms(device_ms, self._timezone)

    def bring(self, now_ms: int) -> None:
        """Count the periods that have ended by an instant."""
        device_ms = self._clock.at(now_ms)
        while self._from_ms + self._period_ms <= device_ms:
            end_ms = self._from_ms + self._period_ms
            started, ended = self._clock.when(self._from_ms), self._clock.when(end_ms)
            if self._from_ms >= self._month_end_ms:
                self.forward.clear()
                self.reverse.clear()
                self._month_end_ms = next_month_start_ms(self._from_ms, self._timezone)
            before, after = self._load.energy_at(started), self._load.energy_at(ended)
            mean = self._gain / max(ended - started, 1)
            self.forward.take(int((after[0] - before[0]) * mean), end_ms)
            self.reverse.take(int((after[1] - before[1]) * mean), end_ms)
            self._from_ms = end_ms
