"""What both sides of a boundary have said, in the store: statements as they were signed, and slot by slot.

A row of `level_slot` is written where a statement says something new of a slot; the newest issue counts.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass
from typing import Any, Final

from sqlalchemy import Connection, and_, delete, func, insert, or_, select, update

from cloud_receiver.levels.partner import Side
from cloud_receiver.schema import level_message, level_slot
from wire.levels import MAX_HEARD, Statement, Totals
from wire.messages import Origin

_COLUMNS: Final = (
    *("forward_mwh", "reverse_mwh", "factor", "reverse_factor", "carbon_forward_ug", "carbon_reverse_ug"),
)
_DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Said:
    """What one side says of a slot; None where it knows nothing. Forward is from the parent into the child."""

    forward_mwh: int | None = None
    reverse_mwh: int | None = None
    factor: int | None = None
    reverse_factor: int | None = None
    carbon_forward_ug: int | None = None
    carbon_reverse_ug: int | None = None
    totals: Totals | None = None
    origin: Origin | None = None
    """Of the factor that is the speaker's own; None: solved."""

    def __bool__(self) -> bool:
        return any(item is not None for item in astuple(self))


@dataclass(frozen=True, slots=True)
class Message:
    """A statement of ours as it is published."""

    issued_ms: int
    topic: str
    envelope: bytes


def said_in(statement: Statement) -> Iterator[tuple[int, Said]]:
    """Yield what a statement says of each slot, by the slot's start."""
    for place in range(len(statement.forward_mwh)):
        yield (
            statement.first_start_ms + place * statement.slot_ms,
            Said(
                statement.forward_mwh[place],
                statement.reverse_mwh[place],
                statement.factors[place],
                statement.reverse_factors[place],
                statement.carbon_forward_ug[place],
                statement.carbon_reverse_ug[place],
                None if statement.totals is None else statement.totals[place],
                None if statement.origins is None else statement.origins[place] or None,
            ),
        )


def newest(connection: Connection, centre: str, side: Side, first_ms: int, end_ms: int) -> dict[int, Said]:
    """Return what a side last said of each slot that starts in [first_ms, end_ms)."""
    return {start: said for start, (_, said) in newest_issues(connection, centre, side, first_ms, end_ms).items()}


def newest_issues(
    connection: Connection, centre: str, side: Side, first_ms: int, end_ms: int
) -> dict[int, tuple[int, Said]]:
    """Return what a side last said of each slot that starts in [first_ms, end_ms), and when it said so first."""
    rows = connection.execute(
        select(level_slot)
        .where(
            level_slot.c.centre == centre,
            level_slot.c.side == int(side),
            level_slot.c.start_ms >= first_ms,
            level_slot.c.start_ms < end_ms,
        )
        .order_by(level_slot.c.start_ms, level_slot.c.issued_ms)
    )
    return {row.start_ms: (row.issued_ms, _said(row)) for row in rows}


def _said(row: Any) -> Said:  # noqa: ANN401  # a row of SQLAlchemy
    return Said(
        forward_mwh=row.forward_mwh,
        reverse_mwh=row.reverse_mwh,
        factor=row.factor,
        reverse_factor=row.reverse_factor,
        carbon_forward_ug=row.carbon_forward_ug,
        carbon_reverse_ug=row.carbon_reverse_ug,
        totals=None if row.totals is None else Totals(*json.loads(row.totals)),
        origin=None if row.origin is None else Origin(row.origin),
    )


def enter(
    connection: Connection, centre: str, side: Side, statement: Statement, *, topic: str, envelope: bytes
) -> list[int]:
    """Enter a statement that is not in the store yet; return the slots of which it says something new.

    A statement that was issued before others that are stored tells nothing of the slots that those speak of.
    """
    slots = dict(said_in(statement))
    if slots:
        before = newest_issues(connection, centre, side, min(slots), max(slots) + 1)
        later = _later(connection, centre, side, statement.issued_ms, slots)
        news = [
            start
            for start, said in slots.items()
            # Also what a later statement repeated, and so is in no row of that one, stands against an older one.
            if not any(first <= start <= last for first, last in later) and before.get(start, (0, Said()))[1] != said
        ]
        if news:
            rows = [_row(centre, side, statement.issued_ms, start, slots[start]) for start in news]
            connection.execute(insert(level_slot), rows)
        connection.execute(
            insert(level_message).values(
                centre=centre,
                side=int(side),
                issued_ms=statement.issued_ms,
                topic=topic,
                first_ms=min(slots),
                last_ms=max(slots),
                error_ppm=statement.error_ppm,
                step_mwh=statement.step_mwh,
                envelope=envelope,
            )
        )
        return news
    return []


def _later(
    connection: Connection, centre: str, side: Side, issued_ms: int, slots: Iterable[int]
) -> list[tuple[int, int]]:
    """Return the spans of stored statements that were issued after a time and speak of some of the slots."""
    starts = list(slots)
    rows = connection.execute(
        select(level_message.c.first_ms, level_message.c.last_ms).where(
            *_of(centre, side),
            level_message.c.issued_ms > issued_ms,
            level_message.c.first_ms <= max(starts),
            level_message.c.last_ms >= min(starts),
        )
    )
    return [(row.first_ms, row.last_ms) for row in rows]


def _row(centre: str, side: Side, issued_ms: int, start_ms: int, said: Said) -> dict[str, object]:
    values: Mapping[str, object] = {name: getattr(said, name) for name in _COLUMNS}
    totals = None if said.totals is None else json.dumps(astuple(said.totals))
    key = {"centre": centre, "side": int(side), "start_ms": start_ms, "issued_ms": issued_ms}
    return {**key, **values, "totals": totals, "origin": said.origin}


def knows(connection: Connection, centre: str, side: Side, issued_ms: int) -> bool:
    """Return whether a statement is in the store."""
    found = select(level_message.c.issued_ms).where(*_of(centre, side), level_message.c.issued_ms == issued_ms)
    return connection.execute(found).first() is not None


def last_issue(connection: Connection, centre: str, side: Side) -> int:
    """Return when a side's newest stored statement was issued; 0 when there is none."""
    return int(connection.execute(select(func.max(level_message.c.issued_ms)).where(*_of(centre, side))).scalar() or 0)


def first_start(connection: Connection, centre: str, side: Side) -> int | None:
    """Return the first slot of which a side has spoken."""
    found = (
        select(level_slot.c.start_ms)
        .where(level_slot.c.centre == centre, level_slot.c.side == int(side))
        .order_by(level_slot.c.start_ms)
        .limit(1)
    )
    start: int | None = connection.execute(found).scalar()
    return start


def limits(connection: Connection, centre: str, side: Side) -> tuple[int | None, int | None]:
    """Return the limit of the meter's error (10⁻⁶) and the register's step (mWh) of a side's newest statement."""
    row = connection.execute(
        select(level_message.c.error_ppm, level_message.c.step_mwh)
        .where(*_of(centre, side))
        .order_by(level_message.c.issued_ms.desc())
        .limit(1)
    ).first()
    return (None, None) if row is None else (row.error_ppm, row.step_mwh)


def heard(connection: Connection, centre: str) -> tuple[int, ...]:
    """Return the issues of the other side's newest statements that are stored here."""
    rows = connection.execute(
        select(level_message.c.issued_ms)
        .where(*_of(centre, Side.THEIRS))
        .order_by(level_message.c.issued_ms.desc())
        .limit(MAX_HEARD)
    )
    return tuple(sorted(row.issued_ms for row in rows))


def note_heard(connection: Connection, centre: str, issues: Iterable[int], now_ms: int) -> int:
    """Note which of our statements the other side has stored; return how many of them are newly known."""
    result = connection.execute(
        update(level_message)
        .where(*_of(centre, Side.OURS), level_message.c.heard_ms.is_(None), level_message.c.issued_ms.in_(set(issues)))
        .values(heard_ms=now_ms)
    )
    return result.rowcount


def unheard(connection: Connection, centre: str, limit: int) -> list[Message]:
    """Return our newest statement and the oldest of those that the other side has not named, oldest first."""
    found = _messages(
        connection,
        select(level_message)
        .where(*_of(centre, Side.OURS), level_message.c.heard_ms.is_(None))
        .order_by(level_message.c.issued_ms)
        .limit(limit),
    )
    last = _messages(
        connection,
        select(level_message).where(*_of(centre, Side.OURS)).order_by(level_message.c.issued_ms.desc()).limit(1),
    )
    return found + [item for item in last if item not in found]


def restate(connection: Connection, centre: str, message: Message) -> None:
    """Put a statement of ours in the place of what was said before, at the same time of issue."""
    connection.execute(
        update(level_message)
        .where(*_of(centre, Side.OURS), level_message.c.issued_ms == message.issued_ms)
        .values(topic=message.topic, envelope=message.envelope)
    )


def thin(connection: Connection, centre: str, first_ms: int, end_ms: int) -> int:
    """Drop signed bytes issued in [first_ms, end_ms), both starts of days UTC; return of how many statements.

    The last statement of each day stays, which tells the whole day before it, and what was not heard. What was said of
    each slot stays in any case, and when statements were issued: an old one that comes again is known.
    """
    last: dict[tuple[int, int], int] = {}
    within = (
        level_message.c.centre == centre,
        level_message.c.issued_ms >= first_ms,
        level_message.c.issued_ms < end_ms,
    )
    for row in connection.execute(select(level_message.c.side, level_message.c.issued_ms).where(*within)):
        key = row.side, row.issued_ms // _DAY_MS
        last[key] = max(last.get(key, 0), row.issued_ms)
    result = connection.execute(
        update(level_message)
        .where(
            *within,
            or_(level_message.c.side == int(Side.THEIRS), level_message.c.heard_ms.is_not(None)),
            level_message.c.issued_ms.not_in(last.values()),
            func.length(level_message.c.envelope) > 0,
        )
        .values(envelope=b"")
    )
    return result.rowcount


def prune(connection: Connection, centre: str, before_ms: int) -> int | None:
    """Forget the oldest days of what both sides said of slots that began before an instant.

    Returns how many of our statements are given up that the other side never named as heard; None where nothing that
    old is left. What remains of a statement that speaks of later slots too, and each side's newest, stays.
    """
    of_centre = level_slot.c.centre == centre
    first = connection.execute(select(func.min(level_slot.c.start_ms)).where(of_centre)).scalar()
    oldest = connection.execute(
        select(func.min(level_message.c.issued_ms)).where(*_forgettable(connection, centre, before_ms))
    ).scalar()
    if oldest is None and (first is None or first >= before_ms):
        return None
    if first is not None and first < before_ms:
        end_ms = min(before_ms, first + _PRUNED_MS)
        connection.execute(delete(level_slot).where(of_centre, level_slot.c.start_ms < end_ms))
    if oldest is None:
        return 0
    these = (*_forgettable(connection, centre, before_ms), level_message.c.issued_ms < oldest + _PRUNED_MS)
    lost = (level_message.c.side == int(Side.OURS), level_message.c.heard_ms.is_(None))
    count = connection.execute(select(func.count()).select_from(level_message).where(*these, *lost)).scalar_one()
    connection.execute(delete(level_message).where(*these))
    return count


_PRUNED_MS: Final = 10 * _DAY_MS
"""What one transaction forgets: others wait for it."""


def _forgettable(connection: Connection, centre: str, before_ms: int) -> tuple[Any, ...]:
    newest = [last_issue(connection, centre, side) for side in Side]
    return (
        level_message.c.centre == centre,
        level_message.c.issued_ms < before_ms,
        level_message.c.last_ms < before_ms,
        level_message.c.issued_ms.not_in(newest),
    )


def unconfirmed(connection: Connection, centre: str) -> int:
    """Return how many of our statements the other side has not named as heard."""
    waiting = select(func.count()).where(*_of(centre, Side.OURS), level_message.c.heard_ms.is_(None))
    return int(connection.execute(waiting).scalar_one())


def _messages(connection: Connection, statement: Any) -> list[Message]:  # noqa: ANN401  # a Select of any columns
    return [Message(row.issued_ms, row.topic, bytes(row.envelope)) for row in connection.execute(statement)]


def _of(centre: str, side: Side) -> tuple[Any, ...]:
    return (and_(level_message.c.centre == centre, level_message.c.side == int(side)),)
