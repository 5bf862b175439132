"""Log lines on stderr, for people or as one JSON object a line; their time is the program's clock."""

import json
import logging
import sys
from datetime import UTC, datetime

from clock import Clock


class _Formatter(logging.Formatter):
    def __init__(self, clock: Clock, *, as_json: bool) -> None:
        super().__init__()
        self._clock = clock
        self._json = as_json

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC).isoformat(timespec="milliseconds")
        text = record.getMessage()
        trace = self.formatException(record.exc_info) if record.exc_info else ""
        if not self._json:
            line = f"{time} {record.levelname.lower():7} {record.name}: {text}"
            return f"{line}\n{trace}" if trace else line
        content = {"time": time, "level": record.levelname.lower(), "logger": record.name, "message": text}
        return json.dumps(content | ({"trace": trace} if trace else {}), ensure_ascii=False)


def configure(clock: Clock, style: str) -> None:
    """Send log lines to stderr; `style` is human or json."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(clock, as_json=style == "json"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    # Alembic tells every step of a migration; the receiver tells the result.
    logging.getLogger("alembic").setLevel(logging.WARNING)
