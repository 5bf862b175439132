"""Issuing a command (命令): for whom it may be, signed with the centre's key, entered where a receiver finds it."""

import secrets
from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, or_, select

from cloud_receiver.orders import book
from cloud_receiver.schema import gateway, gateway_key, gateway_status, journal
from wire import topics
from wire.commands import ID_BYTES, Command
from wire.envelope import Signer
from wire.orders import Order

MAX_AUTHOR: Final = 64
"""Characters of the name that the audit keeps."""


class OrderError(ValueError):
    """A command that is not issued; the message says why."""


def issue(
    connection: Connection,
    signer: Signer,
    gateway_name: str,
    order: Order,
    *,
    author: str,
    now_ms: int,
    valid_ms: int,
    random_bytes: Callable[[int], bytes] = secrets.token_bytes,
) -> bytes:
    """Sign and enter a command; return its id.

    OrderError for a gateway that nobody is known to be, ValueError for an order that can't travel (wire.commands).
    """
    number = enrolled(connection, gateway_name, now_ms)
    if not 0 < len(author) <= MAX_AUTHOR or not author.isprintable():
        raise OrderError(f"author {author!r}: expected 1 to {MAX_AUTHOR} printable characters")
    command = Command(gateway_name, random_bytes(ID_BYTES), now_ms, now_ms + valid_ms, order)
    envelope = signer.sign(command.encode(), topics.command(gateway_name))
    book.enter(
        connection,
        id=command.id,
        gateway=number,
        verb=int(command.verb),
        author=author,
        issued_ms=command.issued_ms,
        expires_ms=command.expires_ms,
        envelope=envelope,
    )
    return command.id


def enrolled(connection: Connection, name: str, now_ms: int) -> int:
    """Return the number of a gateway that has a key which is believed; OrderError otherwise."""
    number = connection.execute(select(gateway.c.id).where(gateway.c.name == name)).scalar()
    if number is None:
        raise OrderError(f"gateway {name!r} is not enrolled: `diantan-receiver gateway list` has those that are")
    believed = select(gateway_key.c.kid).where(
        gateway_key.c.gateway == number, or_(gateway_key.c.revoked_ms.is_(None), gateway_key.c.revoked_ms > now_ms)
    )
    if connection.execute(believed.limit(1)).first() is None:
        raise OrderError(f"gateway {name}: all its keys are revoked, so no answer of it would be believed")
    return int(number)


def present_journal(connection: Connection, name: str) -> bytes:
    """Return the context of a gateway's journal: as its status says, else the newest that brought records."""
    told = (
        select(gateway_status.c.context)
        .join(gateway, gateway.c.id == gateway_status.c.gateway)
        .where(gateway.c.name == name)
    )
    newest = (
        select(journal.c.context)
        .join(gateway, gateway.c.id == journal.c.gateway)
        .where(gateway.c.name == name)
        .order_by(journal.c.id.desc())
        .limit(1)
    )
    context = connection.execute(told).scalar() or connection.execute(newest).scalar()
    if context is None:
        raise OrderError(f"gateway {name}: no journal of it is known yet; name one with --context")
    return bytes(context)
