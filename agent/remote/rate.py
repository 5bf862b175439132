"""How many may come in a minute, without a burst being longer than that."""

from typing import Final

from clock import Clock

_MINUTE_MS: Final = 60_000


class Rate:
    """Admits so many a minute; after a quiet minute all of them at once."""

    def __init__(self, a_minute: int, clock: Clock) -> None:
        self._full_ms = _MINUTE_MS
        self._cost_ms = _MINUTE_MS // a_minute
        self._clock = clock
        self._saved_ms = _MINUTE_MS
        self._since_ms = clock.monotonic_ms()

    def take(self) -> bool:
        """Return whether one more may come now, and count it."""
        now = self._clock.monotonic_ms()
        self._saved_ms = min(self._saved_ms + now - self._since_ms, self._full_ms)
        self._since_ms = now
        if self._saved_ms < self._cost_ms:
            return False
        self._saved_ms -= self._cost_ms
        return True
