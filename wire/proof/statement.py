"""The centre's signed statement in a proof: what the file claims, and everything the file may hold."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, TypeVar

from wire import strict
from wire.domain import (
    MAX_NAME_BYTES,
    MAX_SOLVE_ID_BYTES,
    MAX_TIME_MS,
    RecordError,
    check_factor,
    octets,
    text,
    whole,
)
from wire.messages import MAX_SLOT_MS

SCHEMA_VERSION = 1
TOPIC = "diantan/1/proof"
"""external_aad of the statement's signature. Nothing is ever published there."""

DIGEST_BYTES = 32
PUBLIC_KEY_BYTES = (32, 65)
"""Of an Ed25519 key and of an SM2 point (wire.keys.public_bytes)."""

Item = TypeVar("Item")


class StatementError(ValueError):
    """A statement that is not what docs/proof.md says."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A public key of the gateway, and from when to when the centre trusted it (its own clock, ms UTC)."""

    public_key: bytes
    added_ms: int
    revoked_ms: int | None


@dataclass(frozen=True, slots=True)
class Held:
    """A batch of the file: SHA-256 of its envelope, and when the centre stored it (its own clock, ms UTC)."""

    digest: bytes
    received_ms: int


@dataclass(frozen=True, slots=True)
class Issue:
    """A carbon factor (电碳因子) that the centre dispatched for a slot: mg/kWh, None is undefined."""

    start_ms: int
    slot_ms: int
    issued_ms: int
    factor: int | None
    solve_id: bytes


@dataclass(frozen=True, slots=True)
class Statement:
    """What the centre signs when it exports a proof: the range is [from_ms, to_ms) in ms UTC."""

    gateway: str
    station: str
    meter: str
    from_ms: int
    to_ms: int
    exported_ms: int
    keys: tuple[Enrolment, ...]
    batches: tuple[Held, ...]
    node: str
    """The carbon node (碳流节点) whose factors apply."""
    issues: tuple[Issue, ...]
    factor_messages: tuple[bytes, ...] = ()
    """SHA-256 of the envelopes of dispatched factors that the file holds, by their issue."""

    def encode(self) -> bytes:
        """Return the statement's bytes; StatementError when a field can't travel or they exceed 1 MiB."""
        value: dict[int, object] = {
            0: SCHEMA_VERSION,
            1: self.gateway,
            2: self.station,
            3: self.meter,
            4: self.from_ms,
            5: self.to_ms,
            6: self.exported_ms,
            7: [[item.public_key, item.added_ms, item.revoked_ms] for item in self.keys],
            8: [[item.digest, item.received_ms] for item in self.batches],
            9: self.node,
            10: [[item.start_ms, item.slot_ms, item.issued_ms, item.factor, item.solve_id] for item in self.issues],
            11: list(self.factor_messages),
        }
        data = strict.dump(value)
        if len(data) > strict.MAX_MESSAGE_BYTES:
            raise StatementError(
                f"statement: expected at most {strict.MAX_MESSAGE_BYTES} bytes, got {len(data)}: "
                "ask for a shorter range"
            )
        self.decode(data)  # what a reader would refuse is not written
        return data

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return the statement in the bytes; StatementError when they are not one."""
        try:
            return cls(**_fields(strict.load(data)))  # type: ignore[arg-type]  # checked field by field
        except (RecordError, strict.StrictError) as error:
            raise StatementError(f"statement: {error}") from error


def _fields(value: object) -> dict[str, object]:
    if not isinstance(value, dict) or any(type(key) is not int for key in value):
        raise RecordError("expected a map with integer keys")
    if type(value.get(0)) is not int or value[0] != SCHEMA_VERSION:
        raise RecordError(f"expected schema version {SCHEMA_VERSION} at key 0, got {value.get(0)!r:.40}")
    fields = {name: check(value.get(key), name) for key, name, check in _FIELDS}
    from_ms, to_ms = value[4], value[5]
    if to_ms <= from_ms:
        raise RecordError(f"to_ms: expected more than from_ms {from_ms}, got {to_ms}")
    return fields


def _time(value: object, what: str) -> int:
    return whole(value, what, 0, MAX_TIME_MS)


def _name(value: object, what: str) -> str:
    return text(value, what, MAX_NAME_BYTES)


def _digest(value: object, what: str) -> bytes:
    return octets(value, what, DIGEST_BYTES, DIGEST_BYTES)


def _items(value: object, what: str, one: Callable[[object, str], Item], minimum: int = 0) -> tuple[Item, ...]:
    if not isinstance(value, list) or len(value) < minimum:
        raise RecordError(f"{what}: expected an array of at least {minimum} items")
    return tuple(one(item, f"{what}[{index}]") for index, item in enumerate(value))


def _parts(value: object, what: str, count: int) -> list[object]:
    if not isinstance(value, list) or len(value) != count:
        raise RecordError(f"{what}: expected an array of {count}")
    return value


def _enrolment(value: object, what: str) -> Enrolment:
    key, added, revoked = _parts(value, what, 3)
    data = octets(key, f"{what} key", min(PUBLIC_KEY_BYTES), max(PUBLIC_KEY_BYTES))
    if len(data) not in PUBLIC_KEY_BYTES:
        raise RecordError(f"{what} key: expected 32 bytes (Ed25519) or 65 (SM2), got {len(data)}")
    return Enrolment(
        data,
        _time(added, f"{what} added"),
        None if revoked is None else _time(revoked, f"{what} revoked"),
    )


def _held(value: object, what: str) -> Held:
    digest, received = _parts(value, what, 2)
    return Held(_digest(digest, f"{what} digest"), _time(received, f"{what} received"))


def _issue(value: object, what: str) -> Issue:
    start, slot, issued, factor, solve_id = _parts(value, what, 5)
    check_factor(factor, f"{what} factor")
    return Issue(
        _time(start, f"{what} start"),
        whole(slot, f"{what} slot", 1, MAX_SLOT_MS),
        _time(issued, f"{what} issued"),
        factor,  # type: ignore[arg-type]  # check_factor just said so
        octets(solve_id, f"{what} solve id", 1, MAX_SOLVE_ID_BYTES),
    )


_FIELDS: tuple[tuple[int, str, Callable[[object, str], object]], ...] = (
    (1, "gateway", _name),
    (2, "station", _name),
    (3, "meter", _name),
    (4, "from_ms", _time),
    (5, "to_ms", _time),
    (6, "exported_ms", _time),
    (7, "keys", lambda value, what: _items(value, what, _enrolment, 1)),
    (8, "batches", lambda value, what: _items(value, what, _held, 1)),
    (9, "node", _name),
    (10, "issues", lambda value, what: _items(value, what, _issue)),
    (11, "factor_messages", lambda value, what: _items(value, what, _digest)),
)
