"""The 104 nodes of the year, and the centre that they belong to."""

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud_receiver import database, enrolment, meters, registry
from wire import keys

SLOTS = int(os.environ.get("SLOTS", "35040"))
LIMIT_S = 300.0
TARGET_S = 60.0
SLOT_MS = 900_000
START_MS = 1_735_660_800_000  # 2025-01-01T00:00+08:00
PLANTS, SUBSTATIONS, USERS = 10, 80, 14
NODES = PLANTS + SUBSTATIONS + USERS
BRANCHES, UNITS = 130, 20


def compared(seconds: float) -> str:
    """Return seconds beside limit and target."""
    return (
        f"{seconds:.1f} s (limit {LIMIT_S:.0f} s, ratio {seconds / LIMIT_S:.2f}; "
        f"target {TARGET_S:.0f} s, ratio {seconds / TARGET_S:.2f})"
    )


def _node(number: int) -> str:
    """Return a node's name, which is that of its gateway; all have the same length."""
    if number < PLANTS:
        return f"P{number:03}"
    return f"S{number:03}" if number < PLANTS + SUBSTATIONS else f"U{number:03}"


NAMES = [_node(number) for number in range(NODES)]


def _measures(number: int) -> str:
    """Return role and element of the meter of a node, as the registry has them."""
    if number < PLANTS:
        return f'role = "generation"\nmeasures = "generator G{number}"'
    if number < PLANTS + SUBSTATIONS:
        return f'role = "flow"\nmeasures = "branch L{number} from"'
    return f'role = "grid"\nmeasures = "load D{number}"'


def prepare(directory: Path, port: int, private: dict[str, Ed25519PrivateKey]) -> None:
    """Write the configuration of broker and receiver, and enrol the gateways."""
    (directory / "mosquitto.conf").write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nlog_type error\n"
        "max_queued_messages 0\nmax_inflight_messages 100\nset_tcp_nodelay true\n"  # as in deploy/mosquitto
    )
    (directory / "receiver.toml").write_text(f'[centre]\nkey_file = "centre.key"\n[broker]\nport = {port}\n')
    (directory / "registry.toml").write_text(
        "".join(
            f'[[station]]\nid = "ST-{name}"\nnode = "{name}"\n[[station.meter]]\nid = "M1"\n{_measures(number)}\n'
            f'gateway = "{name}"\nrated_kw = 12000\n'
            for number, name in enumerate(NAMES)
        )
    )
    keys.save_private(keys.generate(), directory / "centre.key")
    engine = database.open_store("sqlite:///receiver.sqlite", directory)
    database.upgrade(engine)
    with database.writing(engine) as connection:
        meters.enter_registry(connection, registry.load(directory / "registry.toml"))
        for name, key in private.items():
            enrolment.add(connection, name, key.public_key(), f"ST-{name}", 0)
    engine.dispose()
