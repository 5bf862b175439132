"""Which day's factors a meter shows in its factor history (电碳因子历史): the day that was selected."""

from typing import Final

from diantan_core import day_start_ms, next_day_start_ms
from firmware_sim.factors import SLOT_MS

CARBON_DAYS: Final = 365  # T/CIMA 0079.4 section 5.7


class HistoryDay:
    """The selected day, so many local days back."""

    def __init__(self, timezone: str) -> None:
        self._timezone = timezone
        self._days_back = 0
        self._key: tuple[int, int] | None = None
        self._start_ms = 0

    def select(self, days_back: int) -> None:
        """Choose a day: 0 today, 1 yesterday .. 365; ValueError beyond."""
        if not 0 <= days_back <= CARBON_DAYS:
            raise ValueError(f"the factor history goes 0..{CARBON_DAYS} days back, not {days_back}")
        self._days_back = days_back

    def slot_ms(self, number: int, device_ms: int) -> int | None:
        """Return the start of the day's slot `number` (from 1); None when the day has not so many."""
        start_ms = self._start(day_start_ms(device_ms, self._timezone))
        time_ms = start_ms + (number - 1) * SLOT_MS
        return time_ms if time_ms < next_day_start_ms(start_ms, self._timezone) else None

    def _start(self, today_ms: int) -> int:
        """Return the local midnight at which the day began."""
        key = (today_ms, self._days_back)
        if key != self._key:
            start_ms = today_ms
            for _ in range(self._days_back):
                start_ms = day_start_ms(start_ms - 1, self._timezone)
            self._key, self._start_ms = key, start_ms
        return self._start_ms
