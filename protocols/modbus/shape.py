"""How long the messages (PDU) of each Modbus function are: Modbus application protocol 1.1b3, 6.1 to 6.21."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from protocols.explained import Direction

EXCEPTION: Final = 0x80
MAX_PDU: Final = 253
_MEI_IDENTIFICATION: Final = 14

Length = Callable[[bytes], int | None]
"""From a PDU's first octets to its length; None when it does not show yet, 0 when no such PDU exists."""


def _fixed(length: int) -> Length:
    return lambda _: length


def _counted(at: int, more: int, *, least: int = 0, step: int = 1, most: int = MAX_PDU) -> Length:
    """Return the rule of a PDU of which the octet at `at` counts what follows after `more` octets in all."""

    def length(pdu: bytes) -> int | None:
        if len(pdu) <= at:
            return None
        count = pdu[at]
        return more + count if least <= count <= most and count % step == 0 else 0

    return length


def _fifo(pdu: bytes) -> int | None:
    return 3 + int.from_bytes(pdu[1:3], "big") if len(pdu) > 2 else None  # noqa: PLR2004 - a count of two octets


def _identification_request(pdu: bytes) -> int | None:
    if len(pdu) < 2:  # noqa: PLR2004 - the MEI type is the second octet
        return None
    return 4 if pdu[1] == _MEI_IDENTIFICATION else 0


def _identification(pdu: bytes) -> int | None:
    """Objects of their own length behind a header of seven octets."""
    header = 7
    if len(pdu) < header:
        return None
    end = header
    for _ in range(pdu[6]):
        if len(pdu) < end + 2:
            return None
        end += 2 + pdu[end + 1]
    return end if pdu[1] == _MEI_IDENTIFICATION else 0


@dataclass(frozen=True, slots=True)
class Function:
    """A function (功能码), its name, and how long its two messages are."""

    name: str
    request: Length
    reply: Length


FUNCTIONS: Final[Mapping[int, Function]] = {
    1: Function("read coils", _fixed(5), _counted(1, 2, least=1, most=250)),
    2: Function("read discrete inputs", _fixed(5), _counted(1, 2, least=1, most=250)),
    3: Function("read holding registers", _fixed(5), _counted(1, 2, least=2, step=2, most=250)),
    4: Function("read input registers", _fixed(5), _counted(1, 2, least=2, step=2, most=250)),
    5: Function("write one coil", _fixed(5), _fixed(5)),
    6: Function("write one register", _fixed(5), _fixed(5)),
    7: Function("read exception status", _fixed(1), _fixed(2)),
    8: Function("diagnostics", _fixed(5), _fixed(5)),
    11: Function("read communication event counter", _fixed(1), _fixed(5)),
    12: Function("read communication event log", _fixed(1), _counted(1, 2, least=6)),
    15: Function("write coils", _counted(5, 6, least=1, most=246), _fixed(5)),
    16: Function("write registers", _counted(5, 6, least=2, step=2, most=246), _fixed(5)),
    17: Function("report server id", _fixed(1), _counted(1, 2, least=1)),
    20: Function("read file record", _counted(1, 2, least=7, step=7, most=245), _counted(1, 2, least=4, most=245)),
    21: Function("write file record", _counted(1, 2, least=9, most=251), _counted(1, 2, least=9, most=251)),
    22: Function("mask one register", _fixed(7), _fixed(7)),
    23: Function(
        "write and read registers",
        _counted(9, 10, least=2, step=2, most=242),
        _counted(1, 2, least=2, step=2, most=250),
    ),
    24: Function("read FIFO queue", _fixed(3), _fifo),
    43: Function("read device identification", _identification_request, _identification),
}

# What a request may ask for; anything else that looks like one is something else.
_MOST: Final[Mapping[int, int]] = {1: 2000, 2: 2000, 3: 125, 4: 125}
_COIL_WORDS: Final = (0x0000, 0xFF00)


def sensible(pdu: bytes, direction: Direction) -> bool:
    """Return whether a whole PDU says what its function allows, as far as that does not depend on another message."""
    function = pdu[0]
    if function & EXCEPTION:
        return direction == "reply" and pdu[1] > 0
    second = int.from_bytes(pdu[3:5], "big")
    if function in _MOST and direction == "request":
        return 1 <= second <= _MOST[function]
    if function == 5:  # noqa: PLR2004 - write one coil
        return second in _COIL_WORDS
    if function in (15, 16) and direction == "request":
        return pdu[5] == (2 * second if function == 16 else -(-second // 8))  # noqa: PLR2004 - write registers
    return True


def lengths(pdu: bytes) -> Iterator[tuple[Direction, int | None]]:
    """Yield the directions in which a PDU that begins so can go, with its length in octets (None: not yet known)."""
    if not pdu:
        yield "request", None
        return
    if pdu[0] & EXCEPTION:
        if pdu[0] & ~EXCEPTION in FUNCTIONS:
            yield "reply", 2
        return
    function = FUNCTIONS.get(pdu[0])
    if function is None:
        return
    rules: tuple[tuple[Direction, Length], ...] = (("request", function.request), ("reply", function.reply))
    for direction, rule in rules:
        length = rule(pdu)
        if length is None or 0 < length <= MAX_PDU:
            yield direction, length
