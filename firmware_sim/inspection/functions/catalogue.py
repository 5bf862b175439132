"""Every item of this room: what it is, what it needs, how long it takes."""

from dataclasses import dataclass
from typing import Final

from firmware_sim.inspection.bench import Ability, Bench
from firmware_sim.inspection.functions import clock_set, factors, freezes, line, rollover, slots, storage, supply, year
from firmware_sim.inspection.functions.checks import FunctionItem, Lasting, Work
from firmware_sim.inspection.functions.expectations import Expectations
from firmware_sim.inspection.functions.given import SLOT_MS
from firmware_sim.inspection.functions.journey import DAY_MS, by_setting
from firmware_sim.inspection.result import ItemInfo

FUNCTIONS: Final = "5.7"
OURS: Final = ""
_SECOND_MS: Final = 1_000
_CARBON: Final = frozenset({Ability.CARBON, Ability.FACTOR})
_DAYS: Final = frozenset({Ability.FAST, Ability.CLOCK_READ})
_DAILY: Final = _DAYS | {Ability.DAILY_FREEZES}


def over(days: int, by_setting_s: int) -> Lasting:
    """Return what says how long days take: all of them, or by setting the clock over them so many seconds."""

    def lasting(bench: Bench, _: Expectations) -> int:
        return by_setting_s * _SECOND_MS if by_setting(bench) else days * DAY_MS

    return lasting


@dataclass(frozen=True, slots=True)
class _Row:
    id: str
    title: str
    title_zh: str
    needs: frozenset[Ability]
    lasting: Lasting | int
    work: Work
    factory: bool = True

    def item(self, expectations: Expectations) -> FunctionItem:
        """Return the item; its group and clause follow from its id."""
        kind = self.id.partition(".")[0]
        group = {"functions": "function"}.get(kind, kind)
        info = ItemInfo(
            self.id,
            OURS if group == "robustness" else FUNCTIONS,
            group,
            self.title,
            self.title_zh,
            factory=self.factory,
            needs=frozenset(self.needs),
        )
        lasting = self.lasting
        return FunctionItem(
            info, self.work, (lambda *_: lasting) if isinstance(lasting, int) else lasting, expectations
        )


_ROWS: Final = (
    _Row(
        "functions.digits",
        "Carbon in kg and factor in kg/kWh, with their digits",
        "电碳显示单位与位数",
        frozenset({Ability.CARBON}),
        SLOT_MS,
        storage.digits,
    ),
    _Row(
        "functions.directions",
        "Forward and reverse values, each by itself",
        "正反向当前值",
        frozenset({Ability.REVERSE}),
        36 * storage.MINUTE_MS,
        storage.separate,
    ),
    _Row(
        "functions.previous-day",
        "Carbon increment of the previous day",
        "上一日碳排放增量",
        _CARBON | _DAYS,
        over(6, 2_700),
        storage.previous_day,
    ),
    _Row(
        "functions.daily-freezes",
        "Daily freezes, 1 to 30 back",
        "日冻结（上1至30日）",
        _DAILY,
        over(33, 15_100),
        freezes.daily,
    ),
    _Row(
        "functions.monthly-freezes",
        "Monthly freezes, 1 to 12 back",
        "月冻结（上1至12月）",
        _DAYS | {Ability.MONTHLY_FREEZES},
        over(375, 5_900),
        freezes.monthly,
        factory=False,
    ),
    _Row(
        "functions.year",
        "365 days of factors and of daily carbon",
        "365天电碳因子与碳排放量存储",
        _CARBON | _DAYS,
        year.lasting,
        year.year,
        factory=False,
    ),
    _Row(
        "communication.factor",
        "A factor every 15 minutes",
        "每15分钟接收电碳因子",
        _CARBON | _DAYS,
        over(5, 11_800),
        slots.factor_every_slot,
    ),
    _Row(
        "communication.freezes",
        "Daily and monthly freezes read by command",
        "日冻结与月冻结召读",
        _DAILY,
        over(33, 400),
        slots.freezes_by_command,
    ),
    _Row(
        "robustness.factor-missing",
        "Factor missing",
        "电碳因子缺失",
        _CARBON | _DAYS,
        over(4, 2_100),
        factors.missing,
    ),
    _Row("robustness.factor-late", "Factor late", "电碳因子迟到", _CARBON, factors.lasting_slots(3), factors.late),
    _Row(
        "robustness.factor-day-end",
        "Factor at the end of a day",
        "日末电碳因子",
        _CARBON | _DAYS,
        over(4, 1_200),
        factors.day_end,
    ),
    _Row("robustness.factor-zero", "Factor zero", "电碳因子为零", _CARBON, factors.lasting_slots(1), factors.zero),
    _Row(
        "robustness.factor-undefined",
        "Factor undefined",
        "电碳因子未定义",
        _CARBON,
        factors.lasting_slots(1),
        factors.undefined,
    ),
    _Row(
        "robustness.factor-range",
        "Factor out of range",
        "电碳因子超范围",
        _CARBON,
        factors.lasting_slots(1),
        factors.too_large,
    ),
    _Row(
        "robustness.factor-far",
        "Factor of the far past or future",
        "远期与过期电碳因子",
        _CARBON,
        factors.lasting_slots(1),
        factors.far,
    ),
    _Row(
        "robustness.power-cut",
        "Power cut and recovery",
        "停电与上电",
        frozenset({Ability.POWER_CUT}),
        supply.lasting_kept,
        supply.kept,
    ),
    _Row(
        "robustness.power-cut-midnight",
        "Power cut over midnight",
        "跨零点停电",
        _DAILY | {Ability.POWER_CUT},
        over(4, 600),
        supply.over_midnight,
    ),
    _Row(
        "robustness.power-cut-factor",
        "Power cut while a factor is written",
        "写电碳因子时停电",
        _CARBON | {Ability.POWER_CUT},
        factors.lasting_slots(2),
        supply.factor_write,
    ),
    _Row(
        "robustness.clock-forward",
        "Clock set forward over midnight",
        "校时跨零点（向前）",
        _DAILY | {Ability.CLOCK_SET},
        over(5, 900),
        clock_set.forward,
    ),
    _Row(
        "robustness.clock-backward",
        "Clock set back over midnight",
        "校时跨零点（向后）",
        _DAILY | {Ability.CLOCK_SET},
        over(5, 900),
        clock_set.backward,
    ),
    _Row(
        "robustness.clock-slot",
        "Clock set within and over slots",
        "时段内校时",
        frozenset({Ability.CLOCK_READ, Ability.CLOCK_SET}),
        factors.lasting_slots(3),
        clock_set.slots,
    ),
    _Row(
        "robustness.local-midnight",
        "Day's end at the local midnight",
        "本地零点",
        _DAILY,
        over(4, 400),
        freezes.local_midnight,
    ),
    _Row(
        "robustness.month-ends",
        "Ends of months of 28 or 29, 30 and 31 days",
        "月末",
        _DAILY,
        over(366, 1_500),
        freezes.month_ends,
        factory=False,
    ),
    _Row(
        "robustness.leap-day",
        "Leap day",
        "闰日",
        _DAILY,
        freezes.lasting_leap_day,
        freezes.leap_day,
        factory=False,
    ),
    _Row(
        "robustness.line-garbage",
        "Garbage on the line",
        "线路乱码",
        frozenset({Ability.RAW}),
        line.lasting,
        line.garbage,
    ),
    _Row(
        "robustness.line-truncated",
        "Parts of frames on the line",
        "残缺帧",
        frozenset({Ability.RAW}),
        line.lasting,
        line.truncated,
    ),
    _Row(
        "robustness.line-foreign",
        "Frames for other devices, and of other protocols",
        "其他地址与其他规约帧",
        frozenset({Ability.RAW}),
        line.lasting,
        line.others,
    ),
    _Row(
        "robustness.line-checks",
        "Frames with wrong checks",
        "校验错误帧",
        frozenset({Ability.RAW}),
        line.lasting,
        line.bad_checks,
    ),
    _Row(
        "robustness.rollover-energy",
        "Energy registers over their end",
        "电能量翻转",
        frozenset({Ability.ROLLOVER}),
        over(4, 2_000),
        rollover.energy,
    ),
    _Row(
        "robustness.rollover-carbon",
        "Carbon registers over their end",
        "碳排放量翻转",
        _CARBON | {Ability.ROLLOVER},
        over(4, 2_000),
        rollover.carbon,
    ),
)


def made(expectations: Expectations) -> list[FunctionItem]:
    """Return the items for a device of which this is expected."""
    return [row.item(expectations) for row in _ROWS]
