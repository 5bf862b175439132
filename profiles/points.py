"""The vocabulary of profiles: quantities, the units a profile may use for them, and the standard names of points.

A value travels as an integer of the quantity's canonical unit (design section 3), whatever the meter's own unit is.
Texts of a meter (asset code 资产管理编码, model, rated values in ASCII) are no points: nothing is computed with
them, and an asset code of 22 to 32 digits with leading zeros is no number. What a scan finds out shows them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import Final


class Quantity(Enum):
    """What a point measures; the value is the canonical unit of its integers."""

    ENERGY = "mWh"
    REACTIVE_ENERGY = "mvarh"
    POWER = "mW"
    REACTIVE_POWER = "mvar"
    APPARENT_POWER = "mVA"
    CARBON = "ng"
    FACTOR = "mg/kWh"
    VOLTAGE = "mV"
    CURRENT = "mA"
    FREQUENCY = "mHz"
    POWER_FACTOR = "1e-6"
    TEMPERATURE = "m°C"
    TIME = "ms"  # since 1970-01-01T00:00:00Z
    METER_CONSTANT = "imp/kWh"
    NUMBER = "1"
    AMOUNT = "0.0001"  # of the currency's unit
    PRICE = "0.000001/kWh"  # likewise


def _decades(milli: str, unit: str, kilo: str, mega: str) -> dict[str, Fraction]:
    return {milli: Fraction(1), unit: Fraction(10**3), kilo: Fraction(10**6), mega: Fraction(10**9)}


# Canonical units per unit a profile may name.
UNITS: Final[Mapping[Quantity, Mapping[str, Fraction]]] = {
    Quantity.ENERGY: _decades("mWh", "Wh", "kWh", "MWh"),
    Quantity.REACTIVE_ENERGY: _decades("mvarh", "varh", "kvarh", "Mvarh"),
    Quantity.POWER: _decades("mW", "W", "kW", "MW"),
    Quantity.REACTIVE_POWER: _decades("mvar", "var", "kvar", "Mvar"),
    Quantity.APPARENT_POWER: _decades("mVA", "VA", "kVA", "MVA"),
    Quantity.CARBON: {
        "ng": Fraction(1),
        "ug": Fraction(10**3),
        "mg": Fraction(10**6),
        "g": Fraction(10**9),
        "kg": Fraction(10**12),
        "t": Fraction(10**15),
    },
    Quantity.FACTOR: {
        "mg/kWh": Fraction(1),
        "g/kWh": Fraction(10**3),
        "kg/kWh": Fraction(10**6),
        "t/MWh": Fraction(10**6),
    },
    Quantity.VOLTAGE: {"mV": Fraction(1), "V": Fraction(10**3), "kV": Fraction(10**6)},
    Quantity.CURRENT: {"mA": Fraction(1), "A": Fraction(10**3), "kA": Fraction(10**6)},
    Quantity.FREQUENCY: {"mHz": Fraction(1), "Hz": Fraction(10**3)},
    Quantity.POWER_FACTOR: {"1": Fraction(10**6), "%": Fraction(10**4)},
    Quantity.TEMPERATURE: {"m°C": Fraction(1), "°C": Fraction(10**3)},
    Quantity.TIME: {"ms": Fraction(1), "s": Fraction(10**3)},
    Quantity.METER_CONSTANT: {"imp/kWh": Fraction(1)},
    Quantity.NUMBER: {"1": Fraction(1)},
    Quantity.AMOUNT: {"1": Fraction(10**4)},
    Quantity.PRICE: {"1/kWh": Fraction(10**6)},
}

USUAL_UNITS: Final[Mapping[Quantity, str]] = {
    Quantity.ENERGY: "kWh",
    Quantity.REACTIVE_ENERGY: "kvarh",
    Quantity.POWER: "kW",
    Quantity.REACTIVE_POWER: "kvar",
    Quantity.APPARENT_POWER: "kVA",
    Quantity.CARBON: "kg",
    Quantity.FACTOR: "kg/kWh",
    Quantity.VOLTAGE: "V",
    Quantity.CURRENT: "A",
    Quantity.FREQUENCY: "Hz",
    Quantity.TEMPERATURE: "°C",
}
"""In which unit people read a quantity where nothing else says it."""

CUMULATIVE: Final = frozenset({Quantity.ENERGY, Quantity.REACTIVE_ENERGY, Quantity.CARBON})
"""Quantities whose registers only count up, so that a register shows what is complete: it truncates."""


@dataclass(frozen=True, slots=True)
class StandardPoint:
    """A name every profile uses in the same sense."""

    quantity: Quantity
    chinese: str


def _per_phase(name: str, quantity: Quantity, chinese: str) -> dict[str, StandardPoint]:
    return {f"{name}_{phase}": StandardPoint(quantity, f"{phase.upper()}相{chinese}") for phase in "abc"}


_TARIFFS: Final = {1: "尖", 2: "峰", 3: "平", 4: "谷"}


def _per_tariff(name: str, chinese: str) -> dict[str, StandardPoint]:
    """Return the energies of the four tariff periods (费率): sharp, peak, flat, valley."""
    return {f"{name}_t{n}": StandardPoint(Quantity.ENERGY, f"{chinese}（{text}）") for n, text in _TARIFFS.items()}


def _demand(name: str, chinese: str) -> dict[str, StandardPoint]:
    return {
        name: StandardPoint(Quantity.POWER, chinese),
        f"{name}_time": StandardPoint(Quantity.TIME, f"{chinese}发生时间"),
    }


POINTS: Final[Mapping[str, StandardPoint]] = {
    "energy_forward": StandardPoint(Quantity.ENERGY, "正向有功电能"),
    **_per_tariff("energy_forward", "正向有功电能"),
    **_per_phase("energy_forward", Quantity.ENERGY, "正向有功电能"),
    "energy_reverse": StandardPoint(Quantity.ENERGY, "反向有功电能"),
    **_per_tariff("energy_reverse", "反向有功电能"),
    **_per_phase("energy_reverse", Quantity.ENERGY, "反向有功电能"),
    "energy_total": StandardPoint(Quantity.ENERGY, "组合有功电能"),
    **_per_tariff("energy_total", "组合有功电能"),
    # What the combined reactive energies of a DL/T meter sum up is set in the meter (无功组合方式特征字).
    "reactive_energy_forward": StandardPoint(Quantity.REACTIVE_ENERGY, "正向无功电能（组合无功1）"),
    "reactive_energy_reverse": StandardPoint(Quantity.REACTIVE_ENERGY, "反向无功电能（组合无功2）"),
    **{
        f"reactive_energy_q{n}": StandardPoint(Quantity.REACTIVE_ENERGY, f"第{text}象限无功电能")
        for n, text in enumerate("一二三四", start=1)
    },
    **_demand("demand_forward", "正向有功最大需量"),
    **_demand("demand_reverse", "反向有功最大需量"),
    "carbon_forward": StandardPoint(Quantity.CARBON, "正向电碳排放量"),
    "carbon_reverse": StandardPoint(Quantity.CARBON, "反向电碳排放量"),
    "carbon_forward_previous_day": StandardPoint(Quantity.CARBON, "上一日正向碳排放增量"),
    "carbon_reverse_previous_day": StandardPoint(Quantity.CARBON, "上一日反向碳排放增量"),
    "carbon_factor": StandardPoint(Quantity.FACTOR, "当前电碳因子"),
    "carbon_factor_start": StandardPoint(Quantity.TIME, "当前电碳因子生效时刻"),
    "carbon_factor_quality": StandardPoint(Quantity.NUMBER, "电碳因子来源"),
    "power": StandardPoint(Quantity.POWER, "总有功功率"),
    **_per_phase("power", Quantity.POWER, "有功功率"),
    "reactive_power": StandardPoint(Quantity.REACTIVE_POWER, "总无功功率"),
    **_per_phase("reactive_power", Quantity.REACTIVE_POWER, "无功功率"),
    "apparent_power": StandardPoint(Quantity.APPARENT_POWER, "总视在功率"),
    **_per_phase("apparent_power", Quantity.APPARENT_POWER, "视在功率"),
    # Without a phase: of a direct-current meter. A single-phase meter has phase a.
    "voltage": StandardPoint(Quantity.VOLTAGE, "直流电压"),
    **_per_phase("voltage", Quantity.VOLTAGE, "电压"),
    "current": StandardPoint(Quantity.CURRENT, "直流电流"),
    **_per_phase("current", Quantity.CURRENT, "电流"),
    "neutral_current": StandardPoint(Quantity.CURRENT, "零线电流"),
    "power_demand": StandardPoint(Quantity.POWER, "当前有功需量"),
    "reactive_power_demand": StandardPoint(Quantity.REACTIVE_POWER, "当前无功需量"),
    "apparent_power_demand": StandardPoint(Quantity.APPARENT_POWER, "当前视在需量"),
    "power_factor": StandardPoint(Quantity.POWER_FACTOR, "总功率因数"),
    **_per_phase("power_factor", Quantity.POWER_FACTOR, "功率因数"),
    "frequency": StandardPoint(Quantity.FREQUENCY, "电网频率"),
    "temperature": StandardPoint(Quantity.TEMPERATURE, "表内温度"),
    "clock_battery_voltage": StandardPoint(Quantity.VOLTAGE, "时钟电池电压"),
    "device_time": StandardPoint(Quantity.TIME, "电能表时钟"),
    "serial_number": StandardPoint(Quantity.NUMBER, "表号"),
    "communication_address": StandardPoint(Quantity.NUMBER, "通信地址"),
    "meter_constant": StandardPoint(Quantity.METER_CONSTANT, "电能表常数"),
    "pt_ratio": StandardPoint(Quantity.NUMBER, "电压互感器变比"),
    "ct_ratio": StandardPoint(Quantity.NUMBER, "电流互感器变比"),
    "status": StandardPoint(Quantity.NUMBER, "运行状态字"),
    **{f"status_{n}": StandardPoint(Quantity.NUMBER, f"运行状态字{n}") for n in range(1, 8)},
}

COLUMNS: Final[Mapping[str, StandardPoint]] = {
    "time": StandardPoint(Quantity.TIME, "时刻"),
    **{
        name: POINTS[name]
        for name in ("energy_forward", "energy_reverse", "carbon_forward", "carbon_reverse", "carbon_factor")
    },
}
"""The names that columns of tables may have."""

TABLES: Final[Mapping[str, str]] = {
    "daily_freezes": "日冻结: row k is the cumulative registers at the k-th last local midnight",
    "monthly_freezes": "月冻结: row k is the cumulative registers at the k-th last first-of-month midnight",
    "daily_carbon": "日碳排放: row k is the carbon increment of the k-th last complete day",
    "factor_history": "电碳因子历史: row j is the j-th slot of the day that the selector names",
}

WRITES: Final[Mapping[str, Mapping[str, StandardPoint]]] = {
    "factor": {"time": COLUMNS["time"], "carbon_factor": COLUMNS["carbon_factor"]},
    # All factors of the day that begins at `time`, in equal parts of it; a meter takes 1, 24 or 96 of them.
    "factor_day": {
        "time": COLUMNS["time"],
        **{f"carbon_factor_{n}": COLUMNS["carbon_factor"] for n in range(1, 97)},
    },
    "clock": {"time": COLUMNS["time"]},
    "factor_history_day": {"day": StandardPoint(Quantity.NUMBER, "回溯天数")},
}
"""What may be written, and the fields it takes."""

_START: Final = StandardPoint(Quantity.TIME, "开始时间")
_END: Final = StandardPoint(Quantity.TIME, "结束时间")
_ENERGY: Final = StandardPoint(Quantity.ENERGY, "电量")

ORDER_TEXTS: Final[Mapping[str, str]] = {"number": "订单号", "connector": "枪"}
ORDER_NUMBERS: Final[Mapping[str, StandardPoint]] = {
    # Of the counter: says which order a row has, so that no other is taken for it.
    "index": StandardPoint(Quantity.NUMBER, "序号"),
    "start": _START,
    "end": _END,
    "energy": _ENERGY,
    "start_total": StandardPoint(Quantity.ENERGY, "起示数"),
    "end_total": StandardPoint(Quantity.ENERGY, "止示数"),
    "amount": StandardPoint(Quantity.AMOUNT, "总金额"),
    "electricity_amount": StandardPoint(Quantity.AMOUNT, "电费"),
    "service_amount": StandardPoint(Quantity.AMOUNT, "服务费"),
    "stop_reason": StandardPoint(Quantity.NUMBER, "停止原因"),
}
"""What an order log has of each charge order (充电订单), texts and numbers."""

PERIOD_NUMBERS: Final[Mapping[str, StandardPoint]] = {
    "start": _START,
    "end": _END,
    "energy": _ENERGY,
    "price": StandardPoint(Quantity.PRICE, "电价"),
    "service_price": StandardPoint(Quantity.PRICE, "服务费单价"),
    "amount": StandardPoint(Quantity.AMOUNT, "电费"),
    "service_amount": StandardPoint(Quantity.AMOUNT, "服务费"),
}
"""And of each tariff period (分时段) of it."""

ORDER_NEEDED: Final = ("number", "start", "end", "energy")
PERIOD_NEEDED: Final = ("start", "end", "energy")
