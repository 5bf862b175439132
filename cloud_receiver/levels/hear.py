"""What another centre says: believed by its key, for the topic it came on, and about the boundary that was agreed."""

from typing import Final

from sqlalchemy import Connection

from cloud_receiver.grid import telemetry
from cloud_receiver.grid.snapshot import Demand, Generation, Snapshot
from cloud_receiver.levels import book
from cloud_receiver.levels.book import Said, said_in
from cloud_receiver.levels.partner import Partner, Rank, Side
from cloud_receiver.refusal import OF_ENVELOPE, Reason, RefusalError
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
    connection: Connection, partner: Partner, statement: Statement, *, topic: str, envelope: bytes, now_ms: int
) -> list[int]:
    """Store a statement; return the slots of which it says something new.

    Its factors go to the grid service, as telemetry: a parent's are those of what comes in over the boundary, a child's
    those of what it feeds back.
    """
    book.note_heard(connection, partner.centre, statement.heard, now_ms)
    if not statement.forward_mwh or book.knows(connection, partner.centre, Side.THEIRS, statement.issued_ms):
        return []
    news = book.enter(connection, partner.centre, Side.THEIRS, statement, topic=topic, envelope=envelope)
    fresh = set(news)
    factors = [
        (start, snapshot)
        for start, said in said_in(statement)
        if start in fresh and (snapshot := _factor(partner, said)) is not None
    ]
    if factors:
        telemetry.enter(connection, partner.feed, factors, now_ms)
    return news


def _factor(partner: Partner, said: Said) -> Snapshot | None:
    if partner.rank is Rank.PARENT and said.factor is not None:
        return Snapshot(generators={partner.element.id: Generation(None, said.factor / _MG_PER_KG)})
    if partner.rank is Rank.CHILD and said.reverse_factor is not None and said.reverse_mwh:
        return Snapshot(loads={partner.element.id: Demand(None, said.reverse_factor / _MG_PER_KG)})
    return None
