"""What gateways say of themselves (birth, health, will): the newest of each is kept, in the order of its journal."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select, update

from cloud_receiver import gateway_facts
from cloud_receiver.enrolment import GatewayRow
from cloud_receiver.received import Owner, note_told
from cloud_receiver.schema import dirty, gateway, gateway_status, journal, received_range
from wire.messages import Status, StatusState


@dataclass(frozen=True, slots=True)
class Heard:
    """A status whose signature and owner have been checked."""

    gateway: GatewayRow
    status: Status
    retained: bool
    """Whether the broker had kept it: nobody knows then when it was sent."""
    topic: str = ""
    envelope: bytes = b""


@dataclass(frozen=True, slots=True)
class Known:
    """The newest status of a gateway."""

    state: int
    time_ms: int
    seen_ms: int
    context: bytes
    next_sequence: int
    unacknowledged: int
    clock_state: int
    dropped: int
    dropped_ms: int | None
    """When the number of dropped records last rose, by the centre's clock."""
    facts: str | None
    """What cloud_receiver.gateway_facts makes of the rest."""


_FIELDS = tuple(Known.__dataclass_fields__)


def store(connection: Connection, heard: Iterable[Heard], now_ms: int) -> list[Heard]:
    """Keep the newest status of each gateway; the checks are told of dropped records.

    Return those that were replayed: they speak of a journal that the gateway had before the one it has.
    """
    replayed = []
    items = list(heard)
    numbers = {item.gateway.number for item in items}
    stored = known(connection, numbers)
    latest = dict(stored)
    for item in items:
        before = latest.get(item.gateway.number)
        if before is not None and _of_former_journal(connection, before, item):
            # A will says so in good faith: the gateway signed it when it began.
            if item.status.state != StatusState.OFFLINE:
                replayed.append(item)
            continue
        after = _after(before, item, now_ms)
        latest[item.gateway.number] = after
        if after.dropped_ms != (before and before.dropped_ms):
            connection.execute(insert(dirty).values(station=item.gateway.station, first_ms=now_ms, last_ms=now_ms))
    _note_told(connection, items, now_ms)
    for number, status in sorted(latest.items()):
        values = {name: getattr(status, name) for name in _FIELDS}
        if number not in stored:
            connection.execute(insert(gateway_status).values(gateway=number, **values))
        elif status != stored[number]:
            connection.execute(update(gateway_status).where(gateway_status.c.gateway == number).values(**values))
    return replayed


def _note_told(connection: Connection, items: Iterable[Heard], now_ms: int) -> None:
    """Keep how far each journal has got, as its gateway says: what is never received of it can then be named."""
    told: dict[Owner, int] = {}
    openable: set[Owner] = set()
    for item in items:
        owner = item.gateway.number, item.status.context
        told[owner] = max(told.get(owner, 0), item.status.next_sequence)
        # A will may come long after the gateway has begun another journal.
        if item.status.state != StatusState.OFFLINE:
            openable.add(owner)
    note_told(connection, told, openable, now_ms)


def known(connection: Connection, numbers: Iterable[int] | None = None) -> dict[int, Known]:
    """Return the newest status of gateways by their number."""
    statement = select(gateway_status.c.gateway, *(gateway_status.c[name] for name in _FIELDS))
    if numbers is not None:
        statement = statement.where(gateway_status.c.gateway.in_(numbers))
    return {
        row.gateway: Known(**{name: getattr(row, name) for name in _FIELDS} | {"context": bytes(row.context)})
        for row in connection.execute(statement)
    }


def by_name(connection: Connection) -> dict[str, Known]:
    """Return the newest status of every gateway that has sent one, by its name."""
    found = known(connection)
    return {row.name: found[row.id] for row in connection.execute(select(gateway)) if row.id in found}


def _of_former_journal(connection: Connection, before: Known, item: Heard) -> bool:
    """Tell by the order in which records of the two journals came first; without records of both nobody knows."""
    if before.context == item.status.context:
        return False
    found = {
        bytes(row.context): row.first
        for row in connection.execute(
            select(journal.c.context, func.min(journal.c.id).label("first"))
            .where(
                journal.c.gateway == item.gateway.number,
                journal.c.context.in_([before.context, item.status.context]),
                journal.c.id.in_(select(received_range.c.journal)),
            )
            .group_by(journal.c.context)
        )
    }
    return len(found) == 2 and found[item.status.context] < found[before.context]  # noqa: PLR2004  # both


def _after(before: Known | None, item: Heard, now_ms: int) -> Known:
    status = item.status
    same = before is not None and before.context == status.context
    if before is not None and same and status.next_sequence < before.next_sequence:
        # Older than what is known, by the one order that no wrong clock disturbs. A will is: it was signed when the
        # gateway began, and all it says is that the gateway is gone now.
        return _gone(before) if status.state == StatusState.OFFLINE else before
    seen = min(status.time_ms, now_ms) if item.retained else now_ms
    if before is not None and (item.retained or status.state == StatusState.OFFLINE):
        seen = max(before.seen_ms, min(status.time_ms, now_ms))
    dropped_before = before.dropped if before is not None and same else 0
    dropped_ms = before.dropped_ms if before is not None else None
    return Known(
        *(int(status.state), status.time_ms, seen, status.context, status.next_sequence),
        *(status.unacknowledged, int(status.clock_state), status.dropped),
        now_ms if status.dropped > dropped_before else dropped_ms,
        # The will has none: those before it are the last ones known.
        gateway_facts.stored(status, None if item.retained else now_ms) or (before.facts if before and same else None),
    )


def _gone(before: Known) -> Known:
    values = {name: getattr(before, name) for name in _FIELDS}
    return Known(**values | {"state": int(StatusState.OFFLINE)})
