"""Meters for the serial line of the benchmark: functions that make an answering function."""

import struct
from collections.abc import Callable, Sequence
from typing import Final

from pymodbus.framer.rtu import FramerRTU

from firmware_sim.faces.base import Face
from firmware_sim.faces.dlt645 import Dlt645Face
from firmware_sim.faces.dlt698 import Dlt698Face
from firmware_sim.meter import Row
from profiles import Profile, load

ADDRESS: Final = "000000000001"
TIMEZONE: Final = "Asia/Shanghai"
NOW_MS: Final = 1_767_196_800_000

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


def dlt645() -> Callable[[bytes], Sequence[bytes]]:
    """Return a DL/T 645 meter, the simulator's."""
    profile = load("dlt645-three-phase")
    return _served(Dlt645Face({"meter": (ADDRESS, profile, _Constant(profile))}, TIMEZONE))


def dlt698() -> Callable[[bytes], Sequence[bytes]]:
    """Return a DL/T 698.45 meter, the simulator's."""
    profile = load("dlt698-three-phase")
    return _served(Dlt698Face({"meter": (ADDRESS, profile, _Constant(profile))}, TIMEZONE))


class _Constant:
    """Values that cost nothing to have."""

    def __init__(self, profile: Profile) -> None:
        self._values: Row = {name: 1234 * point.resolution for name, point in profile.points.items()}

    def values(self, now_ms: int) -> Row:
        """Return every point of the profile."""
        del now_ms
        return self._values

    def row(self, table: str, number: int, now_ms: int) -> Row:
        """Return no row."""
        del table, number, now_ms
        return {}

    def apply(self, write: str, fields: Row, now_ms: int) -> None:
        """Do nothing."""
        del write, fields, now_ms


def _served(face: Face) -> Callable[[bytes], Sequence[bytes]]:
    return lambda data: [answer.octets for answer in face.feed(data, NOW_MS)]
