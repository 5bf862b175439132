"""What this centre says: a statement wherever something new is known of a slot, repeated until it was heard."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from sqlalchemy import Connection

from cloud_receiver.levels import book
from cloud_receiver.levels.book import Message, Said
from cloud_receiver.levels.partner import Partner, Side
from wire.envelope import Signer
from wire.levels import MAX_STATED, Statement
from wire.messages import Origin
from wire.proof.form import unverified_kid, unverified_payload

SLOT_MS: Final = 900_000
AT_LEAST: Final = 96
"""Slots of a statement, where so many are known: the retained message of a centre that was cut off has a day."""
FIRST_MS: Final = 30_000
LONGEST_MS: Final = 3_600_000
AT_ONCE: Final = 8
"""Statements that are repeated in one round."""


def news(connection: Connection, partner: Partner, said: Mapping[int, Said]) -> set[int]:
    """Return the slots of which this centre would say something else than it has said."""
    if not said:
        return set()
    before = book.newest(connection, partner.centre, Side.OURS, min(said), max(said) + 1)
    return {start for start, item in said.items() if item and before.get(start, Said()) != item}


def statements(
    connection: Connection, partner: Partner, said: Mapping[int, Said], own_name: str, now_ms: int
) -> list[Statement]:
    """Return the statements that tell what is new, the oldest slots first; each has at most a month."""
    if not said:
        return []
    before = book.newest(connection, partner.centre, Side.OURS, min(said), max(said) + 1)
    changed = sorted(start for start, item in said.items() if item and before.get(start, Said()) != item)
    if not changed:
        return []
    last = max(said)
    first = max(min(changed[0], last - (AT_LEAST - 1) * SLOT_MS), min(said))
    issued = max(now_ms, book.last_issue(connection, partner.centre, Side.OURS) + 1)
    heard = book.heard(connection, partner.centre)
    found: list[Statement] = []
    for begin in range(first, last + 1, MAX_STATED * SLOT_MS):
        starts = range(begin, min(begin + MAX_STATED * SLOT_MS, last + SLOT_MS), SLOT_MS)
        error_ppm, step_mwh = partner.limits(starts)
        rows = [said.get(start) or before.get(start, Said()) for start in starts]
        found.append(
            Statement(
                speaker=own_name,
                listener=partner.centre,
                node=partner.node,
                issued_ms=issued + len(found),
                slot_ms=SLOT_MS,
                first_start_ms=begin,
                forward_mwh=tuple(row.forward_mwh for row in rows),
                reverse_mwh=tuple(row.reverse_mwh for row in rows),
                factors=tuple(row.factor for row in rows),
                reverse_factors=tuple(row.reverse_factor for row in rows),
                carbon_forward_ug=tuple(row.carbon_forward_ug for row in rows),
                carbon_reverse_ug=tuple(row.carbon_reverse_ug for row in rows),
                heard=heard,
                error_ppm=error_ppm,
                step_mwh=step_mwh,
                totals=tuple(row.totals for row in rows) if any(row.totals for row in rows) else None,
                origins=tuple(row.origin or Origin.SOLVED for row in rows) if any(row.origin for row in rows) else None,
            )
        )
    return found


def confirmation(partner: Partner, own_name: str, heard: Sequence[int], now_ms: int) -> Statement:
    """Return a statement without slots: it names what was heard, needs no answer and is not kept."""
    nothing: tuple[int | None, ...] = ()
    return Statement(
        *(own_name, partner.centre, partner.node, now_ms, SLOT_MS, 0),
        *(nothing, nothing, nothing, nothing, nothing, nothing),
        heard=tuple(heard),
    )


def enter(
    connection: Connection, partner: Partner, statement: Statement, signer: Signer, own_name: str
) -> tuple[Message, list[int]]:
    """Sign a statement and keep it, to be published once the transaction is committed; return it and what is new."""
    topic = partner.topic_of(Side.OURS, own_name)
    envelope = signer.sign(statement.encode(), topic)
    fresh = book.enter(connection, partner.centre, Side.OURS, statement, topic=topic, envelope=envelope)
    return Message(statement.issued_ms, topic, envelope), fresh


def restated(partner: Partner, message: Message, signer: Signer, own_name: str) -> Message:
    """Return a statement as it can be believed now: under the present key, name and node, if it was said under others.

    Otherwise what was not heard before a key was exchanged, or a wrong node put right, would be refused for ever.
    """
    topic = partner.topic_of(Side.OURS, own_name)
    statement = Statement.decode(unverified_payload(message.envelope))  # our own, from our own store
    present = replace(statement, speaker=own_name, listener=partner.centre, node=partner.node)
    if statement == present and topic == message.topic and unverified_kid(message.envelope) == signer.kid:
        return message
    return Message(message.issued_ms, topic, signer.sign(present.encode(), topic))


@dataclass
class Repetition:
    """When each statement that was not heard is published again: soon, then ever more rarely."""

    _sent: dict[int, tuple[int, int]] = field(default_factory=dict)

    def due(self, message: Message, now_ms: int) -> bool:
        """Return whether a message is to be published now."""
        times, last_ms = self._sent.get(message.issued_ms, (0, 0))
        if not times or last_ms > now_ms:  # a clock that was put back
            return True
        return now_ms - last_ms >= min(FIRST_MS << min(times - 1, 20), LONGEST_MS)

    def sent(self, message: Message, now_ms: int) -> None:
        """Note that it was."""
        times, _ = self._sent.get(message.issued_ms, (0, 0))
        self._sent[message.issued_ms] = times + 1, now_ms

    def keep(self, issues: Collection[int]) -> None:
        """Forget statements other than these: they were heard."""
        for issue in self._sent.keys() - issues:
            del self._sent[issue]

    def forget(self) -> None:
        """Publish everything again: a new connection, or somebody who has come back."""
        self._sent.clear()
