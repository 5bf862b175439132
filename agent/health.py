"""How the gateway is, in figures: for its log, all lines together and each line that has trouble by itself."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from agent.factors import FactorBook
from agent.line import COUNTERS, Line
from agent.line_meter import Lateness
from agent.logs import log
from agent.notes import MeterNotes, figures_of
from agent.uplink import Uplink
from agent.writer import JournalWriter

TROUBLES: Final = tuple(name for name in COUNTERS if name not in ("ok", "echo", "connects"))


class Health:
    """The counters of everything that runs."""

    def __init__(
        self,
        lines: Sequence[Line],
        notes: Mapping[str, MeterNotes],
        writer: JournalWriter,
        uplink: Uplink,
        factors: FactorBook,
        *,
        held_back: Callable[[], int],
    ) -> None:
        """`held_back` returns how many readings were not used."""
        self._lines = lines
        self._notes = notes
        self._writer = writer
        self._uplink = uplink
        self._factors = factors
        self._held_back = held_back
        self._troubles: dict[str, tuple[int, ...]] = {}  # of each line, as last written

    def line_figures(self) -> dict[str, dict[str, int]]:
        """Return the counters of every line, by its name."""
        return {line.name: line.figures() for line in self._lines}

    def figures(self) -> dict[str, int]:
        """Return the counters that tell how the gateway is."""
        lines = self.line_figures().values()
        return {
            **{name: sum(figures[name] for figures in lines) for name in (*COUNTERS, "silent_meters")},
            "records": self._writer.next_sequence - 1,
            "unacknowledged": self._uplink.unacknowledged,
            "waiting_for_disk": self._writer.waiting_records,
            "readings_held_back": self._held_back(),
            "batches_resent": self._uplink.window.resent,
            "factors_rejected": self._factors.rejected,
            "late_p99_ms": self.lateness().bound_ms(0.99),
            **figures_of(self._notes.values()),
        }

    def tell(self) -> None:
        """Write the figures to the log, and those of each line that has trouble."""
        log.info("health", extra={"details": self.figures()})
        for name, figures in self.line_figures().items():
            troubles = tuple(figures[trouble] for trouble in TROUBLES)
            if figures["silent_meters"] or troubles != self._troubles.get(name, (0,) * len(TROUBLES)):
                self._troubles[name] = troubles
                log.info("line health", extra={"about": name, "details": figures})

    def lateness(self) -> Lateness:
        """Return how late the polls of all lines began."""
        total = Lateness()
        for line in self._lines:
            total.counts = [a + b for a, b in zip(total.counts, line.lateness.counts, strict=True)]
            total.total_ms += line.lateness.total_ms
        return total
