"""What an inspection item (检验项目) comes to, in a form that can be stored, resumed and reported."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Verdict(StrEnum):
    """The conclusion (结论) of an item."""

    PASSED = "passed"  # 合格
    FAILED = "failed"  # 不合格
    NOT_PERFORMED = "not performed here"  # 本台不做: it needs a laboratory
    SKIPPED = "skipped"  # 未做: the device lacks what the item needs, or it was not asked for
    ERROR = "error"  # 台故障: the bench, the line or the source failed; says nothing about the device


@dataclass(frozen=True, slots=True)
class ItemInfo:
    """What an item is, whether or not it is performed.

    `id` is stable (`metering.carbon.fixed`); `clause` is of T/CIMA 0079.4, or "" where the item is ours.
    `group` is `metering`, `electricity`, `function`, `communication`, `robustness` or `laboratory`.
    """

    id: str
    clause: str
    group: str
    title: str
    title_zh: str
    factory: bool = True  # part of the factory inspection (出厂检验)
    type_test: bool = True  # part of the type inspection (型式检验)
    needs: frozenset[str] = frozenset()  # names of firmware_sim.inspection.bench.Ability


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was looked at: what was expected, what came, whether that is right."""

    what: str
    expected: str
    found: str
    good: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """One measured error (误差): exact integers where there are such, decimals as text.

    `quantity` is `energy` (mWh) or `carbon` (ng). `method` is `fixed` (固定因子法, 5.6.2.2), `dynamic` (动态因子法,
    5.6.2.3) or `electricity` (5.6.1); `by` is `pulse` or `register`.
    """

    quantity: str
    method: str
    by: str
    run: int  # 1, 2, … at the same point
    factor: str  # kgCO2/kWh; "" where none applies
    power_factor: str  # "1.0", "0.5L", "0.8C"
    current: str  # "Imax", "0.5Imax", "10Itr", "Itr", "Imin"
    current_ma: int
    balance: str
    voltage_mv: int
    duration_ms: str
    pulses: int | None
    standard: str  # what the standard meter measured, in the quantity's unit
    device: str
    error_percent: str  # unrounded, at least 6 decimals
    limit_percent: str
    count_error_percent: str  # what counting and resolution may add to the error
    uncertainty_percent: str = "0.000000"  # of the standard meter, k = 1


@dataclass(frozen=True, slots=True)
class PointResult:
    """The mean (平均值) of the readings at one load point, rounded (修约) and judged."""

    key: str  # unique within the item; what a resumed run looks for
    readings: tuple[Reading, ...]
    mean_percent: str
    rounded_percent: str
    interval_percent: str  # 化整间距
    limit_percent: str
    good: bool


@dataclass(frozen=True, slots=True)
class ItemResult:
    """An item's conclusion and everything it rests on."""

    id: str
    verdict: Verdict
    started_ms: int  # of the bench's time
    ended_ms: int
    steps: tuple[Step, ...] = ()
    points: tuple[PointResult, ...] = ()
    note: str = ""  # why skipped or in error; which limits were used
    figures: Mapping[str, str] = field(default_factory=dict)
