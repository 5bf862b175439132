"""RESEND: records once more (补传), whether the centre has acknowledged them or not."""

from typing import Protocol

from agent.remote.answered import Answered, RefusedCommandError
from agent.writer import JournalWriter
from wire.commands import Command, Outcome
from wire.orders import Resend
from wire.results import Resent


class Queued(Protocol):
    """What the uplink says of a resend: ranges of sequences, both ends included (agent.uplink.Resend)."""

    @property
    def queued(self) -> tuple[tuple[int, int], ...]:
        """On their way."""

    @property
    def gone(self) -> tuple[tuple[int, int], ...]:
        """No longer in the journal."""


class Resending(Protocol):
    """What is needed of the uplink."""

    async def resend(self, first: int, last: int) -> Queued:
        """Send records once more."""


class ResendRecords:
    """Hands an order on to the uplink."""

    def __init__(self, uplink: Resending, writer: JournalWriter) -> None:
        self._uplink = uplink
        self._writer = writer

    async def __call__(self, command: Command) -> Answered:
        """Return which sequences are on their way; RefusedCommandError for what this journal never had."""
        order = command.order
        assert isinstance(order, Resend)
        context, last = self._writer.journal.header.context, self._writer.next_sequence - 1
        if order.context != context:
            raise RefusedCommandError(
                f"this gateway's journal has the context {context.hex()}, not {order.context.hex()}"
            )
        if order.first > last:
            raise RefusedCommandError(f"the journal's last record is {last}")
        found = await self._uplink.resend(order.first, min(order.last, last))
        result = Resent(found.queued, found.gone)
        if not found.queued:
            return Answered(Outcome.FAILED, "the journal no longer has any of them", result)
        return Answered(Outcome.DONE, "", result)
