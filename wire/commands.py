"""Commands (命令) from the centre to a gateway and their replies: docs/wire.cddl, `command` and `reply`.

A command is believed by its signature, and done at most once, by its id; the reply repeats the id. What each verb asks
for and answers with is in wire.orders and wire.results.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from wire import fields
from wire.domain import RecordError, octets, text, whole
from wire.fields import Fields, MessageError
from wire.orders import Order, Verb, order_from, order_parts, verb_of
from wire.results import Result, result_from, result_parts

ID_BYTES: Final = 16
LONGEST_VALIDITY_MS: Final = 7 * 86_400_000
"""A command for a gateway that is cut off may wait for it; no longer, since its ids are remembered as long."""
MAX_TEXT_BYTES: Final = 1024


class Outcome(IntEnum):
    """What became of a command."""

    DONE = 0
    REFUSED = 1  # nothing was done: it can't be, or may not be
    FAILED = 2  # it was tried in vain
    UNDER_WAY = 3  # another reply follows


@dataclass(frozen=True, slots=True)
class Command:
    """What a gateway is to do, between `issued_ms` and `expires_ms` (UTC, the centre's clock)."""

    gateway: str
    id: bytes
    issued_ms: int
    expires_ms: int
    order: Order

    @property
    def verb(self) -> Verb:
        """Return which order it is."""
        return verb_of(self.order)

    def encode(self) -> bytes:
        """Return the message's bytes; MessageError when a field can't travel."""
        _check_validity(self.issued_ms, self.expires_ms)
        try:
            arguments = order_parts(self.order)
        except RecordError as error:
            raise MessageError(f"Command: {self.verb.name.lower()}: {error}") from error
        parts = _Parts(self.gateway, self.id, self.issued_ms, self.expires_ms, self.verb, arguments)
        return fields.encode(parts, _COMMAND)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return the message in the bytes; MessageError when they are not one, UnknownVerbError for a later verb's."""
        parts = _Parts(*fields.decode(data, cls.__name__, _COMMAND, {}))  # type: ignore[arg-type]  # checked by field
        _check_validity(parts.issued_ms, parts.expires_ms)
        try:
            verb = Verb(parts.verb)
        except ValueError:
            raise UnknownVerbError(parts.gateway, parts.id, parts.issued_ms, parts.expires_ms, parts.verb) from None
        try:
            order = order_from(verb, parts.arguments)
        except RecordError as error:
            raise MessageError(f"Command: {verb.name.lower()}: {error}") from error
        return cls(parts.gateway, parts.id, parts.issued_ms, parts.expires_ms, order)


class UnknownVerbError(MessageError):
    """A command that this program doesn't know: whoever asked is told so."""

    def __init__(self, gateway: str, command: bytes, issued_ms: int, expires_ms: int, verb: int) -> None:
        super().__init__(f"Command: expected a verb of {', '.join(str(int(item)) for item in Verb)}, got {verb}")
        self.gateway = gateway
        self.id = command
        self.issued_ms = issued_ms
        self.expires_ms = expires_ms
        self.verb = verb


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of a command; `result` belongs to the verb, and is None where there is nothing to tell."""

    gateway: str
    id: bytes
    time_ms: int
    outcome: Outcome
    text: str = ""  # for people, at most 1 KiB: why it was refused, or failed
    verb: Verb | None = None  # None: not one that the gateway knows
    result: Result | None = None

    def encode(self) -> bytes:
        """Return the message's bytes; MessageError when a field can't travel or they exceed 1 MiB."""
        try:
            result = None if self.result is None else result_parts(self.result)
        except RecordError as error:
            raise MessageError(f"Reply: {error}") from error
        parts = _ReplyParts(self.gateway, self.id, self.time_ms, self.outcome, self.text, self.verb, result)
        return fields.encode(parts, _REPLY, {6: None, 7: None})

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return the message in the bytes; MessageError when they are not one."""
        found = fields.decode(data, cls.__name__, _REPLY, {5: "", 6: None, 7: None})
        parts = _ReplyParts(*found)  # type: ignore[arg-type]  # checked field by field
        if (parts.result is None) != (parts.verb is None) and parts.result is not None:
            raise MessageError("Reply: a result (key 7) without the verb it belongs to (key 6)")
        try:
            verb = None if parts.verb is None else Verb(parts.verb)
            result = None if parts.result is None or verb is None else result_from(verb, parts.result)
        except RecordError as error:
            raise MessageError(f"Reply: {error}") from error
        except ValueError:
            raise MessageError(f"Reply: verb (key 6): {parts.verb} is not one") from None
        return cls(parts.gateway, parts.id, parts.time_ms, Outcome(parts.outcome), parts.text, verb, result)


@dataclass(frozen=True, slots=True)
class _Parts:
    gateway: str
    id: bytes
    issued_ms: int
    expires_ms: int
    verb: int
    arguments: Mapping[int, object]


@dataclass(frozen=True, slots=True)
class _ReplyParts:
    gateway: str
    id: bytes
    time_ms: int
    outcome: int
    text: str
    verb: int | None
    result: Mapping[int, object] | None


def _check_validity(issued_ms: int, expires_ms: int) -> None:
    if not 0 < expires_ms - issued_ms <= LONGEST_VALIDITY_MS:
        raise MessageError(
            f"Command: expected to expire at most {LONGEST_VALIDITY_MS} ms after {issued_ms}, got {expires_ms}"
        )


def _id(value: object, what: str) -> bytes:
    return octets(value, what, ID_BYTES, ID_BYTES)


def _outcome(value: object, what: str) -> int:
    return whole(value, what, 0, max(Outcome))


def _text(value: object, what: str) -> str:
    return text(value, what, MAX_TEXT_BYTES, 0)


def _map(value: object, what: str) -> Mapping[int, object]:
    if not isinstance(value, Mapping):
        raise RecordError(f"{what}: expected a map, got {type(value).__name__}")
    return value


_COMMAND: Fields = (
    (1, "gateway", fields.name),
    (2, "id", _id),
    (3, "issued_ms", fields.time),
    (4, "expires_ms", fields.time),
    (5, "verb", fields.integer(0, 255)),
    (6, "arguments", _map),
)
_REPLY: Fields = (
    (1, "gateway", fields.name),
    (2, "id", _id),
    (3, "time_ms", fields.time),
    (4, "outcome", _outcome),
    (5, "text", _text),
    (6, "verb", fields.integer(0, 255)),
    (7, "result", _map),
)
