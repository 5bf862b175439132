"""Meters for the serial line of the benchmark, as light as can be: functions that make an answering function."""

import struct
from collections.abc import Callable, Sequence

from pymodbus.framer.rtu import FramerRTU

_READ = struct.Struct(">BBHH")


def modbus() -> Callable[[bytes], Sequence[bytes]]:
    """Return a Modbus RTU meter: every register holds its own address."""
    waiting = b""

    def answer(data: bytes) -> list[bytes]:
        nonlocal waiting
        waiting += data
        replies = []
        while len(waiting) >= 8:
            frame, waiting = waiting[:8], waiting[8:]
            unit, function, address, count = _READ.unpack(frame[:6])
            words = struct.pack(f">{count}H", *range(address, address + count))
            reply = bytes((unit, function, len(words))) + words
            replies.append(reply + FramerRTU.compute_CRC(reply).to_bytes(2, "big"))
        return replies

    return answer
