"""Whether the gateway lives: its lines make progress and its journal is written. Otherwise systemd starts it anew."""

from collections.abc import Callable, Sequence
from typing import Final

from agent.line import COUNTERS, Line
from agent.writer import JournalWriter
from supervision.systemd import Movement

PATIENCE_S: Final = 60.0  # real time; a waiting line looks about every 10 s at the latest
_TIMEOUTS: Final = 4  # one request, and what is asked to see whether its answer is still under way


class LifeSigns:
    """Looks at the lines and the journal's writer."""

    def __init__(
        self,
        lines: Sequence[Line],
        writer: JournalWriter,
        *,
        longest_timeout_ms: int,
        seconds: Callable[[], float],
    ) -> None:
        """`seconds` is the event loop's time: systemd counts real time, however fast a simulated clock runs."""
        patience = PATIENCE_S + _TIMEOUTS * longest_timeout_ms / 1000
        self._lines = [(line, Movement(patience)) for line in lines]
        self._writer = writer
        self._writing = Movement(patience)
        self._seconds = seconds

    def trouble(self) -> str | None:
        """Return what is wrong; None where a line has made progress of late and the writer is not stuck.

        Progress is a request that came to an end, well or not, or a step of the line, which may be a legitimate wait.
        """
        now = self._seconds()
        waits = self._writer.waiting_operations
        # A writer that has nothing to do stands still for a good reason.
        if not self._writing.lasts((self._writer.attempts, bool(waits)), now) and waits:
            return f"the journal's writer is stuck, with {waits} operations waiting"
        moving = [movement.lasts(_mark(line), now) for line, movement in self._lines]
        if moving and not any(moving):
            return "no line has made progress"
        return None


def _mark(line: Line) -> tuple[int, ...]:
    return (line.steps, *(getattr(line.bus.counters, name) for name in COUNTERS))
