"""A serial line in a process of its own: a pseudo-terminal whose octets take as long as on RS-485.

`python -m bench.slow_line BAUD TURNAROUND_MS PAUSE_CHARACTERS METERS` prints the device and serves until its standard
input ends; then it prints as JSON how many exchanges there were, and how many seconds they take on such a line at best.
METERS names a function `module:name` that takes octets and returns replies.

A request is through when its octets have had their time, counted from when they were written or the line was free; the
reply begins a turnaround later and no octet of it is there before its time. At best the next request follows the pause
that the protocol wants between frames.
"""

import importlib
import json
import os
import select
import sys
import time
import tty
from collections.abc import Callable, Sequence

BITS = 11  # a character on the line: start, 8 data, parity, stop


class SlowLine:
    """One line and the account of its time."""

    def __init__(
        self, baud: int, turnaround_s: float, pause_characters: float, answer: Callable[[bytes], Sequence[bytes]]
    ) -> None:
        self.character_s = BITS / baud
        self.exchanges = 0
        self.at_best_s = 0.0
        self._turnaround_s = turnaround_s
        self._pause_s = pause_characters * self.character_s
        self._answer = answer
        self._free_at = 0.0
        self._master, slave = os.openpty()
        tty.setraw(slave)
        self.device = os.ttyname(slave)

    def serve(self) -> None:
        """Answer until standard input ends."""
        while True:
            ready, _, _ = select.select([self._master, sys.stdin], [], [])
            if sys.stdin in ready:
                return
            self._exchange(os.read(self._master, 4096))

    def _exchange(self, request: bytes) -> None:
        heard_at = max(time.monotonic(), self._free_at) + len(request) * self.character_s
        for reply in self._answer(request):
            begins = heard_at + self._turnaround_s
            self._deliver(reply, begins)
            self._free_at = begins + len(reply) * self.character_s
            self.exchanges += 1
            octets = len(request) + len(reply)
            self.at_best_s += octets * self.character_s + self._turnaround_s + self._pause_s

    def _deliver(self, reply: bytes, begins: float) -> None:
        sent = 0
        while sent < len(reply):
            time.sleep(max(begins + (sent + 1) * self.character_s - time.monotonic(), 0))
            due = min(int((time.monotonic() - begins) / self.character_s), len(reply))
            os.write(self._master, reply[sent:due])
            sent = max(sent, due)


def main() -> None:
    """Serve one line."""
    baud, turnaround_ms, pause, meters = sys.argv[1:]
    module, name = meters.split(":")
    answer = getattr(importlib.import_module(module), name)()
    line = SlowLine(int(baud), float(turnaround_ms) / 1000, float(pause), answer)
    print(line.device, flush=True)
    line.serve()
    print(json.dumps({"exchanges": line.exchanges, "at_best_s": line.at_best_s}), flush=True)


if __name__ == "__main__":
    main()
