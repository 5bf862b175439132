"""Modbus frames in a stream of octets: RTU on serial lines (and through whatever passes octets), MBAP on TCP.

Modbus application protocol 1.1b3; Modbus over serial line 1.02, 2.5.1; Modbus messaging on TCP/IP 1.0b, 3.1.
Signatures: RTU has no transaction number, so a reply says only its function and either its length (registers) or, for
a write, what was written. MBAP has one. What RTU can't tell is a reply that a link delivers twice, the second time
after another block of the same length was asked for.
"""

import struct
from array import array
from collections.abc import Callable, Hashable
from functools import cache, partial
from typing import Final

from fieldbus.exchange import Heard, Noise

PROTOCOL: Final = "modbus"
ERROR: Final = 0x80  # in the function code of an exception
READS: Final = (3, 4)
_WRITES: Final = (5, 6, 15, 16)

READ_DEVICE_IDENTIFICATION: Final = 0x2B
REPORT_SERVER_ID: Final = 0x11
_MEI_DEVICE_IDENTIFICATION: Final = 0x0E

_CHECK: Final = 2  # octets of the CRC
_POLYNOMIAL: Final = 0xA001
_LONGEST_RTU: Final = 256
_MORE: Final = -1
_NONE: Final = 0

HEADER: Final = struct.Struct(">HHHB")  # transaction, protocol, length of what follows, unit
_COUNTED: Final = 6  # octets of the header before what its length counts
_SHORTEST_MBAP: Final = 3  # unit, function, one octet
_LONGEST_MBAP: Final = 254


@cache
def _tables() -> "tuple[array[int], array[int]]":
    """Return what one octet and what two octets make of the check (2.5.1.2): polynomial A001H, the low bit first."""
    one = array("H", range(256))
    for _ in range(8):
        for index, value in enumerate(one):
            one[index] = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
    two = array("H", (one[value >> 8 ^ one[value & 0xFF] & 0xFF] ^ one[value & 0xFF] >> 8 for value in range(0x10000)))
    return one, two


def crc(octets: bytes) -> bytes:
    """Return the check of an RTU frame as it stands on the line."""
    one, two = _tables()
    value = 0xFFFF
    pairs, odd = divmod(len(octets), 2)
    for pair in struct.unpack_from(f"<{pairs}H", octets):
        value = two[value ^ pair]
    if odd:
        value = value >> 8 ^ one[(value ^ octets[-1]) & 0xFF]
    return value.to_bytes(_CHECK, "little")


def device(unit: int) -> Hashable:
    """Return what a unit is called on its bus."""
    return (PROTOCOL, unit)


def signature(pdu: bytes) -> Hashable | None:
    """Return the signature of a reply's protocol data unit; None for an exception."""
    function = pdu[0]
    if function & ERROR:
        return None
    if function in _WRITES:
        return (function, pdu[1:])
    if function in (REPORT_SERVER_ID, READ_DEVICE_IDENTIFICATION):
        return (function, None)  # as long as the meter likes
    return (function, len(pdu))


def read_signature(function: int, count: int) -> Hashable:
    """Return the signature of a reply with this many registers."""
    return (function, 2 + 2 * count)


def _refuses(function: int, asked: Hashable) -> bool:
    return isinstance(asked, tuple) and asked[0] == function


class RtuFraming:
    """RTU frames. They have no mark of their own: a frame is where a length that makes sense meets a right CRC."""

    protocol = PROTOCOL
    longest_pause_s = 0.0  # 1.5 characters by the standard; what passes the octets on makes it longer than that

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def pending(self) -> int:
        """How many octets wait for more."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Heard | Noise]:
        """Take octets; return what is complete."""
        self._buffer += data
        return self._scan(final=False)

    def flush(self) -> list[Heard | Noise]:
        """Return what can be made of what is left; nothing waits any more."""
        return self._scan(final=True)

    def respond(self, _: Heard) -> bytes | None:
        """Nothing: a Modbus meter never speaks unasked."""
        return None

    def _scan(self, *, final: bool) -> list[Heard | Noise]:
        found: list[Heard | Noise] = []
        buffer = self._buffer
        start = noise_from = 0
        while start < len(buffer):
            frame = _frame_at(buffer, start, final=final)
            if frame is None:
                break
            length, is_request = frame
            if length == 0:
                start += 1
                continue
            if start > noise_from:
                found.append(_noise(bytes(buffer[noise_from:start])))
            found.append(_heard(bytes(buffer[start : start + length]), is_request=is_request))
            start += length
            noise_from = start
        if start > noise_from:
            found.append(_noise(bytes(buffer[noise_from:start])))
        del buffer[:start]
        return found


def _noise(octets: bytes) -> Noise:
    return Noise(octets, f"{len(octets)} octets that are no Modbus RTU frame with a right CRC")


def _heard(frame: bytes, *, is_request: bool) -> Heard:
    pdu = frame[1:-_CHECK]
    refuses = partial(_refuses, pdu[0] & ~ERROR) if pdu[0] & ERROR else None
    return Heard(device(frame[0]), signature(pdu), pdu, frame, is_request=is_request, refuses=refuses)


def _frame_at(buffer: bytearray, start: int, *, final: bool) -> tuple[int, bool] | None:
    """Return the length of a frame and whether it is a request; length 0: none starts here; None: not yet known."""
    have = len(buffer) - start
    waits = False
    for length_of, is_request in _DIRECTIONS:
        length = length_of(buffer, start, have)
        if length == _MORE or length > have:
            waits = True
        elif length != _NONE:
            end = start + length - _CHECK
            if crc(bytes(buffer[start:end])) == buffer[end : end + _CHECK]:
                return length, is_request
    return None if waits and not final else (0, False)


def _counted(buffer: bytearray, start: int, have: int, position: int, extra: int) -> int:
    """Return the length of a frame that has `extra` octets beside those that the one at `position` counts."""
    if have <= position:
        return _MORE
    length = buffer[start + position] + extra
    return length if length <= _LONGEST_RTU else _NONE


_FIXED_REPLIES: Final = {5: 8, 6: 8, 7: 5, 8: 8, 0x0B: 8, 15: 8, 16: 8, 0x16: 10}
_COUNTED_REPLIES: Final = frozenset({1, 2, 3, 4, 0x0C, 0x11, 0x14, 0x15, 0x17})
_REGISTER_REPLIES: Final = frozenset({3, 4, 0x17})


def _reply_length(buffer: bytearray, start: int, have: int) -> int:
    if have < 2:  # noqa: PLR2004 - unit and function
        return _MORE
    function = buffer[start + 1]
    if function & ERROR:
        return 5
    if function in _COUNTED_REPLIES:
        length = _counted(buffer, start, have, 2, 5)
        octets = length - 5
        odd = length > 0 and (octets == 0 or octets % 2)
        return _NONE if odd and function in _REGISTER_REPLIES else length
    if function == READ_DEVICE_IDENTIFICATION:
        return _identification_length(buffer, start, have)
    return _FIXED_REPLIES.get(function, _NONE)


def _identification_length(buffer: bytearray, start: int, have: int) -> int:
    """Return the length of a reply that lists objects: id, length, octets (1.1b3, 6.21)."""
    if have > 2 and buffer[start + 2] != _MEI_DEVICE_IDENTIFICATION:  # noqa: PLR2004
        return _NONE
    position = 7  # after unit, function, kind, code, conformity, more follows, next object
    if have <= position:
        return _MORE
    objects = buffer[start + position]
    position += 1
    for _ in range(objects):
        if have < position + 2:
            return _MORE
        position += 2 + buffer[start + position + 1]
        if position + _CHECK > _LONGEST_RTU:
            return _NONE
    return position + _CHECK


_FIXED_REQUESTS: Final = {**dict.fromkeys(range(1, 7), 8), 7: 4, 8: 8, 0x0B: 4, 0x0C: 4, 0x11: 4, 0x16: 10, 0x2B: 7}
_COUNTED_REQUESTS: Final = {15: (6, 9), 16: (6, 9), 0x17: (10, 13)}


def _request_length(buffer: bytearray, start: int, have: int) -> int:
    if have < 2:  # noqa: PLR2004 - unit and function
        return _MORE
    function = buffer[start + 1]
    if function in _FIXED_REQUESTS:
        return _FIXED_REQUESTS[function]
    if function in _COUNTED_REQUESTS:
        position, extra = _COUNTED_REQUESTS[function]
        return _counted(buffer, start, have, position, extra)
    return _NONE


_Length = Callable[[bytearray, int, int], int]
_DIRECTIONS: Final[tuple[tuple[_Length, bool], ...]] = ((_reply_length, False), (_request_length, True))


class MbapFraming:
    """Frames with the Modbus TCP header, whose transaction number tells every reply from every other.

    TCP loses nothing, so the beginning of a frame waits for its rest however long that takes: it is late then, not
    broken.
    """

    protocol = PROTOCOL
    longest_pause_s = 0.0
    pending = 0  # silence ends nothing

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[Heard | Noise]:
        """Take octets; return what is complete."""
        buffer = self._buffer + data if self._buffer else data
        found: list[Heard | Noise] = []
        start = 0
        while len(buffer) - start > HEADER.size:
            transaction, protocol, length, unit = HEADER.unpack_from(buffer, start)
            if protocol != 0 or not _SHORTEST_MBAP <= length <= _LONGEST_MBAP:
                rest = buffer[start:]
                found.append(Noise(rest, f"not a Modbus TCP header: {rest[:8].hex(' ')}", lost=True))
                start = len(buffer)
                break
            end = start + _COUNTED + length
            if end > len(buffer):
                break
            octets = buffer[start:end]
            found.append(Heard(device(unit), transaction, octets[HEADER.size :], octets))
            start = end
        self._buffer = buffer[start:]
        return found

    def flush(self) -> list[Heard | Noise]:
        """Forget the beginning of a frame: its connection has ended."""
        self._buffer = b""
        return []

    def respond(self, _: Heard) -> bytes | None:
        """Nothing: a Modbus meter never speaks unasked."""
        return None
