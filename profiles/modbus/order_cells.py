"""Fields of an order log that are no numbers: texts, and times in BCD; their octets to values and back."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from profiles.dlt645.moments import to_instant, to_moment, zone
from profiles.modbus.model import RegisterPoint
from profiles.model import CodecError, NoValueError

TEXTS: Final = ("ascii", "utf-8", "gb18030", "bcd")
PARTS: Final = {"YYYY": "year", "YY": "year", "MM": "month", "DD": "day", "hh": "hour", "mm": "minute", "ss": "second"}
FILLER: Final = "00"
DIGITS_A_REGISTER: Final = 4
_CENTURY: Final = 2000
_LONG_YEAR: Final = 4
_UNUSED: Final = (0x00, 0xFF)


@dataclass(frozen=True, slots=True)
class TextCell:
    """A text in registers, two octets in each, the first in the high one unless `swaps_bytes`."""

    name: str
    function: int
    address: int
    count: int
    text: str
    swaps_bytes: bool = False

    @property
    def end(self) -> int:
        """Return the address after the last register."""
        return self.address + self.count


@dataclass(frozen=True, slots=True)
class MomentCell:
    """A date and time of the station in BCD, its parts as they follow each other (PARTS and FILLER)."""

    name: str
    function: int
    address: int
    parts: tuple[str, ...]
    swaps_bytes: bool = False

    @property
    def count(self) -> int:
        """Return the number of registers."""
        return sum(map(len, self.parts)) // DIGITS_A_REGISTER

    @property
    def end(self) -> int:
        """Return the address after the last register."""
        return self.address + self.count


Cell = RegisterPoint | TextCell | MomentCell


def parts_of(text: str) -> tuple[str, ...] | None:
    """Return the parts of a format such as YYMMDDhhmmss; None when it is none, or has no date and time of day."""
    parts: list[str] = []
    left = text
    while left:
        part = next((known for known in (*PARTS, FILLER) if left.startswith(known)), None)
        if part is None:
            return None
        parts.append(part)
        left = left[len(part) :]
    named = [PARTS[part] for part in parts if part != FILLER]
    if sorted(named) != sorted({*PARTS.values()}) or len(text) % DIGITS_A_REGISTER:
        return None
    return tuple(parts)


def read_text(cell: TextCell, octets: bytes) -> str:
    """Return the text without what fills it up; NoValueError when nothing else is there, CodecError for no text."""
    octets = _straight(octets, swapped=cell.swaps_bytes)
    if cell.text == "bcd":
        return _digits(cell.name, octets)
    if all(octet in _UNUSED for octet in octets):
        raise NoValueError(f"{cell.name}: the charger has no text there")
    octets = octets.partition(b"\0")[0].rstrip(b"\xff")
    try:
        text = octets.decode(cell.text).strip(" ")
    except UnicodeDecodeError as error:
        raise CodecError(f"{cell.name}: expected {cell.text}, got {octets.hex()}") from error
    if not text:
        raise NoValueError(f"{cell.name}: the charger has no text there")
    return text


def _digits(name: str, octets: bytes) -> str:
    """Return the digits of packed BCD, filled up with F behind; leading zeros belong to a number of an order."""
    digits = octets.hex().rstrip("f")
    if digits.strip("0") == "":
        raise NoValueError(f"{name}: the charger has no digits there")
    if not digits.isdecimal():
        raise CodecError(f"{name}: expected decimal digits, got {octets.hex()}")
    return digits


def write_text(cell: TextCell, text: str | None) -> bytes:
    """Return the octets of a text, all zero for None; CodecError when it does not fit."""
    size = 2 * cell.count
    if cell.text == "bcd":
        digits = (text or "").ljust(2 * size, "f" if text else "0")
        if not (text or "0").isdecimal() or not (text or "0").isascii() or len(digits) > 2 * size:
            raise CodecError(f"{cell.name}: expected at most {2 * size} digits, got {text!r}")
        return _straight(bytes.fromhex(digits), swapped=cell.swaps_bytes)
    try:
        octets = (text or "").encode(cell.text)
    except UnicodeEncodeError as error:
        raise CodecError(f"{cell.name}: {text!r} can't be written in {cell.text}") from error
    if len(octets) > size:
        raise CodecError(f"{cell.name}: expected at most {size} octets, got {text!r}")
    return _straight(octets.ljust(size, b"\0"), swapped=cell.swaps_bytes)


def read_moment(cell: MomentCell, octets: bytes, timezone: str) -> int:
    """Return an instant, ms UTC; NoValueError where nothing is written, CodecError for what is no date and time."""
    octets = _straight(octets, swapped=cell.swaps_bytes)
    if all(octet in _UNUSED for octet in octets):
        raise NoValueError(f"{cell.name}: the charger has no time there")
    digits = octets.hex()
    if not digits.isdecimal():
        raise CodecError(f"{cell.name}: expected decimal digits, got {digits}")
    moment: dict[str, int] = {}
    place = 0
    for part in cell.parts:
        number = int(digits[place : place + len(part)])
        place += len(part)
        if part != FILLER:
            moment[PARTS[part]] = number - _CENTURY if len(part) == _LONG_YEAR else number
    try:
        return to_instant(moment, timezone)
    except (CodecError, OverflowError) as error:
        raise CodecError(f"{cell.name}: expected {''.join(cell.parts)}, got {digits}") from error


def read_again(time_ms: int, timezone: str) -> int:
    """Return when a clock that was put back showed the same a second time; the instant itself where none was."""
    local = datetime.fromtimestamp(time_ms // 1000, UTC).astimezone(zone(timezone))
    return int(local.replace(fold=1).timestamp()) * 1000


def write_moment(cell: MomentCell, time_ms: int | None, timezone: str) -> bytes:
    """Return the octets of an instant (ms UTC; what is below a second is cut off), all zero for None."""
    if time_ms is None:
        return bytes(2 * cell.count)
    moment: Mapping[str, int] = to_moment(time_ms, timezone)
    digits = ""
    for part in cell.parts:
        number = 0 if part == FILLER else moment[PARTS[part]] + (_CENTURY if len(part) == _LONG_YEAR else 0)
        digits += f"{number:0{len(part)}d}"
    return _straight(bytes.fromhex(digits), swapped=cell.swaps_bytes)


def _straight(octets: bytes, *, swapped: bool) -> bytes:
    """Return the octets with the high one of each register first, or as they stand there: it is the same exchange."""
    if not swapped:
        return octets
    straight = bytearray(octets)
    straight[0::2], straight[1::2] = octets[1::2], octets[0::2]
    return bytes(straight)
