"""Defects of measuring: what the firmware makes of voltage and current before anything is counted."""

# ruff: noqa: D102 - what a replaced method does is what its class says

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from math import isqrt
from typing import ClassVar, Final

from firmware_sim.circuit import Circuit
from firmware_sim.curves import Curve
from firmware_sim.inspection.defects.defect import FEW, RATING, Conditions, Defect
from firmware_sim.meter import Meter, MeterSettings
from firmware_sim.terminals import PARTS

_PPM: Final = 10**6
_ELECTRICITY: Final = "metering.electricity"


class FrontEnd(Meter):
    """Firmware that sees another power than there is; powers are in `PARTS` of 1 mW, below 0 in reverse."""

    every_ms: ClassVar[int | None] = None  # how often it sees the same power otherwise

    def __init__(self, load: Curve, circuit: Circuit, settings: MeterSettings) -> None:
        super().__init__(_Seen(load, self), circuit, settings)

    @abstractmethod
    def sees(self, power: int, time_ms: int) -> int:
        """Return what the firmware makes of a power, with the circuit as it is."""


class _Seen(Curve):
    """A load as a front end sees it. Looking at the present does not fix it: the load may still be set."""

    def __init__(self, source: Curve, by: FrontEnd) -> None:
        super().__init__(source.start_ms)
        self._source = source
        self._by = by

    def power_at(self, time_ms: int) -> int:
        return self._by.sees(self._source.power_at(time_ms), time_ms)

    def _extend(self, until_ms: int) -> None:
        for start_ms, power in self._pieces(until_ms):
            self._append(start_ms, self._by.sees(power, start_ms))
        self.covered_ms = until_ms

    def _pieces(self, until_ms: int) -> Iterator[tuple[int, int]]:
        steps = list(self._source.steps(self.covered_ms, until_ms))
        every = self._by.every_ms
        ends = [*(start for start, _ in steps[1:]), until_ms]
        for (start_ms, power), end_ms in zip(steps, ends, strict=True):
            yield start_ms, power
            if every is not None:
                for cut_ms in range(start_ms - start_ms % every + every, end_ms, every):
                    yield cut_ms, power


class PhaseMissing(FrontEnd):
    """Sums two phases of three."""

    def sees(self, power: int, time_ms: int) -> int:
        shares = self.circuit.shares
        return power * sum(shares[:2]) // sum(shares)


class PhaseGains(FrontEnd):
    """Has gains that are right in their sum only."""

    gains: ClassVar = (1_018, 991, 991)

    def sees(self, power: int, time_ms: int) -> int:
        shares = self.circuit.shares
        weighed = sum(share * gain for share, gain in zip(shares, self.gains, strict=True))
        return power * weighed // (1_000 * sum(shares))


class PhaseShift(FrontEnd):
    """Leaves out the phase compensation of the current transformers: 10 mrad."""

    def sees(self, power: int, time_ms: int) -> int:
        factor = self.circuit.power_factor
        tangent = isqrt(_PPM * _PPM - factor * factor) * _PPM // factor
        return power * (_PPM + (tangent if self.circuit.capacitive else -tangent) // 100) // _PPM


class LeadingIsReverse(FrontEnd):
    """Takes a leading current for one that flows out."""

    def sees(self, power: int, time_ms: int) -> int:
        return -power if self.circuit.capacitive else power


class Offset(FrontEnd):
    """Adds 3 W that are not there whenever current flows."""

    def sees(self, power: int, time_ms: int) -> int:
        return power and power + 3_000 * PARTS


class Clipped(FrontEnd):
    """Saturates at 0.7 Imax."""

    most = RATING.voltage_mv * RATING.imax_ma * 3 * 7 // 10**4 * PARTS

    def sees(self, power: int, time_ms: int) -> int:
        return max(-self.most, min(power, self.most))


class Creeping(FrontEnd):
    """Sees the noise of the converter, 2 W, where there is no current."""

    def sees(self, power: int, time_ms: int) -> int:
        return power or 2_000 * PARTS


class ReverseGain(FrontEnd):
    """Applies the correction of its gain, -2 %, to positive powers alone."""

    def sees(self, power: int, time_ms: int) -> int:
        return power * 102 // 100 if power < 0 else power


class Wavering(FrontEnd):
    """Averages over a window that is no whole number of periods, so that the result goes to and fro."""

    every_ms = 420_000

    def sees(self, power: int, time_ms: int) -> int:
        return power * (996 + 8 * (time_ms // self.every_ms % 2)) // 1_000


DEFECTS: Final = (
    Defect(
        "gain",
        "Calibration constant not stored",
        "校准系数未保存",
        "The factory's gain is kept in RAM only; the meter starts with the default one, 1.5 % too large.",
        _ELECTRICITY,
        adjust=lambda settings: replace(settings, gain_error=Fraction(15, 1000)),
    ),
    Defect(
        "phase-missing",
        "One phase missing in the sum",
        "合相功率漏计一相",
        "The loop over the phases ends one too early.",
        _ELECTRICITY,
        PhaseMissing,
    ),
    Defect(
        "phase-gains",
        "Gain of one phase wrong",
        "单相增益错误",
        "Only the sum of the phases is calibrated, so that the errors of the phases cancel under balanced load.",
        _ELECTRICITY,
        PhaseGains,
        conditions=Conditions(replace(FEW, balances=("balanced", "a"))),
    ),
    Defect(
        "phase-shift",
        "Phase compensation left out",
        "未作相位补偿",
        "The angle of the current transformers is not compensated: right at unity power factor, wrong at 0.5L.",
        _ELECTRICITY,
        PhaseShift,
        conditions=Conditions(replace(FEW, power_factors=("1.0", "0.5L"))),
    ),
    Defect(
        "leading-reverse",
        "Sign of the power factor taken for the direction",
        "功率因数符号误作功率方向",
        "The sign that tells leading from lagging is read as that of the power: a capacitive load counts in reverse.",
        _ELECTRICITY,
        LeadingIsReverse,
        conditions=Conditions(replace(FEW, power_factors=("1.0", "0.8C"))),
    ),
    Defect(
        "offset",
        "Offset of the converter not removed",
        "模数转换零漂未消除",
        "The product of the offsets of voltage and current is added to the power, which shows at Imin alone.",
        _ELECTRICITY,
        Offset,
    ),
    Defect(
        "clipped",
        "Current clipped below Imax",
        "大电流削顶",
        "The gain of the amplifier is chosen for 0.7 Imax; above that the converter saturates.",
        _ELECTRICITY,
        Clipped,
    ),
    Defect(
        "reverse-gain",
        "Gain not corrected in reverse",
        "反向功率未作增益校正",
        "The sample is corrected where it is above 0: a power that flows out is measured 2 % too large.",
        "metering.reverse",
        ReverseGain,
    ),
    Defect(
        "wavering",
        "Averaging window of no whole periods",
        "平均窗口非整周期",
        "The window of the average is 64 ms, so that readings of one load point differ by 0.8 %.",
        "metering.repeatability",
        Wavering,
    ),
    Defect(
        "starting-threshold",
        "Starting threshold too high",
        "起动阈值过高",
        "The threshold below which nothing counts is set to one and a half times the starting current.",
        "metering.starting",
        adjust=lambda settings: replace(settings, startup_current_ma=RATING.starting_ma * 3 // 2),
    ),
    Defect(
        "creep",
        "Creep: noise counted without current",
        "潜动",
        "There is no threshold below which the power is taken for 0.",
        "metering.no-load",
        Creeping,
    ),
    Defect(
        "pulse-constant",
        "Pulse constant wrong",
        "脉冲常数错误",
        "The output divides by 1005 imp/kWh, the plate says 1000.",
        "metering.constant",
        adjust=lambda settings: replace(settings, pulse_constant=1_005),
    ),
    Defect(
        "clock-fast",
        "Clock fast by 10 ppm",
        "时钟偏快 10 ppm",
        "The trimming of the crystal is not applied: 0.864 s a day.",
        "metering.clock",
        adjust=lambda settings: replace(settings, clock_drift_ppm=Fraction(10)),
    ),
)
