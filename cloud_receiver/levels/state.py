"""How far a centre has come with one partner, as far as it needn't survive the process."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from cloud_receiver.levels.speak import Repetition

SETTLE_MS: Final = 120_000
"""How long nothing new is to be said of a slot before it is compared: a correction is first said by one side."""
BURST_BYTES: Final = 64 << 20
"""Of statements that a partner may say at once: what waited while it, or this centre, was away."""
BYTES_PER_S: Final = 4096
LONGEST_MS: Final = 1_800_000
"""When a slot is compared although there is always something new."""


@dataclass(slots=True)
class Changed:
    """Slots of which something new was said, and when: for the first and for the last time."""

    _noted: dict[int, tuple[int, int]] = field(default_factory=dict)

    def note(self, starts: Iterable[int], now_ms: int) -> None:
        """Note slots."""
        for start in starts:
            self._noted[start] = self._noted.get(start, (now_ms, 0))[0], now_ms

    def due(self, until_ms: int, slot_ms: int, now_ms: int) -> set[int]:
        """Return the slots that ended before `until_ms` and about which both sides have said what they had to."""
        return {
            start
            for start, (first_ms, last_ms) in self._noted.items()
            if start + slot_ms <= until_ms
            # A clock that was put back waits no longer than that.
            and not (0 <= now_ms - last_ms < SETTLE_MS and 0 <= now_ms - first_ms < LONGEST_MS)
        }

    def done(self, starts: Iterable[int]) -> None:
        """Forget slots that were compared."""
        for start in starts:
            self._noted.pop(start, None)


@dataclass(slots=True)
class Allowance:
    """How much a partner may still add to the store: its word is believed, its program may be mad."""

    _left: int = BURST_BYTES
    _at_ms: int = 0

    def take(self, size: int, now_ms: int) -> bool:
        """Return whether a statement of so many bytes may be stored."""
        self._left = min(BURST_BYTES, self._left + max(now_ms - self._at_ms, 0) * BYTES_PER_S // 1000)
        self._at_ms = now_ms
        if size > self._left:
            return False
        self._left -= size
        return True


@dataclass(slots=True)
class State:
    """How far this centre has come with one partner."""

    repetition: Repetition = field(default_factory=Repetition)
    seen: tuple[int, ...] = ()
    whole_ms: int | None = None
    thinned_ms: int = 0
    owed: set[int] = field(default_factory=set)
    """Issues of what was received and stored, which the other side doesn't know yet."""
    changed: Changed = field(default_factory=Changed)
    allowance: Allowance = field(default_factory=Allowance)
    flooded: bool = False
    troubled: bool = False
