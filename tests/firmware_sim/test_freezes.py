"""The freezes a meter keeps: one of each midnight, the newest first, and no more than the standard's numbers."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from firmware_sim.freezes import DAILY_FREEZES, MONTHLY_FREEZES, FreezeMemory
from firmware_sim.history import CARBON_DAYS

ZONE = "Asia/Shanghai"
DAY_MS = 86_400_000


def midnight(year: int, month: int, day: int) -> int:
    return round(datetime(year, month, day, tzinfo=ZoneInfo(ZONE)).timestamp() * 1000)


START = midnight(2026, 1, 31)


def test_the_registers_of_a_midnight_are_kept_once() -> None:
    memory = FreezeMemory(ZONE, START + 1, (50, 5))
    assert memory.next_ms == START + DAY_MS
    memory.freeze(START, {"energy_forward": 9}, (90, 9))  # that before the meter was there
    assert not memory.daily
    memory.freeze(START + DAY_MS, {"energy_forward": 10}, (80, 6))
    memory.freeze(START + DAY_MS, {"energy_forward": 11}, (85, 7))
    assert memory.row("daily_freezes", 1) == {"time": START + DAY_MS, "energy_forward": 10}
    assert memory.row("monthly_freezes", 1) == memory.row("daily_freezes", 1)
    assert memory.row("daily_carbon", 1) == {"time": START, "carbon_forward": 30, "carbon_reverse": 1}
    assert memory.next_ms == START + 2 * DAY_MS
    memory.freeze(START + 2 * DAY_MS, {"energy_forward": 12}, (100, 8))
    assert [row["energy_forward"] for row in memory.daily] == [12, 10]
    assert len(memory.monthly) == 1
    assert memory.row("daily_carbon", 1) == {"time": START + DAY_MS, "carbon_forward": 20, "carbon_reverse": 2}


@pytest.mark.parametrize("table", ["daily_freezes", "monthly_freezes", "daily_carbon"])
def test_a_row_that_is_not_there_yet_is_empty(table: str) -> None:
    memory = FreezeMemory(ZONE, START, (0, 0))
    assert memory.row(table, 1) == {}
    memory.freeze(START + DAY_MS, {}, (0, 0))
    assert memory.row(table, 1) != {}
    assert memory.row(table, 2) == {}


def test_what_is_too_old_makes_room() -> None:
    memory = FreezeMemory(ZONE, START, (0, 0))
    days = CARBON_DAYS + 40
    for day in range(1, days + 1):
        memory.freeze(START + day * DAY_MS, {}, (day * day, 0))
    assert len(memory.daily) == DAILY_FREEZES == 30
    assert len(memory.monthly) == MONTHLY_FREEZES == 12
    assert memory.row("daily_carbon", CARBON_DAYS)["time"] == START + (days - CARBON_DAYS) * DAY_MS
    assert memory.row("daily_carbon", CARBON_DAYS + 1) == {}
    assert memory.row("daily_carbon", 1)["carbon_forward"] == days * days - (days - 1) ** 2
