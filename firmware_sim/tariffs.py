"""Tariff registers (费率电能): which of the four tariffs is in force by the meter's clock, and what each counted."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

TARIFFS: Final = (1, 2, 3, 4)  # 尖 sharp, 峰 peak, 平 flat, 谷 valley
HOURS_A_DAY: Final = 24
FLAT: Final = 3
_HOUR_MS: Final = 3_600_000

# No schedule is common to all provinces of China: this one is an example with every tariff in it.
DEFAULT_HOURS: Final = (*[4] * 8, *[2] * 2, *[1] * 2, *[3] * 2, *[2] * 3, *[3] * 2, *[1] * 2, *[2] * 1, *[3] * 2)


class TariffSchedule:
    """The tariff of each local hour (日时段表), the same every day."""

    def __init__(self, hours: Sequence[int], timezone: str) -> None:
        if len(hours) != HOURS_A_DAY or not set(hours) <= set(TARIFFS):
            raise ValueError(f"a tariff schedule has {HOURS_A_DAY} hours of tariff 1 to 4, not {list(hours)}")
        self._hours = tuple(hours)
        self._zone = ZoneInfo(timezone)

    def at(self, device_ms: int) -> int:
        """Return the tariff in force at a time of the meter's clock."""
        return self._hours[datetime.fromtimestamp(device_ms / 1000, self._zone).hour]

    def next_change(self, device_ms: int) -> int:
        """Return a later time of the meter's clock up to which the tariff stays as it is: a change, or a day later."""
        now = self.at(device_ms)
        local = datetime.fromtimestamp(device_ms // 1000, self._zone)
        into_hour_ms = (local.minute * 60 + local.second) * 1000 + device_ms % 1000
        time_ms = device_ms - into_hour_ms
        for _ in range(HOURS_A_DAY):
            time_ms += _HOUR_MS
            if self.at(time_ms) != now:
                break
        return time_ms


class TariffRegisters:
    """Forward and reverse energy by tariff, in whole steps of the register, so that the four add up to the total.

    A step counts for the tariff in which it is completed. What the meter had at the start counts as flat (平).
    """

    def __init__(self, schedule: TariffSchedule, forward_mwh: int, reverse_mwh: int) -> None:
        self.schedule = schedule
        self.forward = dict.fromkeys(TARIFFS, 0)
        self.reverse = dict.fromkeys(TARIFFS, 0)
        self.forward[FLAT], self.reverse[FLAT] = forward_mwh, reverse_mwh

    def add(self, tariff: int, forward_mwh: int, reverse_mwh: int) -> None:
        """Count energy in a tariff."""
        self.forward[tariff] += forward_mwh
        self.reverse[tariff] += reverse_mwh

    def shown(self) -> dict[str, int | None]:
        """Return the registers by standard name."""
        values: dict[str, int | None] = {}
        for tariff in TARIFFS:
            values[f"energy_forward_t{tariff}"] = self.forward[tariff]
            values[f"energy_reverse_t{tariff}"] = self.reverse[tariff]
            values[f"energy_total_t{tariff}"] = self.forward[tariff] + self.reverse[tariff]
        return values
