"""What a meter freezes (冻结): its registers at each local midnight, and each day's carbon (日碳排放量)."""

from collections import deque
from typing import Final

from diantan_core import day_start_ms, next_day_start_ms, next_month_start_ms
from firmware_sim.history import CARBON_DAYS

# T/CIMA 0079.4 section 5.7
DAILY_FREEZES: Final = 30
MONTHLY_FREEZES: Final = 12

Row = dict[str, int | None]
"""Values in canonical units by standard name."""


class FreezeMemory:
    """The freezes and days that one meter keeps. Times are those of the meter's clock, in ms; carbon is in ng."""

    def __init__(self, timezone: str, device_ms: int, carbon: tuple[int, int]) -> None:
        """`carbon`: the (forward, reverse) registers at `device_ms`, the first instant."""
        self.timezone = timezone
        self.daily: deque[Row] = deque(maxlen=DAILY_FREEZES)  # newest first
        self.monthly: deque[Row] = deque(maxlen=MONTHLY_FREEZES)
        self.carbon_days: deque[Row] = deque(maxlen=CARBON_DAYS)
        self.day_carbon = carbon  # when the day began
        self.next_ms = self.midnight_after(device_ms)
        self.last_ms = day_start_ms(device_ms, timezone)

    def freeze(self, midnight_ms: int, shown: Row, carbon: tuple[int, int]) -> None:
        """Keep the registers at a local midnight, unless a clock set back brings the same one again.

        `shown` is what the registers show, `carbon` their (forward, reverse) carbon at full precision.
        """
        self.next_ms = self.midnight_after(midnight_ms)
        if midnight_ms <= self.last_ms:
            return
        row = {"time": midnight_ms, **shown}
        self.daily.appendleft(row)
        if self.begins_month(midnight_ms):
            self.monthly.appendleft(row)
        self.close_day(midnight_ms, carbon)
        self.last_ms = midnight_ms

    def midnight_after(self, device_ms: int) -> int:
        """Return when the registers are frozen next."""
        return next_day_start_ms(device_ms, self.timezone)

    def begins_month(self, midnight_ms: int) -> bool:
        """Return whether the freeze of a midnight is also a month's."""
        return next_month_start_ms(midnight_ms - 1, self.timezone) == midnight_ms

    def close_day(self, midnight_ms: int, carbon: tuple[int, int]) -> None:
        """Keep the carbon of the day that ends."""
        self.carbon_days.appendleft(
            {
                "time": day_start_ms(midnight_ms - 1, self.timezone),
                "carbon_forward": carbon[0] - self.day_carbon[0],
                "carbon_reverse": carbon[1] - self.day_carbon[1],
            }
        )
        self.day_carbon = carbon

    def row(self, table: str, number: int) -> Row:
        """Return a row of a table, 1 the newest (see `profiles.points.TABLES`); empty when there is none yet."""
        rows = {"daily_freezes": self.daily, "monthly_freezes": self.monthly, "daily_carbon": self.carbon_days}[table]
        return rows[number - 1] if number <= len(rows) else {}
