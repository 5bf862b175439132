"""The rules by name, with their titles, and running them over a span."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cloud_receiver.checks.model import Kind
from cloud_receiver.registry import Role
from cloud_receiver.validation.config import NAMES, Validation
from cloud_receiver.validation.model import Outcome, Rule, Verdict, Window
from cloud_receiver.validation.rules import amounts, clocks, exchange, multiplier, partial, registers, station, times

_CHARGER = frozenset({Role.CHARGER})
_BALANCED = frozenset({Role.CHARGER, Role.GRID, Role.AUXILIARY})
_BAD, _ODD = Verdict.FAILED, Verdict.SUSPECT
_STATION: Final[frozenset[Role]] = frozenset()

RULES: Final = (
    Rule("continuity", "register continuity", "示数连续", registers.continuity, told_by={_BAD: Kind.CONTINUITY}),
    Rule("duplicate", "duplicate", "重复", registers.duplicate, told_by={_BAD: Kind.OVERLAP, _ODD: Kind.OVERLAP}),
    Rule("gap", "gap", "缺数", times.gap, told_by={_BAD: Kind.MISSING}),
    Rule("interval_length", "interval length", "时段长度", times.interval_length, told_by={_BAD: Kind.SPAN}),
    Rule("high", "high against rated power", "超上限", amounts.high),
    Rule("low", "low against rated power", "低于下限", amounts.low, _CHARGER),
    Rule("spike", "spike", "突变", amounts.spike, _BALANCED),
    Rule("decreasing", "negative or decreasing", "示数倒走", registers.decreasing),
    Rule("zero", "zero while the station shows load", "有负荷零电量", station.zero, _BALANCED),
    Rule("prolonged_estimation", "prolonged estimation", "长时间估算", times.prolonged),
    Rule("partial", "part of the energy missing", "缺量", partial.partial, _BALANCED),
    Rule("sum", "sum check", "总分核对", station.sum_check, _STATION, told_by={_BAD: Kind.BALANCE_DAY}),
    Rule("multiplier", "unit and multiplier", "量纲与倍率", multiplier.multiplier, _BALANCED),
    Rule("meter_exchange", "meter exchange", "换表", exchange.exchange),
    Rule("gateway_clock", "clock of the gateway", "网关时钟", clocks.gateway_clock, _STATION),
    Rule("meter_clock", "clock of the meter", "电能表时钟", clocks.meter_clock),
)
assert tuple(rule.name for rule in RULES) == NAMES
BY_NAME: Final = {rule.name: rule for rule in RULES}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a rule says of a meter, 0 for the station."""

    rule: Rule
    meter: int
    outcome: Outcome


def judge(window: Window, settings: Validation, rules: Iterable[Rule] = RULES) -> list[Judgement]:
    """Run rules over a span, each on every meter it judges."""
    return [
        Judgement(rule, number, rule.judge(window, number, settings))
        for rule in rules
        for number in rule.subjects(window.context)
    ]
