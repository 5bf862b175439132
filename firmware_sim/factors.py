"""The factors a meter was sent (电碳因子), kept for 365 days, and which of them is in force.

A factor is in force from the start of its 15-minute slot until that of the next one received. One that arrives after
its slot began is in force from its arrival on: registers are never rewritten.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

SLOT_MS: Final = 900_000
DAY_MS: Final = 86_400_000
KEPT_MS: Final = 366 * DAY_MS  # T/CIMA 0079.4 section 5.7 asks for 365 days; today's are kept as well
FUTURE_MS: Final = 2 * DAY_MS
LARGEST: Final = 0xFFFF_FFFE


class FactorQuality(IntEnum):
    """Where the factor in force comes from; the codes of the record format."""

    DISPATCHED = 0  # 下发
    HELD = 1  # 沿用
    DEFAULT = 2  # 缺省
    UNDEFINED = 3  # 未定义


@dataclass(frozen=True, slots=True)
class InForce:
    """A factor in mg/kWh (None: undefined), its origin, and the slot it was sent for (None: never sent)."""

    factor: int | None
    quality: FactorQuality
    start_ms: int | None


class FactorRefusedError(ValueError):
    """A factor that the meter does not accept."""


class FactorMemory:
    """What one meter knows of its node's factors."""

    def __init__(self, default: int | None = None) -> None:
        self._starts: list[int] = []
        self._factors: list[int | None] = []
        self._default = default

    def receive(self, start_ms: int, factor: int | None, now_ms: int) -> None:
        """Take the factor of a slot; FactorRefusedError for a start off the grid, too old or too far ahead."""
        if start_ms % SLOT_MS:
            raise FactorRefusedError(f"a slot starts at a multiple of 15 min, not at {start_ms} ms")
        if not now_ms - KEPT_MS < start_ms <= now_ms + FUTURE_MS:
            raise FactorRefusedError(f"slot {start_ms} ms is not within 365 days before and 2 days after {now_ms} ms")
        if factor is not None and not 0 <= factor <= LARGEST:
            raise FactorRefusedError(f"a factor is 0..{LARGEST} mg/kWh, not {factor}")
        index = bisect_left(self._starts, start_ms)
        if index < len(self._starts) and self._starts[index] == start_ms:
            self._factors[index] = factor
        else:
            self._starts.insert(index, start_ms)
            self._factors.insert(index, factor)
        # The last of the old ones stays: it may still be held.
        old = max(bisect_left(self._starts, now_ms - KEPT_MS) - 1, 0)
        del self._starts[:old], self._factors[:old]

    def at(self, time_ms: int) -> InForce:
        """Return what is in force at an instant, as far as is known now."""
        index = bisect_right(self._starts, time_ms) - 1
        if index < 0:
            quality = FactorQuality.UNDEFINED if self._default is None else FactorQuality.DEFAULT
            return InForce(self._default, quality, None)
        factor, start = self._factors[index], self._starts[index]
        if factor is None:
            return InForce(None, FactorQuality.UNDEFINED, start)
        held = time_ms >= start + SLOT_MS
        return InForce(factor, FactorQuality.HELD if held else FactorQuality.DISPATCHED, start)

    def next_change(self, time_ms: int) -> int | None:
        """Return the start of the first received slot after an instant."""
        index = bisect_right(self._starts, time_ms)
        return self._starts[index] if index < len(self._starts) else None

    def __len__(self) -> int:
        return len(self._starts)
