"""The received ranges of journals in the store: what makes intake exactly once.

They are read, extended and written in the transaction that stores the records, under the store's write lock (SQLite) or
locks on the journals' rows, taken in the order of their numbers (PostgreSQL), so any number of receivers may take any
batch.
"""

from collections.abc import Iterable

from sqlalchemy import Connection, bindparam, delete, insert, select, tuple_, update

from cloud_receiver.ranges import RangeSet
from cloud_receiver.schema import journal, received_range

Owner = tuple[int, bytes]
"""A gateway's number and the context of one of its journals."""

_INSERT = insert(received_range)
_UPDATE = (
    update(received_range)
    .where(received_range.c.journal == bindparam("of"), received_range.c.first == bindparam("at"))
    .values(last=bindparam("to"))
)
_DELETE = delete(received_range).where(
    received_range.c.journal == bindparam("of"), received_range.c.first == bindparam("at")
)


class Ledger:
    """The received ranges of the journals that one transaction touches."""

    def __init__(self, connection: Connection, owners: Iterable[Owner], now_ms: int) -> None:
        """Lock the journals and read their ranges; a context seen first becomes a new journal."""
        self._connection = connection
        wanted = sorted(set(owners))
        self._numbers: dict[Owner, int] = {}
        self.opened: set[Owner] = set()
        """Journals seen for the first time."""
        if wanted:
            self._find(wanted)
            for gateway, context in wanted:
                if (gateway, context) not in self._numbers:
                    statement = insert(journal).values(gateway=gateway, context=context, opened_ms=now_ms)
                    found = connection.execute(statement.returning(journal.c.id)).scalar_one()
                    self._numbers[gateway, context] = found
                    self.opened.add((gateway, context))
        self._ranges = {number: RangeSet() for number in self._numbers.values()}
        rows = connection.execute(
            select(received_range).where(received_range.c.journal.in_(self._ranges)).order_by(received_range.c.first)
        )
        for row in rows:
            self._ranges[row.journal].add(row.first, row.last)
        self._before = {number: dict(ranges) for number, ranges in self._ranges.items()}

    def _find(self, wanted: list[Owner]) -> None:
        rows = self._connection.execute(
            select(journal.c.id, journal.c.gateway, journal.c.context)
            .where(tuple_(journal.c.gateway, journal.c.context).in_(wanted))
            .order_by(journal.c.id)
            .with_for_update()
        )
        for row in rows:
            self._numbers[row.gateway, bytes(row.context)] = row.id

    def number(self, owner: Owner) -> int:
        """Return the journal's number."""
        return self._numbers[owner]

    def take(self, number: int, first: int, count: int) -> list[tuple[int, int]]:
        """Enter a run of sequences; return the parts of it that had not been received."""
        return self._ranges[number].add(first, first + count - 1)

    def ranges(self, number: int) -> RangeSet:
        """Return the journal's ranges as they will be after the commit."""
        return self._ranges[number]

    def write(self) -> None:
        """Write what has changed."""
        gone, grown, new = [], [], []
        for number, ranges in self._ranges.items():
            before, now = self._before[number], dict(ranges)
            gone += [{"of": number, "at": first} for first in before.keys() - now.keys()]
            for first, last in now.items():
                if first not in before:
                    new.append({"journal": number, "first": first, "last": last})
                elif before[first] != last:
                    grown.append({"of": number, "at": first, "to": last})
        for statement, rows in ((_DELETE, gone), (_UPDATE, grown), (_INSERT, new)):
            if rows:
                self._connection.execute(statement, rows)
