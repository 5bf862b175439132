"""What the centre tells everybody of a solved slot of the grid (docs/wire.cddl, `grid-slot`): the feed."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from wire import fields
from wire.domain import INT64_MAX, MAX_FACTOR, RecordError, octets, whole
from wire.fields import Fields, MessageError
from wire.messages import MAX_SLOT_MS, Origin

MAX_NODES: Final = 4096
"""Of one message: a larger grid is told in several."""
MOST_NODES: Final = 1_000_000
_DIGEST_BYTES: Final = 32
_MOST_QUALITIES: Final = 255
_MOST_TERMS: Final = 64


class Term(IntEnum):
    """A term of a slot's balance (平衡); carbon in µg, energy in mWh."""

    SOURCES = 1  # 电源
    LOADS = 2  # 负荷
    LOSSES = 3  # 网损
    NEGATIVE_SOURCES = 4  # sources that took power: pumped storage, exports
    STORAGES = 5  # 储能充电: charged; what they discharge is in the sources
    DROPPED = 6  # at dead nodes, and at those with unusable measurements
    IMBALANCE = 7  # 不平衡
    WITHOUT_FACTOR = 8
    UNTRACED = 9


def _names(value: object, what: str) -> tuple[str, ...]:
    return tuple(
        fields.name(item, f"{what}[{index}]") for index, item in enumerate(fields.items(value, what, MAX_NODES))
    )


def _factors(value: object, what: str) -> tuple[int | None, ...]:
    return tuple(
        None if item is None else whole(item, f"{what}[{index}]", 0, MAX_FACTOR)
        for index, item in enumerate(fields.items(value, what, MAX_NODES))
    )


def _origins(value: object, what: str) -> tuple[Origin, ...]:
    listed = fields.items(value, what, MAX_NODES)
    return tuple(Origin(whole(item, f"{what}[{index}]", 0, max(Origin))) for index, item in enumerate(listed))


def _qualities(value: object, what: str) -> tuple[int, ...]:
    listed = fields.items(value, what, MAX_NODES)
    return tuple(whole(item, f"{what}[{index}]", 0, _MOST_QUALITIES) for index, item in enumerate(listed))


def _amounts(value: object, what: str) -> Mapping[int, int]:
    if not isinstance(value, Mapping):
        raise RecordError(f"{what}: expected a map, got {type(value).__name__}")
    if len(value) > _MOST_TERMS:
        raise RecordError(f"{what}: expected at most {_MOST_TERMS} terms, got {len(value)}")
    return {
        whole(term, f"{what} term", 0, _MOST_QUALITIES): whole(amount, f"{what} {term}", -INT64_MAX - 1, INT64_MAX)
        for term, amount in value.items()
    }


def _digest(value: object, what: str) -> bytes:
    return octets(value, what, _DIGEST_BYTES, _DIGEST_BYTES)


_GRID_SLOT: Fields = (
    (1, "centre", fields.name),
    (2, "start_ms", fields.time),
    (3, "slot_ms", fields.integer(1, MAX_SLOT_MS)),
    (4, "version", fields.integer(1, 2**31 - 1)),
    (5, "solve_id", fields.solve_id),
    (6, "solved_ms", fields.time),
    (7, "digest", _digest),
    (8, "carbon_ug", _amounts),
    (9, "energy_mwh", _amounts),
    (10, "first_node", fields.integer(0, MOST_NODES)),
    (11, "all_nodes", fields.integer(1, MOST_NODES)),
    (12, "nodes", _names),
    (13, "factors", _factors),
    (14, "origins", _origins),
    (15, "qualities", _qualities),
)


def _travelling(field: object) -> object:
    if isinstance(field, Mapping):
        return {int(term): amount for term, amount in field.items()}
    if isinstance(field, tuple):
        return [int(item) if isinstance(item, IntEnum) else item for item in field]
    return field


@dataclass(frozen=True, slots=True)
class GridSlot:
    """One version of a solved slot, with the nodes from number `first_node` on, of `all_nodes`."""

    centre: str
    start_ms: int
    slot_ms: int
    version: int  # 1, and one more with each correction
    solve_id: bytes
    solved_ms: int
    digest: bytes  # SHA-256 of the topology
    carbon_ug: Mapping[int, int]  # by Term; empty where nothing was solved
    energy_mwh: Mapping[int, int]
    first_node: int
    all_nodes: int
    nodes: tuple[str, ...]
    factors: tuple[int | None, ...]  # mg/kWh, as dispatched; None: undefined
    origins: tuple[Origin, ...]
    qualities: tuple[int, ...]  # 0 defined, 1 dead, 2 no source, 3 unknown origin, 4 bad input, 5 unsolved

    def encode(self) -> bytes:
        """Return the message's bytes; MessageError when a field can't travel."""
        self._check()
        return fields.encode(self, _GRID_SLOT, None, _travelling)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return the message in the bytes; MessageError when they are not one."""
        message = cls(*fields.decode(data, cls.__name__, _GRID_SLOT, {}))  # type: ignore[arg-type]  # checked by field
        message._check()
        return message

    def _check(self) -> None:
        for name in ("factors", "origins", "qualities"):
            if (count := len(getattr(self, name))) != len(self.nodes):
                raise MessageError(f"GridSlot: {name}: expected one for each of {len(self.nodes)} nodes, got {count}")
        if len(self.nodes) > (most := self.all_nodes - self.first_node):
            raise MessageError(
                f"GridSlot: nodes: expected at most {most} from number {self.first_node} on, got {len(self.nodes)}"
            )
