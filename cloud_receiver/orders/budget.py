"""How much of each gateway's replies is read: that takes much longer than to find out that nobody signed them."""

from typing import Final

from clock import Clock

BURST_BYTES: Final = 4 << 20
BYTES_A_SECOND: Final = 256 << 10  # some 5 % of one core, where they are made to be slow


class PutOffError(Exception):
    """A reply that is not read now; the centre repeats its command, and the gateway its reply."""


class ReplyBudget:
    """The bytes that may be read of each gateway; only what it has signed counts, or others could spend them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._left: dict[str, tuple[float, int]] = {}

    def spend(self, gateway: str, size: int) -> None:
        """Count a reply that is to be read; PutOffError when the gateway has sent too much of late."""
        now_ms = self._clock.monotonic_ms()
        left, then_ms = self._left.get(gateway, (BURST_BYTES, now_ms))
        left = min(left + (now_ms - then_ms) * BYTES_A_SECOND / 1000, BURST_BYTES)
        affordable = left > 0
        self._left[gateway] = left - size if affordable else left, now_ms
        if not affordable:
            raise PutOffError(f"gateway {gateway} has sent more than {BURST_BYTES} bytes of replies at once")
