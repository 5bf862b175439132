"""Whether the receiver lives: what has arrived is stored, or tried to be. Otherwise systemd starts it anew."""

from collections.abc import Callable
from typing import Final

from cloud_receiver.metrics import IntakeFigures
from supervision.systemd import Movement

PATIENCE_S: Final = 120.0  # real time; a store that fails is tried again after `intake.retry_longest_ms`
_RETRIES: Final = 4


class LifeSigns:
    """Looks at the intake. That the event loop runs is shown by the question alone."""

    def __init__(self, intake: IntakeFigures, *, longest_retry_s: float, seconds: Callable[[], float]) -> None:
        self._intake = intake
        self._movement = Movement(max(PATIENCE_S, _RETRIES * longest_retry_s))
        self._seconds = seconds

    def trouble(self) -> str | None:
        """Return what is wrong; None where the intake has nothing to do, or does it, or tries to."""
        counters, waiting = self._intake.counters, self._intake.backlog
        mark = (counters.transactions, counters.store_errors, counters.refused.total(), bool(waiting))
        if not self._movement.lasts(mark, self._seconds()) and waiting:
            return f"the intake is stuck, with {waiting} messages waiting"
        return None
