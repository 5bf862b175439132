"""Progress of long work on standard error: in place on a terminal, a line a minute elsewhere."""

import sys
from typing import Final, TextIO

from clock import Clock

_PERIOD_MS: Final = 60_000
_REDRAW_MS: Final = 100


class Progress:
    """Call it with what is being done; `clear` before anything else is printed. `prefix` comes before every text."""

    def __init__(self, clock: Clock, stream: TextIO | None = None) -> None:
        self.prefix = ""
        self._clock = clock
        self._stream = sys.stderr if stream is None else stream
        self._terminal = self._stream.isatty()
        self._next_ms = clock.monotonic_ms() + (0 if self._terminal else _PERIOD_MS)
        self._width = 0

    def __call__(self, text: str) -> None:
        """Show what is being done, if it is time to."""
        now = self._clock.monotonic_ms()
        if now < self._next_ms:
            return
        text = self.prefix + text
        if self._terminal:
            self._next_ms = now + _REDRAW_MS
            self._stream.write(f"\r{text:<{self._width}}")
            self._width = max(self._width, len(text))
        else:
            self._next_ms = now + _PERIOD_MS
            self._stream.write(f"{text}\n")
        self._stream.flush()

    def clear(self) -> None:
        """Remove the line from a terminal."""
        if self._width:
            self._stream.write("\r" + " " * self._width + "\r")
            self._stream.flush()
            self._width = 0
