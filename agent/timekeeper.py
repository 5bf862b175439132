"""The gateway's time: the wall clock, made steady by the monotonic clock (时钟).

A reading's time is an anchored wall time plus the monotonic time since. The wall clock is compared now and then: a
small difference is absorbed, a step is followed once it has lasted. After a step back, time runs at half speed until
the wall clock has caught up, so that a record's time does not go back and no interval happens twice.

A difference of more than a day is a leap: one of the two times was wrong altogether, as that of a gateway whose
battery-backed clock is empty. It is not lived through but jumped over, in either direction, and the meters' last
readings with it. A leap that no time service confirms has to last for longer.
"""

import ctypes
from collections.abc import Callable
from typing import Final

from clock import Clock
from wire.records import ClockState

STEP_MS: Final = 2_000  # a larger difference between wall and monotonic clock is a step, a smaller one drift
CONFIRM_MS: Final = 10_000  # a step is followed when it has lasted this long: a glitch is not
LEAP_MS: Final = 86_400_000  # a larger difference is a leap
INSIST_MS: Final = 600_000  # a leap of a clock that is not synchronised is believed when it has lasted this long
SETTLE_MS: Final = 300_000  # after a step the clock is not called synchronised for this long

_TIME_ERROR: Final = 5  # adjtimex(2): the clock is not synchronised
_TIMEX_BYTES: Final = 512  # more than struct timex takes on any Linux; modes = 0 only reads


def kernel_synchronised() -> bool:
    """Return whether the kernel says that a time service keeps the clock (adjtimex(2)); False if it can't tell."""
    try:
        state: int = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    except (OSError, AttributeError):
        return False
    return 0 <= state < _TIME_ERROR


class Timekeeper:
    """Gives times that go back at a leap only, and knows how far they can be trusted."""

    def __init__(
        self,
        clock: Clock,
        *,
        synchronised: Callable[[], bool],
        not_before_ms: int | None = None,
        on_step: Callable[[int], None] | None = None,
        on_leap: Callable[[int], None] | None = None,
    ) -> None:
        """Start at the wall clock's time, or just after `not_before_ms` (the last stored reading) if that is later.

        A synchronised clock is believed even if it is more than a day before `not_before_ms`. `on_step` is called with
        the size of every step, in ms, negative for a step back; `on_leap` before it, with how far this time leaps.
        """
        self._clock = clock
        self._synchronised = synchronised
        self.on_step = on_step or (lambda _step: None)
        self.on_leap = on_leap or (lambda _leap: None)
        self._anchor_ms = clock.now_ms()
        self._mono_ms = clock.monotonic_ms()
        self._ahead_ms = 0  # how far this time is ahead of the wall clock's
        self._candidate: tuple[int, int] | None = None  # step seen, monotonic time since when
        self._unsettled_until: int | None = None
        self._known_synchronised = synchronised()
        self._doubtful_until: int | None = None
        if not_before_ms is None:
            return
        since_ms = self._anchor_ms - not_before_ms
        if since_ms <= 0 and (since_ms >= -LEAP_MS or not self._known_synchronised):
            self._ahead_ms = 1 - since_ms
            self._anchor_ms = not_before_ms + 1
        if abs(since_ms) > LEAP_MS and not self._known_synchronised:
            self._doubtful_until = self._mono_ms + INSIST_MS
        if self._ahead_ms >= STEP_MS or since_ms <= 0 or self.doubtful:
            self._unsettle()

    @property
    def doubtful(self) -> bool:
        """Whether the clock woke up more than a day away from the last stored reading and may yet turn out wrong."""
        return self._doubtful_until is not None

    @property
    def ahead_ms(self) -> int:
        """How far this time is still ahead of the wall clock, ms; 0 unless the wall clock went back."""
        elapsed = self._clock.monotonic_ms() - self._mono_ms
        return self._ahead_ms - self._held(elapsed)

    def now_ms(self) -> int:
        """Return the time in ms UTC; it goes back at a leap only."""
        elapsed = self._clock.monotonic_ms() - self._mono_ms
        return self._anchor_ms + elapsed - self._held(elapsed)

    def check(self) -> None:
        """Compare with the wall clock; to be called every second or so."""
        self._known_synchronised = self._synchronised()
        monotonic = self._clock.monotonic_ms()
        elapsed = monotonic - self._mono_ms
        offset = self._clock.now_ms() - (self._anchor_ms + elapsed - self._ahead_ms)
        leap = self._clock.now_ms() - self.now_ms()
        leaps = abs(leap) > LEAP_MS
        if self._doubtful_until is not None and monotonic >= self._doubtful_until:
            self._doubtful_until = None
        if abs(offset) < STEP_MS:
            self._candidate = None
            if self._known_synchronised:
                self._doubtful_until = None
            if leaps and self._known_synchronised:
                # Woken up a day or more in the past, as it seemed; a time service has now confirmed it.
                self._leap(leap, monotonic)
                self.on_step(leap)
            else:
                self._follow(offset, monotonic)
        elif self._candidate is None or abs(offset - self._candidate[0]) >= STEP_MS:
            self._candidate = (offset, monotonic)
            self._unsettle()
        elif monotonic - self._candidate[1] >= (INSIST_MS if leaps and not self._known_synchronised else CONFIRM_MS):
            self._candidate = None
            if leaps:
                self._leap(leap, monotonic)
            else:
                self._follow(offset, monotonic)
                self._unsettle()
            self.on_step(offset)

    @property
    def state(self) -> ClockState:
        """What is known of the clock."""
        if self._unsettled_until is not None:
            settled = self._candidate is None and self._clock.monotonic_ms() >= self._unsettled_until
            if not settled or self.ahead_ms >= STEP_MS:
                return ClockState.STEPPED
            self._unsettled_until = None
        return ClockState.SYNCHRONISED if self._known_synchronised else ClockState.UNKNOWN

    def _held(self, elapsed_ms: int) -> int:
        # Years would take years to catch up with: so far ahead, the wall clock is not believed but waited for.
        return min(self._ahead_ms, elapsed_ms // 2) if self._ahead_ms <= LEAP_MS else 0

    def _leap(self, by_ms: int, monotonic_ms: int) -> None:
        self._anchor_ms, self._mono_ms, self._ahead_ms = self._clock.now_ms(), monotonic_ms, 0
        self._doubtful_until = None
        self._unsettle()
        self.on_leap(by_ms)

    def _follow(self, offset_ms: int, monotonic_ms: int) -> None:
        elapsed = monotonic_ms - self._mono_ms
        held = self._held(elapsed)
        ahead = self._ahead_ms - held - offset_ms
        self._anchor_ms += elapsed - held + max(-ahead, 0)
        self._mono_ms = monotonic_ms
        self._ahead_ms = max(ahead, 0)

    def _unsettle(self) -> None:
        self._unsettled_until = self._clock.monotonic_ms() + SETTLE_MS
