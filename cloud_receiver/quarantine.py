"""Where refused messages go: kept with the reason, limited in rate and number, always counted."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select

from cloud_receiver.refusal import Reason
from cloud_receiver.schema import quarantine

KEPT_BYTES = 64 * 1024
"""How much of a refused message is kept."""
MINUTE_MS = 60_000


@dataclass(frozen=True, slots=True)
class Refused:
    """A refused message."""

    topic: str
    envelope: bytes
    reason: Reason
    detail: str


class Quarantine:
    """Writes refused messages, at most `per_minute` of each reason, and never more than `rows` altogether."""

    def __init__(self, per_minute: int, rows: int) -> None:
        self._per_minute = per_minute
        self._rows = rows
        self._minute = 0
        self._written: Counter[Reason] = Counter()
        self._unwritten: Counter[Reason] = Counter()
        self._before = (self._minute, self._written.copy(), self._unwritten.copy())

    def committed(self) -> None:
        """Keep what was counted in the transaction."""
        self._before = (self._minute, self._written.copy(), self._unwritten.copy())

    def rolled_back(self) -> None:
        """Forget it: the same messages come again."""
        self._minute, written, unwritten = self._before
        self._written, self._unwritten = written.copy(), unwritten.copy()

    def store(self, connection: Connection, refused: Sequence[Refused], now_ms: int) -> None:
        """Write what the rate limit lets through; a row's `count` includes those before it that were not kept."""
        minute = now_ms // MINUTE_MS
        if minute != self._minute:
            self._minute = minute
            self._written.clear()
        rows = []
        for item in refused:
            if self._written[item.reason] >= self._per_minute:
                self._unwritten[item.reason] += 1
                continue
            self._written[item.reason] += 1
            rows.append(
                {
                    "topic": item.topic[:256],
                    "reason": item.reason.value,
                    "detail": item.detail[:1000],
                    "envelope": item.envelope[:KEPT_BYTES],
                    "size": len(item.envelope),
                    "received_ms": now_ms,
                    "count": 1 + self._unwritten.pop(item.reason, 0),
                }
            )
        if rows:
            connection.execute(insert(quarantine), rows)
            newest = connection.execute(select(func.max(quarantine.c.id))).scalar_one()
            connection.execute(delete(quarantine).where(quarantine.c.id <= newest - self._rows))
