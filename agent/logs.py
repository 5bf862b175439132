"""Logging to standard error: for people, or one JSON object a line; repeats are held back and counted."""

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, TextIO

from clock import Clock

REPEAT_MS: Final = 60_000  # the same message about the same thing is written once in this time
_REMEMBERED: Final = 1000  # distinct messages whose repeats are counted; the oldest is forgotten beyond that

log = logging.getLogger("diantan.agent")


class _Held:
    __slots__ = ("since_ms", "suppressed")

    def __init__(self, since_ms: int) -> None:
        self.since_ms = since_ms
        self.suppressed = 0


class RepeatFilter(logging.Filter):
    """Lets a message through once a minute per thing it is about, and says how many were held back.

    Two messages are the same when their text before formatting and their `about` and `kind` fields are. Messages
    without `about` and those of INFO and below always pass.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._held: dict[tuple[str, str, str], _Held] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Decide; add `repeated` to a record that stands for others."""
        about = getattr(record, "about", None)
        if about is None or record.levelno <= logging.INFO:
            return True
        key = (str(record.msg), str(about), str(getattr(record, "kind", "")))
        now = self._clock.monotonic_ms()
        held = self._held.get(key)
        if held is not None and now - held.since_ms < REPEAT_MS:
            held.suppressed += 1
            return False
        if held is not None and held.suppressed:
            record.repeated = held.suppressed
        self._held.pop(key, None)
        if len(self._held) >= _REMEMBERED:
            del self._held[next(iter(self._held))]
        self._held[key] = _Held(now)
        return True


def _time(clock: Clock) -> str:
    moment = datetime.fromtimestamp(clock.now_ms() / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _details(record: logging.LogRecord) -> Mapping[str, object]:
    details = getattr(record, "details", None)
    return details if isinstance(details, Mapping) else {}


class HumanFormatter(logging.Formatter):
    """`2026-01-01T00:00:00.000Z WARNING charger-3: no reply within 1.0 s`."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        about = getattr(record, "about", None)
        text = f"{_time(self._clock)} {record.levelname} {f'{about}: ' if about else ''}{record.getMessage()}"
        if repeated := getattr(record, "repeated", 0):
            text += f" (and {repeated} times more since it was last written)"
        if details := _details(record):
            text += " " + " ".join(f"{key}={value}" for key, value in details.items())
        return text + (f"\n{self.formatException(record.exc_info)}" if record.exc_info else "")


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, message, and about, repeated, error and the details where there are any."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        entry: dict[str, object] = {
            "time": _time(self._clock),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        for name in ("about", "repeated"):
            if (value := getattr(record, name, None)) is not None:
                entry[name] = value
        entry.update(_details(record))
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, default=str)


def configure(style: str, clock: Clock, *, level: int = logging.INFO, stream: TextIO | None = None) -> None:
    """Write everything from `level` up to standard error, in the `human` or `json` style."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter(clock) if style == "json" else HumanFormatter(clock))
    handler.addFilter(RepeatFilter(clock))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    silence_driver()


def silence_driver() -> None:
    """Keep pymodbus quiet: every failure becomes a typed error with the meter's name, which its lines only double."""
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL + 1)
