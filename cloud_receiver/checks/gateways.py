"""What gateways and the intake itself tell of a day: journals that began anew, records dropped or not storable."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, select

from cloud_receiver.checks.day import Draft
from cloud_receiver.checks.journals import Replaced, losses, replaced
from cloud_receiver.checks.model import SLOT_MS, STATION, Kind, Severity
from cloud_receiver.schema import event, gateway, gateway_status, journal, message, set_aside
from wire.records import DetailKey, EventCode

_SHOWN = {
    DetailKey.COUNT: "count",
    DetailKey.FIRST_SEQUENCE: "first_sequence",
    DetailKey.LAST_SEQUENCE: "last_sequence",
}

MOST_JOURNALS = 100
"""That the gateways of a station begin in a day and that are looked at: who begins more has something else to hide."""


def findings(connection: Connection, station: int, day_ms: int, end_ms: int) -> list[Draft]:
    """Return the findings about the gateways of a station in [day_ms, end_ms)."""
    begun = list(replaced(connection, station, day_ms, end_ms))
    kinds = (
        (Kind.RECORDS_DROPPED, Severity.ALARM, [*_dropped(connection, station, day_ms, end_ms)]),
        (Kind.JOURNAL_OPENED, Severity.WARNING, [*_opened(connection, begun)]),
        (Kind.KEY_SHARED, Severity.ALARM, [*_shared(connection, begun)]),
        (Kind.SET_ASIDE, Severity.ALARM, [*_set_aside(connection, station, day_ms, end_ms)]),
    )
    return [
        Draft(
            kind.value,
            STATION,
            severity.value,
            [time - time % SLOT_MS for time, _ in found],
            [{"start_ms": time} | detail for time, detail in found],
        )
        for kind, severity, found in kinds
        if found
    ]


_Found = Iterator[tuple[int, dict[str, object]]]


def _dropped(connection: Connection, station: int, day_ms: int, end_ms: int) -> _Found:
    """Find records that a gateway gave up: by the events of its journal, and by its status, which comes sooner."""
    rows = connection.execute(
        select(event.c.time_ms, event.c.details, gateway.c.name)
        .join(journal, journal.c.id == event.c.journal)
        .join(gateway, gateway.c.id == journal.c.gateway)
        .where(
            event.c.station == station,
            event.c.time_ms >= day_ms,
            event.c.time_ms < end_ms,
            event.c.code == int(EventCode.RECORDS_DROPPED),
        )
        .order_by(event.c.time_ms)
    )
    for row in rows:
        details = json.loads(row.details)
        shown = {name: details[str(int(key))] for key, name in _SHOWN.items() if str(int(key)) in details}
        yield row.time_ms, {"gateway": row.name, **shown}
    states = connection.execute(
        select(gateway_status, gateway.c.name)
        .join(gateway)
        .where(
            gateway.c.station == station,
            gateway_status.c.dropped_ms >= day_ms,
            gateway_status.c.dropped_ms < end_ms,
        )
    )
    for state in states:
        yield (
            state.dropped_ms,
            {
                "gateway": state.name,
                "journal": bytes(state.context).hex(),
                "dropped_in_all": state.dropped,
            },
        )


def _opened(connection: Connection, begun: Sequence[Replaced]) -> _Found:
    """Find journals that are not their gateway's first: what those before had not delivered is lost."""
    details = [(item, loss.detail()) for item in begun[:MOST_JOURNALS] for loss in losses(connection, item)]
    if len(begun) > MOST_JOURNALS:
        details.append((begun[MOST_JOURNALS], {"not_looked_at": len(begun) - MOST_JOURNALS}))
    for item, detail in details:
        yield item.journal.opened_ms, {"gateway": item.gateway, "journal": item.journal.context.hex(), **detail}


def _shared(connection: Connection, begun: Sequence[Replaced]) -> _Found:
    """Find journals whose gateway went on with the one before: no gateway does, so there are two with one key."""
    for item in begun[:MOST_JOURNALS]:
        if item.former is None:
            continue
        first = _message(connection, item.journal.number, message.c.first)
        latest = _message(connection, item.former.number, message.c.first.desc())
        # By arrival and by the gateway's clock: a late delivery fails the one, a clock put right the other.
        if first and latest and latest.id > first.id and latest.created_ms > first.created_ms:
            yield (
                item.journal.opened_ms,
                {
                    "gateway": item.gateway,
                    "journals": [item.former.context.hex(), item.journal.context.hex()],
                    "first_sequence": latest.first,
                    "count": latest.count,
                },
            )


@dataclass(frozen=True, slots=True)
class _Sent:
    id: int
    first: int
    count: int
    created_ms: int


def _message(connection: Connection, number: int, order: ColumnElement[int]) -> _Sent | None:
    """Return the message of a journal that comes first in an order of its sequences."""
    row = connection.execute(
        select(*(message.c[name] for name in _Sent.__dataclass_fields__))
        .where(message.c.journal == number)
        .order_by(order)
        .limit(1)
    ).first()
    return None if row is None else _Sent(*row)


def _set_aside(connection: Connection, station: int, day_ms: int, end_ms: int) -> _Found:
    """Find messages whose records the store would not take."""
    rows = connection.execute(
        select(set_aside, message.c.first, message.c.count, gateway.c.name)
        .join(message, message.c.id == set_aside.c.message)
        .join(journal, journal.c.id == message.c.journal)
        .join(gateway, gateway.c.id == journal.c.gateway)
        .where(gateway.c.station == station, set_aside.c.aside_ms >= day_ms, set_aside.c.aside_ms < end_ms)
        .order_by(set_aside.c.message)
    )
    for row in rows:
        yield (
            row.aside_ms,
            {
                "gateway": row.name,
                "message": row.message,
                "first_sequence": row.first,
                "count": row.count,
                "cause": row.detail,
            },
        )
