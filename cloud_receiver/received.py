"""The received ranges of journals in the store: what makes intake exactly once.

They are read, extended and written in the transaction that stores the records, under the store's write lock (SQLite) or
a lock on the journal's row (PostgreSQL), so any number of receivers may take any batch.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, delete, insert, select, update

from cloud_receiver.ranges import RangeSet
from cloud_receiver.schema import journal, received_range


class Ledger:
    """The received ranges of the journals that one transaction touches."""

    def __init__(self, connection: Connection, now_ms: int) -> None:
        self._connection = connection
        self._now_ms = now_ms
        self._ranges: dict[int, RangeSet] = {}
        self._before: dict[int, dict[int, int]] = {}

    def open_journal(self, gateway: int, context: bytes, known: int | None) -> int:
        """Return the journal's number, lock it and read its ranges; a context seen first becomes a new journal."""
        if known is not None and known in self._ranges:
            return known
        number = self._connection.execute(
            select(journal.c.id).where(journal.c.gateway == gateway, journal.c.context == context).with_for_update()
        ).scalar()
        if number is None:
            number = self._connection.execute(
                insert(journal).values(gateway=gateway, context=context, opened_ms=self._now_ms).returning(journal.c.id)
            ).scalar_one()
        if number not in self._ranges:
            stored = load(self._connection, number)
            self._ranges[number] = stored
            self._before[number] = dict(stored)
        return int(number)

    def take(self, number: int, first: int, count: int) -> list[tuple[int, int]]:
        """Enter a run of sequences; return the parts of it that had not been received."""
        return self._ranges[number].add(first, first + count - 1)

    def ranges(self, number: int) -> RangeSet:
        """Return the journal's ranges as they will be after the commit."""
        return self._ranges[number]

    def write(self) -> None:
        """Write what has changed."""
        for number, ranges in self._ranges.items():
            before, now = self._before[number], dict(ranges)
            self._delete(number, before.keys() - now.keys())
            for first, last in now.items():
                if first not in before:
                    self._connection.execute(insert(received_range).values(journal=number, first=first, last=last))
                elif before[first] != last:
                    self._connection.execute(
                        update(received_range)
                        .where(received_range.c.journal == number, received_range.c.first == first)
                        .values(last=last)
                    )

    def _delete(self, number: int, firsts: Iterable[int]) -> None:
        for first in firsts:
            self._connection.execute(
                delete(received_range).where(received_range.c.journal == number, received_range.c.first == first)
            )


def load(connection: Connection, number: int) -> RangeSet:
    """Return the received ranges of a journal."""
    rows = connection.execute(
        select(received_range.c.first, received_range.c.last).where(received_range.c.journal == number)
    )
    return RangeSet((first, last) for first, last in sorted((row[0], row[1]) for row in rows))
