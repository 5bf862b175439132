"""What begins at an octet: the frame of a protocol, one that is not complete or broken, or nothing."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from diantan_core import Dlt645Frame, Dlt645Parser, Dlt698Frame, Dlt698Noise, Dlt698Parser
from protocols.explained import Direction, Json, fault
from protocols.modbus.crc import crc16
from protocols.modbus.shape import EXCEPTION, FUNCTIONS, MAX_PDU, lengths, sensible

_START_OCTET: Final = b"\x68"
_END: Final = 0x16
_LARGEST_645_DATA: Final = 255
_LARGEST_698: Final = 16383
_LAST_UNIT: Final = 247  # Modbus over serial line 1.02, 2.2
_RTU_FRAME: Final = 3  # unit and check
_LEAST_RTU, _MOST_RTU = 4, 256
_MBAP: Final = 7
_LEAST_MBAP: Final = 2  # unit and function
_BOTH: Final = 2


@dataclass(frozen=True, slots=True)
class ModbusFrame:
    """A Modbus message: unit (从站地址), PDU, and the directions that its shape allows; TCP: its transaction."""

    unit: int
    pdu: bytes
    directions: tuple[Direction, ...]
    transaction: int | None = None


Frame = ModbusFrame | Dlt645Frame | Dlt698Frame


@dataclass(frozen=True, slots=True)
class Piece:
    """Octets that belong together: a frame, one that is broken (`fault`), or noise (no protocol)."""

    octets: bytes
    protocol: str | None
    frame: Frame | None
    fault: Json | None = None


@dataclass(frozen=True, slots=True)
class Begun:
    """A frame may have begun; `firm`: its header says so. `length` is that of the whole frame, where it shows."""

    firm: bool = False
    length: int | None = None


class Trial(Protocol):
    """How a protocol looks at a place in a buffer; `alone` when no other protocol is looked for."""

    def __call__(self, buffer: bytes, at: int, *, alone: bool) -> Piece | Begun | None:
        """Return what begins there."""


def dlt698(buffer: bytes, at: int, *, alone: bool) -> Piece | Begun | None:
    """Return what begins: `68 L C AF SA CA HCS user data FCS 16`; the header is believed for its check."""
    head = buffer[at : at + 5]
    if head[:1] not in (b"", _START_OCTET):
        return None
    if len(head) < 5:  # noqa: PLR2004 - up to the address flag, which states the header's length
        return Begun()
    length = int.from_bytes(head[1:3], "little")
    total = (length & 0x3FFF) * (1024 if length & 0x4000 else 1) + 2
    header = 5 + (head[4] & 0x0F) + 1 + 1 + 2
    if not header + 3 <= total <= _LARGEST_698 + 2:
        return None
    octets = buffer[at : at + total]
    if len(octets) >= header and not _parsed(Dlt698Parser().feed(octets[:header])):
        return None
    if len(octets) < total:
        return Begun(firm=len(octets) >= header, length=total)
    return _whole698(octets, octets)


def _whole698(octets: bytes, frame: bytes) -> Piece:
    """Return a frame that is complete and its octets, preamble included, or what is wrong with it."""
    found = [*(parser := Dlt698Parser()).feed(frame), *parser.flush()]
    if len(found) == 1 and isinstance(found[0], Dlt698Frame):
        return Piece(octets, "dlt698", found[0])
    return Piece(octets, "dlt698", None, _fault698(found))


def _parsed(found: list[Dlt698Frame | Dlt698Noise]) -> bool:
    """Return whether a header passed its check: the parser then waits for the rest."""
    return not found


def _fault698(found: list[Dlt698Frame | Dlt698Noise]) -> Json:
    noise = next((item for item in found if isinstance(item, Dlt698Noise)), None)
    if noise is None or noise.kind not in ("frame_check", "header_check"):
        return fault("content", "a frame that is broken" if noise is None else noise.reason)
    # The parser says both in words: "…: expected E25DH, got 8933H".
    numbers = re.findall(r"\b([0-9A-F]{4})H", noise.reason)
    expected, got = numbers if len(numbers) == _BOTH else (None, None)
    return fault("checksum", noise.reason, expected=expected, found=got)


def dlt645(buffer: bytes, at: int, *, alone: bool) -> Piece | Begun | None:
    """Return what begins: `68 A0..A5 68 C L DATA CS 16`."""
    head = buffer[at : at + 10]
    if any(octet not in (b"", _START_OCTET) for octet in (head[:1], head[7:8])):
        return None
    if len(head) < 10:  # noqa: PLR2004 - up to L
        return Begun()
    total = 12 + head[9]
    octets = buffer[at : at + total]
    if len(octets) < total:
        return Begun(firm=True, length=total)
    if octets[-1] != _END:
        return None
    found = Dlt645Parser(_LARGEST_645_DATA).feed(octets)
    if len(found) == 1 and isinstance(found[0], Dlt645Frame):
        return Piece(octets, "dlt645", found[0])
    expected = f"{sum(octets[:-2]) & 0xFF:02X}"
    return Piece(octets, "dlt645", None, _check_fault("CS", expected, f"{octets[-2]:02X}"))


def _check_fault(name: str, expected: str, found: str) -> Json:
    return fault("checksum", f"check {name}: expected {expected}H, found {found}H", expected=expected, found=found)


def modbus_rtu(buffer: bytes, at: int, *, alone: bool) -> Piece | Begun | None:
    """Return what begins: unit, PDU and CRC; the PDU's length follows from its function."""
    if at >= len(buffer) or (buffer[at] > _LAST_UNIT and not alone):
        return None
    if len(buffer) > at + 1 and buffer[at + 1] & ~EXCEPTION not in FUNCTIONS:
        return None
    pdu = buffer[at + 1 : at + _MOST_RTU]
    waits = False
    fits: dict[int, list[Direction]] = {}
    for direction, length in lengths(pdu):
        if length is None or len(pdu) < length + 2:
            waits = waits or length is None or length + _RTU_FRAME <= _MOST_RTU
            continue
        end = at + 1 + length
        checked = crc16(buffer[at:end]) == int.from_bytes(buffer[end : end + 2], "little")
        if checked and sensible(pdu[:length], direction):
            fits.setdefault(length, []).append(direction)
    if not fits:
        return Begun() if waits else None
    length = max(fits)
    octets = buffer[at : at + length + _RTU_FRAME]
    return Piece(octets, "modbus-rtu", ModbusFrame(buffer[at], pdu[:length], tuple(fits[length])))


def modbus_tcp(buffer: bytes, at: int, *, alone: bool) -> Piece | Begun | None:
    """Return what begins: MBAP header (Modbus messaging on TCP/IP 1.0b, 3.1.3) and PDU.

    Nothing but its shape shows it, so among other protocols only known functions are believed.
    """
    head = buffer[at : at + _MBAP]
    length = int.from_bytes(head[4:6], "big")
    if any(head[2:4]) or (len(head) > 5 and not _LEAST_MBAP <= length <= MAX_PDU + 1):  # noqa: PLR2004 - length is there
        return None
    octets = buffer[at : at + 6 + length]
    pdu = octets[_MBAP:]
    if pdu and not alone and pdu[0] & ~EXCEPTION not in FUNCTIONS:
        return None
    if len(head) < _MBAP or len(octets) < 6 + length:
        return Begun(length=6 + length if len(head) == _MBAP else None)
    fits = tuple(direction for direction, size in lengths(pdu) if size == len(pdu) and sensible(pdu, direction))
    if not fits and not alone:
        return None
    return Piece(octets, "modbus-tcp", ModbusFrame(head[6], pdu, fits, int.from_bytes(head[:2], "big")))


def _nearly_698(octets: bytes, *, alone: bool) -> Piece | None:
    """Return a frame whose length fits and whose header check does not."""
    start = len(octets) - len(octets.lstrip(b"\xfe"))
    frame = octets[start:]
    if len(frame) < 12 or frame[0] != _START_OCTET[0] or frame[-1] != _END:  # noqa: PLR2004 - the shortest frame
        return None
    if int.from_bytes(frame[1:3], "little") & 0x3FFF != len(frame) - 2:
        return None
    return _whole698(octets, frame)


def _nearly_rtu(octets: bytes, *, alone: bool) -> Piece | None:
    """Return a message of an unknown function whose check is right, or of a known one whose check is wrong."""
    if not _LEAST_RTU <= len(octets) <= _MOST_RTU or (octets[0] > _LAST_UNIT and not alone):
        return None
    pdu = octets[1:-2]
    expected, found = crc16(octets[:-2]), int.from_bytes(octets[-2:], "little")
    if expected == found:
        return Piece(octets, "modbus-rtu", ModbusFrame(octets[0], pdu, ()))
    if not any(size == len(pdu) and sensible(pdu, direction) for direction, size in lengths(pdu)):
        return None
    # As on the line, low octet first, which is how a captured frame is compared.
    low_first = [value.to_bytes(2, "little").hex().upper() for value in (expected, found)]
    return Piece(octets, "modbus-rtu", None, _check_fault("CRC (low octet first)", *low_first))


def _never(octets: bytes, *, alone: bool) -> Piece | None:
    return None


class _Nearly(Protocol):
    def __call__(self, octets: bytes, *, alone: bool) -> Piece | None: ...


NEARLY: Final[Mapping[str, _Nearly]] = {
    "dlt698": _nearly_698,
    "dlt645": _never,
    "modbus-rtu": _nearly_rtu,
    "modbus-tcp": _never,
}
"""What a stretch of octets that holds no frame was meant to be."""
