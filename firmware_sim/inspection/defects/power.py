"""Defects of a power cut (停电): what the firmware finds when the supply comes back."""

# ruff: noqa: D102 - what a replaced method does is what its class says

from abc import abstractmethod
from typing import Final

from firmware_sim.circuit import Circuit
from firmware_sim.curves import Curve
from firmware_sim.inspection.defects.defect import Defect
from firmware_sim.meter import Meter, MeterSettings

_CUT: Final = "robustness.power-cut"
_SAVED_EVERY_MS: Final = 900_000
_HOUR_MS: Final = 3_600_000
_LATER_MS: Final = 10_000
_REGISTERS: Final = ("energy_forward", "energy_reverse", "carbon_forward", "carbon_reverse")


class Saving(Meter):
    """Firmware that saves its registers every 15 minutes."""

    def __init__(self, load: Curve, circuit: Circuit, settings: MeterSettings) -> None:
        super().__init__(load, circuit, settings)
        self._copy = self._registers()

    def _registers(self) -> dict[str, int]:
        return {name: getattr(self._totals, name) for name in _REGISTERS}

    def _accumulate(self, until_ms: int) -> None:
        saved_ms = until_ms - until_ms % _SAVED_EVERY_MS
        if self.powered and self._now_ms < saved_ms:
            super()._accumulate(saved_ms)
            self._copy = self._registers()
        super()._accumulate(until_ms)


class OldCopy(Saving):
    """Comes back with the registers that were saved last."""

    def restore(self, now_ms: int) -> None:
        super().restore(now_ms)
        self.preset(now_ms, self._copy)


class CountedTwice(Saving):
    """Adds what came since the last saving to registers that have it already."""

    def restore(self, now_ms: int) -> None:
        super().restore(now_ms)
        present = self._registers()
        self.preset(now_ms, {name: 2 * value - self._copy[name] for name, value in present.items()})


class ClockStops(Meter):
    """Has a clock that stands without supply."""

    def cut(self, now_ms: int) -> None:
        super().cut(now_ms)
        self._stood_ms = self.device_time(now_ms)

    def restore(self, now_ms: int) -> None:
        super().restore(now_ms)
        self.set_clock(now_ms, self._stood_ms)


class DayRestarts(Meter):
    """Sets the base of the day's carbon anew at each power-up."""

    def restore(self, now_ms: int) -> None:
        super().restore(now_ms)
        self.frozen.day_carbon = (self._totals.carbon_forward, self._totals.carbon_reverse)


class FreezeMissed(Meter):
    """Freezes nothing at a midnight in the dark."""

    def _freeze(self, midnight_ms: int) -> None:
        if self.powered:
            super()._freeze(midnight_ms)
        else:
            self.frozen.next_ms = self.frozen.midnight_after(midnight_ms)


class FactorsFromFlash(Meter):
    """Firmware that finds only those factors after a power cut that had been saved before."""

    def __init__(self, load: Curve, circuit: Circuit, settings: MeterSettings) -> None:
        super().__init__(load, circuit, settings)
        self._received: list[tuple[int, int, int | None]] = []

    def receive_factor(self, now_ms: int, slot_start_ms: int, factor: int | None) -> None:
        super().receive_factor(now_ms, slot_start_ms, factor)
        self._received.append((now_ms, slot_start_ms, factor))

    def cut(self, now_ms: int) -> None:
        super().cut(now_ms)
        saved_ms = self.saved_ms(now_ms)
        self._received = [one for one in self._received if one[0] <= saved_ms]

    def restore(self, now_ms: int) -> None:
        super().restore(now_ms)
        self._factors = self.factor_memory(self.settings.default_factor)
        for received_ms, slot_start_ms, factor in self._received:
            self._factors.receive(slot_start_ms, factor, self._clock.at(received_ms))

    @abstractmethod
    def saved_ms(self, now_ms: int) -> int:
        """Return when factors were saved last."""


class FactorsOfTheHour(FactorsFromFlash):
    """Saves factors at each full hour."""

    def saved_ms(self, now_ms: int) -> int:
        return now_ms - now_ms % _HOUR_MS


class FactorsSavedLater(FactorsFromFlash):
    """Saves a factor 10 s after it was confirmed."""

    def saved_ms(self, now_ms: int) -> int:
        return now_ms - _LATER_MS


DEFECTS: Final = (
    Defect(
        "cut-old-copy",
        "Registers restored from an old copy",
        "停电后恢复旧寄存器值",
        "Registers are saved every 15 minutes and not when the supply fails.",
        _CUT,
        OldCopy,
    ),
    Defect(
        "cut-counted-twice",
        "Energy before a power cut counted twice",
        "停电前电量重复计量",
        "The emergency copy has the energy since the last regular one, which is then added to it once more.",
        _CUT,
        CountedTwice,
    ),
    Defect(
        "cut-clock-stops",
        "Clock stops without supply",
        "停电时钟停走",
        "The clock's battery is never switched in.",
        _CUT,
        ClockStops,
    ),
    Defect(
        "cut-day-restarts",
        "Day's carbon restarted at each power-up",
        "上电后当日碳排放量重新累计",
        "The base of the day's increment is kept in RAM and set to the register when the firmware starts.",
        _CUT,
        DayRestarts,
    ),
    Defect(
        "cut-freeze-missed",
        "Midnight in the dark not frozen",
        "停电期间零点未冻结",
        "Freezing is a task of the main loop, which does not run from the battery, and nothing catches up.",
        "robustness.power-cut-midnight",
        FreezeMissed,
    ),
    Defect(
        "factor-stale-after-cut",
        "Stale factor after a power cut",
        "停电后因子陈旧",
        "Factors are saved once an hour; what came since is gone after a power cut.",
        _CUT,
        FactorsOfTheHour,
    ),
    Defect(
        "factor-saved-later",
        "Factor confirmed before it is saved",
        "因子未保存即确认",
        "A factor is confirmed at once and written to flash 10 s later.",
        "robustness.power-cut-factor",
        FactorsSavedLater,
    ),
)
