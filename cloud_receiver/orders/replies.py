"""Replies of gateways to commands: each is kept once, signed as it came, and none replaces a final one."""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row

from cloud_receiver.enrolment import GatewayRow
from cloud_receiver.orders import book
from cloud_receiver.quarantine import Refused
from cloud_receiver.refusal import Reason, RefusalError
from wire.commands import Outcome, Reply
from wire.fields import MessageError
from wire.orders import Verb
from wire.proof.form import ProofError, unverified_payload

log = logging.getLogger(__name__)

DUPLICATE = "duplicate"
"""The result of a reply that says once more what is stored; any other is an outcome's name."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A reply whose signature, owner and form have been checked; its result stays in the envelope."""

    gateway: GatewayRow
    id: bytes
    outcome: Outcome
    verb: Verb | None
    kid: bytes
    topic: str
    envelope: bytes


@dataclass(slots=True)
class Taken:
    """What became of replies."""

    results: Counter[str] = field(default_factory=Counter)
    verified: list[str] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    news: list[Answered] = field(default_factory=list)

    def tell(self) -> None:
        """Log what was answered, once it is stored."""
        for item in self.news:
            log.info("gateway %s: command %s: %s", item.gateway.name, item.id.hex(), item.outcome.name.lower())


def take(connection: Connection, items: Sequence[Answered], now_ms: int, replay_after_ms: int) -> Taken:
    """Store replies; those that belong to no command of their gateway, or contradict what is stored, are refused."""
    taken = Taken()
    if not items:
        return taken
    commands = book.rows_of(connection, (item.id for item in items))
    replied = {number: _Replied(row.expires_ms, row.outcome, row.reply_ms) for number, row in commands.items()}
    for item in items:
        try:
            _check_asked(item, commands.get(item.id))
            before = replied[item.id]
            if before.open_for(item):
                book.answer(connection, item.id, item.outcome, (item.envelope, item.kid), now_ms)
                replied[item.id] = _Replied(before.expires_ms, item.outcome, now_ms)
                taken.news.append(item)
                taken.results[item.outcome.name.lower()] += 1
            else:
                _check_same(connection, item, expired=before.expires_ms <= now_ms)
                _check_fresh(item, before, now_ms, replay_after_ms)
                taken.results[DUPLICATE] += 1
        except RefusalError as error:
            taken.refused.append(Refused(item.topic, item.envelope, error.reason, error.detail, item.gateway.name))
        else:
            taken.verified.append(item.gateway.name)
    return taken


@dataclass(frozen=True, slots=True)
class _Replied:
    """What a command has been answered so far."""

    expires_ms: int
    outcome: int | None
    reply_ms: int | None

    def open_for(self, item: Answered) -> bool:
        """Return whether a reply is to be kept: the first, and the final one after that it is under way."""
        return self.outcome is None or (self.outcome == Outcome.UNDER_WAY and item.outcome is not Outcome.UNDER_WAY)


def refused_of(items: Iterable[Refused]) -> int:
    """Return how many of refused messages came as replies."""
    return sum(item.topic.endswith("/reply") for item in items)


def _check_asked(item: Answered, row: Row[Any] | None) -> None:
    number = item.id.hex()
    if row is None:
        raise RefusalError(Reason.UNKNOWN_COMMAND, f"the centre has given no command {number}")
    if row.gateway != item.gateway.number:
        raise RefusalError(
            Reason.FOREIGN_COMMAND, f"command {number} was given to another gateway than {item.gateway.name}"
        )
    if item.verb is not None and item.verb != row.verb:
        raise RefusalError(
            Reason.PAYLOAD, f"reply to command {number}: expected the verb {row.verb}, got {int(item.verb)}"
        )


def _check_same(connection: Connection, item: Answered, *, expired: bool) -> None:
    """Refuse a reply that says other than the stored one; one that says it anew, or came late, is harmless."""
    if item.outcome is Outcome.UNDER_WAY:
        return
    _, stored = book.messages_of(connection, item.id)
    if stored is None or stored == item.envelope:
        return
    try:
        # Both were verified when they came; the key of the first need not be one that this receiver can use now.
        before, now = (Reply.decode(unverified_payload(data)) for data in (stored, item.envelope))
    except (ProofError, MessageError) as error:
        raise RefusalError(
            Reason.CONFLICT, f"command {item.id.hex()} was answered before, and that reply can't be read: {error}"
        ) from error
    if expired and now.outcome is Outcome.REFUSED and now.result is None:
        # A broker may keep a repetition of the command until the gateway has forgotten what it answered.
        return
    # A gateway that has no room for the result of long ago repeats the outcome alone.
    if before.outcome != now.outcome or (now.result is not None and now.result != before.result):
        raise RefusalError(
            Reason.CONFLICT,
            f"command {item.id.hex()} was answered before, and otherwise: {before.outcome.name.lower()} then, "
            f"{now.outcome.name.lower()} now",
        )


def _check_fresh(item: Answered, replied: _Replied, now_ms: int, replay_after_ms: int) -> None:
    """Refuse what comes long after the final reply: a gateway repeats it no longer than a broker keeps sessions."""
    if replied.outcome == Outcome.UNDER_WAY or replied.reply_ms is None:
        return
    if now_ms - replied.reply_ms > replay_after_ms:
        age_s = (now_ms - replied.reply_ms) // 1000
        raise RefusalError(Reason.REPLAYED, f"command {item.id.hex()} was answered {age_s} s before")
