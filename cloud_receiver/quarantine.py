"""Where refused messages go: kept with the reason, limited in rate, number and bytes, always counted.

What the verification of every message came to is counted in the store too, by gateway and result: what the quarantine
has no room for is missing there and not in the count.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select

from cloud_receiver.database import upsert
from cloud_receiver.postgresql import Turn, take_turn
from cloud_receiver.refusal import Reason
from cloud_receiver.schema import quarantine, quarantine_dropped, verification

KEPT_BYTES = 64 * 1024
"""How much of a refused message is kept."""
LIMIT_BYTES = 256 * 1024 * 1024
MINUTE_MS = 60_000
VERIFIED = "verified"
"""The result of a message that was what it said; any other result is a `Reason`."""
STRANGER = ""
"""Stands for a gateway where the topic names none that is enrolled: anybody can invent names."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A refused message; `gateway` is the enrolled one that its topic names, if it does."""

    topic: str
    envelope: bytes
    reason: Reason
    detail: str
    gateway: str = STRANGER


@dataclass(slots=True)
class _State:
    """What the next transaction starts from; put back when it fails."""

    minute: int = 0
    written: Counter[tuple[str, Reason]] = field(default_factory=Counter)
    unwritten: Counter[tuple[str, Reason]] = field(default_factory=Counter)
    tally: Counter[tuple[str, str]] = field(default_factory=Counter)
    tallied_ms: int = 0

    def __copy__(self) -> "_State":
        return _State(self.minute, self.written.copy(), self.unwritten.copy(), self.tally.copy(), self.tallied_ms)


class Quarantine:
    """Writes refused messages: `per_minute` of each gateway and reason, altogether `rows` and `limit_bytes`."""

    def __init__(self, per_minute: int, rows: int, limit_bytes: int = LIMIT_BYTES) -> None:
        self._per_minute = per_minute
        self._rows = rows
        self._limit_bytes = limit_bytes
        self._state = _State()
        self._before = copy(self._state)

    def committed(self) -> None:
        """Keep what was counted in the transaction."""
        self._before = copy(self._state)

    def rolled_back(self) -> None:
        """Forget it: the same messages come again."""
        self._state = copy(self._before)

    @property
    def uncounted(self) -> bool:
        """Return whether there are counts that are not in the store."""
        return bool(self._state.tally)

    def only_counts(self, refused: Sequence[Refused], now_ms: int, pause_ms: int) -> bool:
        """Count refused messages none of which would be written, if the last count was written not long ago.

        Return whether that was all there was to do: a flood then costs no transaction.
        """
        state = self._state
        if now_ms // MINUTE_MS != state.minute or not 0 <= now_ms - state.tallied_ms < pause_ms:
            return False
        if any(state.written[item.gateway, item.reason] < self._per_minute for item in refused):
            return False
        for item in refused:
            state.unwritten[item.gateway, item.reason] += 1
            state.tally[item.gateway, item.reason.value] += 1
        self.committed()
        return True

    def store(self, connection: Connection, refused: Sequence[Refused], verified: Iterable[str], now_ms: int) -> None:
        """Write what the rate limit lets through, and the count of all; `verified` names gateways, one a message.

        A row's `count` includes those before it that were not kept.
        """
        state = self._state
        state.tally.update((gateway, VERIFIED) for gateway in verified)
        minute = now_ms // MINUTE_MS
        if minute != state.minute:
            state.minute = minute
            state.written.clear()
        rows: list[dict[str, Any]] = []
        for item in refused:
            key = item.gateway, item.reason
            state.tally[item.gateway, item.reason.value] += 1
            if state.written[key] >= self._per_minute:
                state.unwritten[key] += 1
                continue
            state.written[key] += 1
            rows.append(
                {
                    "topic": item.topic[:256],
                    "gateway": item.gateway or None,
                    "reason": item.reason.value,
                    "detail": item.detail[:1000],
                    "envelope": item.envelope[:KEPT_BYTES],
                    "size": len(item.envelope),
                    "received_ms": now_ms,
                    "count": 1 + state.unwritten.pop(key, 0),
                }
            )
        if rows:
            self._write(connection, rows, now_ms)
        for (gateway, result), count in sorted(state.tally.items()):
            upsert(
                connection,
                verification,
                {"gateway": gateway, "result": result},
                add={"messages": count},
                first={"first_ms": now_ms},
                last={"last_ms": now_ms},
            )
        state.tally.clear()
        state.tallied_ms = now_ms

    def _write(self, connection: Connection, rows: list[dict[str, Any]], now_ms: int) -> None:
        """Enter rows with their running total of bytes, and drop the oldest of what is too much."""
        take_turn(connection, Turn.QUARANTINE)
        newest = select(quarantine.c.running, quarantine.c.size).order_by(quarantine.c.id.desc()).limit(1)
        before = connection.execute(newest).one_or_none()
        total = 0 if before is None else before.running + min(before.size, KEPT_BYTES)
        for row in rows:
            row["running"] = total
            total += len(row["envelope"])
        connection.execute(insert(quarantine), rows)
        last = connection.execute(select(func.max(quarantine.c.id))).scalar_one()
        heavy = select(func.max(quarantine.c.id)).where(quarantine.c.running < total - self._limit_bytes)
        bound = max(last - self._rows, connection.execute(heavy).scalar() or 0)
        gone = connection.execute(
            select(quarantine.c.reason, func.count(), func.sum(quarantine.c.count))
            .where(quarantine.c.id <= bound)
            .group_by(quarantine.c.reason)
            .order_by(quarantine.c.reason)
        ).all()
        for reason, number, messages in gone:
            upsert(
                connection,
                quarantine_dropped,
                {"reason": reason},
                add={"entries": number, "messages": int(messages)},
                last={"last_ms": now_ms},
            )
        if gone:
            connection.execute(delete(quarantine).where(quarantine.c.id <= bound))
