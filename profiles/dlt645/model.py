"""What a DL/T 645-2007 profile says: behind which data identifier (数据标识) each point stands, and how."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from profiles.dlt645.formats import DataItem, Format, di_text
from profiles.model import Point


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemPoint(Point):
    """One field of one element behind an identifier.

    `time_di` is set for a clock in two items: `item` has the date then, and `time_di` the time of day.
    """

    item: DataItem
    element: int = 0
    field: int = 0
    time_di: int | None = None

    @property
    def format(self) -> Format:
        """Return the encoding of the point's own field."""
        return self.item.formats[self.field]

    @property
    def place(self) -> dict[str, int | str]:
        """Return identifier, format, and element and field where they are not the first."""
        place: dict[str, int | str] = {"di": di_text(self.item.di), "format": self.format.text}
        if self.time_di is not None:
            place["time_di"] = di_text(self.time_di)
        if self.element:
            place["element"] = self.element
        if self.field:
            place["field"] = self.field
        return place


@dataclass(frozen=True, slots=True)
class Settlement:
    """What makes monthly rows of the values at the settlement days (结算日): where the meter says when they are.

    There is no identifier for a monthly freeze (月冻结): the last settlement is one only on a 1st at 00 h. `days` are
    the identifiers of the meter's settlement days (`DDhh`); `date` that of its clock's date, which tells the month.
    """

    days: tuple[int, ...]
    date: int


@dataclass(frozen=True, slots=True)
class ItemTable:
    """Rows behind identifiers: a column's is that of row 1, each further row has the next DI0."""

    name: str
    rows: int
    columns: tuple[ItemPoint, ...]
    settlement: Settlement | None = None

    def check(self, row: int) -> None:
        """Raise IndexError for a row that the table does not have."""
        if not 1 <= row <= self.rows:
            raise IndexError(f"{self.name}: row {row} is not in 1..{self.rows}")


@dataclass(frozen=True, slots=True)
class Authority:
    """Who may write: password level PA, password P0 P1 P2 and operator code C0..C3 (操作者代码), as on the wire."""

    level: int
    password: bytes
    operator: bytes


@dataclass(frozen=True, slots=True)
class ClockWrite:
    """How the clock is set: items written with a password, or by broadcast time sync (广播校时) where they are None."""

    name: str
    date: int | None = None  # YYMMDDWW
    time: int | None = None  # hhmmss
    moment: int | None = None  # both in one item, YYMMDDWWhhmmss
    authority: Authority | None = None

    @property
    def items(self) -> tuple[int, ...]:
        """Return the identifiers that are written, in the order of writing."""
        return tuple(di for di in (self.moment, self.time, self.date) if di is not None)


@dataclass(frozen=True, slots=True)
class Query:
    """One identifier to be read. An optional one may be refused by the meter: it has no such data."""

    di: int
    optional: bool = False


@dataclass(frozen=True, slots=True)
class WriteStep:
    """One item to be written (function 14H)."""

    di: int
    data: bytes
    authority: Authority


@dataclass(frozen=True, slots=True)
class SyncStep:
    """A broadcast time sync (08H), which no meter answers."""

    time: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Dlt645Command:
    """What a write does, step by step."""

    name: str
    steps: Sequence[WriteStep | SyncStep]
