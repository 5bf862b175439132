"""The day that a meter's factor history shows."""

import pytest

from firmware_sim.history import CARBON_DAYS, HistoryDay

DAY = 86_400_000
MIDNIGHT = 1_781_020_800_000  # in Shanghai


def test_the_selected_day_back_from_today() -> None:
    day = HistoryDay("Asia/Shanghai")
    noon = MIDNIGHT + DAY // 2
    assert day.slot_ms(1, noon) == MIDNIGHT
    assert day.slot_ms(96, noon) == MIDNIGHT + 95 * 900_000
    assert day.slot_ms(97, noon) is None
    day.select(CARBON_DAYS)
    assert day.slot_ms(1, noon) == MIDNIGHT - 365 * DAY
    assert day.slot_ms(1, noon + DAY) == MIDNIGHT - 364 * DAY
    for wrong in (-1, 366):
        with pytest.raises(ValueError, match=f"not {wrong}"):
            day.select(wrong)
    assert day.slot_ms(1, noon) == MIDNIGHT - 365 * DAY


def test_a_day_of_summer_time_has_92_slots() -> None:
    day = HistoryDay("Europe/Berlin")
    last_of_march = 1_774_738_800_000  # 2026-03-29T00:00+01:00
    assert day.slot_ms(92, last_of_march) == last_of_march + 91 * 900_000
    assert day.slot_ms(93, last_of_march) is None
