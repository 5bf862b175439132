"""What two centres say to each other about the boundary between them (分级核对): docs/wire.cddl, `statement`.

The parent (上级) and the child (下级) measure the same boundary, each with its own meter, and say so slot by slot:
energy both ways, the factor that applies to it, the carbon that went with it. Statements go both ways in one form, are
signed, and are repeated until the other side has named them among those it has heard.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from wire import fields
from wire.domain import MAX_AMOUNT, check_factor, whole
from wire.fields import Fields, MessageError
from wire.messages import Origin

MAX_STATED: Final = 2976
"""Slots of one statement: a month of quarters of an hour."""
MAX_HEARD: Final = 64
MAX_SLOT_MS: Final = 86_400_000
_PPM: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums of a whole grid in a slot; energies in mWh, carbon in µg.

    Sources, what came in over the boundary included, less loads, losses and storages is the imbalance.
    """

    sources_mwh: int
    sources_ug: int
    loads_mwh: int
    loads_ug: int
    losses_mwh: int
    losses_ug: int
    storages_mwh: int
    storages_ug: int
    imbalance_mwh: int
    imbalance_ug: int


@dataclass(frozen=True, slots=True)
class Statement:
    """What one centre says of the boundary in consecutive slots; None where it knows nothing. No slots: only `heard`.

    Forward is from the parent into the child.
    """

    speaker: str
    listener: str
    node: str  # of the parent's grid
    issued_ms: int
    slot_ms: int
    first_start_ms: int
    forward_mwh: tuple[int | None, ...]
    reverse_mwh: tuple[int | None, ...]
    factors: tuple[int | None, ...]  # mg/kWh, the parent's: of what goes down
    reverse_factors: tuple[int | None, ...]  # mg/kWh, the child's: of what comes up
    carbon_forward_ug: tuple[int | None, ...]
    carbon_reverse_ug: tuple[int | None, ...]
    heard: tuple[int, ...] = ()  # times of issue of the listener's newest statements that are stored here
    error_ppm: int | None = None  # limit of the speaker's meter's error, 10⁻⁶ of the energy
    step_mwh: int | None = None  # of its register
    totals: tuple[Totals | None, ...] | None = None
    origins: tuple[Origin, ...] | None = None  # of the factors that are the speaker's own; without them all are solved

    def encode(self) -> bytes:
        """Return the message's bytes; MessageError when a field can't travel."""
        _check_lengths(self)
        return fields.encode(self, _STATEMENT, _OPTIONAL, _travelling)

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Return the message in the bytes; MessageError when they are not one."""
        message = cls(*fields.decode(data, cls.__name__, _STATEMENT, {**_OPTIONAL, 13: ()}))  # type: ignore[arg-type]  # checked by field
        _check_lengths(message)
        return message


def _amounts(value: object, what: str) -> tuple[int | None, ...]:
    return tuple(
        None if item is None else whole(item, f"{what}[{index}]", 0, MAX_AMOUNT)
        for index, item in enumerate(fields.items(value, what, MAX_STATED))
    )


def _factors(value: object, what: str) -> tuple[int | None, ...]:
    found: list[int | None] = []
    for index, item in enumerate(fields.items(value, what, MAX_STATED)):
        check_factor(item, f"{what}[{index}]")
        found.append(item)  # type: ignore[arg-type]  # check_factor just said so
    return tuple(found)


def _heard(value: object, what: str) -> tuple[int, ...]:
    return tuple(
        fields.time(item, f"{what}[{index}]") for index, item in enumerate(fields.items(value, what, MAX_HEARD))
    )


def _totals(value: object, what: str) -> tuple[Totals | None, ...]:
    return tuple(
        item if item is None or isinstance(item, Totals) else _sums(item, f"{what}[{index}]")
        for index, item in enumerate(fields.items(value, what, MAX_STATED))
    )


def _origins(value: object, what: str) -> tuple[Origin, ...]:
    listed = fields.items(value, what, MAX_STATED)
    return tuple(Origin(whole(item, f"{what}[{index}]", 0, max(Origin))) for index, item in enumerate(listed))


def _sums(value: object, what: str) -> Totals:
    width = len(Totals.__slots__)
    numbers = fields.items(value, what, width, width)
    return Totals(*(whole(item, f"{what}[{index}]", -MAX_AMOUNT, MAX_AMOUNT) for index, item in enumerate(numbers)))


_STATEMENT: Final[Fields] = (
    (1, "speaker", fields.name),
    (2, "listener", fields.name),
    (3, "node", fields.name),
    (4, "issued_ms", fields.time),
    (5, "slot_ms", fields.integer(1, MAX_SLOT_MS)),
    (6, "first_start_ms", fields.time),
    (7, "forward_mwh", _amounts),
    (8, "reverse_mwh", _amounts),
    (9, "factors", _factors),
    (10, "reverse_factors", _factors),
    (11, "carbon_forward_ug", _amounts),
    (12, "carbon_reverse_ug", _amounts),
    (13, "heard", _heard),
    (14, "error_ppm", fields.integer(0, _PPM)),
    (15, "step_mwh", fields.integer(0, MAX_AMOUNT)),
    (16, "totals", _totals),
    (17, "origins", _origins),
)
_OPTIONAL: Final[Mapping[int, object]] = {14: None, 15: None, 16: None, 17: None}


def _travelling(field: object) -> object:
    if isinstance(field, tuple):
        return [_plain(item) for item in field]
    return field


def _plain(item: object) -> object:
    if isinstance(item, Totals):
        return [getattr(item, name) for name in Totals.__slots__]
    return int(item) if isinstance(item, Origin) else item


def _check_lengths(message: Statement) -> None:
    count = len(message.forward_mwh)
    for name in (
        *("reverse_mwh", "factors", "reverse_factors", "carbon_forward_ug", "carbon_reverse_ug", "totals", "origins"),
    ):
        column = getattr(message, name)
        if column is not None and len(column) != count:
            raise MessageError(f"Statement: {name}: expected one for each of {count} slots, got {len(column)}")
