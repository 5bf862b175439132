"""Waiting for the reply to a command, with progress on standard error."""

import asyncio
import shutil
import sys
from collections.abc import Callable
from typing import Final, TextIO

from sqlalchemy import Engine

from clock import Clock
from cloud_receiver.database import reading
from cloud_receiver.orders import book
from cloud_receiver.orders.book import Entry
from wire.commands import Outcome

POLL_S: Final = 0.25
UNTAKEN_S: Final = 10.0
"""Real time without a publication after which it is said that perhaps no receiver runs."""
LATE_S: Final = 2.0
"""Real time after a command's expiry in which a reply may still be on its way into the store."""
UNDER_WAY_MS: Final = 60_000
"""How long after its expiry, and the trial of a configuration, the final answer of a command under way may take."""
_LINE_S: Final = 60.0


class Progress:
    """What is being waited for: in place on a terminal, a line a minute elsewhere."""

    def __init__(self, seconds: Callable[[], float], stream: TextIO | None = None) -> None:
        self._seconds = seconds
        self._stream = sys.stderr if stream is None else stream
        self._terminal = self._stream.isatty()
        self._next_s = seconds() + _LINE_S
        self._width = 0

    def __call__(self, text: str) -> None:
        """Show it, if it is time to."""
        if self._terminal:
            text = text[: shutil.get_terminal_size().columns - 1]  # a line that wraps can't be taken back
            self._stream.write(f"\r{text:<{self._width}}")
            self._width = max(self._width, len(text))
        elif self._seconds() < self._next_s:
            return
        else:
            self._next_s = self._seconds() + _LINE_S
            self._stream.write(f"{text}\n")
        self._stream.flush()

    def notice(self, text: str) -> None:
        """Print a line that stays."""
        self.clear()
        self._stream.write(f"{text}\n")
        self._stream.flush()

    def clear(self) -> None:
        """Remove the line from a terminal."""
        if self._width:
            self._stream.write("\r" + " " * self._width + "\r")
            self._stream.flush()
            self._width = 0


async def wait(
    engine: Engine, number: bytes, clock: Clock, *, limit_s: float | None, trial_ms: int, progress: Progress
) -> Entry:
    """Return the command's row once its final reply is stored, it has expired, or `limit_s` real seconds are over."""
    seconds = asyncio.get_running_loop().time
    begin_s = seconds()
    expired_s: float | None = None
    told = False
    try:
        while True:
            with reading(engine) as connection:
                entry = book.find(connection, number)
            assert entry is not None  # no row is ever deleted
            now_ms, now_s = clock.now_ms(), seconds()
            if entry.final or (limit_s is not None and now_s - begin_s >= limit_s):
                return entry
            end_ms = entry.expires_ms
            if entry.outcome == Outcome.UNDER_WAY:
                end_ms += trial_ms + UNDER_WAY_MS
            if now_ms < end_ms:
                expired_s = None
            elif expired_s is None:
                expired_s = now_s
            elif now_s - expired_s >= LATE_S:
                return entry
            if not entry.published and not told and now_s - begin_s >= UNTAKEN_S:
                told = True
                progress.notice(
                    f"no receiver has published command {number.hex()} in {UNTAKEN_S:.0f} s: does `diantan-receiver "
                    f"run` run on this store, and is its broker there?"
                )
            progress(_situation(entry, now_s - begin_s))
            await asyncio.sleep(POLL_S if limit_s is None else min(POLL_S, max(limit_s - (now_s - begin_s), 0)))
    finally:
        progress.clear()


def _situation(entry: Entry, waited_s: float) -> str:
    if entry.outcome == Outcome.UNDER_WAY:
        what = "under way at the gateway"
    elif not entry.published:
        what = "waits for a receiver"
    else:
        what = f"published {entry.published} {'time' if entry.published == 1 else 'times'}"
        if entry.offline:
            what += ", waits for the gateway, which is offline"
    return f"{entry.gateway}: {entry.verb_name}: {what}, {waited_s:.0f} s"
