"""What came since a day was checked before: the reason why its findings changed."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, insert, select, update

from cloud_receiver.checks.day import local_time
from cloud_receiver.checks.model import Context
from cloud_receiver.config import Checks
from cloud_receiver.registry import Station
from cloud_receiver.sales.config import Sales
from cloud_receiver.schema import (
    adjustment,
    charge_order,
    day_check,
    event,
    factor,
    freeze,
    gateway,
    interval,
    journal,
    message,
)
from cloud_receiver.validation.config import Validation

_MOST_RECORDS: Final = 16_384
"""No message has more, so that one whose first sequence lies further back covers none of what is looked for."""
_SHOWN_METERS: Final = 10
_KINDS: Final = (
    ("intervals", interval, interval.c.start_ms),
    ("adjustments", adjustment, adjustment.c.start_ms),
    ("freezes", freeze, freeze.c.time_ms),
    ("events", event, event.c.time_ms),
)


@dataclass(frozen=True, slots=True)
class Checked:
    """How far a day had been checked: when, with which registry and settings, and up to which message of the store."""

    checked_ms: int
    through_message: int
    registry: str
    settings: str


_UNREAD: Final = {"name", "operator", "estimation"}
_UNREAD_OF_METERS: Final = {"verified", "class_limit_percent", "make", "voltage_drop", "single_phase_vehicles"}
"""Keys of the registry that no check of a day reads: a change of them has nothing checked anew."""
_UNREAD_SETTINGS: Final = {"enabled", "pause_ms", "recheck_days"}


_LENGTH: Final = 64
_FORM: Final = "3:"
"""What begins a digest of these keys, and of a program that judges so: one of an earlier version can't be compared."""


def digest(station: Station) -> str:
    """Return a digest of what the checks read of a station.

    What stands at its default isn't in it: a key that a later program adds leaves the days of this one as they are.
    """
    unread = dict.fromkeys(_UNREAD, True) | {"meter": {"__all__": _UNREAD_OF_METERS}}
    return _hexadecimal(station.model_dump_json(exclude_defaults=True, exclude=unread))


def digest_of_settings(checks: Checks, validation: Validation, sales: Sales) -> str:
    """Return a digest of what of the settings may change a finding, likewise."""
    return _hexadecimal(
        checks.model_dump_json(exclude_defaults=True, exclude=_UNREAD_SETTINGS),
        *(each.model_dump_json(exclude_defaults=True) for each in (validation, sales)),
    )


def _hexadecimal(*parts: str) -> str:
    return _FORM + sha256("\n".join(parts).encode()).hexdigest()[: _LENGTH - len(_FORM)]


def last_message(connection: Connection) -> int:
    """Return the number of the last message of the store, 0 where there is none."""
    return connection.execute(select(func.max(message.c.id))).scalar() or 0


def checked(connection: Connection, station: int, day_ms: int) -> Checked | None:
    """Return how far a day was checked before; None where it never was."""
    row = connection.execute(
        select(day_check.c.checked_ms, day_check.c.through_message, day_check.c.registry, day_check.c.settings).where(
            day_check.c.station == station, day_check.c.day_ms == day_ms
        )
    ).first()
    return None if row is None else Checked(*row)


def earliest(before: Iterable[Checked | None]) -> Checked | None:
    """Return of several days the one that was checked the longest ago; None where none was checked."""
    return min((each for each in before if each is not None), key=lambda each: each.through_message, default=None)


class _Record(NamedTuple):
    sequence: int
    time_ms: int
    meter: int
    kind: str


@dataclass(slots=True)
class _Came:
    """What of a gateway came since."""

    kinds: dict[str, int] = field(default_factory=dict)
    meters: set[int] = field(default_factory=set)
    times: list[int] = field(default_factory=list)
    received: list[int] = field(default_factory=list)


def cause(
    connection: Connection,
    context: Context,
    span: tuple[int, int],
    before: Checked | None,
    now: Checked,
    *,
    asked: str | None = None,
) -> dict[str, Any]:
    """Return what is new of a local span [first, end) since `before`, as JSON takes it; times in the station's zone.

    `first_check`: it was never checked before. `program`: an earlier version checked it, and nobody knows by which
    registry and settings. `asked`: who wanted it checked anew. `time_passed`: nothing came, but a deadline passed.
    """
    if before is None:
        return {"first_check": True}
    zone = ZoneInfo(context.station.timezone)
    found: dict[str, Any] = {}
    if records := _records(connection, context, span, before.through_message, zone):
        found["records"] = records
    if factors := _factors(connection, context, span, before.checked_ms, zone):
        found["factors"] = factors
    if orders := _orders(connection, context, span, before.checked_ms, zone):
        found["orders"] = orders
    for name, was, present in (
        ("registry", before.registry, now.registry),
        ("settings", before.settings, now.settings),
    ):
        if was != present:
            found[name if was.startswith(_FORM) else "program"] = True
    if asked is not None:
        found["asked"] = asked
    return found or {"time_passed": True}


def _records(
    connection: Connection, context: Context, span: tuple[int, int], through: int, zone: ZoneInfo
) -> list[dict[str, Any]]:
    by_journal: dict[int, list[_Record]] = {}
    for kind, table, time in _KINDS:
        rows = connection.execute(
            select(table.c.journal, table.c.sequence, time, table.c.meter).where(
                table.c.station == context.number, time >= span[0], time <= span[1]
            )
        )
        for number, sequence, time_ms, meter in rows:
            by_journal.setdefault(number, []).append(_Record(sequence, time_ms, meter, kind))
    came: dict[str, _Came] = {}
    for number, records in by_journal.items():
        records.sort()
        sequences = [record.sequence for record in records]
        taken: set[int] = set()
        for row in _messages(connection, number, sequences[0], sequences[-1]):
            places = range(bisect_left(sequences, row.first), bisect_right(sequences, row.first + row.count - 1))
            # Of what came twice the first counts.
            fresh = [place for place in places if place not in taken]
            taken.update(fresh)
            if row.id <= through or not fresh:
                continue
            of_gateway = came.setdefault(row.name, _Came())
            of_gateway.received.append(row.received_ms)
            for place in fresh:
                record = records[place]
                of_gateway.kinds[record.kind] = of_gateway.kinds.get(record.kind, 0) + 1
                of_gateway.times.append(record.time_ms)
                of_gateway.meters.add(record.meter)
    return [_told(context, name, item, zone) for name, item in sorted(came.items())]


def _messages(connection: Connection, number: int, low: int, high: int) -> Any:  # noqa: ANN401  # rows of SQLAlchemy
    return connection.execute(
        select(message.c.id, message.c.first, message.c.count, message.c.received_ms, gateway.c.name)
        .join(journal, journal.c.id == message.c.journal)
        .join(gateway, gateway.c.id == journal.c.gateway)
        .where(message.c.journal == number, message.c.first.between(low - _MOST_RECORDS, high))
        .order_by(message.c.id)
    )


def _told(context: Context, name: str, item: _Came, zone: ZoneInfo) -> dict[str, Any]:
    meters = sorted(context.name(meter) for meter in item.meters if meter)
    return {
        "gateway": name,
        "count": len(item.times),
        "kinds": dict(sorted(item.kinds.items())),
        "meters": meters[:_SHOWN_METERS],
        "meter_count": len(meters),
        "first": local_time(min(item.times), zone),
        "last": local_time(max(item.times), zone),
        "received_first": local_time(min(item.received), zone),
        "received_last": local_time(max(item.received), zone),
    }


def _factors(
    connection: Connection, context: Context, span: tuple[int, int], since_ms: int, zone: ZoneInfo
) -> Mapping[str, Any]:
    row = connection.execute(
        select(
            func.count(),
            func.min(factor.c.start_ms),
            func.max(factor.c.start_ms),
            func.min(factor.c.issued_ms),
            func.max(factor.c.issued_ms),
        ).where(
            factor.c.node == context.station.node,
            factor.c.start_ms >= span[0],
            factor.c.start_ms < span[1],
            factor.c.issued_ms >= since_ms,
        )
    ).one()
    names = ("first", "last", "issued_first", "issued_last")
    return {"count": row[0]} | _times(names, row[1:], zone) if row[0] else {}


def _orders(
    connection: Connection, context: Context, span: tuple[int, int], since_ms: int, zone: ZoneInfo
) -> Mapping[str, Any]:
    table = charge_order.c
    row = connection.execute(
        select(
            func.count(),
            func.min(table.start_ms),
            func.max(table.end_ms),
            func.min(table.received_ms),
            func.max(table.received_ms),
        ).where(
            table.station == context.number,
            table.end_ms >= span[0],
            table.end_ms < span[1] + _ORDER_REACH_MS,
            table.start_ms < span[1],
            table.received_ms >= since_ms,
        )
    ).one()
    names = ("first", "last", "received_first", "received_last")
    return {"count": row[0]} | _times(names, row[1:], zone) if row[0] else {}


_ORDER_REACH_MS: Final = 7 * 86_400_000
"""No charge lasts longer."""


def _times(names: tuple[str, ...], values: Any, zone: ZoneInfo) -> dict[str, str]:  # noqa: ANN401  # of a row
    return {name: local_time(value, zone) for name, value in zip(names, values, strict=True)}


def enter(connection: Connection, station: int, day_ms: int, now: Checked, *, over: bool, content: str) -> None:
    """Note how far a day was checked, and what it leaves for its month."""
    key = (day_check.c.station == station, day_check.c.day_ms == day_ms)
    values = {name: getattr(now, name) for name in Checked.__dataclass_fields__}
    values |= {"over": int(over), "content": content}
    if not connection.execute(update(day_check).where(*key).values(**values)).rowcount:
        connection.execute(insert(day_check).values(station=station, day_ms=day_ms, **values))
