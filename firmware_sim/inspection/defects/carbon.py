"""Defects of carbon arithmetic: from energy and factor to the carbon register and its pulses."""

# ruff: noqa: D102 - what a replaced method does is what its class says

import struct
from abc import abstractmethod
from dataclasses import replace
from typing import Final

from firmware_sim.circuit import Circuit
from firmware_sim.curves import Curve
from firmware_sim.inspection.bench import Selection
from firmware_sim.inspection.defects.defect import FEW, RATING, Conditions, Defect
from firmware_sim.meter import Meter, MeterSettings
from profiles.rounding import half_even

_MINUTE_MS: Final = 60_000
_INTERVAL_MS: Final = 65_536  # a counter of 16 bits at 1 kHz
_TENTH_OF_A_GRAM: Final = 10**8  # ng
_NG_PER_KG: Final = 10**12
_TEN_WATTS: Final = 10_000  # mW
_S_PER_H: Final = 3_600
_WORD: Final = 2**32
_PPM: Final = 10**6
_FIXED: Final = "metering.carbon.fixed"


class ByMinutes(Meter):
    """Firmware that works its carbon out each minute, and then does something to it."""

    def _accumulate(self, until_ms: int) -> None:
        while (minute_ms := self._now_ms - self._now_ms % _MINUTE_MS + _MINUTE_MS) <= until_ms:
            super()._accumulate(minute_ms)
            totals = self._totals
            totals.carbon_forward = self.kept(totals.carbon_forward)
            totals.carbon_reverse = self.kept(totals.carbon_reverse)
        super()._accumulate(until_ms)

    @abstractmethod
    def kept(self, carbon_ng: int) -> int:
        """Return what is kept of a carbon register at the end of a minute."""


class Truncated(ByMinutes):
    """Drops what of a minute's carbon does not fill a tenth of a gram."""

    def kept(self, carbon_ng: int) -> int:
        return carbon_ng - carbon_ng % _TENTH_OF_A_GRAM


class Float32(ByMinutes):
    """Keeps kg in a float of 32 bits."""

    def kept(self, carbon_ng: int) -> int:
        (kilograms,) = struct.unpack("f", struct.pack("f", carbon_ng / _NG_PER_KG))
        return int(kilograms * _NG_PER_KG)


class FromPower(Meter):
    """Firmware that multiplies the factor with something else than the energy that it counts."""

    def _carbon(self, energy_mwh: int, factor: int) -> int:
        power_mw = abs(self._measured.power_at(self._now_ms)) // self.settings.load_parts
        return self.multiplied(energy_mwh * factor, power_mw, factor) if power_mw else 0

    @abstractmethod
    def multiplied(self, carbon_ng: int, power_mw: int, factor: int) -> int:
        """Return what the firmware makes of a carbon, under a power and a factor that were there all the time."""


class RoundedPower(FromPower):
    """Takes the power as it is shown, in steps of 10 W."""

    def multiplied(self, carbon_ng: int, power_mw: int, factor: int) -> int:
        return carbon_ng * half_even(power_mw, _TEN_WATTS) * _TEN_WATTS // power_mw


class Overflow32(FromPower):
    """Keeps the product of the mWh of a second and the factor in 32 bits."""

    def multiplied(self, carbon_ng: int, power_mw: int, factor: int) -> int:
        product = power_mw * factor // _S_PER_H
        return carbon_ng * (product % _WORD) // product if product else carbon_ng


class FromApparent(FromPower):
    """Takes the apparent power."""

    def multiplied(self, carbon_ng: int, power_mw: int, factor: int) -> int:
        return carbon_ng * _PPM // self.circuit.power_factor


class RestDropped(Meter):
    """Begins a new interval when the factor changes, and drops the one that was running."""

    def __init__(self, load: Curve, circuit: Circuit, settings: MeterSettings) -> None:
        super().__init__(load, circuit, settings)
        self._began_ms = load.start_ms

    def receive_factor(self, now_ms: int, slot_start_ms: int, factor: int | None) -> None:
        self.advance(now_ms)
        before = self._factors.at(self._clock.at(now_ms)).factor
        super().receive_factor(now_ms, slot_start_ms, factor)
        if before != self._factors.at(self._clock.at(now_ms)).factor:
            self._drop(max(now_ms - now_ms % _INTERVAL_MS, self._began_ms), now_ms, before or 0)
            self._began_ms = now_ms

    def _drop(self, first_ms: int, last_ms: int, factor: int) -> None:
        first, last = self._measured.energy_at(first_ms), self._measured.energy_at(last_ms)
        forward, reverse = (
            (after - before) * self._gain_numerator // self._gain_denominator * factor
            for before, after in zip(first, last, strict=True)
        )
        self._totals.carbon_forward -= forward
        self._totals.carbon_reverse -= reverse


DEFECTS: Final = (
    Defect(
        "carbon-truncated",
        "Carbon truncated each interval",
        "每区间截断碳排放量",
        "Each minute's carbon is cut to tenths of a gram and the rest is dropped instead of being carried.",
        _FIXED,
        Truncated,
    ),
    Defect(
        "carbon-float32",
        "Carbon accumulated in a float of 32 bits",
        "碳排放量以单精度浮点累计",
        "The register in kg is a single-precision float: what a minute adds to a large register is rounded away.",
        "robustness.rollover-carbon",
        Float32,
    ),
    Defect(
        "carbon-rounded-power",
        "Carbon from the rounded power",
        "以显示功率计算碳排放量",
        "The factor is multiplied with the power as it is displayed, in steps of 10 W.",
        _FIXED,
        RoundedPower,
    ),
    Defect(
        "carbon-overflow",
        "Product of 32 bits",
        "乘积 32 位溢出",
        "Energy of a second times factor is kept in 32 bits, which overflows at Imax under the larger factors only.",
        _FIXED,
        Overflow32,
    ),
    Defect(
        "carbon-apparent",
        "Carbon from the apparent power",
        "以视在功率计算碳排放量",
        "The factor is multiplied with S instead of P: right at unity power factor only.",
        _FIXED,
        FromApparent,
        conditions=Conditions(replace(FEW, power_factors=("1.0", "0.5L"))),
    ),
    Defect(
        "carbon-pulses-divided",
        "Carbon pulse output divided",
        "碳脉冲输出分频错误",
        "The divider of the energy output is left on for carbon: half as many pulses as the plate says.",
        _FIXED,
        adjust=lambda settings: replace(settings, carbon_constant=(RATING.carbon_constant or 0) // 2),
    ),
    Defect(
        "carbon-rest-dropped",
        "Running interval dropped when the factor changes",
        "因子变更时丢弃当前区间",
        "A new factor begins a new interval without the running one being closed; each factor by itself is right.",
        "metering.carbon.dynamic",
        RestDropped,
        conditions=Conditions(replace(FEW, factors=Selection().factors)),
    ),
)
