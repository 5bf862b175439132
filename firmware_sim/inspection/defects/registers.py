"""Defects of registers (寄存器): their end, their digits, their direction."""

from collections.abc import Mapping
from typing import Final

from firmware_sim.inspection.defects.defect import Defect, of_kind
from firmware_sim.meter import Meter, MeterSettings, Row

_ROLLOVER: Final = "robustness.rollover-energy"
_DIRECTIONS: Final = "functions.directions"
_KWH: Final = 10**6  # mWh
_BCD_END: Final = 10**10  # mWh: 9999.99 kWh
_KEPT: Final = ("energy", "carbon")
_UNSIGNED_END: Final = 2**40


class Stopping(MeterSettings):
    """Registers that stay at their end."""

    def wrapped(self, registers: Mapping[str, int | None]) -> dict[str, int | None]:
        """Return registers as they are shown."""
        ends = {
            "energy": (self.rollover_mwh, self.resolution_mwh),
            "carbon": (self.carbon_rollover_ng, self.carbon_resolution_ng),
        }
        shown = dict(registers)
        for name, value in registers.items():
            end, step = ends.get(name.partition("_")[0], (None, 1))
            if end is not None and value is not None:
                shown[name] = min(value, end - step)
        return shown


class Jumping(MeterSettings):
    """Registers that begin again with 1 kWh."""

    def wrapped(self, registers: Mapping[str, int | None]) -> dict[str, int | None]:
        """Return registers as they are shown."""
        end = self.rollover_mwh
        shown = MeterSettings.wrapped(self, registers)
        for name, value in registers.items():
            if name.startswith("energy") and end is not None and value is not None and value >= end:
                shown[name] = (value + _KWH) % end
        return shown


class SixDigits(MeterSettings):
    """Energy registers of three bytes of BCD."""

    def wrapped(self, registers: Mapping[str, int | None]) -> dict[str, int | None]:
        """Return registers as they are shown."""
        shown = MeterSettings.wrapped(self, registers)
        for name, value in shown.items():
            if name.startswith("energy") and value is not None:
                shown[name] = value % _BCD_END
        return shown


class DayFromShown(Meter):
    """Takes the day's carbon as the difference of two registers that may have started again between."""

    def _freeze(self, midnight_ms: int) -> None:
        base, totals, end = self.frozen.day_carbon, self._totals, self.settings.carbon_rollover_ng
        before = self.frozen.row("daily_carbon", 1)
        super()._freeze(midnight_ms)
        row = self.frozen.row("daily_carbon", 1)
        if end is not None and row is not before:
            row["carbon_forward"] = max(totals.carbon_forward % end - base[0] % end, 0)
            row["carbon_reverse"] = max(totals.carbon_reverse % end - base[1] % end, 0)


class Netted(Meter):
    """Shows forward less reverse as forward."""

    def _shown(self) -> Row:
        shown = super()._shown()
        for kind in _KEPT:
            forward, reverse = shown[f"{kind}_forward"] or 0, shown[f"{kind}_reverse"] or 0
            shown[f"{kind}_forward"] = max(forward - reverse, 0)
        return shown


class Unsigned(Meter):
    """Keeps reverse below 0 and shows it without sign."""

    def _shown(self) -> Row:
        shown = super()._shown()
        reverse = shown["energy_reverse"] or 0
        shown["energy_reverse"] = -reverse % _UNSIGNED_END
        return shown


DEFECTS: Final = (
    Defect(
        "rollover-lost",
        "Rollover lost",
        "翻转丢失",
        "Registers stop at their last value instead of starting again from 0.",
        _ROLLOVER,
        adjust=of_kind(Stopping),
    ),
    Defect(
        "rollover-jumps",
        "Register jumps at its rollover",
        "翻转时跳字",
        "After the rollover the energy register begins with 1 kWh instead of 0.",
        _ROLLOVER,
        adjust=of_kind(Jumping),
    ),
    Defect(
        "rollover-day",
        "Day's carbon lost at the rollover",
        "翻转日增量丢失",
        "The day's increment is the difference of two readings, taken for 0 when it is negative.",
        "robustness.rollover-carbon",
        DayFromShown,
    ),
    Defect(
        "bcd-overflow",
        "BCD overflow",
        "BCD 溢出",
        "The BCD conversion has three bytes: from 10000 kWh on the upper digits are cut off.",
        _ROLLOVER,
        adjust=of_kind(SixDigits),
    ),
    Defect(
        "reverse-netted",
        "Reverse netted into forward",
        "反向电量抵减正向",
        "One signed sum is kept, and the forward registers are made of it.",
        _DIRECTIONS,
        Netted,
    ),
    Defect(
        "reverse-unsigned",
        "Negative shown as large",
        "负值显示为大数",
        "Reverse energy is summed with its sign and shown as a number without one.",
        _DIRECTIONS,
        Unsigned,
    ),
)
