"""The four kinds of record that travel from a gateway to the centre, and the codes they use.

Plain integers carry the units their names state: mWh, µg, mg/kWh, ms UTC (docs/wire.md).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum


class FactorQuality(IntEnum):
    """Where the carbon factor (电碳因子) of an interval came from."""

    DISPATCHED = 0  # 下发
    HELD = 1  # 沿用: the slot's own factor had not arrived
    DEFAULT = 2  # 缺省
    UNDEFINED = 3  # 未定义: the node has no through-flow, or nothing is known


class Quality(IntEnum):
    """How an interval's energy is known."""

    MEASURED = 0
    INTERPOLATED = 1
    ESTIMATED = 2
    PARTIAL = 3


class FreezeKind(IntEnum):
    """Daily freeze (日冻结) or monthly freeze (月冻结)."""

    DAILY = 0
    MONTHLY = 1


class FreezeSource(IntEnum):
    """Where a frozen value comes from."""

    GATEWAY_MEASURED = 0
    GATEWAY_INTERPOLATED = 1
    GATEWAY_PARTIAL = 2
    METER = 3  # the meter's own freeze object


class ClockState(IntEnum):
    """What the gateway knew of its clock when it wrote."""

    UNKNOWN = 0
    SYNCHRONISED = 1
    STEPPED = 2  # jumped and not yet trusted again


class EventCode(IntEnum):
    """What an event record reports. 1 to 99: a register; 100 to 199: a line or meter; from 200: the gateway."""

    ROLLOVER = 1
    RESET = 2
    EXCHANGE = 3
    JUMP = 4
    GAP = 5
    TIME_BACK = 6
    METER_SILENT = 100
    METER_BACK = 101
    METER_CLOCK_OFF = 102
    METER_CLOCK_RIGHT = 103
    FREEZE_MISSING = 104
    CHARGE_ORDER = 105  # 充电订单: a charge that has ended, as the charger settled it
    CHARGE_ORDERS_MISSED = 106  # that the charger counted, and the gateway never got
    VOLTAGE_MEANS = 107  # 电压均值: means of voltage and power by quarter of an hour
    CONTEXT_OPENED = 200
    CLOCK_STEPPED = 201
    RECORDS_DROPPED = 202
    FACTOR_REJECTED = 203
    FACTOR_MISSING = 204
    STORAGE_FULL = 205
    COMMAND = 206
    CONFIGURATION = 207
    IMPORTED = 208  # 导入: the centre made records of a file's readings; they follow


class DetailKey(IntEnum):
    """What an event's detail says; one key means the same in every event."""

    BEFORE = 1  # a register in mWh (GAP and TIME_BACK: a time in ms UTC)
    AFTER = 2  # likewise
    DIRECTION = 3  # of the register: 0 forward (正向), 1 reverse (反向), 2 both, 3 emission (排放量, in mg)
    COUNT = 4  # how many records, factors or readings
    FIRST_SEQUENCE = 5
    LAST_SEQUENCE = 6
    TEXT = 7  # for people
    PREVIOUS_CONTEXT = 8  # hexadecimal; absent when no earlier journal was found
    SLOT = 9  # start of a factor's slot, ms UTC
    NODE = 10  # carbon node
    DURATION = 11  # ms
    STEP = 12  # of the clock, ms; negative: it went back
    DEVIATION = 13  # of a meter's clock from the gateway's, ms; negative: it is slow
    FREEZE = 14  # the time of a freeze, ms UTC
    COMMAND = 15  # its id, hexadecimal
    VERB = 16  # wire.orders.Verb; of a command that this program does not know, the number that came
    OUTCOME = 17  # wire.commands.Outcome
    DIGEST = 18  # SHA-256 of a configuration, hexadecimal
    ORDER = 19  # number of a charge order (订单号)
    START = 20  # of a charge, ms UTC by the charger's clock
    END = 21  # likewise
    ENERGY = 22  # sold, mWh
    AMOUNT = 23  # paid in all, 10^-4 of the currency's unit
    ELECTRICITY_AMOUNT = 24  # of it for energy (电费), likewise
    SERVICE_AMOUNT = 25  # of it for service (服务费), likewise
    STOP_REASON = 26  # as in T/CEC 102: 0 user, 1 platform, 2 vehicle, 3 fault, 4 disconnected, from 5 the operator's
    CONNECTOR = 27  # of the charger, where it has several
    PERIODS = 28  # tariff periods of the charge; what one text can't hold goes on in 29 to 31
    PERIODS_2 = 29
    PERIODS_3 = 30
    PERIODS_4 = 31
    MEANS_START = 32  # of the first quarter of an hour, ms UTC
    VOLTAGES = 33  # how many each quarter has: 1 or 3
    VOLTAGE_STEP = 34  # mV: what a voltage is a multiple of
    POWER_STEP = 35  # mW: what a power is a multiple of
    MEANS = 36  # by quarter; what one text can't hold goes on in 37 to 43
    MEANS_2 = 37
    MEANS_3 = 38
    MEANS_4 = 39
    MEANS_5 = 40
    MEANS_6 = 41
    MEANS_7 = 42
    MEANS_8 = 43


@dataclass(frozen=True, slots=True)
class IntervalRecord:
    """One closed interval of one meter; it never spans a change of factor or a local midnight."""

    meter: str
    start_ms: int
    duration_ms: int
    forward_mwh: int
    reverse_mwh: int
    forward_total_mwh: int  # cumulative at the end of the interval
    reverse_total_mwh: int
    factor: int | None  # mg/kWh; None: undefined, the energy waits for a factor
    factor_quality: FactorQuality
    carbon_forward_ug: int
    carbon_reverse_ug: int
    carbon_forward_total_ug: int
    carbon_reverse_total_ug: int
    readings: int
    quality: Quality


@dataclass(frozen=True, slots=True)
class FreezeRecord:
    """Cumulative values at a local midnight."""

    meter: str
    time_ms: int
    kind: FreezeKind
    forward_total_mwh: int
    reverse_total_mwh: int
    carbon_forward_total_ug: int
    carbon_reverse_total_ug: int
    source: FreezeSource


@dataclass(frozen=True, slots=True)
class AdjustmentRecord:
    """What a late or corrected factor changes of an interval that was already written; the interval stays."""

    meter: str
    start_ms: int
    duration_ms: int
    forward_mwh: int
    reverse_mwh: int
    factor_used: int | None
    factor_now: int | None
    carbon_forward_ug: int  # change of the adjusted register, may be negative
    carbon_reverse_ug: int
    solve_id: bytes


@dataclass(frozen=True, slots=True)
class EventRecord:
    """Something that happened to a meter, or (meter None) to the gateway."""

    meter: str | None
    time_ms: int
    code: EventCode
    details: Mapping[int, int | str] = field(default_factory=dict)  # by DetailKey; docs/wire.md, section "Events"


Record = IntervalRecord | FreezeRecord | AdjustmentRecord | EventRecord
