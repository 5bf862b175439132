"""Measurements of the grid that came by file or HTTP, in the store: entered, never changed.

A row is what one feed told of one slot at a time; a later row of an element counts. What a feed tells again, with
nothing new in it, is no new row: an import that was interrupted is simply run again.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, func, insert, select, text

from cloud_receiver.grid import shelf
from cloud_receiver.grid.model import Element, is_plain
from cloud_receiver.grid.snapshot import Measurement, Snapshot
from cloud_receiver.grid.telemetry_content import TelemetryError, pack, unpack
from cloud_receiver.mistakes import quoted
from cloud_receiver.schema import grid_telemetry
from wire.domain import MAX_TIME_MS

SLOT_MS: Final = 900_000
_CHUNK_SLOTS: Final = 500
_CHUNK_BYTES: Final = 8 << 20
_ONE_NOTICE_MS: Final = 86_400_000
"""Slots no further apart than this are told of together."""
_LOCK: Final = 0x6469_616E_0001  # of PostgreSQL, for the numbers of rows

__all__ = ["SLOT_MS", "Received", "TelemetryError", "between", "enter", "enter_packed", "packed"]


@dataclass(frozen=True)
class Received:
    """What a feed told of a slot at a time, ms UTC."""

    feed: str
    received_ms: int
    snapshot: Snapshot


def packed(start_ms: int, snapshot: Snapshot) -> tuple[int, bytes]:
    """Return a slot as `enter_packed` takes it; TelemetryError for one that can't be kept."""
    if start_ms % SLOT_MS or not 0 <= start_ms <= MAX_TIME_MS:
        raise TelemetryError(f"slot {start_ms} ms: expected the start of a quarter of an hour")
    if snapshot.start_ms not in {None, start_ms}:
        raise TelemetryError(f"slot {start_ms} ms: the measurements say that they are of {snapshot.start_ms} ms")
    try:
        return start_ms, pack(snapshot)
    except TelemetryError as error:
        raise TelemetryError(f"slot {start_ms} ms: {error}") from error


def enter(connection: Connection, feed: str, slots: Iterable[tuple[int, Snapshot]], now_ms: int) -> int:
    """Store what a feed measured in slots (start in ms UTC), and notify; return how many rows are new.

    The values are those that a reader has checked; TelemetryError for what can't be kept, of which nothing may be
    committed then.
    """
    return enter_packed(connection, feed, (packed(start_ms, snapshot) for start_ms, snapshot in slots), now_ms)


def enter_packed(connection: Connection, feed: str, slots: Iterable[tuple[int, bytes]], now_ms: int) -> int:
    """Store slots that are packed already; see `enter`."""
    if not is_plain(feed):
        raise TelemetryError(f"feed {quoted(feed)}: expected 1 to 64 bytes of printable text")
    if connection.dialect.name == "postgresql":
        # Two writers would take the same number, or numbers whose order isn't that of their commits. SQLite has one.
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    new: list[int] = []
    for chunk in _chunks(slots):
        new += _enter_chunk(connection, feed, chunk, now_ms)
    for first_ms, last_ms in _spans(sorted(new)):
        shelf.notify(connection, first_ms, last_ms)
    return len(new)


def between(connection: Connection, first_ms: int, end_ms: int) -> dict[int, list[Received]]:
    """Return what was told of each slot that starts in [first_ms, end_ms), in order of receipt.

    TelemetryError names the row whose bytes are no measurements.
    """
    statement = (
        select(grid_telemetry)
        .where(grid_telemetry.c.start_ms >= first_ms, grid_telemetry.c.start_ms < end_ms)
        .order_by(grid_telemetry.c.start_ms, grid_telemetry.c.id)
        .execution_options(yield_per=_CHUNK_SLOTS)
    )
    result: dict[int, list[Received]] = {}
    with connection.execute(statement) as rows:
        for row in rows:
            snapshot = _unpacked(row.start_ms, row.id, bytes(row.content))
            result.setdefault(row.start_ms, []).append(Received(row.feed, row.received_ms, snapshot))
    return result


def _unpacked(start_ms: int, number: int, content: bytes) -> Snapshot:
    try:
        return unpack(content, start_ms)
    except TelemetryError as error:
        raise TelemetryError(f"grid_telemetry: row {number} of slot {start_ms} ms: {error}") from error


def _chunks(slots: Iterable[tuple[int, bytes]]) -> Iterator[list[tuple[int, bytes]]]:
    chunk: list[tuple[int, bytes]] = []
    size = 0
    for slot in slots:
        chunk.append(slot)
        size += len(slot[1])
        if len(chunk) >= _CHUNK_SLOTS or size >= _CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _enter_chunk(connection: Connection, feed: str, chunk: Sequence[tuple[int, bytes]], now_ms: int) -> list[int]:
    starts = sorted({start_ms for start_ms, _ in chunk})
    inside = grid_telemetry.c.start_ms.in_(starts)
    last: dict[int, int] = {
        row.start_ms: row.last
        for row in connection.execute(
            select(grid_telemetry.c.start_ms, func.max(grid_telemetry.c.id).label("last"))
            .where(inside)
            .group_by(grid_telemetry.c.start_ms)
        )
    }
    told: dict[int, list[bytes]] = {}
    if last:
        statement = (
            select(grid_telemetry.c.start_ms, grid_telemetry.c.content)
            .where(inside, grid_telemetry.c.feed == feed)
            .order_by(grid_telemetry.c.start_ms, grid_telemetry.c.id)
        )
        for row in connection.execute(statement):
            told.setdefault(row.start_ms, []).append(bytes(row.content))
    rows: list[dict[str, object]] = []
    new = []
    for start_ms, content in chunk:
        before = told.setdefault(start_ms, [])
        if before and _repeats(before, content, start_ms):
            continue
        before.append(content)
        last[start_ms] = number = last.get(start_ms, 0) + 1
        new.append(start_ms)
        rows.append({"start_ms": start_ms, "id": number, "feed": feed, "received_ms": now_ms, "content": content})
    if rows:
        connection.execute(insert(grid_telemetry), rows)
    return new


def _repeats(before: Sequence[bytes], content: bytes, start_ms: int) -> bool:
    """Return whether a feed's measurements of a slot say nothing that it hasn't said, or has said otherwise since."""
    if before[-1] == content:
        return True
    known: dict[tuple[Element, str], tuple[Measurement | None, bool, float]] = {}
    for earlier in before:
        known.update(_said(_unpacked(start_ms, 0, earlier)))
    return all(known.get(key) == value for key, value in _said(unpack(content, start_ms)).items())


def _said(snapshot: Snapshot) -> dict[tuple[Element, str], tuple[Measurement | None, bool, float]]:
    said: dict[tuple[Element, str], tuple[Measurement | None, bool, float]] = {}
    for element in (Element.BRANCH, Element.GENERATOR, Element.LOAD, Element.STORAGE):
        for name, value in snapshot.of(element).items():
            opened = element is Element.BRANCH and name in snapshot.open_branches
            said[element, name] = value, opened, snapshot.hours
    for name in snapshot.open_branches - snapshot.flows.keys():
        said[Element.BRANCH, name] = None, True, snapshot.hours
    return said


def _spans(starts: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield runs of slots; what lies far apart is told of apart."""
    if not starts:
        return
    first = last = starts[0]
    for start_ms in starts[1:]:
        if start_ms - last > _ONE_NOTICE_MS:
            yield first, last
            first = start_ms
        last = start_ms
    yield first, last
