"""Reads solved slots for an analysis: each as it is known now and as it was first solved."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, func, select

from cloud_receiver.grid import shelf
from cloud_receiver.grid.analysis.periods import SLOT_MS, Span
from cloud_receiver.grid.analysis.tally import Versions
from cloud_receiver.grid.kept import KeptSlot
from cloud_receiver.schema import grid_slot

AT_ONCE: Final = 16
"""Slots that are read at once, so that others of the same loop get their turn between."""


def clipped(connection: Connection, span: Span) -> Span | None:
    """Return the part of a span in which there may be slots; None where there are none."""
    known = bounds(connection)
    if known is None:
        return None
    first_ms, end_ms = max(span.first_ms, known[0]), min(span.end_ms, known[1] + 1)
    return Span(first_ms, end_ms) if first_ms < end_ms else None


def windows(span: Span | None, slots: int = AT_ONCE) -> Iterator[Span]:
    """Cut a span into windows of some slots."""
    if span is None:
        return
    step_ms = slots * SLOT_MS
    for first_ms in range(span.first_ms, span.end_ms, step_ms):
        yield Span(first_ms, min(first_ms + step_ms, span.end_ms))


def versions(connection: Connection, span: Span) -> Iterator[Versions]:
    """Yield the slots that start in a span."""
    first: KeptSlot | None = None
    newest: KeptSlot | None = None
    for slot in shelf.slots(connection, span.first_ms, span.end_ms, all_versions=True):
        if newest is not None and slot.start_ms != newest.start_ms:
            yield _versions(first, newest)
            first = None
        first = first or slot
        newest = slot
    if newest is not None:
        yield _versions(first, newest)


def _versions(first: KeptSlot | None, newest: KeptSlot) -> Versions:
    return Versions(newest, None if first is newest else first)


def bounds(connection: Connection) -> tuple[int, int] | None:
    """Return when the first and the newest solved slot start, ms UTC; None where there is none."""
    first, last = connection.execute(select(func.min(grid_slot.c.start_ms), func.max(grid_slot.c.start_ms))).one()
    return None if first is None else (first, last)


def stored(connection: Connection, span: Span) -> tuple[int, int] | None:
    """Return what tells a span's content from any other: how many versions there are, and when the last was solved.

    None where there is none.
    """
    count, last = connection.execute(
        select(func.count(), func.max(grid_slot.c.solved_ms)).where(
            grid_slot.c.start_ms >= span.first_ms, grid_slot.c.start_ms < span.end_ms
        )
    ).one()
    return None if last is None else (count, last)
