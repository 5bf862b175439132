"""The received ranges of journals in the store: what makes intake exactly once.

They are read, extended and written in the transaction that stores the records, under the store's write lock (SQLite) or
locks on the gateways' rows, taken in the order of their numbers (PostgreSQL), so any number of receivers may take any
batch. Not on the journals' rows: of a journal that two receivers hear of first there is none yet.
"""

from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import Connection, and_, bindparam, delete, insert, or_, select, tuple_, update

from cloud_receiver.ranges import RangeSet
from cloud_receiver.schema import dirty, gateway, journal, received_range

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


def lock_gateways(connection: Connection, numbers: Collection[int]) -> None:
    """Wait until no other receiver writes what came from these gateways, and let others wait until the commit."""
    if numbers and connection.dialect.name == "postgresql":
        rows = select(gateway.c.id).where(gateway.c.id.in_(numbers)).order_by(gateway.c.id)
        connection.execute(rows.with_for_update(key_share=True)).all()


class Ledger:
    """The received ranges of the journals that one transaction touches."""

    def __init__(self, connection: Connection, owners: Iterable[Owner], now_ms: int) -> None:
        """Read the ranges of journals whose gateways are locked; a context seen first becomes a new journal."""
        self._connection = connection
        wanted = sorted(set(owners))
        self._numbers: dict[Owner, int] = {}
        self.opened: set[Owner] = set()
        """Journals of which no record had been received."""
        told = self._find(wanted) if wanted else {}
        self._ranges = {number: RangeSet() for number in self._numbers.values()}
        rows = connection.execute(
            select(received_range).where(received_range.c.journal.in_(self._ranges)).order_by(received_range.c.first)
        )
        for row in rows:
            self._ranges[row.journal].add(row.first, row.last)
        for gateway_number, context in wanted:
            if not self._ranges.get(self._numbers.get((gateway_number, context), 0)):
                self._open((gateway_number, context), now_ms, told.get((gateway_number, context), 0))
        self._before = {number: dict(ranges) for number, ranges in self._ranges.items()}

    def _find(self, wanted: list[Owner]) -> dict[Owner, int]:
        """Return the next sequence that was told of each journal that is known."""
        rows = self._connection.execute(
            select(journal.c.id, journal.c.gateway, journal.c.context, journal.c.told_next)
            .where(tuple_(journal.c.gateway, journal.c.context).in_(wanted))
            .order_by(journal.c.id)
        )
        told = {}
        for row in rows:
            self._numbers[row.gateway, bytes(row.context)] = row.id
            told[row.gateway, bytes(row.context)] = row.told_next
        return told

    def _open(self, owner: Owner, now_ms: int, told_next: int) -> None:
        """Enter a journal whose first records come now.

        One that was only told of is entered anew: the numbers of journals with records are in the order in which
        their records came first.
        """
        if (only_told := self._numbers.get(owner)) is not None:
            notice(self._connection, [only_told])
            self._connection.execute(delete(journal).where(journal.c.id == only_told))
            del self._ranges[only_told]
        values = {"gateway": owner[0], "context": owner[1], "opened_ms": now_ms, "told_next": told_next}
        number = self._connection.execute(insert(journal).values(values).returning(journal.c.id)).scalar_one()
        self._numbers[owner] = number
        self._ranges[number] = RangeSet()
        self.opened.add(owner)

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
        """Write what has changed; the checks are told where that changes what was lost with a journal."""
        gone, grown, new = [], [], []
        changed, begun = set(), set()
        for number, ranges in self._ranges.items():
            before, now = self._before[number], dict(ranges)
            if before != now:
                changed.add(number)
                if before and 1 in now and 1 not in before:
                    begun.add(number)  # its first event came late: it tells which journal was before
            gone += [{"of": number, "at": first} for first in before.keys() - now.keys()]
            for first, last in now.items():
                if first not in before:
                    new.append({"journal": number, "first": first, "last": last})
                elif before[first] != last:
                    grown.append({"of": number, "at": first, "to": last})
        for statement, rows in ((_DELETE, gone), (_UPDATE, grown), (_INSERT, new)):
            if rows:
                self._connection.execute(statement, rows)
        if changed:
            notice(self._connection, changed, begun)


def notice(connection: Connection, changed: Iterable[int], begun: Iterable[int] = ()) -> None:
    """Tell the checks to look again at what replaced the journals `changed`, and at how the journals `begun` began."""
    later = journal.alias("later")
    rows = connection.execute(
        select(gateway.c.station, later.c.opened_ms)
        .join_from(journal, later, and_(later.c.gateway == journal.c.gateway, later.c.id >= journal.c.id))
        .join(gateway, gateway.c.id == journal.c.gateway)
        .where(journal.c.id.in_(set(changed)), or_(later.c.id > journal.c.id, journal.c.id.in_(set(begun))))
        .distinct()
    ).all()
    if rows:
        values = [{"station": row.station, "first_ms": row.opened_ms, "last_ms": row.opened_ms} for row in rows]
        connection.execute(insert(dirty), values)


def note_told(connection: Connection, told: Mapping[Owner, int], openable: Iterable[Owner], now_ms: int) -> None:
    """Keep the highest next sequence that a gateway has told of each journal.

    A journal of which no record came is entered where it is in `openable`, or its gateway has no other.
    """
    if not told:
        return
    rows = connection.execute(
        select(journal.c.id, journal.c.gateway, journal.c.context, journal.c.told_next).where(
            journal.c.gateway.in_({number for number, _ in told})
        )
    ).all()
    known = {(row.gateway, bytes(row.context)): row for row in rows}
    grown = set()
    for owner, following in sorted(told.items()):
        row = known.get(owner)
        if row is None:
            if owner in openable or not any(number == owner[0] for number, _ in known):
                values = {"gateway": owner[0], "context": owner[1], "opened_ms": now_ms, "told_next": following}
                connection.execute(insert(journal).values(values))
        elif following > row.told_next:
            # In the database's own terms: another receiver may have been told more meanwhile.
            raised = update(journal).where(journal.c.id == row.id, journal.c.told_next < following)
            connection.execute(raised.values(told_next=following))
            grown.add(row.id)
    if grown:
        notice(connection, grown)
