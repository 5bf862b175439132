"""The display while a demonstration runs: a bar on a terminal, a line now and then elsewhere."""

import sys
import time
from datetime import datetime
from types import TracebackType
from typing import Self
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from wire.messages import Status

LINE_EVERY_S = 15


class Display:
    """Shows the simulated time, and what the gateway says it has written and the centre acknowledged."""

    def __init__(self, origin_ms: int, end_ms: int, zone: ZoneInfo) -> None:
        self._origin_ms = origin_ms
        self._end_ms = end_ms
        self._zone = zone
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._progress.add_task("starting", total=end_ms - origin_ms, note="")
        self._next_line_s = 0.0
        self._line = ""

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()
        if not self._console.is_terminal:
            print(self._line, file=sys.stderr, flush=True)

    def update(self, now_ms: int, status: Status | None) -> None:
        """Show where the simulated day stands, and what the gateway says."""
        note = "waiting for the gateway"
        if status is not None:
            written = status.next_sequence - 1
            note = f"{written} records written, {written - status.unacknowledged} acknowledged"
        self.show(now_ms, note)

    def show(self, now_ms: int, note: str) -> None:
        """Show where the simulated time stands, and a note."""
        moment = datetime.fromtimestamp(min(now_ms, self._end_ms) / 1000, self._zone)
        when = f"{moment:%Y-%m-%d %H:%M}"
        self._progress.update(self._task, completed=now_ms - self._origin_ms, description=when, note=note)
        self._line = f"simulated time {when}: {note}"
        if not self._console.is_terminal and time.monotonic() >= self._next_line_s:
            self._next_line_s = time.monotonic() + LINE_EVERY_S
            print(self._line, file=sys.stderr, flush=True)
