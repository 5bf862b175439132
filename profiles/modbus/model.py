"""What a Modbus profile says: where in the registers each point stands, and how."""

from dataclasses import dataclass
from enum import Enum
from typing import Self

from profiles.model import Point


class Encoding(Enum):
    """How a number stands in 16-bit registers."""

    registers: int
    signed: bool
    is_float: bool
    least: int
    greatest: int

    def __new__(cls, text: str, registers: int, kind: str) -> Self:
        """Make a member whose value is the name that profiles use."""
        member = object.__new__(cls)
        member._value_ = text
        member.registers = registers
        member.is_float = kind == "float"
        member.signed = kind != "uint"
        bits = 16 * registers
        member.least, member.greatest = (
            (-(1 << bits - 1), (1 << bits - 1) - 1) if member.signed else (0, (1 << bits) - 1)
        )
        return member

    UINT16 = ("uint16", 1, "uint")
    INT16 = ("int16", 1, "int")
    UINT32 = ("uint32", 2, "uint")
    INT32 = ("int32", 2, "int")
    UINT64 = ("uint64", 4, "uint")
    INT64 = ("int64", 4, "int")
    FLOAT32 = ("float32", 2, "float")
    FLOAT64 = ("float64", 4, "float")

    @property
    def is_integer(self) -> bool:
        """Return whether it is a plain number of fixed width."""
        return not self.is_float


class WordOrder(Enum):
    """The order of the bytes of a value on the wire; A is the most significant byte (names as in the field)."""

    low_word_first: bool
    swaps_bytes: bool

    def __new__(cls, text: str) -> Self:
        """Make a member from the order of four bytes."""
        member = object.__new__(cls)
        member._value_ = text
        member.low_word_first = text.index("A") >= 2  # noqa: PLR2004 - the second of two words
        member.swaps_bytes = text.index("A") % 2 == 1
        return member

    ABCD = "ABCD"  # big-endian: high word first
    CDAB = "CDAB"  # low word first
    BADC = "BADC"  # high word first, bytes swapped inside each word
    DCBA = "DCBA"  # little-endian throughout


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterPoint(Point):
    """One value in registers. For an integer its resolution is its scale; a float's is documented by its maker."""

    function: int
    address: int
    encoding: Encoding
    word_order: WordOrder

    @property
    def count(self) -> int:
        """Return the number of registers."""
        return self.encoding.registers

    @property
    def end(self) -> int:
        """Return the address after the last register."""
        return self.address + self.encoding.registers

    @property
    def type(self) -> str:
        """Return the encoding's name as profiles write it."""
        return str(self.encoding.value)

    @property
    def place(self) -> dict[str, int | str]:
        """Return function, address and type."""
        return {"function": self.function, "address": self.address, "type": self.type}


@dataclass(frozen=True, slots=True)
class RegisterTable:
    """Rows of equal layout: row `first_row` stands at `address`, each next one `stride` registers further.

    The addresses of `columns` are those in the first row. With a `selector`, the rows are a window: write that
    item first (see `Profile.writes`) to choose what they show.
    """

    name: str
    function: int
    address: int
    rows: int
    first_row: int
    stride: int
    columns: tuple[RegisterPoint, ...]
    selector: str | None = None

    @property
    def last_row(self) -> int:
        """Return the number of the last row."""
        return self.first_row + self.rows - 1

    @property
    def end(self) -> int:
        """Return the address after the last row."""
        return self.address + self.rows * self.stride

    def row_address(self, row: int) -> int:
        """Return the address at which a row starts; IndexError for a row the table does not have."""
        if not self.first_row <= row <= self.last_row:
            raise IndexError(f"{self.name}: row {row} is not in {self.first_row}..{self.last_row}")
        return self.address + (row - self.first_row) * self.stride


@dataclass(frozen=True, slots=True)
class RegisterWrite:
    """Something that can be written: neighbouring registers, in one request."""

    name: str
    function: int  # 6: one register, 16: several
    address: int
    count: int
    fields: tuple[RegisterPoint, ...]


@dataclass(frozen=True, slots=True)
class RegisterCommand:
    """Registers to be written."""

    name: str
    function: int
    address: int
    words: tuple[int, ...]
