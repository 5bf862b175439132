"""Whether a meter's means of power are those of the energy that it counted.

A loss by voltage drop is that by the power that is told. Where that is of another size (a wrong multiplier), or comes
at other times (another meter's voltages, or labels), it says nothing of this branch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import isnan
from typing import Final

from cloud_receiver.estimation.registers import RegisterHistory
from cloud_receiver.registry import Meter
from wire.voltage_means import QUARTER_MS

_SIZE: Final = 0.1
"""How far all that is told may differ from all that was counted."""
_COURSE: Final = 0.1
"""Likewise where pieces of half an hour are held against each other, each less what steps and clocks explain."""
_LEAST_KWH: Final = 5.0
_LEAST_QUARTERS: Final = 2
_LEAST_STEPS: Final = 5
"""Quarters, and steps of the register, that are compared at once: what fewer steps show, they may make."""
_CLOCK_H: Final = 240 / 3600
"""By how much the quarters of the one may lie beside those of the other."""
_QUARTER_H: Final = QUARTER_MS / 3_600_000
_HOUR_MS: Final = 3_600_000
_MWH_PER_KWH: Final = 1_000_000


@dataclass(slots=True)
class _Piece:
    """Quarters without a gap, and what was told of them and counted, kWh; `kw`: the highest of their powers."""

    quarters: int = 0
    told: float = 0.0
    counted: float = 0.0
    kw: float = 0.0

    @property
    def size(self) -> float:
        return max(abs(self.told), abs(self.counted))

    def add(self, other: "_Piece") -> None:
        self.quarters += other.quarters
        self.told += other.told
        self.counted += other.counted
        self.kw = max(self.kw, other.kw)

    def beside(self, step_kwh: float) -> float:
        """Return how far both differ, less a step of the register and what clocks move at both ends."""
        return max(0.0, abs(self.told - self.counted) - step_kwh - 2 * _CLOCK_H * self.kw)


def mismatched(power_kw: Sequence[float], starts_ms: range, history: RegisterHistory, meter: Meter) -> bool:
    """Return whether means of power by quarter from `starts_ms` on (NaN: not known) are not those of a register.

    Both as they flowed. Of less than 5 kWh nothing is concluded.
    """
    step_kwh = max(float(meter.resolution_kwh), history.step_mwh / _MWH_PER_KWH)
    whole, run = _Piece(), _Piece()
    beside = compared = 0.0
    for piece in _pieces(power_kw, starts_ms, history):
        if piece is None:
            run = _Piece()
            continue
        whole.add(piece)
        run.add(piece)
        if run.quarters >= _LEAST_QUARTERS and run.size >= _LEAST_STEPS * step_kwh:
            beside += run.beside(step_kwh)
            compared += run.size
            run = _Piece()
    if abs(whole.counted) >= _LEAST_KWH and abs(whole.told - whole.counted) > _SIZE * abs(whole.counted):
        return True
    return compared >= _LEAST_KWH and beside > _COURSE * compared


def _pieces(power_kw: Sequence[float], starts_ms: range, history: RegisterHistory) -> Iterator[_Piece | None]:
    """Yield the pieces between instants at which the register is known; None: a gap."""
    for (begin_ms, opening, segment), (end_ms, closing, later) in pairwise(history.nets):
        if begin_ms < starts_ms.start:
            continue
        first, last = ((time_ms - starts_ms.start) // QUARTER_MS for time_ms in (begin_ms, end_ms))
        part = power_kw[first:last]
        whole = segment == later and end_ms - begin_ms <= _HOUR_MS and len(part) == last - first
        if not whole or any(map(isnan, part)):
            yield None
            continue
        told = sum(part) * _QUARTER_H
        counted = (closing - opening) / _MWH_PER_KWH
        highest = max(*map(abs, part), abs(counted) / (len(part) * _QUARTER_H))
        yield _Piece(len(part), told, counted, highest)
