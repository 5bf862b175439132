"""Which commands (命令) are believed: signed by the centre for this gateway's topic, meant for it, and of now.

A gateway's clock can be set back, by mistake or to make an old command count again. So a command is judged by the
later of the gateway's own time and the newest time that the centre has ever signed to this gateway: whatever expired
by that can't be believed again, and only that is forgotten.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from wire.commands import Command, UnknownVerbError
from wire.envelope import EnvelopeError, KeyRing, open_envelope
from wire.fields import MessageError
from wire.orders import Order

AHEAD_MS: Final = 300_000  # how far the clocks of centre and gateway may differ before a command is of the future
_SHOWN_TO_MS: Final = 253_402_300_799_999  # the last instant that a calendar of four-digit years has


class CentreTime:
    """The newest time that the centre has signed to this gateway: the true time is not before it."""

    def __init__(
        self,
        stored_ms: int,
        now_ms: Callable[[], int],
        *,
        trusted: Callable[[], bool],
        note: Callable[[int], None] = lambda _: None,
        since_ms: int = 0,
    ) -> None:
        """`trusted` says whether a time service keeps the gateway's own time, `note` has a newer time stored.

        `since_ms` is when the journal began: which commands were done before, nobody knows.
        """
        self.since_ms = since_ms
        self.newest_ms = stored_ms
        self._own_ms = now_ms
        self._trusted = trusted
        self._note = note

    @property
    def trusted(self) -> bool:
        """Whether the gateway's own time is beyond doubt."""
        return self._trusted()

    def heard(self, time_ms: int) -> None:
        """Take note of when the centre signed something, by its clock.

        A time far ahead of one that is beyond doubt is none: the centre's clock was wrong, and believing it would make
        every later command look expired.
        """
        if time_ms > self.newest_ms and not (self.trusted and time_ms > self._own_ms() + AHEAD_MS):
            self.newest_ms = time_ms
            self._note(time_ms)

    def now_ms(self) -> int:
        """Return the time by which a command is judged, ms UTC."""
        return max(self._own_ms(), self.newest_ms)


class UnbelievedError(Exception):
    """A message that the centre did not sign for this topic, or that is no command: it is not answered."""


@dataclass(frozen=True, slots=True)
class Signed:
    """What the centre signed: a command, or (order None) one with a verb that this program does not know."""

    gateway: str
    id: bytes
    issued_ms: int
    expires_ms: int
    verb: int
    order: Order | None
    command: Command | None = None


def opened(topic: str, envelope: bytes, centre: KeyRing) -> Signed:
    """Return the command in an envelope; UnbelievedError when it is not the centre's for this topic, or not one."""
    try:
        command = Command.decode(open_envelope(envelope, topic, centre).payload)
    except UnknownVerbError as error:
        return Signed(error.gateway, error.id, error.issued_ms, error.expires_ms, error.verb, None)
    except (EnvelopeError, MessageError) as error:
        raise UnbelievedError(str(error)) from error
    return Signed(
        command.gateway, command.id, command.issued_ms, command.expires_ms, command.verb, command.order, command
    )


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a signed command is not done; `lasting`: nor can it ever be, so it need not be remembered."""

    text: str
    lasting: bool


def objection(signed: Signed, gateway: str, time: CentreTime) -> Objection | None:
    """Return why a command is refused as it comes, whatever it orders; None when it is believed."""
    if signed.gateway != gateway:
        return Objection(f"this is gateway {gateway}, the command is for {signed.gateway}", lasting=True)
    now = time.now_ms()
    if signed.expires_ms <= now:
        text = f"it expired at {shown(signed.expires_ms)}, the gateway has {shown(now)}"
        return Objection(text + _doubt(time), lasting=signed.expires_ms < time.newest_ms)
    if signed.issued_ms > now + AHEAD_MS:
        text = f"it is of the future: issued at {shown(signed.issued_ms)}, the gateway has {shown(now)}"
        return Objection(text + _doubt(time), lasting=False)
    # A journal that begins in the future was begun by a wrong clock.
    if signed.issued_ms < time.since_ms <= now:
        text = (
            f"it was issued at {shown(signed.issued_ms)}, before this gateway's journal began at "
            f"{shown(time.since_ms)}: nobody knows whether it was done"
        )
        return Objection(text, lasting=False)
    return None


def _doubt(time: CentreTime) -> str:
    return "" if time.trusted else "; the gateway's own time is doubtful"


def shown(time_ms: int) -> str:
    """Return a time for people, in UTC to the second."""
    if not 0 <= time_ms <= _SHOWN_TO_MS:
        return f"{time_ms} ms"
    return datetime.fromtimestamp(time_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
