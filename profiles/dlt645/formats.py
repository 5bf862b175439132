"""How one field is encoded, in the notation of DL/T 645-2007 that `diantan_core` reads, such as `XXXXXX.XX`."""

from dataclasses import dataclass
from enum import Enum, auto
from functools import lru_cache
from typing import Final

from diantan_core import CoreError, dlt645_item

_MOST_DIGITS: Final = 16
_MOST_BYTES: Final = {"digits": 16, "bits": 8}
_MOMENT_PARTS: Final = ("YY", "MM", "DD", "WW", "hh", "mm", "ss")
PLUS_MINUS: Final = "±"


class Kind(Enum):
    """What a field holds, as far as a point can have it: text is no number."""

    DECIMAL = auto()
    MOMENT = auto()
    DIGITS = auto()
    BITS = auto()


@dataclass(frozen=True, slots=True)
class Format:
    """One field: `length` in bytes; `decimals` and `signed` of a decimal number (BCD, its top bit the sign)."""

    text: str
    kind: Kind
    length: int
    decimals: int = 0
    signed: bool = False

    @property
    def greatest(self) -> int:
        """Return the greatest raw number; a sign takes the top bit, so that the highest digit ends at 7."""
        if self.kind is Kind.BITS:
            return (1 << 8 * self.length) - 1
        digits: int = 10 ** (2 * self.length)
        return digits * 8 // 10 - 1 if self.signed else digits - 1

    @property
    def least(self) -> int:
        """Return the least raw number."""
        return -self.greatest if self.signed else 0

    def has_date(self) -> bool:
        """Return whether a moment states the day it is on."""
        return self.kind is Kind.MOMENT and all(part in self.text for part in ("YY", "MM", "DD"))


@lru_cache(maxsize=256)
def parse_format(text: str) -> Format | None:
    """Return the format that a text names; None for one that is none or whose values are no numbers."""
    kind, colon, size = text.partition(":")
    if colon:
        if kind not in _MOST_BYTES or not size.isascii() or not size.isdecimal():
            return None
        length = int(size)
        fits = 1 <= length <= _MOST_BYTES[kind]
        return Format(text, Kind[kind.upper()], length) if fits else None
    return _decimal(text) or _moment(text)


def _decimal(text: str) -> Format | None:
    whole, point, fraction = text.removeprefix(PLUS_MINUS).partition(".")
    digits = whole + fraction
    if set(digits) != {"X"} or not whole or (point and not fraction):
        return None
    if len(digits) % 2 or len(digits) > _MOST_DIGITS:
        return None
    return Format(text, Kind.DECIMAL, len(digits) // 2, len(fraction), text.startswith(PLUS_MINUS))


def _moment(text: str) -> Format | None:
    parts = [text[start : start + 2] for start in range(0, len(text), 2)]
    if not parts or len(set(parts)) != len(parts) or not set(parts) <= set(_MOMENT_PARTS):
        return None
    return Format(text, Kind.MOMENT, len(parts))


@dataclass(frozen=True, slots=True)
class DataItem:
    """What stands behind a data identifier: the fields of one element, and whether elements repeat (a block)."""

    di: int
    formats: tuple[Format, ...]
    repeats: bool = False

    @property
    def width(self) -> int:
        """Return the bytes of one element."""
        return sum(field.length for field in self.formats)

    def span(self, element: int, field: int) -> tuple[int, int]:
        """Return where a field of an element begins and ends."""
        start = element * self.width + sum(item.length for item in self.formats[:field])
        return start, start + self.formats[field].length


def standard_item(di: int) -> DataItem | None:
    """Return the item of DL/T 645-2007 annex A; None for a private identifier, and where the fields are no numbers."""
    try:
        found = dlt645_item(di)
    except CoreError:
        return None
    if found is None:
        return None
    formats = [parse_format(text) for text in found.formats]
    known = tuple(item for item in formats if item is not None)
    return DataItem(di, known, found.repeats) if len(known) == len(formats) else None


def di_text(di: int) -> str:
    """Return an identifier as the standard writes it: DI3 DI2 DI1 DI0."""
    return f"{di:08X}"


ENERGY, DEMAND, VARIABLE, PARAMETER = 0, 1, 2, 4  # DI3
_LAST_TARIFF: Final = 0x3F
_STATUS_WORDS: Final = 0x0400_0500
_ALL: Final = 0xFF


def block_place(di: int) -> tuple[int, int] | None:
    """Return the FF block (数据块) that contains a single value, and which of its elements it is; None: there is none.

    Tariffs (费率) and phases stand in the order of DI1, the total first where there is one; status words in that of
    DI0. DL/T 645-2007 annex A.
    """
    group, kind, middle, low = di.to_bytes(4, "big")
    if di & ~_ALL == _STATUS_WORDS and low not in (0, _ALL):
        return di | _ALL, low - 1
    block = di | _ALL << 8
    if dlt645_item(block) is None:
        return None
    if group in (ENERGY, DEMAND) and middle <= _LAST_TARIFF:
        return block, middle
    if group == VARIABLE and middle != _ALL and low == 0:
        has_total = dlt645_item(group << 24 | kind << 16) is not None
        if has_total or middle > 0:
            return block, middle if has_total else middle - 1
    return None


@lru_cache(maxsize=64)
def most_elements(block: int) -> int:
    """Return how many elements an FF block can have: the tariffs that identifiers can name, or the phases.

    A meter that sends more has elements of another length: three currents of 4 octets must not pass for four of 3.
    """
    if block >> 24 != VARIABLE:
        return 1 + _LAST_TARIFF
    first = block & ~(_ALL << 8)
    singles = [first | middle << 8 for middle in range(_LAST_TARIFF + 1)]
    places = [block_place(di) for di in singles if dlt645_item(di) is not None]
    return max((place[1] + 1 for place in places if place is not None and place[0] == block), default=1 + _LAST_TARIFF)
