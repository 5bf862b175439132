"""From the bytes of a message to a batch of records that a known gateway has signed, or to the reason why not."""

from dataclasses import dataclass

from cloud_receiver.enrolment import Enrolled, GatewayRow
from cloud_receiver.gateway_status import Heard
from cloud_receiver.orders.budget import ReplyBudget
from cloud_receiver.orders.replies import Answered
from cloud_receiver.refusal import OF_ENVELOPE, Reason, RefusalError
from diantan_core import DecodeError, RecordBatch, decode_batch
from wire.batch import SCHEMA_VERSION
from wire.commands import Reply
from wire.envelope import EnvelopeError, Opened, open_envelope
from wire.messages import MessageError, Status
from wire.topics import TopicError, parse_up

MAX_STATUS_BYTES = 4096
"""A status has some hundred bytes; a large one would become as many Python objects."""


@dataclass(frozen=True, slots=True)
class Verified:
    """A batch whose signature, owner and form have been checked."""

    topic: str
    envelope: bytes
    kid: bytes
    gateway: GatewayRow
    batch: RecordBatch


def verify(topic: str, envelope: bytes, enrolled: Enrolled) -> Verified:
    """Check a message of a records topic; RefusalError with the reason otherwise.

    The gateway of the topic, the owner of the key and the gateway named in the payload must be the same.
    """
    name, opened = _signed(topic, envelope, "records", enrolled)
    try:
        batch = decode_batch(opened.payload)
    except DecodeError as error:
        raise _undecodable(opened.payload, error) from error
    if batch.gateway != name:
        raise RefusalError(Reason.GATEWAY_MISMATCH, f"payload of gateway {batch.gateway!r} on the topic of {name}")
    return Verified(topic, envelope, opened.kid, enrolled.gateways[name], batch)


def verify_status(topic: str, envelope: bytes, enrolled: Enrolled, *, retained: bool) -> Heard:
    """Check a message of a status topic, as `verify` does one of records."""
    name, opened = _signed(topic, envelope, "status", enrolled)
    if len(opened.payload) > MAX_STATUS_BYTES:
        raise RefusalError(
            Reason.TOO_LARGE, f"status: expected at most {MAX_STATUS_BYTES} bytes, got {len(opened.payload)}"
        )
    try:
        status = Status.decode(opened.payload)
    except MessageError as error:
        raise _undecodable(opened.payload, error) from error
    if status.gateway != name:
        raise RefusalError(Reason.GATEWAY_MISMATCH, f"status of gateway {status.gateway!r} on the topic of {name}")
    return Heard(enrolled.gateways[name], status, retained, topic, envelope)


def verify_reply(topic: str, envelope: bytes, enrolled: Enrolled, budget: ReplyBudget) -> Answered:
    """Check a message of a reply topic, as `verify` does one of records; PutOffError where there are too many."""
    name, opened = _signed(topic, envelope, "reply", enrolled)
    budget.spend(name, len(opened.payload))
    try:
        reply = Reply.decode(opened.payload)
    except MessageError as error:
        raise _undecodable(opened.payload, error) from error
    if reply.gateway != name:
        raise RefusalError(Reason.GATEWAY_MISMATCH, f"reply of gateway {reply.gateway!r} on the topic of {name}")
    # Without the result: many of them would be large, and it stays in the envelope.
    return Answered(enrolled.gateways[name], reply.id, reply.outcome, reply.verb, opened.kid, topic, envelope)


def _signed(topic: str, envelope: bytes, expected: str, enrolled: Enrolled) -> tuple[str, Opened]:
    """Return the gateway of the topic, and the payload that it has signed with a valid key of its own."""
    try:
        name, kind = parse_up(topic)
    except TopicError as error:
        raise RefusalError(Reason.TOPIC, str(error)) from error
    if kind != expected:
        raise RefusalError(Reason.TOPIC, f"topic {topic!r}: expected {expected}, got {kind}")
    opened = _open(topic, envelope, name, enrolled)
    if opened.kid in enrolled.revoked:
        raise RefusalError(Reason.REVOKED_KEY, f"key {opened.kid.hex()} of gateway {opened.owner} is revoked")
    if opened.owner != name:
        raise RefusalError(
            Reason.FOREIGN_KEY, f"key {opened.kid.hex()} of gateway {opened.owner} on the topic of {name}"
        )
    return name, opened


def _open(topic: str, envelope: bytes, name: str, enrolled: Enrolled) -> Opened:
    try:
        return open_envelope(envelope, topic, enrolled.ring)
    except EnvelopeError as error:
        reason = OF_ENVELOPE[error.reason]
        if reason is Reason.UNKNOWN_KEY and name not in enrolled.gateways:
            raise RefusalError(Reason.UNKNOWN_GATEWAY, f"gateway {name} is not enrolled") from error
        raise RefusalError(reason, str(error)) from error


def _undecodable(payload: bytes, error: DecodeError | MessageError) -> RefusalError:
    """Tell a message of a newer program from garbage: the first is not the gateway's fault."""
    version = _schema_version(payload)
    if version is not None and version > SCHEMA_VERSION:
        return RefusalError(
            Reason.FUTURE_SCHEMA, f"schema version {version}, this receiver reads {SCHEMA_VERSION}: update it"
        )
    return RefusalError(Reason.PAYLOAD, str(error))


def _schema_version(payload: bytes) -> int | None:
    """Return what stands behind key 0, the first key of any message, whatever its version; None: no such number.

    By hand, since nothing is known of the rest: a general reader would build whatever it describes.
    """
    head = payload[:1]
    if b"\xa1" <= head <= b"\xb7":
        place = 1
    elif b"\xb8" <= head <= b"\xbb":
        place = 2 ** (head[0] - 0xB8) + 1
    else:
        return None
    if payload[place : place + 1] != b"\x00":
        return None
    number = payload[place + 1 : place + 2]
    if number < b"\x18":
        return number[0] if number else None
    if number > b"\x1b":
        return None
    argument = payload[place + 2 : place + 2 + 2 ** (number[0] - 0x18)]
    return int.from_bytes(argument, "big") if len(argument) == 2 ** (number[0] - 0x18) else None
