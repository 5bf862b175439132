"""Defects of factor handling (电碳因子处理): when a factor holds, what is kept of it, and what a missing one does."""

# ruff: noqa: D102 - what a replaced method does is what its class says

from bisect import bisect_right
from typing import Final

from diantan_core import day_start_ms
from firmware_sim.circuit import Circuit
from firmware_sim.curves import Curve
from firmware_sim.factors import FUTURE_MS, KEPT_MS, SLOT_MS, FactorMemory, FactorQuality, FactorRefusedError, InForce
from firmware_sim.inspection.defects.defect import Defect
from firmware_sim.meter import Meter, MeterSettings
from profiles.rounding import half_even

_ZONE: Final = "Asia/Shanghai"
_MG_PER_DIGIT: Final = 1_000
_HALF_WORD: Final = 16
_LOW: Final = 0xFFFF
_DAY_SLOTS: Final = 96
_EVERY: Final = "communication.factor"
_THREE_BYTES: Final = 2**24


class SlotLateMemory(FactorMemory):
    """Looks one slot back."""

    def at(self, time_ms: int) -> InForce:
        return super().at(time_ms - SLOT_MS)

    def next_change(self, time_ms: int) -> int | None:
        found = super().next_change(time_ms - SLOT_MS)
        return None if found is None else found + SLOT_MS


class SlotLate(Meter):
    """Applies a factor one slot late."""

    factor_memory = SlotLateMemory


class SlotEarlyMemory(FactorMemory):
    """Looks one slot ahead."""

    def at(self, time_ms: int) -> InForce:
        return super().at(time_ms + SLOT_MS)

    def next_change(self, time_ms: int) -> int | None:
        found = super().next_change(time_ms + SLOT_MS)
        return None if found is None else found - SLOT_MS


class SlotEarly(Meter):
    """Applies a factor one slot early."""

    factor_memory = SlotEarlyMemory


class OnArrival(Meter):
    """Applies a factor when it comes, whatever slot it is for."""

    def receive_factor(self, now_ms: int, slot_start_ms: int, factor: int | None) -> None:
        device_ms = self.device_time(now_ms)
        super().receive_factor(now_ms, min(slot_start_ms, device_ms - device_ms % SLOT_MS), factor)


class ThreeDigits(Meter):
    """Keeps factors in g/kWh."""

    def receive_factor(self, now_ms: int, slot_start_ms: int, factor: int | None) -> None:
        kept = None if factor is None else half_even(factor, _MG_PER_DIGIT) * _MG_PER_DIGIT
        super().receive_factor(now_ms, slot_start_ms, kept)


class WordsSwapped(Meter):
    """Puts the two words of a factor together the wrong way round."""

    def receive_factor(self, now_ms: int, slot_start_ms: int, factor: int | None) -> None:
        kept = None if factor is None else (factor & _LOW) << _HALF_WORD | factor >> _HALF_WORD
        super().receive_factor(now_ms, slot_start_ms, kept)


class MissingIsZero(Meter):
    """Takes undefined for 0."""

    def receive_factor(self, now_ms: int, slot_start_ms: int, factor: int | None) -> None:
        super().receive_factor(now_ms, slot_start_ms, factor or 0)


class MissingIsLast(Meter):
    """Goes on with the last factor when it is told that there is none."""

    def receive_factor(self, now_ms: int, slot_start_ms: int, factor: int | None) -> None:
        if factor is not None:
            super().receive_factor(now_ms, slot_start_ms, factor)


class NotHeldMemory(FactorMemory):
    """Knows a factor for its own slot only."""

    def at(self, time_ms: int) -> InForce:
        found = super().at(time_ms)
        if found.quality is FactorQuality.HELD:
            return InForce(None, FactorQuality.UNDEFINED, found.start_ms)
        return found

    def next_change(self, time_ms: int) -> int | None:
        # The end of a slot is a change, too.
        index = bisect_right(self._starts, time_ms)
        ends = self._starts[index - 1] + SLOT_MS if index else 0
        found = super().next_change(time_ms)
        if ends <= time_ms:
            return found
        return ends if found is None else min(ends, found)


class NotHeld(Meter):
    """Has no factor when the next one does not come."""

    factor_memory = NotHeldMemory


class LateRewrites(Meter):
    """Works the carbon of a slot out again when its factor comes late."""

    def receive_factor(self, now_ms: int, slot_start_ms: int, factor: int | None) -> None:
        self.advance(now_ms)
        before = self._factors.at(slot_start_ms).factor
        super().receive_factor(now_ms, slot_start_ms, factor)
        first_ms = max(self._clock.when(slot_start_ms), self._load.start_ms)
        last_ms = min(self._clock.when(slot_start_ms + SLOT_MS), now_ms)
        if first_ms < last_ms and factor is not None:
            self._rewrite(first_ms, last_ms, factor - (before or 0))

    def _rewrite(self, first_ms: int, last_ms: int, by: int) -> None:
        first, last = self._measured.energy_at(first_ms), self._measured.energy_at(last_ms)
        forward, reverse = (
            (after - before) * self._gain_numerator // self._gain_denominator * by
            for before, after in zip(first, last, strict=True)
        )
        self._totals.carbon_forward += forward
        self._totals.carbon_reverse += reverse


class LateIgnored(Meter):
    """Drops a factor whose slot has begun."""

    def receive_factor(self, now_ms: int, slot_start_ms: int, factor: int | None) -> None:
        if slot_start_ms >= self.device_time(now_ms):
            super().receive_factor(now_ms, slot_start_ms, factor)


class LastSlotMoved(Meter):
    """Counts the slots of a day from 1 but has the table from 0: the last one lands in the next day."""

    def receive_factor(self, now_ms: int, slot_start_ms: int, factor: int | None) -> None:
        slot = (slot_start_ms - day_start_ms(slot_start_ms, _ZONE)) // SLOT_MS
        moved = slot_start_ms + SLOT_MS if slot == _DAY_SLOTS - 1 else slot_start_ms
        super().receive_factor(now_ms, moved, factor)


class Refusing(Meter):
    """Refuses each 96th factor."""

    def __init__(self, load: Curve, circuit: Circuit, settings: MeterSettings) -> None:
        super().__init__(load, circuit, settings)
        self._received = 0

    def receive_factor(self, now_ms: int, slot_start_ms: int, factor: int | None) -> None:
        self._received += 1
        if self._received % _DAY_SLOTS == 0:
            raise FactorRefusedError("the table is full until it is written to flash")
        super().receive_factor(now_ms, slot_start_ms, factor)


class ZeroIsMissing(Meter):
    """Takes 0 for the absence of a factor."""

    def receive_factor(self, now_ms: int, slot_start_ms: int, factor: int | None) -> None:
        super().receive_factor(now_ms, slot_start_ms, factor or None)


class ThreeBytes(Meter):
    """Keeps the lower 24 bits of a factor."""

    def receive_factor(self, now_ms: int, slot_start_ms: int, factor: int | None) -> None:
        super().receive_factor(now_ms, slot_start_ms, None if factor is None else factor % _THREE_BYTES)


class FarTaken(Meter):
    """Takes the factor of any time beyond its table for the running slot."""

    def receive_factor(self, now_ms: int, slot_start_ms: int, factor: int | None) -> None:
        device_ms = self.device_time(now_ms)
        near = -KEPT_MS < slot_start_ms - device_ms <= FUTURE_MS
        super().receive_factor(now_ms, slot_start_ms if near else device_ms - device_ms % SLOT_MS, factor)


DEFECTS: Final = (
    Defect(
        "factor-slot-late",
        "Factor applied one slot late",
        "电碳因子晚一个时段生效",
        "The slot's index counts the slots that are over instead of the one that runs.",
        _EVERY,
        SlotLate,
    ),
    Defect(
        "factor-slot-early",
        "Factor applied one slot early",
        "电碳因子早一个时段生效",
        "The slot's index is rounded up.",
        _EVERY,
        SlotEarly,
    ),
    Defect(
        "factor-on-arrival",
        "Factor applied on arrival",
        "电碳因子收到即生效",
        "The slot that is sent with a factor is not looked at.",
        _EVERY,
        OnArrival,
    ),
    Defect(
        "factor-refused",
        "Each 96th factor refused",
        "第 96 个因子被拒收",
        "The receive buffer holds 95 factors until it is written to flash.",
        _EVERY,
        Refusing,
    ),
    Defect(
        "factor-words-swapped",
        "Words of the factor swapped",
        "因子字序颠倒",
        "The two registers of a factor are put together low word first.",
        _EVERY,
        WordsSwapped,
    ),
    Defect(
        "factor-digits",
        "Factor kept with three decimals",
        "因子只保留三位小数",
        "Factors are stored in g/kWh: the digits beyond are lost.",
        "functions.digits",
        ThreeDigits,
    ),
    Defect(
        "factor-undefined-zero",
        "Undefined factor taken for 0",
        "未定义因子按零处理",
        "The code for undefined falls through to the default value 0.",
        "robustness.factor-undefined",
        MissingIsZero,
    ),
    Defect(
        "factor-undefined-last",
        "Undefined factor taken for the last one",
        "未定义因子沿用上一因子",
        "The code for undefined is dropped as if nothing had come.",
        "robustness.factor-undefined",
        MissingIsLast,
    ),
    Defect(
        "factor-not-held",
        "Last factor not held",
        "因子缺失时不沿用",
        "When no factor comes for a slot, none is used, and its carbon is lost.",
        "robustness.factor-missing",
        NotHeld,
    ),
    Defect(
        "factor-late-rewrites",
        "Late factor rewrites registers",
        "迟到因子改写寄存器",
        "A factor that comes within its slot is applied to what was counted since the slot began.",
        "robustness.factor-late",
        LateRewrites,
    ),
    Defect(
        "factor-late-ignored",
        "Late factor ignored",
        "迟到因子被忽略",
        "Only factors of future slots are taken, without a refusal.",
        "robustness.factor-late",
        LateIgnored,
    ),
    Defect(
        "factor-last-slot",
        "Factor of the day's last slot put into the next day",
        "日末时段因子错位",
        "Slots are numbered 1 to 96, the table from 0 to 95: the last one runs over.",
        "robustness.factor-day-end",
        LastSlotMoved,
    ),
    Defect(
        "factor-zero-missing",
        "Factor 0 taken for none",
        "零因子误作缺失",
        "The value is tested for truth instead of for being there.",
        "robustness.factor-zero",
        ZeroIsMissing,
    ),
    Defect(
        "factor-three-bytes",
        "Large factor cut to 24 bits",
        "大因子被截为 24 位",
        "The factor is stored in three bytes, and what does not fit is neither refused nor kept.",
        "robustness.factor-range",
        ThreeBytes,
    ),
    Defect(
        "factor-far-taken",
        "Factor of a far time taken for the present",
        "超范围时段因子生效",
        "The range of the slot is not checked; an index beyond the table becomes the running slot's.",
        "robustness.factor-far",
        FarTaken,
    ),
)
