"""Defects of storage (数据存储): freezes, days, months and the tables that keep them."""

# ruff: noqa: D102 - what a replaced method does is what its class says

from dataclasses import replace
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from diantan_core import day_start_ms
from firmware_sim.circuit import Circuit
from firmware_sim.curves import Curve
from firmware_sim.freezes import DAILY_FREEZES, FreezeMemory, Row
from firmware_sim.inspection.defects.defect import Conditions, Defect
from firmware_sim.inspection.functions import Expectations
from firmware_sim.meter import Meter, MeterSettings

_SECOND_MS: Final = 1_000
_NEVER_MS: Final = 2**62
_DAILY: Final = "functions.daily-freezes"
_MONTHLY: Final = "functions.monthly-freezes"
_YEAR: Final = "functions.year"
_BYTE: Final = 256
_MONTH_DAYS: Final = 30


class _LateMemory(FreezeMemory):
    def midnight_after(self, device_ms: int) -> int:
        return super().midnight_after(device_ms) + _SECOND_MS

    def freeze(self, midnight_ms: int, shown: Row, carbon: tuple[int, int]) -> None:
        super().freeze(day_start_ms(midnight_ms, self.timezone), shown, carbon)


class FreezeLate(Meter):
    """Freezes one second after midnight, under the name of midnight."""

    freeze_memory = _LateMemory


class NewestFirstMissing(Meter):
    """Counts the rows of its freezes from 0: row 1 is the day before yesterday's."""

    def row(self, table: str, number: int, now_ms: int) -> Row:
        return super().row(table, number + (table == "daily_freezes"), now_ms)


class RowBefore(Meter):
    """Answers with what the command before has left in its buffer."""

    def __init__(self, load: Curve, circuit: Circuit, settings: MeterSettings) -> None:
        super().__init__(load, circuit, settings)
        self._buffer: Row = {}

    def row(self, table: str, number: int, now_ms: int) -> Row:
        asked = super().row(table, number, now_ms)
        if table != "daily_freezes":
            return asked
        answer, self._buffer = self._buffer or asked, asked
        return answer


class ShortRing(Meter):
    """Keeps one daily freeze less."""

    def row(self, table: str, number: int, now_ms: int) -> Row:
        if table == "daily_freezes" and number >= DAILY_FREEZES:
            return {}
        return super().row(table, number, now_ms)


class ForwardTwice(Meter):
    """Freezes the forward registers in the place of the reverse ones, too."""

    def row(self, table: str, number: int, now_ms: int) -> Row:
        row = super().row(table, number, now_ms)
        if table != "daily_freezes" or not row:
            return row
        return {**row, "energy_reverse": row["energy_forward"], "carbon_reverse": row["carbon_forward"]}


class MonthRowsOff(Meter):
    """Answers for the month before the one that was asked for."""

    def row(self, table: str, number: int, now_ms: int) -> Row:
        return super().row(table, number + (table == "monthly_freezes"), now_ms)


class _Months(FreezeMemory):
    """Has a calendar of its own."""

    def _ended(self, midnight_ms: int) -> datetime:
        """Return an instant of the local day that ended."""
        return datetime.fromtimestamp((midnight_ms - 1) / _SECOND_MS, ZoneInfo(self.timezone))


class _ThirtyDayMonths(_Months):
    def begins_month(self, midnight_ms: int) -> bool:
        return self._ended(midnight_ms).day == _MONTH_DAYS


class ThirtyDays(Meter):
    """Takes the end of the 30th for the end of each month."""

    freeze_memory = _ThirtyDayMonths


class _ShortFebruaries(_Months):
    def begins_month(self, midnight_ms: int) -> bool:
        ended = self._ended(midnight_ms)
        if ended.month == 2:  # noqa: PLR2004 - February
            return ended.day == 28  # noqa: PLR2004 - its last day, for this firmware
        return super().begins_month(midnight_ms)


class NoLeapDay(Meter):
    """Has 28 days in each February."""

    freeze_memory = _ShortFebruaries


class _FirstBase(FreezeMemory):
    def close_day(self, midnight_ms: int, carbon: tuple[int, int]) -> None:
        base = self.day_carbon
        super().close_day(midnight_ms, carbon)
        self.day_carbon = base


class DayNotClosed(Meter):
    """Never sets the base of the day's increment anew."""

    freeze_memory = _FirstBase


class _NettedDays(FreezeMemory):
    def close_day(self, midnight_ms: int, carbon: tuple[int, int]) -> None:
        super().close_day(midnight_ms, carbon)
        row = self.carbon_days[0]
        row["carbon_forward"] = max((row["carbon_forward"] or 0) - (row["carbon_reverse"] or 0), 0)


class DayNetted(Meter):
    """Keeps forward less reverse as the forward carbon of a day."""

    freeze_memory = _NettedDays


class IndexOfAByte(Meter):
    """Keeps the number of a day in eight bits."""

    def row(self, table: str, number: int, now_ms: int) -> Row:
        if table == "daily_carbon":
            number = (number - 1) % _BYTE + 1
        return super().row(table, number, now_ms)


class HistoryDayOff(Meter):
    """Shows the factors of the day after the one that was asked for."""

    def select_history_day(self, days_back: int) -> None:
        super().select_history_day(max(days_back - 1, 0))


class FreezeSkipped(Meter):
    """Forgets the midnight over which its clock is set."""

    def set_clock(self, now_ms: int, device_ms: int) -> None:
        self.advance(now_ms)
        self.frozen.next_ms = _NEVER_MS
        super().set_clock(now_ms, device_ms)


class FreezeTwice(Meter):
    """Freezes a midnight again when its clock is set back before it."""

    def set_clock(self, now_ms: int, device_ms: int) -> None:
        super().set_clock(now_ms, device_ms)
        self.frozen.last_ms = min(self.frozen.last_ms, day_start_ms(device_ms, self.settings.timezone))


class TimeByClock(Meter):
    """Multiplies the power with the time that its clock has gone, also when the clock was set."""

    def set_clock(self, now_ms: int, device_ms: int) -> None:
        by_ms = max(device_ms - self.device_time(now_ms), 0)
        super().set_clock(now_ms, device_ms)
        mwh = self._measured.power_at(now_ms) * by_ms * self._gain_numerator // self._gain_denominator
        totals = self._totals
        self.preset(
            now_ms,
            {
                "energy_forward": totals.energy_forward + max(mwh, 0),
                "energy_reverse": totals.energy_reverse - min(mwh, 0),
            },
        )


DEFECTS: Final = (
    Defect(
        "freeze-late",
        "Freeze one second late",
        "冻结晚一秒",
        "The task that freezes looks at the clock before it is brought forward: 00:00:01, stored as 00:00:00.",
        _DAILY,
        FreezeLate,
    ),
    Defect(
        "midnight-utc",
        "Local midnight in UTC",
        "以 UTC 零点为日界",
        "Days are counted in UTC: the freeze happens at 08:00 local time.",
        "robustness.local-midnight",
        adjust=lambda settings: replace(settings, timezone="UTC"),
    ),
    Defect(
        "freeze-row-off",
        "Freeze read by command one row off",
        "命令读取冻结错一行",
        "The command counts rows from 1, the table from 0.",
        _DAILY,
        NewestFirstMissing,
    ),
    Defect(
        "freeze-row-before",
        "Freeze command answered from an old buffer",
        "冻结读取命令返回上次缓冲",
        "The answer is sent before the row has been read from flash: it is that of the command before.",
        "communication.freezes",
        RowBefore,
    ),
    Defect(
        "freeze-ring-short",
        "Ring of 29 daily freezes",
        "日冻结仅 29 条",
        "A ring of 30 places keeps one free to tell full from empty.",
        _DAILY,
        ShortRing,
    ),
    Defect(
        "freeze-reverse",
        "Forward frozen in the place of reverse",
        "反向冻结值误存正向值",
        "A copied line keeps the name of the forward register.",
        _DAILY,
        ForwardTwice,
    ),
    Defect(
        "month-row-off",
        "Off-by-one index of the monthly freezes",
        "月冻结索引错一",
        "The row of the running month is counted though it is not stored yet.",
        _MONTHLY,
        MonthRowsOff,
    ),
    Defect(
        "month-of-30-days",
        "Months of 30 days",
        "月末判断错误",
        "A month ends with its 30th.",
        "robustness.month-ends",
        ThirtyDays,
    ),
    Defect(
        "leap-day",
        "Leap day missed",
        "闰日遗漏",
        "February ends with the 28th in every year.",
        "robustness.leap-day",
        NoLeapDay,
    ),
    Defect(
        "day-not-reset",
        "Previous day's increment not reset",
        "前一日增量未清零",
        "The base of the day's increment is written once, when the meter is made.",
        "functions.previous-day",
        DayNotClosed,
    ),
    Defect(
        "day-netted",
        "Daily carbon netted",
        "日碳排放量正反向相抵",
        "The day's carbon is kept as forward less reverse.",
        "functions.previous-day",
        DayNetted,
    ),
    Defect(
        "day-index-byte",
        "Index of a day in eight bits",
        "日数据索引 8 位溢出",
        "Day 257 back shows day 1.",
        _YEAR,
        IndexOfAByte,
        # Of the rows, 1, 65, 129, 193, 257 … are read.
        conditions=Conditions(expectations=Expectations(every_days=64)),
    ),
    Defect(
        "factor-history-off",
        "Off-by-one day of the factor history",
        "因子历史日索引错一",
        "The selected day is counted from today, the table from yesterday.",
        _YEAR,
        HistoryDayOff,
        conditions=Conditions(expectations=Expectations(year_days=5)),
    ),
    Defect(
        "freeze-skipped",
        "Freeze lost when the clock is set over midnight",
        "校时跨零点丢失冻结",
        "The next midnight is worked out from the new time, and the one in between is forgotten.",
        "robustness.clock-forward",
        FreezeSkipped,
    ),
    Defect(
        "freeze-twice",
        "Freeze doubled when the clock is set back",
        "时钟回拨重复冻结",
        "Nothing remembers that this midnight was frozen already.",
        "robustness.clock-backward",
        FreezeTwice,
    ),
    Defect(
        "time-by-clock",
        "Energy over the time of a clock that was set",
        "按校时前后时差计量",
        "The time between two samples is taken from the clock, which somebody has set meanwhile.",
        "robustness.clock-slot",
        TimeByClock,
    ),
)
