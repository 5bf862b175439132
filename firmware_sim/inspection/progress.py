"""How far an inspection is: one line that changes on a terminal, a line a minute elsewhere."""

from collections.abc import Callable
from typing import Final, TextIO

from firmware_sim.inspection.runner import Progress

EVERY_S: Final = 60.0
_REDRAW_S: Final = 0.1
_WIDTH: Final = 110
TROUBLE: Final = ("once more, as ", "the source could not be set")
"""How what an item tells of a fault begins: it is shown at once, whole, and stays."""
_TELLING_S: Final = 3.0  # before that nobody knows how fast time passes
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600


class Display:
    """Shows progress on a stream; `seconds` is a monotonic clock of real time."""

    def __init__(self, stream: TextIO, seconds: Callable[[], float], *, changing: bool) -> None:
        self._stream = stream
        self._seconds = seconds
        self._changing = changing
        self._began = seconds()
        self._shown_at: float | None = None
        self._item = 0
        self._open = False

    def show(self, progress: Progress) -> None:
        """Take note; what is shown too often to be read is left out."""
        if progress.detail.startswith(TROUBLE):
            self._keep(f"{progress.title}: {progress.detail}")
            return
        now = self._seconds()
        new = progress.number != self._item
        pause = _REDRAW_S if self._changing else EVERY_S
        if self._shown_at is not None and now - self._shown_at < pause and not new:
            return
        self._shown_at, self._item = now, progress.number
        text = self.text(progress, now)
        if self._changing:
            self._stream.write(f"\r{text[:_WIDTH]:<{_WIDTH}}")
            self._open = True
            self._stream.flush()
        else:
            self._keep(text)

    def _keep(self, text: str) -> None:
        """Show a text on a line of its own."""
        self.end()
        self._stream.write(f"{text}\n")
        self._stream.flush()

    def text(self, progress: Progress, now: float) -> str:
        """Return the line: which item, what it is at, and how long the rest takes about."""
        left = self._left_s(progress, now)
        if left is not None:
            rest = f", about {duration(left)} left"
        else:
            rest = f", about {duration(progress.left_ms / 1000)} of the bench's time to go"
        detail = f": {progress.detail}" if progress.detail else ""
        return f"[{progress.number}/{progress.items}] {progress.title}{detail}{rest}"

    def _left_s(self, progress: Progress, now: float) -> float | None:
        # By how fast the bench's time has passed so far: in a simulation it is much faster than real time.
        if not progress.done_ms or now - self._began < _TELLING_S:
            return None
        return progress.left_ms * (now - self._began) / progress.done_ms

    def end(self) -> None:
        """Leave the line."""
        if self._open:
            self._stream.write("\n")
            self._stream.flush()
            self._open = False


def duration(seconds: float) -> str:
    """Return a duration for people."""
    whole = int(seconds)
    if whole < _MINUTE_S:
        return f"{whole} s"
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min"
    return f"{whole // _HOUR_S} h {whole % _HOUR_S // _MINUTE_S} min"
