"""Firmware with one mistake each, one for every item that it must fail."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from weakref import WeakSet
from zoneinfo import ZoneInfo

from firmware_sim.faces.base import Answer
from firmware_sim.faces.build import FaceBuilder
from firmware_sim.faces.modbus import ModbusFace, ModbusMeter
from firmware_sim.faces.modbus_requests import Request, RtuRequests
from firmware_sim.factors import SLOT_MS, FactorMemory, FactorQuality, InForce
from firmware_sim.freezes import FreezeMemory
from firmware_sim.meter import Meter, Row

DAY_MS = 86_400_000
DEAF: WeakSet[ModbusMeter] = WeakSet()
ZONE = ZoneInfo("Asia/Shanghai")


def local(time_ms: int) -> datetime:
    return (datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=time_ms)).astimezone(ZONE)


class WholeKilograms(Meter):
    def _shown(self) -> Row:
        row = super()._shown()
        return {**row, "carbon_forward": (row["carbon_forward"] or 0) // 10**12 * 10**12}


class AddsReverse(Meter):
    def _shown(self) -> Row:
        row = super()._shown()
        return {**row, "carbon_forward": (row["carbon_forward"] or 0) + (row["carbon_reverse"] or 0)}


class SwapsDays(Meter):
    def values(self, now_ms: int) -> Row:
        row = super().values(now_ms)
        names = ("carbon_forward_previous_day", "carbon_reverse_previous_day")
        return {**row, names[0]: row[names[1]], names[1]: row[names[0]]}


class OldestFirst(Meter):
    def row(self, table: str, number: int, now_ms: int) -> Row:
        kept = len(self.frozen.daily)
        backward = kept + 1 - number if table == "daily_freezes" and number <= kept else number
        return super().row(table, backward, now_ms)


class ElevenMonths(Meter):
    def row(self, table: str, number: int, now_ms: int) -> Row:
        return {} if (table, number) == ("monthly_freezes", 12) else super().row(table, number, now_ms)


class DayStampedAtItsEnd(Meter):
    def row(self, table: str, number: int, now_ms: int) -> Row:
        row = super().row(table, number, now_ms)
        return {**row, "time": (row["time"] or 0) + DAY_MS} if table == "daily_carbon" and row else row


class UndefinedStoredAsZero(Meter):
    def _factor_slot(self, slot: int, now_ms: int) -> Row:
        row = super()._factor_slot(slot, now_ms)
        return {**row, "carbon_factor": row["carbon_factor"] or 0} if row else row


class TruncatesEachSlot(Meter):
    """Loses what is below a µg whenever a slot ends."""

    def advance(self, now_ms: int) -> None:
        before = self._now_ms // SLOT_MS
        super().advance(now_ms)
        totals = self._totals
        if now_ms // SLOT_MS > before:
            totals.carbon_forward -= totals.carbon_forward % 1_000_000


class MinuteLateMemory(FactorMemory):
    def at(self, time_ms: int) -> InForce:
        return super().at(time_ms - 30_000)

    def next_change(self, time_ms: int) -> int | None:
        found = super().next_change(time_ms - 30_000)
        return None if found is None else found + 30_000


class MinuteLate(Meter):
    factor_memory = MinuteLateMemory


class EachReadMovesOn(Meter):
    """Has a pointer to the next row, and takes no notice of the number."""

    pointer = 0

    def row(self, table: str, number: int, now_ms: int) -> Row:
        self.pointer += 1
        return super().row(table, 1 + (self.pointer - 1) % 30, now_ms)


class ForgetsHeldMemory(FactorMemory):
    def at(self, time_ms: int) -> InForce:
        found = super().at(time_ms)
        over = found.start_ms is not None and time_ms >= found.start_ms + SLOT_MS
        return InForce(0, found.quality, found.start_ms) if over else found

    def next_change(self, time_ms: int) -> int | None:
        end = time_ms - time_ms % SLOT_MS + SLOT_MS
        found = super().next_change(time_ms)
        return end if found is None else min(end, found)


class ForgetsHeld(Meter):
    factor_memory = ForgetsHeldMemory


class OwnSlotOnlyMemory(ForgetsHeldMemory):
    def at(self, time_ms: int) -> InForce:
        found = super().at(time_ms)
        over = found.start_ms is not None and time_ms >= found.start_ms + SLOT_MS
        return InForce(None, FactorQuality.UNDEFINED, found.start_ms) if over else found


class OwnSlotOnly(Meter):
    """Has no factor after the slot of the last one: right or wrong, as its maker says."""

    factor_memory = OwnSlotOnlyMemory


class LatestSentHolds(Meter):
    """Takes a factor of a slot that is over for the running one."""

    def receive_factor(self, now_ms: int, slot_start_ms: int, factor: int | None) -> None:
        running = self.device_time(now_ms) - self.device_time(now_ms) % SLOT_MS
        super().receive_factor(now_ms, max(slot_start_ms, running), factor)


class NinetyFiveSlots(Meter):
    def receive_factor(self, now_ms: int, slot_start_ms: int, factor: int | None) -> None:
        at = local(slot_start_ms)
        if (at.hour, at.minute) != (23, 45):
            super().receive_factor(now_ms, slot_start_ms, factor)


class ZeroIsNothing(Meter):
    def receive_factor(self, now_ms: int, slot_start_ms: int, factor: int | None) -> None:
        if factor != 0:
            super().receive_factor(now_ms, slot_start_ms, factor)


class UndefinedIsAverage(Meter):
    def receive_factor(self, now_ms: int, slot_start_ms: int, factor: int | None) -> None:
        super().receive_factor(now_ms, slot_start_ms, 581_000 if factor is None else factor)


class Clamps(Meter):
    def receive_factor(self, now_ms: int, slot_start_ms: int, factor: int | None) -> None:
        super().receive_factor(now_ms, slot_start_ms, None if factor is None else min(factor, 10_000_000))


class SwallowsFar(Meter):
    def receive_factor(self, now_ms: int, slot_start_ms: int, factor: int | None) -> None:
        if abs(slot_start_ms - now_ms) < 100 * DAY_MS:
            super().receive_factor(now_ms, slot_start_ms, factor)


class GainsAtRestore(Meter):
    def restore(self, now_ms: int) -> None:
        super().restore(now_ms)
        self.preset(now_ms, {"energy_forward": self._totals.energy_forward + 1000})


class ClockStands(Meter):
    def cut(self, now_ms: int) -> None:
        super().cut(now_ms)
        self._stood = self.device_time(now_ms)

    def restore(self, now_ms: int) -> None:
        super().restore(now_ms)
        self.set_clock(now_ms, self._stood)


class FreezesAgainAtRestore(Meter):
    def restore(self, now_ms: int) -> None:
        super().restore(now_ms)
        self.frozen.daily.appendleft(dict(self.frozen.daily[0]))


class TearsFactor(Meter):
    def cut(self, now_ms: int) -> None:
        super().cut(now_ms)
        running = now_ms - now_ms % SLOT_MS
        self._factors.receive(running, (self._factors.at(running).factor or 0) // 2, now_ms)


class StampsWhenSet(Meter):
    def set_clock(self, now_ms: int, device_ms: int) -> None:
        rows = len(self.frozen.daily), self.frozen.daily[0]["time"] if self.frozen.daily else 0
        super().set_clock(now_ms, device_ms)
        if self.frozen.daily and self.frozen.daily[0]["time"] != rows[1]:
            self.frozen.daily[0] = {**self.frozen.daily[0], "time": device_ms}


class DropsNewest(Meter):
    def set_clock(self, now_ms: int, device_ms: int) -> None:
        backward = local(device_ms).date() < local(self.device_time(now_ms)).date()
        super().set_clock(now_ms, device_ms)
        if backward:
            self.frozen.daily.popleft()


class ForgetsFactors(Meter):
    def set_clock(self, now_ms: int, device_ms: int) -> None:
        super().set_clock(now_ms, device_ms)
        self._factors = self.factor_memory(0)


class ThirtyFirstUnknownMemory(FreezeMemory):
    def begins_month(self, midnight_ms: int) -> bool:
        ended = local(midnight_ms - 1)
        return ended.day == 30 or (super().begins_month(midnight_ms) and ended.day < 30)


class ThirtyFirstUnknown(Meter):
    freeze_memory = ThirtyFirstUnknownMemory


class LeapDayUnknown(Meter):
    def _freeze(self, midnight_ms: int) -> None:
        ended = local(midnight_ms - 1)
        if (ended.month, ended.day) == (2, 28):
            self.frozen.next_ms = self.frozen.midnight_after(midnight_ms)
        else:
            super()._freeze(midnight_ms)


class Stops(Meter):
    """Has registers that stand at their end."""

    def _shown(self) -> Row:
        row, totals, settings = super()._shown(), self._totals, self.settings
        ends = {"energy": settings.rollover_mwh or 0, "carbon": settings.carbon_rollover_ng or 0}
        for name in ("energy_forward", "energy_reverse", "carbon_forward", "carbon_reverse"):
            end = ends[name.partition("_")[0]]
            if getattr(totals, name) >= end:
                row[name] = end - 1
        return row


class DeafFace(ModbusFace):
    """Says nothing any more, on no connection, once it was given what it does not answer."""

    def feed(self, data: bytes, now_ms: int) -> Sequence[Answer]:
        answers = super().feed(data, now_ms)
        meters = list(self._meters.values())
        if not answers:
            DEAF.update(meters)
        return () if DEAF.intersection(meters) else answers


class Deaf(FaceBuilder):
    modbus_face = DeafFace


class PromiscuousFace(ModbusFace):
    def _answer(self, request: Request, now_ms: int) -> Sequence[Answer]:
        return super()._answer(replace(request, unit=next(iter(self._names))), now_ms)


class Promiscuous(FaceBuilder):
    modbus_face = PromiscuousFace


class UncheckedRequests(RtuRequests):
    def _is_whole(self, frame: bytes) -> bool:
        return True


class UncheckedFace(ModbusFace):
    rtu = UncheckedRequests


class Unchecked(FaceBuilder):
    modbus_face = UncheckedFace
