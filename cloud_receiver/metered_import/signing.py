"""The key with which the centre signs what it imports, as the gateway that the registry gives the meter to.

A key belongs to one gateway and a gateway to one station, so the centre makes a key for each such gateway, beside its
data. `gateway add` may enrol the centre's own key instead, for one of them.
"""

import os
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, select

from cloud_receiver import enrolment
from cloud_receiver.database import reading, writing
from cloud_receiver.enrolment import EnrolmentError
from cloud_receiver.schema import gateway, gateway_key
from wire import keys
from wire.envelope import Signer
from wire.keys import PrivateKey

DIRECTORY: Final = "import-keys"
"""In the centre's `data_dir`."""


class ImportKeyError(EnrolmentError):
    """There is no key with which records of this gateway may be signed here; the message says what to do."""


def key_file(data_dir: Path, name: str) -> Path:
    """Return where the key of a gateway is whose meters are imported."""
    return data_dir / DIRECTORY / f"{name}.key"


def ours(engine: Engine, data_dir: Path, centre_key: PrivateKey) -> frozenset[str]:
    """Return the gateways for which a key is here: what there is of them was imported."""
    with reading(engine) as connection:
        found = connection.execute(
            select(gateway.c.name)
            .join_from(gateway_key, gateway)
            .where(gateway_key.c.kid == keys.key_id(centre_key.public_key()))
        )
        names = {str(row.name) for row in found}
    return frozenset(names | {path.stem for path in (data_dir / DIRECTORY).glob("*.key")})


def signer(engine: Engine, name: str, data_dir: Path, centre_key: PrivateKey, now_ms: int) -> Signer:
    """Return who signs for a gateway; ImportKeyError when no key that is here is enrolled for it."""
    path = key_file(data_dir, name)
    own = [keys.load_private(path)] if path.exists() else []
    with reading(engine) as connection:
        rows = connection.execute(
            select(gateway_key.c.kid, gateway_key.c.revoked_ms)
            .join_from(gateway_key, gateway)
            .where(gateway.c.name == name)
        ).all()
    believed = {bytes(row.kid) for row in rows if row.revoked_ms is None or row.revoked_ms > now_ms}
    for key in (*own, centre_key):
        if keys.key_id(key.public_key()) in believed:
            return Signer(key)
    if not rows:
        raise ImportKeyError(f"gateway {name} is not enrolled: --enrol makes its key in {path} and enrols it")
    raise ImportKeyError(
        f"gateway {name} has keys, none of them here in {path}: it is a gateway that sends by itself, or its key is "
        "elsewhere; an imported meter needs a gateway of its own in the registry, such as utility"
    )


def enrol(
    engine: Engine, name: str, station: str, *, data_dir: Path, centre_key: PrivateKey, now_ms: int
) -> bytes | None:
    """Make and enrol a gateway's key; return its id, None when the gateway has one already.

    A gateway that is enrolled with other keys is left as it is: it would look as if two devices had one key.
    """
    with reading(engine) as connection:
        known = connection.execute(
            select(gateway_key.c.kid).join_from(gateway_key, gateway).where(gateway.c.name == name)
        ).first()
    if known is not None:
        return None
    path = key_file(data_dir, name)
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        keys.save_private(keys.generate(keys.algorithm_name(centre_key)), path)
        _flush(path.parent)
    public = keys.load_private(path).public_key()
    with writing(engine) as connection:
        return enrolment.add(connection, name, public, station, now_ms)


def _flush(directory: Path) -> None:
    """Let the file be there after a power cut, too: the store then knows its public key."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
