"""Requests of Modbus in a stream of octets, and the frames of their replies: RTU (on a serial line) and MBAP (TCP)."""

import struct
from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, Protocol

from protocols.modbus.crc import crc16
from protocols.modbus.shape import FUNCTIONS

BROADCAST: Final = 0
LAST_UNIT: Final = 247  # Modbus over serial line 1.02, 2.2
_SHORTEST: Final = 4  # unit, function, check
_LONGEST: Final = 256  # Modbus over serial line 1.02, 2.5.1
_MBAP: Final = struct.Struct(">HHHB")  # transaction, protocol, length from the unit on, unit
_LONGEST_MBAP: Final = 254
_MBAP_UNIT: Final = 6


@dataclass(frozen=True, slots=True)
class Request:
    """What the master asked (PDU) of a unit; `transaction` is MBAP's, given back in the reply."""

    unit: int
    pdu: bytes
    transaction: int = 0


class Requests(Protocol):
    """Finds requests in the octets of one connection."""

    def feed(self, data: bytes) -> list[Request]:
        """Take octets as they come; return the requests that are complete, in order."""

    def flush(self) -> None:
        """Give up what waits for more octets."""

    def reply(self, request: Request, pdu: bytes) -> bytes:
        """Return the frame of a reply."""

    def misaddressed(self, octets: bytes) -> bytes:
        """Return the frame of a reply with another unit in it, its check right."""


def other_unit(unit: int, units: Collection[int]) -> int:
    """Return another unit: the next one that has a meter, else the next number."""
    later = sorted(units, key=lambda number: (number <= unit, number))
    return next((number for number in later if number != unit), unit % LAST_UNIT + 1)


class RtuRequests:
    """RTU frames to the given units, found by their check alone: where they begin and end does not show otherwise.

    So octets of other protocols on the line, and noise, do no harm. Requests to other units are not looked for.
    """

    def __init__(self, units: Collection[int]) -> None:
        self._units = frozenset(units) | {BROADCAST}
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Request]:
        """Take octets as they come; return the requests that are complete, in order."""
        buffer = self._buffer
        buffer += data
        found = []
        while (frame := self._first()) is not None:
            found.append(Request(frame[0], frame[1:-2]))
        if len(buffer) >= _LONGEST:
            del buffer[: 1 - _LONGEST]
        return found

    def flush(self) -> None:
        """Give up what waits for more octets."""
        self._buffer.clear()

    def reply(self, request: Request, pdu: bytes) -> bytes:
        """Return the frame of a reply."""
        return _with_check(bytes((request.unit,)) + pdu)

    def misaddressed(self, octets: bytes) -> bytes:
        """Return the frame of a reply with another unit in it, its check right."""
        return _with_check(bytes((other_unit(octets[0], self._units - {BROADCAST}),)) + octets[1:-2])

    def _first(self) -> bytes | None:
        """Take the first whole request out of the buffer, with what stands before it."""
        buffer = self._buffer
        for start in range(len(buffer) - _SHORTEST + 1):
            if buffer[start] not in self._units:
                continue
            for end in self._ends(start):
                frame = bytes(buffer[start:end])
                if len(frame) == end - start >= _SHORTEST and self._is_whole(frame):
                    del buffer[:end]
                    return frame
        return None

    def _is_whole(self, frame: bytes) -> bool:
        return crc16(frame) == 0

    def _ends(self, start: int) -> tuple[int, ...]:
        """Return where a request that starts there may end; an unknown function's at the end of what came."""
        function = FUNCTIONS.get(self._buffer[start + 1])
        if function is None:
            return (min(len(self._buffer), start + _LONGEST),)
        length = function.request(bytes(self._buffer[start + 1 : start + _LONGEST]))
        return (start + 1 + length + 2,) if length else ()


class MbapRequests:
    """MBAP frames: they say themselves how long they are, and TCP loses nothing, so none is given up on silence."""

    def __init__(self, units: Collection[int]) -> None:
        self._units = frozenset(units)
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Request]:
        """Take octets as they come; return the requests that are complete, in order."""
        buffer = self._buffer
        buffer += data
        found = []
        while len(buffer) >= _MBAP.size:
            transaction, protocol, length, unit = _MBAP.unpack_from(buffer)
            if protocol != 0 or not 2 <= length <= _LONGEST_MBAP:  # noqa: PLR2004 - unit and function at least
                # No Modbus, or out of step: there is no way to find the next frame.
                buffer.clear()
                break
            if len(buffer) < 6 + length:
                break
            found.append(Request(unit, bytes(buffer[_MBAP.size : 6 + length]), transaction))
            del buffer[: 6 + length]
        return found

    def flush(self) -> None:
        """Give up nothing."""

    def reply(self, request: Request, pdu: bytes) -> bytes:
        """Return the frame of a reply."""
        return _MBAP.pack(request.transaction, 0, 1 + len(pdu), request.unit) + pdu

    def misaddressed(self, octets: bytes) -> bytes:
        """Return the frame of a reply with another unit in it."""
        unit = other_unit(octets[_MBAP_UNIT], self._units)
        return octets[:_MBAP_UNIT] + bytes((unit,)) + octets[_MBAP_UNIT + 1 :]


def _with_check(frame: bytes) -> bytes:
    return frame + crc16(frame).to_bytes(2, "little")
