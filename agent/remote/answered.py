"""What whoever does a command gives back to whoever answers it."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from difflib import get_close_matches

from wire.commands import Command, Outcome
from wire.domain import MAX_DETAIL_BYTES
from wire.orders import Configure, ConfigureAction, Order, ReadDay, TellStatus
from wire.results import Result


class RefusedCommandError(Exception):
    """A command that can't be done, or may not be: nothing was done."""


class FailedCommandError(Exception):
    """A command that was tried in vain."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a command."""

    outcome: Outcome
    text: str = ""
    result: Result | None = None


Handler = Callable[[Command], Awaitable[Answered]]


def has_effects(order: Order) -> bool:
    """Whether doing it again would be more than looking again."""
    match order:
        case TellStatus():
            return False
        case ReadDay():
            return order.from_meters
        case Configure():
            return order.action is not ConfigureAction.SHOW
    return True


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint at the name that is nearest, to be put behind a sentence; empty where none is near."""
    close = get_close_matches(name, list(known), 1)
    return f"; did you mean {close[0]!r}?" if close else ""


def reason(text: str) -> str:
    """Return a text that fits where a reply gives reasons."""
    return text.encode("utf-8", "replace")[:MAX_DETAIL_BYTES].decode(errors="ignore") or "no reason was given"
