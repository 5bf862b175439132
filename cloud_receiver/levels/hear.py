"""What another centre says: believed by its key, for the topic it came on, and about the boundary that was agreed."""

from collections.abc import Mapping
from typing import Final

from sqlalchemy import Connection, select

from cloud_receiver.grid import telemetry
from cloud_receiver.grid.snapshot import Demand, Generation, Snapshot
from cloud_receiver.levels import book
from cloud_receiver.levels.book import Said, said_in
from cloud_receiver.levels.partner import Partner, Rank, Side
from cloud_receiver.refusal import OF_ENVELOPE, Reason, RefusalError
from cloud_receiver.schema import grid_telemetry
from wire.envelope import EnvelopeError, open_envelope
from wire.fields import MessageError
from wire.levels import Statement

SLOT_MS: Final = 900_000
AHEAD_MS: Final = 86_400_000
"""How far ahead of this centre's clock a slot may be that somebody speaks of."""
_MG_PER_KG: Final = 1_000_000


def verified(partner: Partner, own_name: str, topic: str, envelope: bytes, now_ms: int) -> Statement:
    """Return the statement in an envelope; RefusalError says why it is not believed."""
    try:
        statement = Statement.decode(open_envelope(envelope, topic, partner.ring).payload)
    except EnvelopeError as error:
        raise RefusalError(OF_ENVELOPE[error.reason], str(error)) from error
    except MessageError as error:
        raise RefusalError(Reason.PAYLOAD, str(error)) from error
    expected = (partner.centre, own_name, partner.node, SLOT_MS)
    found = (statement.speaker, statement.listener, statement.node, statement.slot_ms)
    if found != expected:
        detail = f"expected a statement of {expected} (speaker, listener, node, slot in ms), got {found}"
        raise RefusalError(Reason.GATEWAY_MISMATCH, detail)
    if statement.first_start_ms % SLOT_MS:
        detail = f"slots from {statement.first_start_ms} ms on, expected the start of a quarter of an hour"
        raise RefusalError(Reason.PAYLOAD, detail)
    if statement.first_start_ms + len(statement.forward_mwh) * SLOT_MS > now_ms + AHEAD_MS:
        raise RefusalError(Reason.PAYLOAD, "speaks of slots more than a day ahead")
    return statement


def take(
    connection: Connection,
    partner: Partner,
    statement: Statement,
    *,
    topic: str,
    envelope: bytes,
    now_ms: int,
    kept_ms: int = 0,
) -> list[int]:
    """Store a statement; return the slots of which it says something new.

    One that speaks only of slots before `kept_ms` is heard and not kept: it may have been known once.

    Its factors go to the grid service, as telemetry: a parent's are those of what comes in over the boundary, a child's
    those of what it feeds back.
    """
    book.note_heard(connection, partner.centre, statement.heard, now_ms)
    if not statement.forward_mwh or book.knows(connection, partner.centre, Side.THEIRS, statement.issued_ms):
        return []
    if statement.first_start_ms + (len(statement.forward_mwh) - 1) * SLOT_MS < kept_ms:
        return []
    news = book.enter(connection, partner.centre, Side.THEIRS, statement, topic=topic, envelope=envelope)
    stated = dict(said_in(statement))
    wanted = _wanted(connection, partner, {start: stated[start] for start in news})
    factors = [(start, snapshot) for start in wanted if (snapshot := _factor(partner, stated[start])) is not None]
    if factors:
        telemetry.enter(connection, partner.feed, factors, now_ms)
    return news


def _wanted(connection: Connection, partner: Partner, fresh: Mapping[int, Said]) -> list[int]:
    """Return the slots whose factor this centre's solution needs, so that two that need each other's come to an end.

    A parent needs a child's factor where the child fed in. Then the child's solution doesn't depend on the parent's.
    Where the child says that it took something and this centre's meter says that it fed in, each depends on the other:
    the child's first factor stays.
    """
    if partner.rank is Rank.PARENT or not fresh:
        return list(fresh)
    ours = book.newest(connection, partner.centre, Side.OURS, min(fresh), max(fresh) + 1)
    told = _told(connection, partner.feed, min(fresh), max(fresh))
    return [
        start
        for start, said in fresh.items()
        if (said.reverse_mwh or 0) > (said.forward_mwh or 0)
        or (start not in told and (said.reverse_mwh or ours.get(start, Said()).reverse_mwh))
    ]


def _told(connection: Connection, feed: str, first_ms: int, last_ms: int) -> set[int]:
    rows = connection.execute(
        select(grid_telemetry.c.start_ms).where(
            grid_telemetry.c.feed == feed, grid_telemetry.c.start_ms.between(first_ms, last_ms)
        )
    )
    return set(rows.scalars())


def _factor(partner: Partner, said: Said) -> Snapshot | None:
    if said.origin is not None:
        # What only stands in is no measurement: without it this centre's solution falls back too, and says so.
        return None
    if partner.rank is Rank.PARENT and said.factor is not None:
        return Snapshot(generators={partner.element.id: Generation(None, said.factor / _MG_PER_KG)})
    if partner.rank is Rank.CHILD and said.reverse_factor is not None:
        return Snapshot(loads={partner.element.id: Demand(None, said.reverse_factor / _MG_PER_KG)})
    return None
