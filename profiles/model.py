"""What every profile says, whatever the protocol of its meter: points, and the requests that bring them."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import ClassVar, Final, Protocol

from profiles.points import Quantity

PERIODS: Final = "periods."
"""With which the names of what an order's row has of its periods begin, among the values of its blocks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One value of a meter; each protocol adds where it stands and how it is encoded.

    `scale` is the worth of the raw number 1 in canonical units, transformer ratios included: a whole number unless the
    encoding is a float. `resolution` is the finest step of the value in canonical units. `missing` is the raw number
    that means "no value"; `rollover` the value at which a cumulative register starts again from 0 (None: never, or not
    known). `own_unit` is the unit that the profile names, in which people compare a value with the meter's display.
    """

    name: str
    quantity: Quantity
    scale: Fraction
    resolution: int
    missing: int | None = None
    rollover: int | None = None
    own_unit: str | None = field(default=None, compare=False)

    @property
    def unit(self) -> str:
        """Return the canonical unit of decoded integers."""
        return self.quantity.value

    @property
    def place(self) -> dict[str, int | str]:
        """Return where the point stands, in the words of its protocol (`function` and `address`, `di`, `oad` …)."""
        raise NotImplementedError


class Block(Protocol):
    """One request of a reading plan; the driver of its protocol knows how to ask it."""

    @property
    def points(self) -> tuple[Point, ...]:
        """The points that its reply brings."""

    def decode(self, reply: bytes) -> dict[str, int]:
        """Return canonical integers by name; a point without a value is absent. CodecError for unusable octets."""


class Command(Protocol):
    """Something to be written to a meter, in the octets of its protocol; known to the protocol's driver."""

    @property
    def name(self) -> str:
        """Which of the standard writes it is."""


class OrderLog(Protocol):
    """A charger's log of its charge orders (充电订单): how many there were, and the last `rows` of them.

    Orders are numbered from 1 as the charger counts them; where its counter goes no further it starts again from 0,
    so that numbers are of [0, `wraps_at`).
    """

    @property
    def rows(self) -> int:
        """How many orders the charger keeps."""

    @property
    def wraps_at(self) -> int:
        """How many orders the counter can tell apart."""

    def count_block(self) -> Block:
        """Return the request whose value `count` is the number of the newest order, 0 before the first."""

    def order_blocks(self, order: int, count: int, timezone: str) -> list[Block]:
        """Return the requests for an order while the newest is number `count`; IndexError when it is gone.

        The last of them reads the counter again, as `count`: what came is of that order when it has not moved.
        """

    def order(self, values: Mapping[str, int], timezone: str) -> "LoggedOrder":
        """Return what the values of an order's blocks say; CodecError for unusable ones."""


@dataclass(frozen=True, slots=True)
class LoggedOrder:
    """A row of an order log: texts and canonical integers by standard name (profiles.points), without what is empty.

    `index` is the number by which the charger counts it, where the row says that. `periods` is without the unused ones.
    """

    index: int | None
    texts: Mapping[str, str]
    numbers: Mapping[str, int]
    periods: tuple[Mapping[str, int], ...] = ()


class CodecError(ValueError):
    """Octets that hold no usable value, or a value that they can't hold."""


class NoValueError(CodecError):
    """The meter says that it has no value: its "missing" pattern, or a float that is not a finite number."""


@dataclass(frozen=True, kw_only=True)
class Profile(ABC):
    """A meter model as data. Local times of a meter are those of the zone that the caller gives."""

    protocol: ClassVar[str]

    name: str
    model: str
    manufacturer: str
    source: str  # where the meter's map is published
    points: Mapping[str, Point]
    tables: Mapping[str, object]  # what the meter keeps in rows, by standard name (profiles.points.TABLES)
    writes: Mapping[str, object]  # what can be written, by standard name (profiles.points.WRITES)
    orders: OrderLog | None = None  # of a charger that keeps one

    @abstractmethod
    def plan(self, points: Iterable[Point], timezone: str) -> list[Block]:
        """Return the fewest requests that bring these points of this profile."""

    @abstractmethod
    def plan_row(self, table: str, row: int, timezone: str) -> list[Block]:
        """Return the requests for one row of a table: their values are the row's columns.

        KeyError for a table, IndexError for a row that the meter does not have.
        """

    @abstractmethod
    def command(self, name: str, fields: Mapping[str, int | None], timezone: str) -> Command:
        """Return what to write for a standard write; KeyError when there is none, CodecError for its values."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a profile or in the parameters given to it."""

    file: str
    key: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.file}: {self.key}: expected {self.expected}, found {self.found}"


class ProfileError(ValueError):
    """A profile that can't be used, with every problem found in it."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems
