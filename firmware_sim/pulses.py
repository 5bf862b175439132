"""The pulse outputs (脉冲输出) of a simulated meter: the exact instants at which it gives energy and carbon pulses.

A pulse comes when forward plus reverse energy (carbon) since the start of the meter's load has grown by another 1/C
kWh (kgCO2). The meter measures the load's energy times its gain; its registers, which only count whole steps, have no
part in it.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Final

from firmware_sim.curves import UJ_PER_MWH, Curve
from firmware_sim.meter import Meter

ENERGY: Final = "energy"
CARBON: Final = "carbon"
_MWH_PER_KWH: Final = 10**6
_NG_PER_KG: Final = 10**12


@dataclass(frozen=True, slots=True)
class _Given:
    """The pulse that was told last: its number, its instant, and how fast pulses came then."""

    number: int
    instant_ms: Fraction
    per_ms: Fraction


class PulseOutputs:
    """The outputs of a meter whose load changes only when somebody sets it.

    Of the future it reckons with the load as it is now, and with the factors that the meter has received.
    """

    def __init__(self, meter: Meter, load: Curve, *, energy: bool = True) -> None:
        """`energy` says whether the meter has an output for energy; one for carbon it has with a carbon constant."""
        self._meter = meter
        self._load = load
        settings = meter.settings
        constant = settings.pulse_constant or settings.meter_constant
        constants = {ENERGY: constant if energy else None, CARBON: settings.carbon_constant}
        units = {ENERGY: _MWH_PER_KWH, CARBON: _NG_PER_KG}
        self._per_part = {
            kind: meter.gain * per_unit / (UJ_PER_MWH * units[kind])
            for kind, per_unit in constants.items()
            if per_unit is not None
        }
        """How many pulses a part of 1 µJ is worth (for carbon: times the factor)."""
        self._given: dict[str, _Given] = {}

    @property
    def kinds(self) -> frozenset[str]:
        """Which pulses the meter gives."""
        return frozenset(self._per_part)

    def next(self, kind: str, now_ms: int, until_ms: Fraction) -> Fraction | None:
        """Return the instant of the first pulse after now and not after `until_ms`, None when there is none.

        Pulses of the millisecond in which the last one told lies come one by one, also when now is its end.
        """
        if not self._meter.powered:
            return None
        per_part = self._per_part[kind]
        counted = self._meter.counted(now_ms)[kind == CARBON] * per_part
        begin_ms = now_ms
        while True:
            factor, change_ms = self._meter.next_factor(begin_ms) if kind == CARBON else (1, None)
            rate = abs(self._load.power_at(now_ms)) * (factor or 0) * per_part
            number = floor(counted) + 1
            if begin_ms == now_ms:
                number = self._following(kind, now_ms, rate, number)
            if rate:
                instant_ms = begin_ms + (number - counted) / rate
                if instant_ms > until_ms:
                    return None
                if change_ms is None or instant_ms <= change_ms:
                    self._given[kind] = _Given(number, instant_ms, rate)
                    return instant_ms
            if change_ms is None or change_ms >= until_ms:
                return None
            counted += rate * (change_ms - begin_ms)
            begin_ms = change_ms

    def _following(self, kind: str, now_ms: int, rate: Fraction, number: int) -> int:
        """Return the pulse after the last one told while its millisecond lasts, unless the load changed since."""
        given = self._given.get(kind)
        if given is None or given.per_ms != rate or not now_ms - 1 < given.instant_ms <= now_ms:
            return number
        return given.number + 1
