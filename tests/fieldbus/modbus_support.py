"""Modbus meters whose every register tells where it stands and when it was asked for, for the proofs of line_support.

Their frames are made here, without a line of the agent's code, so that both can't be wrong alike.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field


def crc(data: bytes) -> bytes:
    """Return the CRC-16 of Modbus over serial line 1.02, appendix B, low octet first."""
    value = 0xFFFF
    for octet in data:
        value ^= octet
        for _ in range(8):
            value = value >> 1 ^ 0xA001 if value & 1 else value >> 1
    return value.to_bytes(2, "little")


@dataclass
class Meters:
    """Answer reads by functions 3 and 4, and writes; a pair of registers holds its own address and a counter."""

    mbap: bool = False
    units: Sequence[int] = (1,)
    exceptions: dict[tuple[int, int], int] = field(default_factory=dict)  # (function, address): code
    silent: set[int] = field(default_factory=set)
    seen: list[tuple[int, bytes]] = field(default_factory=list)  # unit and protocol data unit of each request
    _buffer: bytes = b""

    def answer(self, data: bytes) -> list[bytes]:
        """Return the replies to what is complete; the counter is the number of requests seen so far."""
        self._buffer += data
        replies = []
        while self._buffer:
            if self.mbap:
                length = 6 + int.from_bytes(self._buffer[4:6], "big")
                frame, self._buffer = self._buffer[:length], self._buffer[length:]
                unit, pdu = frame[6], frame[7:]
            else:
                length = 9 + self._buffer[6] if self._buffer[1] == 16 else 8
                if self._buffer[1] in (0x11, 0x2B):
                    length = 4 if self._buffer[1] == 0x11 else 7
                frame, self._buffer = self._buffer[:length], self._buffer[length:]
                assert crc(frame[:-2]) == frame[-2:], frame.hex(" ")
                unit, pdu = frame[0], frame[1:-2]
            self.seen.append((unit, pdu))
            if unit in self.units and unit not in self.silent:
                replies.append(self.frame(unit, self.reply(unit, pdu), frame[:4]))
        return replies

    def frame(self, unit: int, pdu: bytes, request: bytes = bytes(4)) -> bytes:
        """Return a reply's octets; `request` is the beginning of the request, for its transaction number."""
        if self.mbap:
            return request[:4] + struct.pack(">HB", len(pdu) + 1, unit) + pdu
        return bytes((unit,)) + pdu + crc(bytes((unit,)) + pdu)

    def reply(self, unit: int, pdu: bytes) -> bytes:
        """Return the reply to one request."""
        function, address = pdu[0], int.from_bytes(pdu[1:3], "big")
        if code := self.exceptions.get((function, address)):
            return bytes((function | 0x80, code))
        if function in (3, 4):
            count = int.from_bytes(pdu[3:5], "big")
            words = [place(function, address + i) if (address + i) % 2 == 0 else len(self.seen) for i in range(count)]
            return struct.pack(f">BB{count}H", function, 2 * count, *words)
        if function in (6, 16):
            return pdu[:5]
        return bytes((function | 0x80, 1))


def place(function: int, address: int) -> int:
    """Return what a register of an even address holds."""
    return function << 12 | address


def read_out(data: bytes) -> list[tuple[object, int]]:
    """Return (place, counter) for each pair of registers."""
    words = struct.unpack(f">{len(data) // 2}H", data)
    return list(zip(words[::2], words[1::2], strict=True))


def places(function: int, address: int, count: int) -> list[object]:
    """Return the places that a read of these registers brings."""
    return [place(function, at) for at in range(address, address + count, 2)]
