"""A simulated meter whose load and time are samples: its load as a curve, and the pulses that come meanwhile."""

from collections.abc import Iterable, Iterator, Mapping
from fractions import Fraction
from math import floor
from typing import Final

from firmware_sim.curves import UJ_PER_MWH
from firmware_sim.meter import Meter
from firmware_sim.terminals import SetCurve

ENERGY: Final = 1
CARBON: Final = 2
_PER_UNIT: Final = {ENERGY: 10**6, CARBON: 10**12}  # mWh in 1 kWh, ng in 1 kg
PART: Final = 2**32  # of a sample


class SampledLoad:
    """A load (`curve`, in 10^-9 mW by ms) that samples bring; now is the sample that comes next.

    The curve is in whole ms and samples are not: at each whole ms up to now it has exactly what flowed before it where
    samples begin with a ms; else the last ms before now has what flowed up to the very sample, so that a reading at
    now lacks nothing.
    """

    def __init__(self, start_ms: int, rate: int) -> None:
        self.curve = SetCurve(start_ms)
        self.index = 0
        self.start_ms = start_ms
        self.rate = rate
        self._owed = [Fraction(0), Fraction(0)]  # forward, reverse: what flowed less what the curve has

    @property
    def now_ms(self) -> int:
        """Return the whole ms in which now is."""
        return self.start_ms + self.index * 1000 // self.rate

    def feed(self, count: int, power: Fraction, energy: Fraction) -> None:
        """Let samples pass: their mean power over a period, and their own energy in 10^-9 mW times a sample."""
        begin_ms = self.now_ms
        self.index += count
        length_ms = self.now_ms - begin_ms
        reverse = power < 0
        level, sign = abs(round(power)), -1 if reverse else 1
        owed = self._owed[reverse] + sign * energy * 1000 / self.rate
        if length_ms:
            # Where a part of a period brings less than its mean, it brings it evenly.
            before = level if owed > level * (length_ms - 1) else max(floor(owed / length_ms), 0)
            last = max(round(owed) - before * (length_ms - 1), 0)
            owed -= before * (length_ms - 1) + last
            self.curve.set_power(begin_ms, sign * before)
            self.curve.set_power(self.now_ms - 1, sign * last)
            self.curve.set_power(self.now_ms, sign * level)
        self._owed[reverse] = owed


class Outputs:
    """The pulse outputs (脉冲输出) of a meter, as it measures (firmware_sim.pulses), over samples that are known.

    An output gives at most a pulse in a ms: of what comes faster, the rest is lost.
    """

    def __init__(self, meter: Meter, load: SampledLoad, constants: Mapping[int, int]) -> None:
        """`constants`: of each output, pulses per kWh or kgCO2."""
        self._meter = meter
        self._load = load
        self._per_part = {
            kind: meter.gain * constant / (UJ_PER_MWH * _PER_UNIT[kind]) for kind, constant in constants.items()
        }

    def since(self, first: int, begin_ms: int, wanted: int) -> list[tuple[int, int]]:
        """Return place (2^-32 of a sample) and kind of each pulse in the samples from `first`, which is at `begin_ms`.

        The meter is at the begin still, its load known up to now. `wanted`: the kinds, summed up.
        """
        end_ms = self._load.now_ms
        if begin_ms == end_ms or not self._meter.powered:
            return []
        steps = list(self._meter.measured.steps(begin_ms, end_ms))
        ends = [*(start for start, _ in steps[1:]), end_ms]
        pieces = [(start, end, abs(power)) for (start, power), end in zip(steps, ends, strict=True) if power]
        if not pieces:
            return []
        counted = self._meter.counted(begin_ms)
        found: list[tuple[int, int]] = []
        for kind, per_part in self._per_part.items():
            if not kind & wanted:
                continue
            if kind == ENERGY:
                found += ((place, kind) for place in self._places(pieces, counted[0], per_part))
            else:
                found += ((place, kind) for place in self._places(self._weighed(pieces), counted[1], per_part))
        least, most = first * PART, self._load.index * PART - 1
        return [(min(max(place, least), most), kind) for place, kind in sorted(found)]

    def _weighed(self, pieces: list[tuple[int, int, int]]) -> Iterator[tuple[int, int, int]]:
        """Yield the pieces times the factor that holds in each, cut where it changes."""
        for start, end, power in pieces:
            begin = start
            while begin < end:
                factor, change_ms = self._meter.next_factor(begin)
                until = end if change_ms is None or change_ms <= begin else min(change_ms, end)
                yield begin, until, power * (factor or 0)
                begin = until

    def _places(self, pieces: Iterable[tuple[int, int, int]], count: int, per_part: Fraction) -> Iterator[int]:
        """Yield the places of pulses while a count of parts grows; in integers, as there may be millions."""
        per, parts = per_part.numerator, per_part.denominator
        load = self._load
        for start, end, power in pieces:
            after = count + power * (end - start)
            first, last = count * per // parts + 1, after * per // parts
            if first <= last:
                stride = max(-(-power * per // parts), 1)
                # When the count has come to n·parts/per, in ms after the start: (n·parts/per - count)/power.
                scale, divisor = load.rate * PART, 1000 * power * per
                place = ((start - load.start_ms) * power * per + first * parts - count * per) * scale
                for _ in range(first, last + 1, stride):
                    yield place // divisor
                    place += stride * parts * scale
            count = after
