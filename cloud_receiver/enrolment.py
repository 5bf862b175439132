"""Gateways and their keys in the store: enrolled, listed, revoked; and the key ring that the intake verifies with."""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import Connection, insert, select, update

from cloud_receiver.schema import gateway, gateway_key, station
from wire.envelope import KeyRing
from wire.keys import key_id


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


def add(connection: Connection, name: str, key: Ed25519PublicKey, station_name: str, now_ms: int) -> bytes:
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
        insert(gateway_key).values(kid=kid, gateway=gateway_number, public_key=key.public_bytes_raw(), added_ms=now_ms)
    )
    return kid


def revoke(connection: Connection, name: str, kid: bytes | None, now_ms: int) -> list[bytes]:
    """Revoke one key of a gateway, or (kid None) all of them; return the kids."""
    wanted = (
        select(gateway_key.c.kid)
        .join_from(gateway_key, gateway)
        .where(gateway.c.name == name, gateway_key.c.revoked_ms.is_(None))
    )
    if kid is not None:
        wanted = wanted.where(gateway_key.c.kid == kid)
    kids = list(connection.execute(wanted).scalars())
    if not kids:
        which = "no valid key" if kid is None else f"no valid key {kid.hex()}"
        raise EnrolmentError(f"gateway {name} has {which}")
    connection.execute(update(gateway_key).where(gateway_key.c.kid.in_(kids)).values(revoked_ms=now_ms))
    return kids


def keys(connection: Connection) -> list[EnrolledKey]:
    """Return every key by gateway and age."""
    rows = connection.execute(
        select(gateway.c.name, station.c.name, gateway_key.c.kid, gateway_key.c.added_ms, gateway_key.c.revoked_ms)
        .join_from(gateway_key, gateway)
        .join(station, station.c.id == gateway.c.station)
        .order_by(gateway.c.name, gateway_key.c.added_ms)
    )
    return [EnrolledKey(*row) for row in rows]


def enrolled(connection: Connection) -> Enrolled:
    """Read gateways and keys."""
    names = {row.id: GatewayRow(row.id, row.name, row.station) for row in connection.execute(select(gateway))}
    ring = KeyRing()
    revoked = set()
    for row in connection.execute(select(gateway_key)):
        ring.add(Ed25519PublicKey.from_public_bytes(row.public_key), names[row.gateway].name)
        if row.revoked_ms is not None:
            revoked.add(bytes(row.kid))
    return Enrolled(ring, {item.name: item for item in names.values()}, frozenset(revoked))
