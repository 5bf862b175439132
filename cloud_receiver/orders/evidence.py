"""Whether the stored messages of a command prove what its row says: the signatures are checked anew."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from cloud_receiver import enrolment
from cloud_receiver.orders.book import Stored
from cloud_receiver.orders.shown import contradiction
from wire import topics
from wire.commands import Command, Reply
from wire.envelope import EnvelopeError, KeyRing, open_envelope
from wire.fields import MessageError
from wire.keys import PublicKey
from wire.orders import Order

CENTRE = "centre"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the stored messages say; a fault says why they prove nothing, or something else."""

    order: Order | None
    order_kid: bytes | None
    order_fault: str | None
    reply: Reply | None
    reply_fault: str | None

    @property
    def sound(self) -> bool:
        """Return whether both messages verify and say what the row says."""
        return self.order_fault is None and self.reply_fault is None


def examine(connection: Connection, stored: Stored, centre_keys: Iterable[PublicKey]) -> Evidence:
    """Check a stored command and its reply against the centre's keys and those enrolled for the gateway."""
    ring = KeyRing()
    for key in centre_keys:
        ring.add(key, CENTRE)
    order, order_kid, order_fault = _order(stored, ring)
    reply, reply_fault = (None, None) if stored.reply is None else _reply(connection, stored, stored.reply)
    if order is not None and reply is not None and reply_fault is None:
        reply_fault = contradiction(order, reply.result)
    return Evidence(order, order_kid, order_fault, reply, reply_fault)


def _order(stored: Stored, ring: KeyRing) -> tuple[Order | None, bytes | None, str | None]:
    entry = stored.entry
    try:
        opened = open_envelope(stored.envelope, topics.command(entry.gateway), ring)
        command = Command.decode(opened.payload)
    except (EnvelopeError, MessageError) as error:
        return None, None, str(error)
    says = (command.id, command.gateway, int(command.verb), command.issued_ms, command.expires_ms)
    fault = None
    if says != (entry.id, entry.gateway, entry.verb, entry.issued_ms, entry.expires_ms):
        fault = "the signed command is another than the store's row says"
    return command.order, opened.kid, fault


def _reply(connection: Connection, stored: Stored, envelope: bytes) -> tuple[Reply | None, str | None]:
    entry = stored.entry
    known = enrolment.enrolled(connection, entry.reply_ms)
    try:
        opened = open_envelope(envelope, topics.reply(entry.gateway), known.ring)
        reply = Reply.decode(opened.payload)
    except (EnvelopeError, MessageError) as error:
        return None, str(error)
    if opened.owner != entry.gateway:
        return reply, f"signed by gateway {opened.owner}"
    if (reply.id, reply.gateway, int(reply.outcome), opened.kid) != (
        *(entry.id, entry.gateway, entry.outcome),
        stored.reply_kid,
    ):
        return reply, "the signed reply is another than the store's row says"
    if opened.kid in known.revoked:
        return reply, f"key {opened.kid.hex()} was revoked from a time before on: the reply is doubtful"
    return reply, None
