"""Which slots the stored messages of a node speak of, and which of the messages prove something alone."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import ColumnElement, Connection, select

from cloud_receiver.schema import factor_message
from wire.messages import MAX_SLOTS

LATE_MS: Final = 60_000
"""No interval is shorter: a factor that is dispatched within it from its slot's start is there for all of them."""
SLOT_MS: Final = 900_000
"""Factors are dispatched for slots of 15 minutes; a gateway takes no others."""
WIDEST_MS: Final = MAX_SLOTS * SLOT_MS


@dataclass(frozen=True, slots=True)
class Span:
    """Which slots a stored message speaks about, and when it was issued."""

    first_ms: int
    issued_ms: int
    slot_ms: int
    slots: int

    @property
    def last_ms(self) -> int:
        """Return the start of the last slot."""
        return self.first_ms + (self.slots - 1) * self.slot_ms

    def covers(self, start_ms: int) -> bool:
        """Return whether the message speaks of a slot."""
        return self.first_ms <= start_ms <= self.last_ms and (start_ms - self.first_ms) % self.slot_ms == 0

    def starts(self) -> Iterator[int]:
        """Return the starts of its slots."""
        return iter(range(self.first_ms, self.last_ms + 1, self.slot_ms))


def needs(judged: Span, start_ms: int, issues: Sequence[int], others: Iterable[Span], late_ms: int = LATE_MS) -> bool:
    """Return whether the slot's value can't be proved without the judged message; `issues` are those of the slot."""
    begun = [time_ms for time_ms in issues if time_ms <= judged.issued_ms]
    if not begun:
        return True  # the store says nothing of it: then the message is the only trace
    began = begun[-1]
    if judged.issued_ms == began and (len(begun) > 1 or began - start_ms >= late_ms):
        return True
    ends = next((time_ms for time_ms in issues if time_ms > began), None)
    return not any(of_run(span, start_ms, began, ends) for span in others)


def of_run(span: Span, start_ms: int, began: int, ends: int | None) -> bool:
    """Return whether a message says of a slot what the one issued at `began` did, before another value was."""
    return began <= span.issued_ms and (ends is None or span.issued_ms < ends) and span.covers(start_ms)


SPAN = (
    *(factor_message.c.first_start_ms, factor_message.c.issued_ms),
    *(factor_message.c.slot_ms, factor_message.c.slots),
)


def spans(connection: Connection, node: str, first_ms: int, last_ms: int) -> list[Span]:
    """Return what the node's messages about slots in [first_ms, last_ms] speak of, the newest first."""
    rows = connection.execute(
        select(*SPAN)
        .where(
            factor_message.c.node == node,
            factor_message.c.first_start_ms.between(first_ms - WIDEST_MS, last_ms),
            factor_message.c.first_start_ms + (factor_message.c.slots - 1) * factor_message.c.slot_ms >= first_ms,
        )
        .order_by(factor_message.c.issued_ms.desc(), factor_message.c.first_start_ms.desc())
    )
    return [Span(*row) for row in rows]


def is_span(node: str, span: Span) -> tuple[ColumnElement[bool], ...]:
    """Return the condition for the row of a message."""
    return (
        factor_message.c.node == node,
        factor_message.c.first_start_ms == span.first_ms,
        factor_message.c.issued_ms == span.issued_ms,
    )
