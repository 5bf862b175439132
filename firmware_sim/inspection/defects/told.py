"""How far a mutation run is: one line that changes on a terminal, a line a minute elsewhere."""

from collections.abc import Callable
from typing import Final, TextIO

from firmware_sim.inspection.defects.trial import Trial
from firmware_sim.inspection.progress import EVERY_S, duration

_WIDTH: Final = 100
_FEWEST: Final = 5  # items, before which nobody can say how long the rest takes


class Told:
    """Tells a stream after each trial; `seconds` is a monotonic clock of real time."""

    def __init__(self, stream: TextIO, seconds: Callable[[], float], *, changing: bool) -> None:
        self._stream = stream
        self._seconds = seconds
        self._changing = changing
        self._began = self._last = seconds()

    def __call__(self, trial: Trial, done: int, of: int) -> None:
        """Take note of a trial that is done."""
        now = self._seconds()
        if not self._changing and now - self._last < EVERY_S and done < of:
            return
        self._last = now
        left = (now - self._began) * (of - done) / done
        rest = f", about {duration(left)} left" if done >= _FEWEST else ""
        text = f"{done} of {of} items performed, last {trial.defect or 'the healthy meter'}{rest}"
        end = "" if self._changing and done < of else "\n"
        self._stream.write(f"\r{text:<{_WIDTH}}{end}" if self._changing else f"{text}\n")
        self._stream.flush()
