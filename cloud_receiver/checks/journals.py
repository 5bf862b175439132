"""What was lost with a gateway's journal (日志) that ended: the records it had and the centre never got.

A journal that others replaced delivers nothing more, but for what is still on its way. What it had not delivered is
known from below by what the gateway told of it (its statuses), and exactly where the next journal's first event names
it: then somebody set it aside, and read its end.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

from sqlalchemy import Connection, and_, exists, select

from cloud_receiver import event_rows
from cloud_receiver.ranges import RangeSet
from cloud_receiver.schema import event, gateway, gateway_status, journal, received_range
from wire.records import DetailKey, EventCode

_IMPORT_BEGINS = 2
"""Sequence of the event of an import in a journal that it begins; one that comes later exempts no journal."""
_NEAR_MS = 3_600_000
"""How far apart the time of that event and the entry of the journal are at most, both by the centre's clock."""


@dataclass(frozen=True, slots=True)
class Journal:
    """A journal that the centre knows of."""

    number: int
    context: bytes
    opened_ms: int
    told_next: int
    has_records: bool


@dataclass(frozen=True, slots=True)
class Replaced:
    """A journal with records, and those of its gateway that it replaced, if any."""

    gateway: str
    journal: Journal
    former: Journal | None
    """The last one before it of which records came."""
    only_told: tuple[Journal, ...] = ()
    """Those between the two: the gateway told of them, and no record came."""


@dataclass(frozen=True, slots=True)
class Loss:
    """What of a journal is not in the store."""

    context: bytes
    received_to: int
    told_to: int
    exact: bool
    """Whether `told_to` is known to be its last sequence; otherwise there may have been more."""
    missing: tuple[tuple[int, int], ...] = field(default=())

    def detail(self) -> dict[str, object]:
        """Return it as evidence of a finding."""
        return {
            "journal_before": self.context.hex(),
            "received_to": self.received_to,
            "told_to": self.told_to,
            "lost": [[first, last] for first, last in self.missing],
            "lost_count": sum(last - first + 1 for first, last in self.missing),
            "extent": "exact" if self.exact else "at least",
        }


def replaced(connection: Connection, station: int, day_ms: int, end_ms: int) -> Iterator[Replaced]:
    """Find the journals of a station whose first records came in [day_ms, end_ms), each with those before it."""
    has_records = exists().where(received_range.c.journal == journal.c.id)
    # The centre's own journals of what it imports (导入) begin with the event that says so, and nothing is on its way:
    # it begins one for what is corrected, and goes on with any of them when a factor comes later. A device, which sends
    # its status, can't say so: whoever has its key would hide behind it.
    imported = exists().where(
        event.c.station == station,
        event.c.time_ms.between(journal.c.opened_ms - _NEAR_MS, journal.c.opened_ms + _NEAR_MS),
        event.c.journal == journal.c.id,
        event.c.sequence <= _IMPORT_BEGINS,
        event.c.code == int(EventCode.IMPORTED),
    )
    rows = connection.execute(
        select(journal, gateway.c.name, has_records.label("has_records"))
        .join(gateway, gateway.c.id == journal.c.gateway)
        .where(
            gateway.c.station == station,
            ~and_(imported, journal.c.gateway.not_in(select(gateway_status.c.gateway))),
            journal.c.gateway.in_(
                select(journal.c.gateway)
                .join(gateway)
                .where(gateway.c.station == station, journal.c.opened_ms >= day_ms, journal.c.opened_ms < end_ms)
            ),
        )
        .order_by(journal.c.id)
    )
    former: dict[int, Journal] = {}
    only_told: dict[int, list[Journal]] = {}
    for row in rows:
        found = Journal(row.id, bytes(row.context), row.opened_ms, row.told_next, row.has_records)
        if not found.has_records:
            only_told.setdefault(row.gateway, []).append(found)
            continue
        before, between = former.get(row.gateway), tuple(only_told.pop(row.gateway, ()))
        former[row.gateway] = found
        if day_ms <= found.opened_ms < end_ms:
            yield Replaced(row.name, found, before, between)


def losses(connection: Connection, item: Replaced) -> list[Loss]:
    """Return what was lost with each journal that one replaced."""
    context, last = _named(connection, item.journal.number)
    before = (*(() if item.former is None else (item.former,)), *item.only_told)
    found = [_loss(connection, each, last if each.context == context else None) for each in before]
    # One that the centre has never heard of; the end of any other was told of by the journal that came after it.
    if context is not None and last and not _known(connection, item.journal.number, context):
        found.append(Loss(context, received_to=0, told_to=last, exact=True, missing=((1, last),)))
    return [loss for loss in found if loss.received_to or loss.told_to]


def _loss(connection: Connection, former: Journal, last: int | None) -> Loss:
    ranges = RangeSet(
        (row.first, row.last)
        for row in connection.execute(
            select(received_range.c.first, received_range.c.last).where(received_range.c.journal == former.number)
        )
    )
    received_to = ranges.highest()
    told_to = max(former.told_next - 1, received_to, last or 0)
    # A journal damaged so that its end is missing may itself believe that it was shorter than it was.
    exact = last == told_to
    missing = ranges.missing(len(ranges))
    if told_to > received_to:
        tail = (received_to + 1, told_to)
        missing = (*missing, tail)
    return Loss(former.context, received_to, told_to, exact, missing)


def _named(connection: Connection, number: int) -> tuple[bytes | None, int | None]:
    """Return the context, and its last sequence, that the first event of a journal names; None where it names none."""
    details = connection.execute(
        select(event.c.details).where(event.c.journal == number, event_rows.OPENED).order_by(event.c.sequence).limit(1)
    ).scalar()
    if details is None:
        return None, None
    found = json.loads(details)
    context, last = found.get(str(int(DetailKey.PREVIOUS_CONTEXT))), found.get(str(int(DetailKey.LAST_SEQUENCE)))
    try:
        return bytes.fromhex(context), int(last)
    except (TypeError, ValueError):
        return None, None


def _known(connection: Connection, number: int, context: bytes) -> bool:
    mine = select(journal.c.gateway).where(journal.c.id == number).scalar_subquery()
    return bool(
        connection.execute(select(exists().where(journal.c.gateway == mine, journal.c.context == context))).scalar()
    )
