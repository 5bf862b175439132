"""Gateways and their keys in the store: enrolled, listed, rotated, revoked; and the key ring of the intake.

A key is believed until `revoked_ms`, by the time at which a message reaches the centre: the time that stands in a
message is the word of whoever holds the key.
"""

import functools
import logging
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, insert, or_, select, update

from cloud_receiver.schema import gateway, gateway_key, message, station
from wire.envelope import KeyRing
from wire.keys import InvalidKeyError, MissingLibraryError, PublicKey, key_id, public_bytes, public_from_bytes

_log = logging.getLogger(__name__)


class EnrolmentError(Exception):
    """A gateway or key can't be enrolled or revoked as asked."""


@dataclass(frozen=True, slots=True)
class GatewayRow:
    """A gateway as the intake needs it."""

    number: int
    name: str
    station: int


@dataclass(frozen=True, slots=True)
class EnrolledKey:
    """A key of a gateway, as `gateway list` shows it."""

    gateway: str
    station: str
    kid: bytes
    added_ms: int
    revoked_ms: int | None
    """When belief in it ends or ended; None: not settled."""


@dataclass(frozen=True, slots=True)
class Doubtful:
    """What was taken in under keys after the time from which they are no longer believed."""

    messages: int
    first_ms: int
    last_ms: int


@dataclass(frozen=True, slots=True)
class Enrolled:
    """Everything the intake needs to know about who may send, as of one moment."""

    ring: KeyRing
    gateways: dict[str, GatewayRow]
    revoked: frozenset[bytes]
    """Revoked keys stay in the ring: a message they sign is told apart from one of an unknown key."""


def station_number(connection: Connection, name: str) -> int:
    """Return the station's number, a new one if it has none."""
    number = connection.execute(select(station.c.id).where(station.c.name == name)).scalar()
    if number is None:
        number = connection.execute(insert(station).values(name=name).returning(station.c.id)).scalar_one()
    return int(number)


def add(connection: Connection, name: str, key: PublicKey, station_name: str, now_ms: int) -> bytes:
    """Enrol a gateway's public key and return its kid; a gateway may have several keys (rotation)."""
    kid = key_id(key)
    known = connection.execute(
        select(gateway.c.name, gateway_key.c.revoked_ms).join_from(gateway_key, gateway).where(gateway_key.c.kid == kid)
    ).first()
    if known is not None:
        state = "revoked" if known.revoked_ms is not None else "enrolled"
        raise EnrolmentError(f"key {kid.hex()} is already {state} for gateway {known.name}")
    number = station_number(connection, station_name)
    row = connection.execute(select(gateway.c.id, gateway.c.station).where(gateway.c.name == name)).first()
    if row is None:
        gateway_number = connection.execute(
            insert(gateway).values(name=name, station=number, added_ms=now_ms).returning(gateway.c.id)
        ).scalar_one()
    elif row.station != number:
        raise EnrolmentError(f"gateway {name} belongs to another station than {station_name}")
    else:
        gateway_number = row.id
    connection.execute(
        insert(gateway_key).values(kid=kid, gateway=gateway_number, public_key=public_bytes(key), added_ms=now_ms)
    )
    return kid


def rotate(
    connection: Connection, name: str, key: PublicKey, now_ms: int, overlap_ms: int
) -> tuple[bytes, dict[bytes, int]]:
    """Enrol a gateway's next key, and let the present ones end after the overlap, or sooner if that was settled.

    Return the new kid, and when (ms UTC) each former key ends.
    """
    row = connection.execute(
        select(gateway.c.id, station.c.name)
        .join_from(gateway, station, station.c.id == gateway.c.station)
        .where(gateway.c.name == name)
    ).first()
    if row is None:
        raise EnrolmentError(f"gateway {name} is not enrolled")
    present = select(gateway_key.c.kid, gateway_key.c.revoked_ms).where(
        gateway_key.c.gateway == row.id, _believed(now_ms)
    )
    former = {bytes(item.kid): item.revoked_ms for item in connection.execute(present)}
    if not former:
        raise EnrolmentError(f"gateway {name} has no valid key to rotate: enrol one with `gateway add`")
    kid = add(connection, name, key, row.name, now_ms)
    end_ms = now_ms + overlap_ms
    ends = {item: end_ms if settled is None else min(settled, end_ms) for item, settled in former.items()}
    for item, when in ends.items():
        connection.execute(update(gateway_key).where(gateway_key.c.kid == item).values(revoked_ms=when))
    return kid, ends


def revoke(connection: Connection, name: str, kid: bytes | None, at_ms: int) -> list[bytes]:
    """End belief in one key of a gateway, or (kid None) in all of them, at `at_ms` (UTC); return the kids.

    What the centre had before that time stays valid. An end is never put off: a key that ends sooner is no key to
    revoke.
    """
    wanted = select(gateway_key.c.kid).join_from(gateway_key, gateway).where(gateway.c.name == name, _believed(at_ms))
    if kid is not None:
        wanted = wanted.where(gateway_key.c.kid == kid)
    kids = list(connection.execute(wanted).scalars())
    if not kids:
        which = "no valid key" if kid is None else f"no valid key {kid.hex()}"
        raise EnrolmentError(f"gateway {name} has {which}")
    connection.execute(update(gateway_key).where(gateway_key.c.kid.in_(kids)).values(revoked_ms=at_ms))
    return kids


def doubtful(connection: Connection, kids: list[bytes], since_ms: int) -> Doubtful | None:
    """Return what was stored under these keys since a time; None when there is nothing."""
    row = connection.execute(
        select(func.count(), func.min(message.c.received_ms), func.max(message.c.received_ms)).where(
            message.c.kid.in_(kids), message.c.received_ms >= since_ms
        )
    ).one()
    return Doubtful(*row) if row[0] else None


def _believed(time_ms: int) -> ColumnElement[bool]:
    return or_(gateway_key.c.revoked_ms.is_(None), gateway_key.c.revoked_ms > time_ms)


def keys(connection: Connection) -> list[EnrolledKey]:
    """Return every key by gateway and age."""
    rows = connection.execute(
        select(gateway.c.name, station.c.name, gateway_key.c.kid, gateway_key.c.added_ms, gateway_key.c.revoked_ms)
        .join_from(gateway_key, gateway)
        .join(station, station.c.id == gateway.c.station)
        .order_by(gateway.c.name, gateway_key.c.added_ms)
    )
    return [EnrolledKey(*row) for row in rows]


def enrolled(connection: Connection, now_ms: int | None = None) -> Enrolled:
    """Read gateways and keys as they are at a time; without one, a key whose end is settled counts as revoked.

    A key whose algorithm has no library here (enrolled by another receiver) is told of once and left out: messages
    under it are refused as of a wrong algorithm, and stay at the gateway. So is one that is no key, or one for which
    anybody could sign, enrolled by an earlier release: messages under it are refused as of an unknown key.
    """
    names = {row.id: GatewayRow(row.id, row.name, row.station) for row in connection.execute(select(gateway))}
    ring = KeyRing()
    revoked = set()
    for row in connection.execute(select(gateway_key)):
        name = names[row.gateway].name
        try:
            ring.add(public_from_bytes(row.public_key), name)
        except (MissingLibraryError, InvalidKeyError) as error:
            _tell_unusable(name, bytes(row.kid), str(error))
            continue
        if row.revoked_ms is not None and (now_ms is None or row.revoked_ms <= now_ms):
            revoked.add(bytes(row.kid))
    return Enrolled(ring, {item.name: item for item in names.values()}, frozenset(revoked))


@functools.cache
def _tell_unusable(name: str, kid: bytes, reason: str) -> None:
    # The ring is read every few seconds: once is enough.
    _log.error("gateway %s: key %s can't be used by this receiver: %s", name, kid.hex(), reason)
