"""What a check sees: the station, the records of one 15-minute slot, and what it may find."""

from bisect import bisect_left
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import lcm
from typing import NamedTuple, TypedDict

from cloud_receiver.registry import Meter, Role, Station
from wire.records import Quality

SLOT_MS = 900_000
BALANCED = frozenset({Role.CHARGER, Role.GRID, Role.AUXILIARY})
"""The roles whose energies are in a station's balance; generating units and the grid's flows are the grid's concern."""
STATION = 0
"""The meter number of a finding about the station as a whole."""


class Kind(StrEnum):
    """The kinds of finding."""

    BALANCE_SLOT = "balance_slot"  # 时段能量不平衡
    BALANCE_DAY = "balance_day"  # 日能量不平衡
    BALANCE_MONTH = "balance_month"  # 月能量不平衡
    CARBON_BALANCE_SLOT = "carbon_balance_slot"  # 时段碳量不平衡
    CARBON_BALANCE_DAY = "carbon_balance_day"  # 日碳量不平衡
    CARBON_BALANCE_MONTH = "carbon_balance_month"  # 月碳量不平衡
    CARBON_PARTY_DAY = "carbon_party_day"  # 日碳量三方不符: of device, gateway and centre
    CARBON_PARTY_MONTH = "carbon_party_month"  # 月碳量三方不符
    COMPLETENESS_DAY = "completeness_day"  # 日完整率或及时率不达标
    COMPLETENESS_MONTH = "completeness_month"  # 月完整率或及时率不达标
    CHARGER_ERROR = "charger_error"  # 充电桩疑似超差, a candidate for re-verification (失准复检)
    CHARGER_SUSPECT = "charger_suspect"  # 失准复检候选: by remote error estimation; it lasts until it is settled
    CHARGER_UNJUDGED = "charger_unjudged"  # 久未判定: by remote error estimation; it lasts until something is decided
    MAKE_BIASED = "make_biased"  # 同型充电桩整体偏差: by what stations say together; it lasts until it is settled
    HOT_BRANCH = "hot_branch"  # 支路损耗异常（接触不良）: by its voltage drop; it lasts until the branch is well again
    BRANCH_CONTRADICTED = "branch_contradicted"  # 电压降与电量矛盾: likewise
    CARBON = "carbon_arithmetic"  # 碳量复算不符
    FACTOR = "factor_mismatch"  # 碳因子与下发不符
    FACTOR_UNSETTLED = "factor_unsettled"  # 沿用或缺省因子未结算
    MISSING = "missing_intervals"  # 缺数
    CONTINUITY = "register_discontinuity"  # 示数不连续
    OVERLAP = "overlapping_intervals"  # 时段重叠
    SPAN = "interval_span"  # 时段越界
    FREEZE = "freeze_difference"  # 冻结不符
    UNKNOWN_METER = "unknown_meter"  # 未登记电能表
    RECORDS_DROPPED = "records_dropped"  # 网关丢弃记录
    JOURNAL_OPENED = "journal_opened"  # 网关日志重建
    KEY_SHARED = "key_shared"  # 密钥共用
    SET_ASIDE = "set_aside"  # 记录无法入库
    ORDER_MALFORMED = "order_malformed"  # 订单无法识别
    ORDER_CHANGED = "order_changed"  # 订单更正
    ORDER_UNKNOWN_CHARGER = "order_unknown_charger"  # 订单的充电桩未登记
    ORDER_TIMES = "order_times"  # 订单时间异常
    ORDER_OVERLAP = "order_overlap"  # 订单时间重叠
    ORDER_DUPLICATE = "order_duplicate"  # 重复订单
    ORDER_POWER = "order_power"  # 订单功率超额定
    ORDER_ENERGY = "order_energy"  # 订单电量与示数或计量不符
    ORDER_AMOUNT = "order_amount"  # 订单金额不符
    SOLD_UNMETERED = "sold_unmetered"  # 有订单无电量
    UNSOLD = "unsold_energy"  # 有电量无订单
    SOLD_DAY = "sold_day"  # 日售电量与计量不符
    SOLD_MONTH = "sold_month"  # 月售电量与计量不符


class Severity(StrEnum):
    """How urgent a finding is."""

    INFO = "info"
    WARNING = "warning"
    ALARM = "alarm"


class IntervalRow(NamedTuple):
    """An interval of the store (units as in cloud_receiver.schema)."""

    start_ms: int
    meter: int
    journal: int
    sequence: int
    duration_ms: int
    forward_mwh: int
    reverse_mwh: int
    forward_total_mwh: int
    reverse_total_mwh: int
    factor: int | None
    factor_quality: int
    carbon_forward_ug: int
    carbon_reverse_ug: int
    carbon_forward_total_ug: int
    carbon_reverse_total_ug: int
    readings: int
    quality: int

    @property
    def end_ms(self) -> int:
        """Return the end of the interval."""
        return self.start_ms + self.duration_ms

    @property
    def in_slot(self) -> bool:
        """Return whether the interval ends within the slot in which it begins, as every one should."""
        return self.within(SLOT_MS)

    def within(self, span_ms: int) -> bool:
        """Return whether the interval ends within the span of this length in which it begins."""
        return self.start_ms % span_ms + self.duration_ms <= span_ms


class AdjustmentRow(NamedTuple):
    """An adjustment of the store."""

    start_ms: int
    meter: int
    journal: int
    sequence: int
    duration_ms: int
    forward_mwh: int
    reverse_mwh: int
    factor_used: int | None
    factor_now: int | None
    carbon_forward_ug: int
    carbon_reverse_ug: int


class Violation(TypedDict):
    """What a check found in one slot; it becomes part of a finding's evidence."""

    kind: str
    meter: int
    severity: str
    detail: dict[str, object]


def violation(kind: Kind, meter: int, severity: Severity, **detail: object) -> Violation:
    """Return a violation."""
    return {"kind": kind.value, "meter": meter, "severity": severity.value, "detail": detail}


@dataclass(frozen=True, slots=True)
class Context:
    """A station with the numbers its meters have in the store."""

    number: int
    station: Station
    meters: dict[int, Meter]
    unknown: dict[int, str]
    """Names of meters that send but are not registered."""

    def at(self, time_ms: int) -> "Context":
        """Return the station as it is at an instant: without the meters that are not in service then."""
        out = {number: meter.id for number, meter in self.meters.items() if not meter.in_service(time_ms)}
        if not out:
            return self
        rest = {number: meter for number, meter in self.meters.items() if number not in out}
        return replace(self, meters=rest, unknown=self.unknown | out)

    def span_ms(self, meter: int) -> int:
        """Return what a meter's intervals must not leave: a slot, or their own length where that is longer."""
        known = self.meters.get(meter)
        return SLOT_MS if known is None else max(SLOT_MS, known.interval_s * 1000)

    @property
    def block_ms(self) -> int:
        """Return the time over which the station is balanced: the shortest in which no meter's interval is cut.

        A slot, or up to an hour where a meter has longer intervals.
        """
        return lcm(SLOT_MS, *(meter.interval_s * 1000 for meter in self.meters.values()))

    def changes(self, first_ms: int, end_ms: int) -> bool:
        """Return whether a meter of the balance comes or goes within a time: it counted for a part of it only."""
        parts = (meter.service(first_ms, end_ms) for meter in self.balanced().values())
        return any(first < end and (first, end) != (first_ms, end_ms) for first, end in parts)

    def balanced(self) -> dict[int, Meter]:
        """Return the meters whose energies are in the station's balance, by their numbers.

        A charger that is known by its orders only is one of them: where there is one, no balance can be made.
        """
        return {number: meter for number, meter in self.meters.items() if meter.role in BALANCED}

    def name(self, meter: int) -> str:
        """Return a meter's name; the station's id for the station itself."""
        if meter == STATION:
            return self.station.id
        known = self.meters.get(meter)
        return known.id if known else self.unknown.get(meter, f"#{meter}")

    def numbers(self, role: Role) -> list[int]:
        """Return the numbers of the meters with a role."""
        return [number for number, meter in self.meters.items() if meter.role is role]


@dataclass(slots=True)
class Slot:
    """The records of one slot, and of the slot before it for continuity."""

    start_ms: int
    rows: list[IntervalRow]
    previous: list[IntervalRow] = field(default_factory=list)
    """Records of the slot before, or of as many as the station's balance takes together."""
    adjustments: list[AdjustmentRow] = field(default_factory=list)
    dispatched: dict[int, int | None] = field(default_factory=dict)
    """Factor last dispatched, by the start of its slot."""
    issued: dict[int, frozenset[int | None]] = field(default_factory=dict)
    """Every factor that was ever dispatched for a slot."""
    settled: set[int] = field(default_factory=set)
    """Slots whose last factor was dispatched so long ago that gateways have had the time to settle it."""
    past_deadline: bool = False
    expected: bool = True
    """Whether the station's meters are to report it: not before the station's first record."""
    block: list[IntervalRow] | None = None
    """Records of the slots that are balanced together, if they are several and this is the first of them."""
    block_adjustments: list[AdjustmentRow] = field(default_factory=list)
    """Their adjustments, likewise."""

    def by_meter(self) -> dict[int, list[IntervalRow]]:
        """Return the rows of each meter in order of time."""
        result: dict[int, list[IntervalRow]] = {}
        for row in sorted(self.rows):
            result.setdefault(row.meter, []).append(row)
        return result


def covered_ms(rows: list[IntervalRow], span_ms: int = SLOT_MS, part: tuple[int, int] | None = None) -> int:
    """Return how much time the rows cover, overlaps counted once, and rows that leave their span not at all.

    With `part`, of that time [first, end).
    """
    covered, end = 0, 0 if part is None else part[0]
    for row in rows:
        if not row.within(span_ms):
            continue
        start = max(row.start_ms, end)
        last = row.end_ms if part is None else min(row.end_ms, part[1])
        if last > start:
            covered += last - start
            end = last
    return covered


def without_overlaps(rows: list[IntervalRow]) -> tuple[list[IntervalRow], list[IntervalRow]]:
    """Return (rows that don't overlap, rows left out): the better quality wins, then the later journal and record."""
    kept: list[IntervalRow] = []
    left: list[IntervalRow] = []
    for row in sorted(rows, key=lambda row: (row.quality, -row.journal, -row.sequence)):
        # Those kept are disjoint and in order of time: only the neighbours can overlap.
        place = bisect_left(kept, row.start_ms, key=lambda other: other.start_ms)
        before = place > 0 and kept[place - 1].end_ms > row.start_ms
        after = place < len(kept) and kept[place].start_ms < row.end_ms
        if before or after:
            left.append(row)
        else:
            kept.insert(place, row)
    return kept, left


def measured(rows: list[IntervalRow], span_ms: int = SLOT_MS, block_ms: int = SLOT_MS) -> bool:
    """Return whether the rows cover the whole block with measured energy: only such blocks are balanced."""
    return usable(rows, span_ms, block_ms) and all(row.quality == Quality.MEASURED for row in rows)


def usable(rows: list[IntervalRow], span_ms: int = SLOT_MS, block_ms: int = SLOT_MS) -> bool:
    """Return whether the rows cover the whole block and lack no energy: enough for the balance of a day.

    `span_ms` is that of their meter; a block is a slot, or the slots that are balanced together.
    """
    whole = covered_ms(rows, span_ms) == block_ms
    return whole and all(row.quality != Quality.PARTIAL and row.within(span_ms) for row in rows)
