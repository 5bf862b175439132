"""The table of commands (命令): what waits to be published, what became of each; a row is never deleted."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, func, insert, or_, select, update

from cloud_receiver.schema import command, gateway, gateway_status, station
from wire.commands import Outcome
from wire.messages import StatusState
from wire.orders import Verb

FINAL: Final = (Outcome.DONE, Outcome.REFUSED, Outcome.FAILED)
EXPIRED_SHOWN_MS: Final = 86_400_000
"""How long the metrics tell of a command that expired unanswered; the list does for ever."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A command as the list shows it, without the signed messages."""

    id: bytes
    gateway: str
    station: str
    verb: int
    author: str
    issued_ms: int
    expires_ms: int
    published: int
    published_ms: int | None
    outcome: int | None
    reply_ms: int | None
    """When the reply was stored, by the centre's clock."""
    offline: bool
    """Whether the gateway has said goodbye, or was never heard of."""

    @property
    def verb_name(self) -> str:
        """Return the verb's name; its number if a newer program has issued the command."""
        return Verb(self.verb).name.lower() if self.verb in set(Verb) else str(self.verb)

    @property
    def final(self) -> bool:
        """Return whether the gateway has said what became of it."""
        return self.outcome in FINAL

    def state(self, now_ms: int) -> str:
        """Return new, published, under_way, expired, done, refused or failed."""
        if self.outcome is not None:
            return Outcome(self.outcome).name.lower()
        if self.expires_ms <= now_ms:
            return "expired"
        return "published" if self.published else "new"


@dataclass(frozen=True, slots=True)
class Stored:
    """A command with the signed messages."""

    entry: Entry
    envelope: bytes
    reply: bytes | None
    reply_kid: bytes | None


@dataclass(frozen=True, slots=True)
class OpenFigures:
    """What the metrics tell of commands."""

    open: int = 0
    oldest_issued_ms: int | None = None
    expired: int = 0


_FIELDS: Final = (
    *(command.c[name] for name in ("id", "verb", "author", "issued_ms", "expires_ms", "published", "published_ms")),
    *(command.c[name] for name in ("outcome", "reply_ms")),
    gateway.c.name.label("gateway"),
    station.c.name.label("station"),
    gateway_status.c.state,
)


def _open(now_ms: int) -> ColumnElement[bool]:
    return (command.c.expires_ms > now_ms) & _unanswered()


def _unanswered() -> ColumnElement[bool]:
    return or_(command.c.outcome.is_(None), command.c.outcome == Outcome.UNDER_WAY)


def _select(*more: ColumnElement[Any]) -> Select[Any]:
    return (
        select(*_FIELDS, *more)
        .join_from(command, gateway, gateway.c.id == command.c.gateway)
        .join(station, station.c.id == gateway.c.station)
        .join(gateway_status, gateway_status.c.gateway == gateway.c.id, isouter=True)
    )


def _entry(row: Row[Any]) -> Entry:
    return Entry(
        *(bytes(row.id), row.gateway, row.station, row.verb, row.author, row.issued_ms, row.expires_ms),
        *(row.published, row.published_ms, row.outcome, row.reply_ms),
        row.state is None or row.state == StatusState.OFFLINE,
    )


def enter(
    connection: Connection,
    *,
    id: bytes,  # noqa: A002  # as the column
    gateway: int,
    verb: int,
    author: str,
    issued_ms: int,
    expires_ms: int,
    envelope: bytes,
) -> None:
    """Enter a new command; a running receiver publishes it."""
    connection.execute(
        insert(command).values(
            id=id,
            gateway=gateway,
            verb=verb,
            author=author,
            issued_ms=issued_ms,
            expires_ms=expires_ms,
            envelope=envelope,
        )
    )


def waiting(connection: Connection, now_ms: int) -> list[Entry]:
    """Return the commands that have no final answer and have not expired, in the order of their issue."""
    statement = _select().where(_open(now_ms)).order_by(command.c.issued_ms, command.c.id)
    return [_entry(row) for row in connection.execute(statement)]


def claim(connection: Connection, entry: Entry, now_ms: int) -> bytes | None:
    """Note that a command is published now and return its envelope; None when another receiver was faster."""
    mine = (
        update(command)
        .where(command.c.id == entry.id, command.c.published == entry.published, _open(now_ms))
        .values(published=entry.published + 1, published_ms=now_ms)
        .returning(command.c.envelope)
    )
    envelope = connection.execute(mine).scalar()
    return None if envelope is None else bytes(envelope)


def find(connection: Connection, number: bytes) -> Entry | None:
    """Return a command."""
    row = connection.execute(_select().where(command.c.id == number)).one_or_none()
    return None if row is None else _entry(row)


def load(connection: Connection, number: bytes) -> Stored | None:
    """Return a command with its messages."""
    messages = (command.c.envelope, command.c.reply, command.c.reply_kid)
    row = connection.execute(_select(*messages).where(command.c.id == number)).one_or_none()
    if row is None:
        return None
    reply, kid = (None if value is None else bytes(value) for value in (row.reply, row.reply_kid))
    return Stored(_entry(row), bytes(row.envelope), reply, kid)


def beginning_with(connection: Connection, prefix: bytes, limit: int) -> list[bytes]:
    """Return up to `limit` ids that begin with these bytes."""
    bounds = [command.c.id >= prefix]
    if (after := _after(prefix)) is not None:
        bounds.append(command.c.id < after)
    return [bytes(number) for number in connection.execute(select(command.c.id).where(*bounds).limit(limit)).scalars()]


def _after(prefix: bytes) -> bytes | None:
    """Return the least byte string above all those with the prefix."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes((stripped[-1] + 1,)) if stripped else None


def listed(connection: Connection, *, gateway_name: str | None, open_at_ms: int | None, limit: int) -> list[Entry]:
    """Return commands, the newest first: of one gateway, and only open ones, where so asked."""
    statement = _select()
    if gateway_name is not None:
        statement = statement.where(gateway.c.name == gateway_name)
    if open_at_ms is not None:
        statement = statement.where(_open(open_at_ms))
    statement = statement.order_by(command.c.issued_ms.desc(), command.c.id).limit(limit)
    return [_entry(row) for row in connection.execute(statement)]


def rows_of(connection: Connection, numbers: Iterable[bytes]) -> dict[bytes, Row[Any]]:
    """Return (and lock) what a reply is compared with, by the command's id."""
    names = ("id", "gateway", "verb", "expires_ms", "outcome", "reply_ms")
    found = connection.execute(
        select(*(command.c[name] for name in names))
        .where(command.c.id.in_(sorted(set(numbers))))
        .order_by(command.c.id)
        .with_for_update()
    )
    return {bytes(row.id): row for row in found}


def messages_of(connection: Connection, number: bytes) -> tuple[bytes, bytes | None]:
    """Return the envelopes of a command and of its reply."""
    row = connection.execute(select(command.c.envelope, command.c.reply).where(command.c.id == number)).one()
    return bytes(row.envelope), None if row.reply is None else bytes(row.reply)


def answer(connection: Connection, number: bytes, outcome: Outcome, reply: tuple[bytes, bytes], now_ms: int) -> None:
    """Keep the reply to a command: its envelope and key id."""
    envelope, kid = reply
    values = {"outcome": int(outcome), "reply": envelope, "reply_kid": kid, "reply_ms": now_ms}
    connection.execute(update(command).where(command.c.id == number).values(**values))


def figures(connection: Connection, now_ms: int) -> OpenFigures:
    """Return what the metrics tell."""
    number, oldest_ms = connection.execute(
        select(func.count(), func.min(command.c.issued_ms)).where(_open(now_ms))
    ).one()
    expired = connection.execute(
        select(func.count()).where(
            command.c.expires_ms.between(now_ms - EXPIRED_SHOWN_MS, now_ms), command.c.outcome.is_(None)
        )
    ).scalar_one()
    return OpenFigures(number, oldest_ms, expired)
